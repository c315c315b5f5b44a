"""A hash chain over records: whoever changes, adds, drops or moves one record changes every later head."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

START = "0" * 64
"""The head of a chain without records."""


@dataclass(slots=True)
class Chain:
    """The chain so far: its head (SHA-256 in hexadecimal) and how many records it holds."""

    head: str = START
    records: int = 0

    def add(self, record: bytes) -> str:
        """Append a record and return the new head."""
        self.head = hashlib.sha256(self.head.encode("ascii") + b"\n" + record).hexdigest()
        self.records += 1
        return self.head
