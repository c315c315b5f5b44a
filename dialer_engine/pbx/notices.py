"""Asterisk's notices: who was refused over SIP, read from the end of the log, and the log kept short.

Asterisk writes a line for every request of a stranger and every wrong password. The same is to be had as security
events over AMI, but there each costs the engine a hundred times as much, and a flood of them comes at thousands a
second.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path

from dialer_engine.pbx.files import size_of
from dialer_engine.settings.handover import open_shared

_REFUSED = b"' failed for '"
_SOURCE = re.compile(rb"' failed for '([0-9A-Fa-f.:]{2,45}):\d{1,5}' \(callid: ")
_PIECE = 65_536
MOST_BYTES = 4_000_000
"""Read at a time; older bytes are left out when there are more, which is about 20,000 tries."""
MOST_SOURCES = 1_000
LIMIT_BYTES = 20_000_000
OTHERS = "others"


class Notices:
    """The notices of one Asterisk, read as they come; blocking, for a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = size_of(path)
        self._rest = b""

    def refused(self) -> Counter[str]:
        """Return how many requests were refused since the last look, by the address they came from.

        At most `MOST_SOURCES` addresses are told apart; what is beyond them counts as `OTHERS`.
        """
        found: Counter[str] = Counter()
        size = size_of(self._path)
        if size < self._place:
            self._place, self._rest = 0, b""
        start = max(self._place, size - MOST_BYTES)
        if size == self._place:
            return found
        with os.fdopen(open_shared(self._path, os.O_RDONLY), "rb") as file:
            file.seek(start)
            # In pieces: the engine's event loop gets its turn between them.
            while piece := file.read(_PIECE):
                text, _, rest = (self._rest + piece).rpartition(b"\n")
                for source in map(_source, filter(_refused, text.split(b"\n"))):
                    found[source if source in found or len(found) < MOST_SOURCES else OTHERS] += 1
                self._rest = rest[-_PIECE:]
            self._place = file.tell()
        return found

    def keep_short(self) -> bool:
        """Move a log longer than `LIMIT_BYTES` aside, where it replaces the one before; tells whether it did.

        Asterisk appends, so it goes on at the beginning of the emptied file; its own rotation would move the warnings
        away as well. Lines written between the copy and the cut are lost.
        """
        if size_of(self._path) <= LIMIT_BYTES:
            return False
        aside = self._path.with_name(f"{self._path.name}.0")
        aside.unlink(missing_ok=True)
        fresh = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with (
            os.fdopen(open_shared(self._path, os.O_RDWR), "r+b") as file,
            os.fdopen(open_shared(aside, fresh, 0o640), "wb") as kept,
        ):
            shutil.copyfileobj(file, kept)
            file.truncate(0)
        self._place, self._rest = 0, b""
        return True


def _refused(line: bytes) -> bool:
    return _REFUSED in line


def _source(line: bytes) -> str:
    """Return the address of a line; a stranger's name or Call-ID that looks like the words around it hides none."""
    match = _SOURCE.search(line)
    return match[1].decode("ascii") if match and line.count(_REFUSED) == 1 else OTHERS
