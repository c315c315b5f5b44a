"""What a campaign's own calls say about the next ones: shares and durations that a simulation can start from.

A call that we ended while it rang says only that nobody answered until then, so the share of answers is counted by
the second of ringing (the product-limit estimate) and not by dividing sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, pstdev

ENOUGH = 200
"""Calls that must have been sent before they are believed."""
ENOUGH_LOOKS = 30
"""Contacts on show that must have been decided on before they are believed."""
CUT = frozenset({"cancelled", "trunk_fault", "unknown", "node_lost"})
"""Results that say nothing about the called phone."""
LONGEST_RING_S = 90


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One call that was sent; seconds, None where it never got there. `person`: not an answering machine.

    `answered_s` is counted from dialing, like `dialed_s` (until it rang) and `lasted_s`; `npa` is the area code,
    `list_id` the list it came from (0: not known), `again` whether its contact had been tried before.
    """

    result: str
    answered: bool
    person: bool
    dialed_s: float | None
    rang_s: float | None
    lasted_s: float
    talked_s: float | None
    answered_s: float | None = None
    npa: str = ""
    list_id: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What a campaign did before: its calls and its wrap-ups (seconds), the oldest first."""

    calls: Sequence[SeenCall] = ()
    wraps: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """A duration: mean in seconds, and its coefficient of variation."""

    mean_s: float
    cv: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen of `calls`: shares of 0 to 1, durations None where too few were seen.

    `answer_rate` is the share of calls that a person answers within `ring_limit_s`, `machine_rate` that of
    machines, `fail_rate` that of calls which end before they ring. `ring` is how long the phones of those who
    answer ring, `dial` how long it takes until a phone rings.
    """

    calls: int
    answer_rate: float
    machine_rate: float
    fail_rate: float
    ring_limit_s: float
    dial: Spread | None
    ring: Spread | None
    fail: Spread | None
    talk: Spread | None
    machine: Spread | None
    wrap: Spread | None


@dataclass(frozen=True, slots=True)
class Looks:
    """How agents looked at `seen` contacts on show (mode preview), and the share of them that they did not call."""

    seen: int
    look: Spread
    skip_share: float


def measure_looks(looks: Sequence[tuple[float, bool]]) -> Looks | None:
    """Return what looks (seconds, and whether a call followed) say, None when there are fewer than `ENOUGH_LOOKS`."""
    found = spread(seconds for seconds, _ in looks)
    if len(looks) < ENOUGH_LOOKS or found is None:
        return None
    return Looks(len(looks), found, sum(not dialed for _, dialed in looks) / len(looks))


def measure(calls: Sequence[SeenCall], wraps: Iterable[float], ring_limit_s: float) -> Measured | None:
    """Return what the calls and the wrap-ups (seconds) say, None when there are fewer than `ENOUGH` calls."""
    known = [call for call in calls if call.answered or call.rang_s is not None or call.result not in CUT]
    if len(known) < ENOUGH:
        return None
    failed = [call for call in known if not call.answered and call.rang_s is None]
    rang = [call for call in known if call.answered or call.rang_s is not None]
    rings = len(rang) / len(known)
    talks = [call for call in known if call.talked_s is not None]
    return Measured(
        calls=len(known),
        answer_rate=rings * answered_by(rang, ring_limit_s, person=True),
        machine_rate=rings * answered_by(rang, ring_limit_s, person=False),
        fail_rate=len(failed) / len(known),
        ring_limit_s=ring_limit_s,
        dial=spread(call.dialed_s for call in rang),
        ring=spread(call.rang_s for call in rang if call.answered and call.person),
        fail=spread(call.lasted_s for call in failed),
        talk=spread(call.talked_s for call in talks if call.person),
        machine=spread(call.talked_s for call in talks if not call.person),
        wrap=spread(wraps),
    )


def answered_by(rang: Sequence[SeenCall], limit_s: float, *, person: bool) -> float:
    """Return the share of ringing phones that a person (or a machine) answers within `limit_s` seconds."""
    seconds = range(min(LONGEST_RING_S, int(limit_s) + 1))
    ages = [int(call.rang_s or 0.0) for call in rang]
    share, rings_on = 0.0, 1.0
    for second in seconds:
        at_risk = sum(age >= second for age in ages)
        if not at_risk:
            break
        now = [call for call, age in zip(rang, ages, strict=True) if age == second]
        share += rings_on * sum(call.answered and call.person is person for call in now) / at_risk
        ended = sum(call.answered or call.result not in CUT for call in now)
        rings_on *= 1.0 - ended / at_risk
    return share


def spread(seconds: Iterable[float | None]) -> Spread | None:
    """Return mean and variation of durations, None when there are fewer than five or they are all zero."""
    known = [value for value in seconds if value is not None]
    if len(known) < 5 or not any(known):
        return None
    mean = fmean(known)
    return Spread(mean, pstdev(known) / mean)


def share_error(share: float, count: int) -> float:
    """Return the half width of a 95 % interval of a share among so many."""
    return 1.96 * sqrt(share * (1.0 - share) / count) if count else 1.0
