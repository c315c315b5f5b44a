"""Attempts to one person in any 24 hours, whatever number of theirs was called and whoever called it.

Florida and Maryland count per person; the house does so everywhere. A person is a contact with all numbers.
"""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.number_attempts import PERIOD, smallest_cap
from dialer_engine.core.gate.rules.shape import allow, block, wait

NAME = "person_attempts"

_FRESH = allow(NAME, "the person was not called in the last 24 hours")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Wait until the oldest attempt to the person that counts is 24 hours and a minute ago."""
    cap, owner = smallest_cap(facts, context, context.limits.per_person_24h)
    if cap < 1:
        return block(NAME, f"{owner} allows no attempts")
    since = context.now - PERIOD
    recent = sorted(at for at in facts.person_attempts if at > since)
    if len(recent) < cap:
        return allow(NAME, f"{len(recent)} of {cap} attempts in the last 24 hours") if recent else _FRESH
    oldest = recent[-cap]
    reason = f"{len(recent)} attempts to this person's numbers in the last 24 hours; {owner} allows {cap}"
    return wait(NAME, reason, oldest + PERIOD, oldest=oldest.isoformat(timespec="seconds"), cap=str(cap))
