"""Calling hours in local time: every candidate region in every candidate zone, now and for the next 60 s."""

from datetime import datetime, timedelta

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.places import places_for
from dialer_engine.core.gate.rulebook import Window
from dialer_engine.core.gate.rules.shape import allow, wait
from dialer_engine.core.gate.schedule import AHEAD, CAMPAIGN, Interval, Schedule

NAME = "calling_hours"

_INSTANT = timedelta(microseconds=1)


def check(facts: Facts, context: GateContext) -> Verdict:
    """Allow inside the hours of all candidates; else wait for the moment they are all open."""
    return within(NAME, places_for(facts, context).schedule(context.limits.hours), context.now)


def within(rule: str, schedule: Schedule, now: datetime) -> Verdict:
    """Allow, in the name of a rule, while a schedule is open; else wait for its next opening."""
    interval = schedule.current(now)
    if interval is not None:
        return _open(rule, schedule, interval)
    opening = schedule.opening(now)
    until = opening.begins if opening is not None else None
    return _closed(rule, schedule, now, until)


def _open(rule: str, schedule: Schedule, interval: Interval) -> Verdict:
    """Say until when; the verdict is the same all day, so it is made once."""
    if schedule.said is not None and schedule.said[0] is interval:
        return schedule.said[1]
    zone = interval.closing_zone
    closes = interval.ends.astimezone(schedule.rules.zones[zone])
    reason = f"open until {closes:%H:%M} in {zone}"
    verdict = allow(rule, reason, zone=zone, regions=" ".join(schedule.regions))
    schedule.said = (interval, verdict)
    return verdict


def _closed(rule: str, schedule: Schedule, now: datetime, until: datetime | None) -> Verdict:
    zone, region, window = _culprit(schedule, now)
    local = now.astimezone(schedule.rules.zones[zone])
    origin = schedule.said_by(region, local.date())
    reason = f"{_say(origin.name, window)}; local time there is {local:%a %H:%M} ({zone})"
    if window is not None and window[0] <= local.hour * 60 + local.minute < window[1]:
        reason += ", less than 60 s before closing"
    if until is None:
        reason += "; no common opening within 8 days"
    return wait(
        rule,
        reason,
        until,
        region=region,
        zone=zone,
        window=_span(window),
        local_time=local.isoformat(timespec="seconds"),
        source=origin.source,
    )


def _say(name: str, window: Window) -> str:
    if name == CAMPAIGN:
        return f"the campaign's own hours there are {_span(window)}"
    return f"{name} is closed today" if window is None else f"{name} allows {_span(window)}"


def _span(window: Window) -> str:
    if window is None:
        return "closed"
    opens, closes = window
    return f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"


def _culprit(schedule: Schedule, now: datetime) -> tuple[str, str, Window]:
    """Return the first zone and region whose window does not hold now and for the next 60 s, law first."""
    own = () if schedule.hours is None else (CAMPAIGN,)
    for zone in schedule.zones:
        for region in (*reversed(schedule.regions), *own):
            window = _broken(schedule, region, zone, now)
            if window is not _HOLDS:
                return zone, region, window
    raise LookupError("hours are closed but no window says so")


_HOLDS: Window = (-1, -1)


def _broken(schedule: Schedule, region: str, zone: str, now: datetime) -> Window:
    """Return the window that is broken now or within 60 s, or `_HOLDS`."""
    clock = schedule.rules.zones[zone]
    for moment in (now, now + AHEAD - _INSTANT):
        local = moment.astimezone(clock)
        window = schedule.window(region, local.date())
        minute = local.hour * 60 + local.minute
        if window is None or not window[0] <= minute < window[1]:
            return window
    return _HOLDS
