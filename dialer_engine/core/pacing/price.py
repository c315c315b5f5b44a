"""What an abandoned call costs, in idle seconds of agents: found by counting, so that no model need be right.

The price rises with every abandoned call more than the campaign means to spend by now and falls with every one
less: a part at once, a part for good, because the right price of a pool is learned by what the wrong one did.
Until a period has some hundred live answers a few abandoned calls are kept back, for the law's line is a hard
one and a small count is mostly chance; and more when the guard needs them in hand, lest a list that turns break it.
"""

from __future__ import annotations

from math import exp

from dialer_engine.core.pacing.model import LedgerView

FIRST = 5.7
"""Logarithm of the price at the start: about 300 idle seconds."""
AT_ONCE = 0.12
FOR_GOOD = 0.00015
"""What one abandoned call too many adds to the logarithm: now, and for good with every live answer."""
RESERVE = 2.5
RESERVE_AT = 150.0
"""Abandoned calls kept back, and the live answers by which all of them are."""
BOUND = 4.0
HOLDS_S = 5.0
NEED_S = 600.0
"""Seconds over which the guard's need is averaged; a need is believed for the first so many."""


class Price:
    """The price of an abandoned call for one campaign."""

    def __init__(self) -> None:
        self._learned = 0.0
        self._live: int | None = None
        self._need = 0.0
        self._at: float | None = None
        self.value = exp(FIRST)

    def needs(self, calls: int, now: float) -> None:
        """Take note of how many abandoned calls the law's guard must have in hand at a monotonic second."""
        passed = min(HOLDS_S, now - self._at) if self._at is not None else 0.0
        self._at = now
        self._need += (calls - self._need) * (1.0 - exp(-passed / NEED_S))

    def update(self, ledger: LedgerView | None, target: float) -> float:
        """Look at the counts of the period and return the price in idle seconds per abandoned call."""
        if ledger is None:
            return self.value
        over = ledger.abandoned - spendable(ledger, target, max(RESERVE, self._need))
        new = max(0, ledger.live - self._live) if self._live is not None else 0
        self._live = ledger.live
        self._learned = min(BOUND, max(-BOUND, self._learned + FOR_GOOD * over * new))
        self.value = exp(FIRST + min(BOUND, max(-BOUND, AT_ONCE * over)) + self._learned)
        return self.value


def spendable(ledger: LedgerView, target: float, reserve: float = RESERVE) -> float:
    """Return how many abandoned calls the campaign means to have spent by now."""
    share = min(target, ledger.share)
    kept_back = min(reserve * min(1.0, ledger.live / RESERVE_AT), 0.5 * share * ledger.live)
    return share * ledger.live - kept_back
