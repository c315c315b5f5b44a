"""How many lines may be in flight beyond the free agents: what the ledger leaves, less what is at risk.

The worst case is taken: every line in flight is answered at once, and every one beyond the free agents is
abandoned. So a limit that holds now still holds when all lines of this moment have ended (promise P9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dialer_engine.core.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Exposure:
    """A campaign's lines at one moment, by country.

    `free` are agents who can take a call or are just getting one, `flying` lines that may still need an
    agent, `lost` those that no agent will ever take (hearing the drop message, or being cancelled), and
    `promised` lines that are being reserved, of whatever country.
    """

    free: int = 0
    flying: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    promised: int = 0

    @property
    def lines(self) -> int:
        """All lines that may still need an agent."""
        return sum(self.flying.values()) + self.promised

    def at_risk(self, country: str) -> int:
        """Return how many calls of a country may at worst end abandoned: all beyond the free agents."""
        beyond = max(0, self.lines - self.free)
        return self.lost.get(country, 0) + min(self.flying.get(country, 0) + self.promised, beyond)


@dataclass(frozen=True, slots=True)
class Budget:
    """How many abandoned calls each country leaves to one campaign, whose lines in flight are not counted."""

    left: Mapping[str, int]
    own: Exposure

    @property
    def lines_at_risk(self) -> int:
        """How many lines beyond the free agents this campaign may have; negative when it has abandoned more.

        A country binds when it has more lines in flight than it leaves; otherwise `rooms` keeps it in bounds.
        """
        binding = [left for country, left in self.left.items() if self.own.flying.get(country, 0) > left]
        return min(binding) if binding else max(self.left.values())

    def rooms(self, place: int) -> dict[str, int]:
        """Return, for the countries that need it, how many of the next `place` calls may go there."""
        lines = self.own.lines + place
        return {
            country: max(0, left - self.own.flying.get(country, 0))
            for country, left in self.left.items()
            if lines > self.own.free + max(0, left)
        }


def budget(ledger: Ledger, now: datetime, own: Exposure, others: Iterable[Exposure] = ()) -> Budget:
    """Return what the law leaves one campaign; `others` are of the same seller and offer."""
    elsewhere = tuple(others)
    left = {
        country: ledger.left(country, now)
        - own.lost.get(country, 0)
        - sum(other.at_risk(country) for other in elsewhere)
        for country in ledger.limits
    }
    return Budget(left, own)
