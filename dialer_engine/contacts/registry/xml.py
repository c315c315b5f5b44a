"""The XML twin of the flat files: `<list type='full' level='ac' val='416'><ac val='416'><ph val='1234567'/>`.

The registries' own examples close `<list .../>` at once and again at the end, so a parser that insists on
well-formed documents refuses them; this one reads the tags in turn. A file without `</list>` was cut off.
"""

import re
from collections.abc import Iterator

from dialer_engine.contacts.registry.batch import Batch, seven_digits
from dialer_engine.contacts.registry.files import LONGEST_LINE, Part, text_chunks

_TAG = re.compile(rb"(<(?!/?ph\b)[^<>]*>)")
_PHONE = re.compile(rb"<ph\s+val\s*=\s*['\"](\d{7})['\"]\s*(?:/>|>\s*</ph>)")
_ATTRIBUTE = re.compile(rb"([A-Za-z_-]+)\s*=\s*['\"]([^'\"]*)['\"]")
_OPEN_PHONE = re.compile(rb"<ph\b[^<>]*>\s*\Z")
_SEVEN = tuple(range(7))


def looks_like_xml(head: bytes) -> bool:
    """Tell whether a file starts with a tag."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


class _Reader:
    def __init__(self, part: Part, kind: str) -> None:
        self.part, self.kind = part, kind
        self.npa = 0
        self.level: str | None = None
        self.only: int | None = None
        self.ended = False

    def tag(self, tag: bytes, line: int) -> None:
        name = tag.strip(b"</> \t\r\n").split()[0].lower() if tag.strip(b"</> \t\r\n") else b""
        if tag.startswith((b"<?", b"<!")):
            return
        if self.ended:
            raise self.part.refuse(line, "something follows the end of the list")
        if name == b"list":
            self._list(tag, line)
        elif name == b"ac":
            self._area(tag, line)
        else:
            raise self.part.refuse(line, f"tag {tag[:40].decode('ascii', 'replace')} is not known here")

    def _list(self, tag: bytes, line: int) -> None:
        if tag.startswith(b"</"):
            self.ended = True
            return
        found = {key.decode().lower(): value.decode() for key, value in _ATTRIBUTE.findall(tag)}
        if found.get("type") != self.kind:
            raise self.part.refuse(line, f"the file says type {found.get('type')!r}, expected {self.kind!r}")
        self.level = found.get("level")
        if self.level == "ac":
            self.only = self._code(found.get("val", ""), line)

    def _area(self, tag: bytes, line: int) -> None:
        if tag.startswith(b"</"):
            self.npa = 0
            return
        if self.level is None:
            raise self.part.refuse(line, "an area code before the tag <list>")
        found = dict(_ATTRIBUTE.findall(tag))
        self.npa = self._code(found.get(b"val", b"").decode(), line)
        if self.only is not None and self.npa != self.only:
            raise self.part.refuse(line, f"area code {self.npa} in a file that says it holds {self.only}")

    def _code(self, text: str, line: int) -> int:
        if len(text) != 3 or not text.isdecimal() or text[0] in "01":
            raise self.part.refuse(line, f"{text!r} is no area code")
        return int(text)

    def phones(self, text: bytes, line: int) -> Batch | None:
        left = _PHONE.sub(b"", text).strip()
        if left:
            at = line + text[: text.find(left[:20])].count(b"\n")
            raise self.part.refuse(at, f"{left[:40].decode('ascii', 'replace')!r} is no telephone number")
        digits = b"".join(_PHONE.findall(text))
        if digits and not self.npa:
            raise self.part.refuse(line, "a number outside an area code")
        return Batch(self.npa, seven_digits(digits, 0, 7, _SEVEN), line, per_line=False) if digits else None


def read_xml(part: Part, kind: str = "full") -> Iterator[Batch]:
    """Return the numbers of an XML file in its order; RegistryError at what does not belong."""
    reader = _Reader(part, kind)
    rest, line = b"", 1
    for _, text in text_chunks(part):
        whole, rest = _cut(rest + text)
        if len(rest) > LONGEST_LINE:
            raise part.refuse(line + whole.count(b"\n"), "a tag without end; this is no list of numbers")
        for piece in _TAG.split(whole):
            if _TAG.fullmatch(piece):
                reader.tag(piece, line)
            elif piece.strip() and (batch := reader.phones(piece, line)) is not None:
                yield batch
            line += piece.count(b"\n")
    if rest.strip() or not reader.ended:
        raise part.refuse(line, "the file ends before </list>: it was cut off; download it again")


def _cut(text: bytes) -> tuple[bytes, bytes]:
    """Divide behind the last complete tag; an opened <ph> that waits for its </ph> stays with the rest."""
    end = text.rfind(b">") + 1
    whole, rest = text[:end], text[end:]
    opened = None if whole.endswith(b"/>") else _OPEN_PHONE.search(whole, max(0, len(whole) - 200))
    return (whole, rest) if opened is None else (whole[: opened.start()], whole[opened.start() :] + rest)
