"""What an abandoned call costs, in idle seconds of agents: found by counting, so that no model need be right.

The price rises with every abandoned call more than the campaign means to spend by now and falls with every one
less: a part at once, a part for good, because the right price of a pool is learned by what the wrong one did.
Until a period has some hundred live answers a few abandoned calls are kept back, for the law's line is a hard
one and a small count is mostly chance.
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


class Price:
    """The price of an abandoned call for one campaign."""

    def __init__(self) -> None:
        self._learned = 0.0
        self._live: int | None = None
        self.value = exp(FIRST)

    def update(self, ledger: LedgerView | None, target: float) -> float:
        """Look at the counts of the period and return the price in idle seconds per abandoned call."""
        if ledger is None:
            return self.value
        over = ledger.abandoned - spendable(ledger, target)
        new = max(0, ledger.live - self._live) if self._live is not None else 0
        self._live = ledger.live
        self._learned = min(BOUND, max(-BOUND, self._learned + FOR_GOOD * over * new))
        self.value = exp(FIRST + min(BOUND, max(-BOUND, AT_ONCE * over)) + self._learned)
        return self.value


def spendable(ledger: LedgerView, target: float) -> float:
    """Return how many abandoned calls the campaign means to have spent by now."""
    share = min(target, ledger.share)
    kept_back = min(RESERVE * min(1.0, ledger.live / RESERVE_AT), 0.5 * share * ledger.live)
    return share * ledger.live - kept_back
