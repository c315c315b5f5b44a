"""Chance that can be repeated: every throw is a hash of the seed and of what it is thrown for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Dice:
    """Throws that depend on the seed and the keys alone, not on how many were thrown before."""

    seed: int

    def fraction(self, *keys: object) -> float:
        """A number from 0 up to 1, excluding 1."""
        text = "|".join(str(part) for part in (self.seed, *keys))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") / 2**48

    def between(self, low: float, high: float, *keys: object) -> float:
        """A number from `low` up to `high`."""
        return low + (high - low) * self.fraction(*keys)

    def pick(self, choices: Sequence[_T], *keys: object) -> _T:
        """One of `choices`."""
        return choices[int(self.fraction(*keys) * len(choices))]

    def shuffled(self, items: Sequence[_T], *keys: object) -> list[_T]:
        """The items in another order."""
        order = sorted(range(len(items)), key=lambda index: self.fraction("shuffle", *keys, index))
        return [items[index] for index in order]
