"""Some states want a consent before a machine selects or dials the number, even when a person then talks.

The rules are rows of the book: who is exempt and which consents they accept differ. Where every candidate
region's rule is met the call may be dialed by the engine; otherwise it is left to an agent's own hand, and in
Connecticut to nobody. In preview an agent starts each call, but the engine chose the number: that is enough for
laws about "selection or dialing", and not for those about systems that do both.
"""

from dialer_engine.core.gate.consent import Consent, allows_automated
from dialer_engine.core.gate.model import Dialing, Facts, GateContext, Verdict
from dialer_engine.core.gate.places import places_for
from dialer_engine.core.gate.rulebook import AutomatedRule
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "automated_dialing"

_FREE = allow(NAME, "no rule on automated dialing here")
_MANUAL = allow(NAME, "a person starts the call")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse automated dialing where a candidate region wants a consent that is not there."""
    rows = places_for(facts, context).day(context.now).automated
    if not rows:
        return _FREE
    found: list[Consent] = []
    for row in rows:
        if _exempt(row, facts, context):
            continue
        consent = allows_automated(row.accepted, facts.consents, context.now)
        if consent is None:
            return _refused(row)
        found.append(consent)
    if not found:
        by_hand = not any(_covers(row, context.dialing) for row in rows)
        return _MANUAL if by_hand else allow(NAME, "a business, which is exempt")
    best = found[0]
    since = best.since.isoformat(timespec="seconds")
    return allow(NAME, f"{best.kind} since {since}", consent=str(best.evidence_id), regions=_names(rows))


def _exempt(row: AutomatedRule, facts: Facts, context: GateContext) -> bool:
    if not _covers(row, context.dialing):
        return True
    return row.business_exempt and (facts.business or context.business)


def _covers(row: AutomatedRule, dialing: Dialing) -> bool:
    """Say whether the law means this way of dialing; in preview a machine selects and a person dials."""
    if dialing == "preview":
        return row.manual_too or row.selection_too
    return row.manual_too or dialing != "manual"


def _refused(row: AutomatedRule) -> Verdict:
    kinds = " or ".join(sorted(row.accepted))
    what = "sales calls" if row.manual_too else "automated dialing"
    return block(
        NAME,
        f"{row.name} permits {what} only with {kinds}, and no such consent is recorded",
        region=row.region,
        by_hand="no" if row.manual_too else "yes",
        source=row.source,
    )


def _names(rows: tuple[AutomatedRule, ...]) -> str:
    return " ".join(dict.fromkeys(row.region for row in rows))
