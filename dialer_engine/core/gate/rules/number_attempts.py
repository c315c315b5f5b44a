"""Attempts to one number in any 24 hours, whoever's campaign placed them: the smallest of all caps counts."""

from datetime import timedelta

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.places import places_for
from dialer_engine.core.gate.rules.shape import allow, block, wait

NAME = "number_attempts"

HOUSE_CAP = 3
"""Attempts per number and rolling 24 hours that are never exceeded: the strictest cap any state sets."""

PERIOD = timedelta(hours=24, seconds=60)
"""How far back attempts count. An attempt is dated by the gate's look, but the call may leave up to 30 s later
(`STALE_S` of the engine's runner), so that in 24 hours of the gate's clock the carrier could see one call too many;
a minute more holds the 24 hours on the line too."""

_FRESH = allow(NAME, "not called in the last 24 hours")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Wait until the oldest attempt that counts is 24 hours and a minute ago."""
    cap, owner = smallest_cap(facts, context, context.limits.per_number_24h)
    if cap < 1:
        return block(NAME, f"{owner} allows no attempts")
    since = context.now - PERIOD
    recent = sorted(at for at in facts.recent_attempts if at > since)
    if len(recent) < cap:
        return allow(NAME, f"{len(recent)} of {cap} attempts in the last 24 hours") if recent else _FRESH
    oldest = recent[-cap]
    reason = f"{len(recent)} attempts to this number in the last 24 hours; {owner} allows {cap}"
    return wait(NAME, reason, oldest + PERIOD, oldest=oldest.isoformat(timespec="seconds"), cap=str(cap))


def smallest_cap(facts: Facts, context: GateContext, campaign: int) -> tuple[int, str]:
    """Return the smallest of the house's, the campaign's and all candidate regions' caps, and whose it is."""
    day = places_for(facts, context).day(context.now)
    caps = [(HOUSE_CAP, "the house limit"), (campaign, "the campaign")]
    if day.cap is not None:
        caps.append((day.cap, day.cap_region))
    return min(caps, key=lambda each: each[0])
