"""Which answer rate do the newest calls allow? What is known of some of them, and the rates it does not contradict."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

Kind = tuple[bool, int]
"""Whether a call rings, and for how many seconds, or else how long ago it left."""
STEPS = 7
"""Halvings of an interval of rates."""
SURE = 0.9999


@dataclass(frozen=True, slots=True)
class Window:
    """Some newest calls of a list: how many were answered, how many failed or rang out, how many are in flight.

    `rung` are the answers that those in flight would have shown by now, were they all to be answered: a call
    that rang as long as half of all who answer take counts one half. Of those in flight `own` are the pool's that
    asks, with `own_rung`: only they may cost it an agent. `kinds` are its calls in flight by age.
    """

    answers: float
    failures: float
    in_flight: float
    rung: float
    own: float
    own_rung: float
    kinds: dict[Kind, int]


def likeliest(window: Window) -> float:
    """Return the rate that makes what was seen of a window's calls likeliest."""
    if window.answers <= 0.0:
        return 0.0
    low, high = 0.0, 1.0
    share = window.rung / window.in_flight if window.in_flight else 0.0
    for _ in range(7):
        rate = 0.5 * (low + high)
        falls = window.failures / (1.0 - rate) + window.rung / (1.0 - rate * share)
        if window.answers / rate > falls:
            low = rate
        else:
            high = rate
    return high


def most(window: Window, best: float, evidence: float) -> float:
    """Return the highest rate that what was seen of a window's calls does not contradict."""
    floor = _likelihood(window, best) - evidence
    if _likelihood(window, 0.9999) > floor:
        return 1.0
    low, high = best, 0.9999
    for _ in range(7):
        rate = 0.5 * (low + high)
        if _likelihood(window, rate) < floor:
            high = rate
        else:
            low = rate
    return high


def _likelihood(window: Window, rate: float) -> float:
    """Return the logarithm of how likely a rate makes what was seen."""
    found = window.answers * log(rate) if window.answers else 0.0
    if window.failures:
        found += window.failures * log(max(1e-12, 1.0 - rate))
    if window.rung:
        found += window.in_flight * log(max(1e-12, 1.0 - rate * window.rung / window.in_flight))
    return found


def score(tried: tuple[float, Window]) -> float:
    """Return about how many answers a rate lets expect of a pool's own calls in a window."""
    rate, window = tried
    rest = window.own - window.own_rung
    return rate * rest * window.own / max(1e-3, window.own - rate * window.own_rung) if rest > 0.0 else 0.0
