"""No call without the lists it must be checked against: present, of the Member's own subscription, fresh.

A number that today's list would name looks free in a list of last year, so a list that is missing or too old
stops the calls that need it. The national lists are asked for by the country of the area code, the states'
lists for every state the person may live in.
"""

from dialer_engine.core.gate.lists import CA_DNCL, REASSIGNED, US_NATIONAL, Age, ListState, RequiredList
from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.places import places_for
from dialer_engine.core.gate.rules.exempt import exemption
from dialer_engine.core.gate.rules.registry import title
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "list_freshness"

WARN_DAYS, STOP_DAYS = 21, 31
"""Ages in days where no region's terms name any: the strictest there are."""

_NOTHING = allow(NAME, "no list is needed")
_FRESH = allow(NAME, "every list that is needed is fresh")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse while a list that this call needs is missing, not the Member's, or too old."""
    needed = _needed(facts, context)
    if not needed:
        return _NOTHING
    states = {state.name: state for state in facts.list_states}
    said = _FRESH
    for row in needed:
        verdict = _judge(row, states.get(row.name), facts, context)
        if verdict is not None:
            why = exemption(facts, context, "CA" if row.name == CA_DNCL else "US")
            if why is not None:
                verdict = allow(NAME, f"{title(row.name)} is not needed: {why}")
            elif verdict.outcome != "allow":
                return verdict
            said = verdict
    return said


def _needed(facts: Facts, context: GateContext) -> tuple[RequiredList, ...]:
    if not context.lists.required:
        return ()
    area = context.plan.area(facts.number)
    if area is None:
        raise LookupError("area code is not in the number plan")
    rows = context.lists.needed(places_for(facts, context).regions, context.now.date())
    elsewhere = {US_NATIONAL, CA_DNCL} - {US_NATIONAL if area.country == "US" else CA_DNCL}
    return tuple(row for row in rows if row.name not in elsewhere and row.name != REASSIGNED)


def _judge(row: RequiredList, state: ListState | None, facts: Facts, context: GateContext) -> Verdict | None:
    """Return a refusal, a remark, or None when the list is as it should be."""
    if state is not None and state.waiver is not None:
        return allow(NAME, f"{title(row.name)} is not needed: {state.waiver}")
    npa, known = facts.number[2:5], state is not None and state.as_of is not None
    if state is None or not known:
        if context.lab:
            return allow(NAME, f"{title(row.name)} is not loaded, and this is the lab")
        reason = f"{title(row.name)} is not loaded for area code {npa}"
        return block(NAME, reason, list=row.name, remedy=f"dialer registry import {row.name}")
    if not state.subscribed:
        reason = f"no subscription of this Member to {title(row.name)} covers area code {npa}"
        return block(NAME, reason, list=row.name, remedy=f"dialer registry subscribe {row.name}")
    return _by_age(row, state, facts, context)


def _by_age(row: RequiredList, state: ListState, facts: Facts, context: GateContext) -> Verdict | None:
    warn, stop = _limits(row, facts, context)
    age = state.age(context.now, warn, stop)
    if age is Age.fresh:
        return None
    days, evidence = state.age_days(context.now), {"list": row.name, "version": state.version}
    if age is Age.warning:
        text = f"{title(row.name)} is {days} days old; calls stop after {stop}"
        return allow(NAME, text, **evidence)
    text = f"{title(row.name)} is {days} days old; at most {stop} are allowed"
    return block(NAME, text, **evidence, remedy=f"dialer registry import {row.name}")


def _limits(row: RequiredList, facts: Facts, context: GateContext) -> tuple[int, int]:
    """Return after how many days to warn and to stop: the list's own limit, else the regions' strictest."""
    day = context.now.date()
    regions = places_for(facts, context).regions
    terms = [found for region in regions if (found := context.rules.terms_of(region, day)) is not None]
    stops = [each.list_max_age_days for each in terms if each.list_max_age_days is not None]
    warns = [each.list_warn_age_days for each in terms if each.list_warn_age_days is not None]
    stop = row.max_age_days or min(stops, default=STOP_DAYS)
    return min([*warns, stop], default=WARN_DAYS), stop
