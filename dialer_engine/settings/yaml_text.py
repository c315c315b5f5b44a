"""YAML in which every plain word stays text, with the place of every key and value.

YAML 1.1 reads `10:30` as 630 and `+12105550100` as a number without its plus, and lets the second of two
equal keys win silently. Here nothing is guessed: values stay text until the models say what they are; equal
keys, aliases, tags and further documents are errors. Only an empty value, `~` and `null` mean "not given".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from dialer_engine.settings.problems import Problem, Step, path_text
from dialer_engine.settings.text_file import Place, UnreadableError, read_text, unreadable

Steps = tuple[Step, ...]
Tree = None | str | list["Tree"] | dict[str, "Tree"]

DEEPEST = 20
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one YAML file and where its keys and values stand."""

    file: Path
    content: dict[str, Tree] = field(default_factory=dict)
    keys: Mapping[Steps, Place] = field(default_factory=dict)
    values: Mapping[Steps, Place] = field(default_factory=dict)
    raw: bytes = b""

    def problem(
        self, path: Steps, what: str, allowed: str = "", suggestion: str = "", *, at_key: bool = False
    ) -> Problem:
        """A problem at the value of a path or at its key; what is missing stands at its parent's key."""
        place = self.keys.get(path) if at_key else self.values.get(path)
        above = path
        while place is None and above:
            place = self.keys.get(above) or self.values.get(above)
            above = above[:-1]
        place = place or Place(1, 1)
        return Problem(self.file, place.line, place.column, path_text(path), what, allowed, suggestion)


def read_document(file: Path) -> tuple[Document, list[Problem]]:
    """Read one file; UnreadableError when there is no tree, otherwise the tree and the problems in it."""
    raw, text = read_text(file)
    try:
        _refuse_events(file, text)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_syntax_problem(file, text, error)) from error
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value == ""):
        raise unreadable(file, "the file is empty or holds only comments", "keys with values")
    if not isinstance(root, yaml.MappingNode):
        raise unreadable(file, "the file holds no keys", "keys with values such as 'trunks:'", _place(root))
    walk = _Walk(file)
    content = walk.mapping(root, ())
    return Document(file, content, walk.keys, walk.values, raw), walk.problems


class _Walk:
    """Turns nodes into plain values and notes their places."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.keys: dict[Steps, Place] = {}
        self.values: dict[Steps, Place] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, path: Steps) -> Tree:
        self.values[path] = _place(node)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        text = str(node.value)
        plain = isinstance(node, yaml.ScalarNode) and not node.style
        return None if plain and text in _NULLS else text

    def mapping(self, node: yaml.MappingNode, path: Steps) -> dict[str, Tree]:
        content: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in content:
                self._duplicate(key_node, (*path, key))
                continue
            self.keys[(*path, key)] = _place(key_node)
            content[key] = self.value(value_node, (*path, key))
        return content

    def _key(self, node: yaml.Node, path: Steps) -> str | None:
        if isinstance(node, yaml.ScalarNode) and (node.style or node.value != "<<"):
            return str(node.value)
        what = (
            "'<<' merges are not supported" if isinstance(node, yaml.ScalarNode) else "a key must be one word"
        )
        self._add(node, path, what, "write the keys out")
        return None

    def _duplicate(self, node: yaml.Node, path: Steps) -> None:
        first = self.keys[path]
        self._add(
            node, path, f"the key '{path[-1]}' stands here a second time", f"once; first in line {first.line}"
        )

    def _add(self, node: yaml.Node, path: Steps, what: str, allowed: str) -> None:
        place = _place(node)
        self.problems.append(Problem(self.file, place.line, place.column, path_text(path), what, allowed))


def _place(node: yaml.Node | yaml.Event) -> Place:
    mark = node.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _refuse_events(file: Path, text: str) -> None:
    """Refuse what the composer would follow: aliases (which can explode), tags, depth and more documents."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        for what, allowed in _refusals(event, depth, documents):
            raise unreadable(file, what, allowed, _place(event))


def _refusals(event: yaml.Event, depth: int, documents: int) -> Iterator[tuple[str, str]]:
    if isinstance(event, yaml.AliasEvent):
        yield "aliases such as *name are not supported", "write the value out"
    if getattr(event, "tag", None) is not None:
        yield "tags such as !name are not supported", "the value alone; put text that starts with ! in quotes"
    if documents > 1:
        yield "a second document starts here", "one document per file"
    if depth > DEEPEST:
        yield "values are nested too deeply", f"at most {DEEPEST} levels"


def _syntax_problem(file: Path, text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    lines = text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    what, allowed = _syntax_words(str(error.problem), line, place.column)
    return Problem(file, place.line, place.column, "", what, allowed)


def _syntax_words(problem: str, line: str, column: int) -> tuple[str, str]:
    character = line[column - 1 : column]
    if character == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab is used for indentation", "spaces"
    if "cannot start any token" in problem:
        return f"a value cannot start with '{character}'", "text in quotes"
    if "mapping values are not allowed" in problem:
        return "a ':' that does not belong here", "text with ': ' in quotes; keys of one group in one column"
    return f"this is not YAML: {problem}", "check quotes, brackets, colons and indentation up to here"
