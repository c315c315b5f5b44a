"""A number that was given up since the contact's consent belongs to somebody else now.

Only the answer `no` of the reassigned-numbers database protects the caller; `no data` is not a no. Where the
law asks for the query before every solicitation (Maine), a number without a fresh `no` is not called.
"""

from datetime import timedelta

from dialer_engine.core.gate.lists import REASSIGNED, ReassignedAnswer
from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.places import places_for
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "reassigned"

LONGEST_DAYS = 45
"""Days an answer counts where its row names none: the database is updated monthly."""

_NOT_ASKED = allow(NAME, "the reassigned-numbers database need not be asked")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a number that was given up, and one without an answer where an answer is required."""
    answer = facts.reassigned
    if answer is not None and answer.answer == "yes" and not _agreed_since(facts, answer, context):
        return block(NAME, f"given up since {answer.asked_since.isoformat()}", **_evidence(answer))
    limit = _limit_days(facts, context)
    if limit is None:
        return _NOT_ASKED if answer is None else allow(NAME, _text(answer), **_evidence(answer))
    if answer is None:
        if context.lab:
            return allow(NAME, "the reassigned-numbers database was not asked, and this is the lab")
        return block(NAME, "the reassigned-numbers database must be asked about this number first")
    if answer.answer == "no_data":
        return block(
            NAME, "the reassigned-numbers database has no data, which is not a no", **_evidence(answer)
        )
    if context.now - answer.answered_at > timedelta(days=limit):
        reason = f"the answer of the reassigned-numbers database is older than {limit} days"
        return block(NAME, reason, **_evidence(answer))
    return allow(NAME, _text(answer), **_evidence(answer))


def _agreed_since(facts: Facts, answer: ReassignedAnswer, context: GateContext) -> bool:
    """Tell whether the number's present owner agreed after the answer."""
    return any(each.since > answer.answered_at and each.valid_at(context.now) for each in facts.consents)


def _limit_days(facts: Facts, context: GateContext) -> int | None:
    if not context.lists.required:
        return None
    rows = context.lists.needed(places_for(facts, context).regions, context.now.date())
    limits = (row.max_age_days or LONGEST_DAYS for row in rows if row.name == REASSIGNED)
    return min(limits, default=None)


def _text(answer: ReassignedAnswer) -> str:
    if answer.answer == "yes":
        return "given up once, but its owner agreed since"
    since = answer.asked_since.isoformat()
    return f"not given up since {since}" if answer.answer == "no" else f"no data about the time since {since}"


def _evidence(answer: ReassignedAnswer) -> dict[str, str]:
    at = answer.answered_at.isoformat(timespec="seconds")
    return {"answer": answer.answer, "asked_since": answer.asked_since.isoformat(), "answered_at": at}
