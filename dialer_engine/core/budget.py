"""How many lines may be in flight beyond the free agents: what the ledger leaves, less what is at risk.

The worst case is taken: every line in flight is answered at once, and every one beyond the free agents is
abandoned. So a limit that holds now still holds when all lines of this moment have ended (promise P9).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
    """How many abandoned calls each country leaves to one campaign, whose lines in flight are not counted.

    `main` is the country most of its calls go to.
    """

    left: Mapping[str, int]
    own: Exposure
    main: str

    @property
    def lines_at_risk(self) -> int:
        """How many lines beyond the free agents this campaign may have; negative when it has abandoned more.

        The main country decides, and any other that has more lines in flight than it leaves; `Admission`
        keeps the others in bounds.
        """
        binding = (left for country, left in self.left.items() if self.own.flying.get(country, 0) > left)
        return min((self.left[self.main], *binding))


class Admission:
    """Lets calls into the budget one by one, by their country: after each the worst case is still allowed."""

    def __init__(self, budget: Budget) -> None:
        self._left = budget.left
        self._free = budget.own.free
        self._flying = Counter(budget.own.flying)
        self._lines = budget.own.lines

    def admit(self, country: str) -> bool:
        """Take one more line to a country in, when every country allows what could then be abandoned."""
        self._flying[country] += 1
        self._lines += 1
        beyond = self._lines - self._free
        if all(min(self._flying[c], beyond) <= max(0, left) for c, left in self._left.items()):
            return True
        self._flying[country] -= 1
        self._lines -= 1
        return False


def budget(ledger: Ledger, now: datetime, own: Exposure, others: Iterable[Exposure] = ()) -> Budget:
    """Return what the law leaves one campaign; `others` are of the same seller and offer."""
    elsewhere = tuple(others)
    left = {
        country: ledger.left(country, now)
        - own.lost.get(country, 0)
        - sum(other.at_risk(country) for other in elsewhere)
        for country in ledger.limits
    }
    return Budget(left, own, _main(ledger, now, own))


def _main(ledger: Ledger, now: datetime, own: Exposure) -> str:
    """Return the country with the most answers in its present period and lines in flight."""
    day = now.astimezone(UTC).date()
    return max(ledger.limits, key=lambda c: (ledger.counts(c, day).live, own.flying.get(c, 0), c))
