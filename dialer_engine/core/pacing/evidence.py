"""Which answer rate do the newest calls allow? What is known of some of them, and the rates it does not contradict."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from dialer_engine.core.pacing.flying import Age

STEPS = 7
"""Halvings of an interval of rates."""
SURE = 0.9999
"""The highest rate that is told from certainty."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some newest calls of a list: how many were answered, how many failed or rang out, how many are in flight.

    `rung` are the answers that those in flight would have shown by now, were they all to be answered: a call
    that rang as long as half of all who answer take counts one half. Of those in flight `own` are the pool's that
    asks, with `own_rung`: only they may cost it an agent. `ages` are those by age.
    """

    answers: float
    failures: float
    in_flight: float
    rung: float
    own: float
    own_rung: float
    ages: dict[Age, int]


def likeliest(window: Window) -> float:
    """Return the rate that makes what was seen of a window's calls likeliest."""
    if window.answers <= 0.0:
        return 0.0
    low, high = 0.0, 1.0
    share = window.rung / window.in_flight if window.in_flight else 0.0
    for _ in range(STEPS):
        rate = 0.5 * (low + high)
        falls = window.failures / (1.0 - rate) + window.rung / (1.0 - rate * share)
        if window.answers / rate > falls:
            low = rate
        else:
            high = rate
    return high


def most(window: Window, best: float, evidence: float) -> float:
    """Return the highest rate that what was seen of a window's calls does not contradict."""
    answers, failures, in_flight = window.answers, window.failures, window.in_flight
    share = window.rung / in_flight if in_flight else 0.0

    def likelihood(rate: float) -> float:
        """Return the logarithm of how likely a rate makes what was seen."""
        found = in_flight * log(max(1e-12, 1.0 - rate * share)) if share else 0.0
        if failures:
            found += failures * log(max(1e-12, 1.0 - rate))
        return found + answers * log(rate) if answers else found

    floor = likelihood(best) - evidence
    if likelihood(SURE) > floor:
        return 1.0
    low, high = best, SURE
    for _ in range(STEPS):
        rate = 0.5 * (low + high)
        if likelihood(rate) < floor:
            high = rate
        else:
            low = rate
    return high


def score(rate: float, window: Window) -> float:
    """Return about how many answers a rate lets expect of a pool's own calls in a window, never more than those."""
    rest = window.own - window.own_rung
    return rate * rest * window.own / max(1e-3, window.own - rate * window.own_rung) if rest > 0.0 else 0.0
