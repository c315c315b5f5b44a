"""From what pydantic says to what a person can act on: place, what is wrong, what is allowed."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from dialer_engine.settings.base import Model
from dialer_engine.settings.catalogue import ANY, Key, keys, literal_words
from dialer_engine.settings.problems import Problem, Step
from dialer_engine.settings.yaml_text import Document, Steps

_SECRETS = frozenset({"password", "ari_password", "ami_password", "url", "engine_url"})
Words = tuple[str, str, str]
"""What is wrong, what is allowed, what was probably meant."""


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, or nothing."""
    matches = difflib.get_close_matches(word.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return matches[0] if matches else ""


def explain(document: Document, model: type[Model], error: ValidationError) -> list[Problem]:
    """Every error of a validation as a problem with its place in the document."""
    known = list(keys(model))
    return [_explain_one(document, known, detail) for detail in error.errors(include_url=False)]


def _explain_one(document: Document, known: list[Key], detail: Any) -> Problem:
    path, at_key = _path_in(document, detail["loc"])
    if detail["type"] == "extra_forbidden":
        what, allowed, suggestion = _unknown_key(known, path)
        return document.problem(path, what, allowed, suggestion, at_key=True)
    what, allowed, suggestion = _words(detail, _find(known, path))
    return document.problem(path, what, allowed, suggestion, at_key=at_key)


def _path_in(document: Document, location: Sequence[Step]) -> tuple[Steps, bool]:
    """The part of pydantic's location that the user wrote; pydantic adds marks of its own such as '[key]'."""
    path: Steps = ()
    for step in location:
        mark = isinstance(step, str) and step[:1] in ("[", "<")
        if not mark or (*path, step) in document.keys:
            path = (*path, step)
    return path, "[key]" in location


def _find(known: list[Key], path: Steps) -> Key | None:
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return next((key for key in known if _fits(key.path, path)), None)


def _fits(pattern: tuple[str, ...], path: Steps) -> bool:
    same_length = len(pattern) == len(path)
    return same_length and all(step in (ANY, given) for step, given in zip(pattern, path, strict=True))


def _unknown_key(known: list[Key], path: Steps) -> Words:
    word = str(path[-1])
    here = [key.path[-1] for key in known if _fits(key.path[:-1], path[:-1]) and key.path[-1] != ANY]
    elsewhere = [".".join(key.path) for key in known if key.path[-1] == word]
    suggestion = nearest(word, here) or (elsewhere[0] if elsewhere else "")
    return f"unknown key '{word}'", ", ".join(here), suggestion


def _words(detail: Any, key: Key | None) -> Words:
    context = detail.get("ctx") or {}
    if detail["type"] == "dialer_value":
        return context["what"], context["allowed"], context["suggestion"]
    secret = key is not None and key.path[-1] in _SECRETS and isinstance(detail["input"], str)
    shown = "the value" if secret else _shown(detail["input"])
    make = _KINDS.get(detail["type"])
    return make(shown, detail, key) if make else (f"{shown}: {detail['msg']}", _allowed(key), "")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = str(value) if value is not None else ""
    return f"'{text[:60]}'" if text else "an empty value"


def _allowed(key: Key | None) -> str:
    return key.allowed or key.description if key else ""


def _missing(_shown: str, detail: Any, key: Key | None) -> Words:
    return f"'{detail['loc'][-1]}' is missing", key.description if key else "", ""


def _choice(shown: str, detail: Any, key: Key | None) -> Words:
    if "[key]" in detail["loc"]:
        return f"{shown} is not possible as a key", detail["ctx"]["expected"].replace("'", ""), ""
    words = literal_words(key.field.annotation) if key else []
    if words == ["all"]:
        return f"{shown} is not possible", "all, or a list of names in [ ]", f"[{detail['input']}]"
    return f"{shown} is not possible", ", ".join(words), nearest(str(detail["input"]), words)


def _kind(expected: str) -> Callable[[str, Any, Key | None], Words]:
    def make(shown: str, _detail: Any, key: Key | None) -> Words:
        return f"{shown} is not {expected}", _allowed(key), ""

    return make


def _list(shown: str, detail: Any, _key: Key | None) -> Words:
    one = isinstance(detail["input"], str)
    return f"{shown} is not a list", "a list such as [one, two]", f"[{detail['input']}]" if one else ""


def _group(shown: str, _detail: Any, _key: Key | None) -> Words:
    return (
        f"{shown} where a group of keys belongs",
        "keys with values, each on a line of its own, indented",
        "",
    )


def _text(shown: str, _detail: Any, key: Key | None) -> Words:
    return f"{shown} where one value belongs", _allowed(key), ""


def _range(shown: str, _detail: Any, key: Key | None) -> Words:
    return f"{shown} is out of range", _allowed(key), ""


def _empty(shown: str, _detail: Any, key: Key | None) -> Words:
    return f"{shown} is not enough", f"at least one: {key.description}" if key else "at least one", ""


def _pattern(shown: str, _detail: Any, key: Key | None) -> Words:
    return f"{shown} does not have the right form", key.description if key else "", ""


_KINDS: dict[str, Callable[[str, Any, Key | None], Words]] = {
    "missing": _missing,
    "literal_error": _choice,
    "int_parsing": _kind("a whole number"),
    "int_parsing_size": _range,
    "int_from_float": _kind("a whole number"),
    "int_type": _kind("a whole number"),
    "float_parsing": _kind("a number"),
    "float_type": _kind("a number"),
    "finite_number": _range,
    "bool_parsing": _kind("true or false"),
    "bool_type": _kind("true or false"),
    "list_type": _list,
    "dict_type": _group,
    "model_type": _group,
    "model_attributes_type": _group,
    "string_type": _text,
    "path_type": _text,
    "too_short": _empty,
    "string_pattern_mismatch": _pattern,
    "string_too_long": _kind("short enough"),
    "greater_than": _range,
    "greater_than_equal": _range,
    "less_than": _range,
    "less_than_equal": _range,
}
