"""A number that was given up since the contact's consent belongs to somebody else now.

Only the answer `no` of the reassigned-numbers database protects the caller, and only about the date of the consent or
relationship relied on or an earlier one (47 CFR 64.1200(m)); `no data` is not a no. Where the law asks for the query
before every solicitation (Maine), a number without a fresh `no` is not called.

Answers of all Members count together, each about its own date. A `yes` stands until the present owner agreed, after it
was given; or until a later `no` about a later date that covers what is relied on: the number was given up between the
two dates, before that consent. A `no` about an even later date, or one that only takes the `yes` back, changes nothing.

What a former owner agreed to permits nothing: all rules go by the consents for which no `yes` stands.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from dialer_engine.core.gate.consent import Consent
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
    relied = _relied_on(facts, context)
    about = _about(facts, relied)
    nos = _nos(about)
    yeses = _yeses(facts)
    agreed = [each for each in yeses if relied is not None and relied > each.answered_at]
    given_up = _newest(each for each in yeses if _stands(each, nos, relied))
    if given_up is not None:
        return block(NAME, f"given up since {given_up.asked_since.isoformat()}", **_evidence(given_up))
    answer = _newest([*nos, *agreed]) or _newest(about)
    limit = _limit_days(facts, context)
    if limit is None:
        return _NOT_ASKED if answer is None else allow(NAME, _text(answer), **_evidence(answer))
    if answer is None:
        if context.lab:
            return allow(NAME, "the reassigned-numbers database was not asked, and this is the lab")
        return _not_answered(facts, relied)
    if answer.answer == "no_data":
        return block(
            NAME, "the reassigned-numbers database has no data, which is not a no", **_evidence(answer)
        )
    if context.now - answer.answered_at > timedelta(days=limit):
        reason = f"the answer of the reassigned-numbers database is older than {limit} days"
        return block(NAME, reason, **_evidence(answer))
    return allow(NAME, _text(answer), **_evidence(answer))


def present_owners(facts: Facts) -> tuple[Consent, ...]:
    """Return the consents that the number's present owner gave: those for which no `yes` stands."""
    yeses = _yeses(facts)
    if not yeses:
        return facts.consents
    return tuple(each for each in facts.consents if not _former_owners(each, facts, yeses))


def _former_owners(consent: Consent, facts: Facts, yeses: Iterable[ReassignedAnswer]) -> bool:
    nos = _nos(_about(facts, consent.since))
    return any(_stands(yes, nos, consent.since) for yes in yeses)


def _yeses(facts: Facts) -> list[ReassignedAnswer]:
    return [each for each in facts.reassigned if each.answer == "yes"]


def _about(facts: Facts, relied: datetime | None) -> list[ReassignedAnswer]:
    """Return the answers about the date relied on or an earlier one; all where nothing is relied on."""
    return [each for each in facts.reassigned if relied is None or each.asked_since <= relied.date()]


def _nos(about: list[ReassignedAnswer]) -> list[ReassignedAnswer]:
    return [each for each in about if each.answer == "no" and not _lost(each, about)]


def _relied_on(facts: Facts, context: GateContext) -> datetime | None:
    """Return when the number's owner last agreed or did business, None when nothing on record counts now."""
    return max((each.since for each in facts.consents if each.valid_at(context.now)), default=None)


def _newest(answers: Iterable[ReassignedAnswer]) -> ReassignedAnswer | None:
    return max(answers, key=lambda each: (each.answered_at, each.asked_since), default=None)


def _stands(yes: ReassignedAnswer, nos: Iterable[ReassignedAnswer], relied: datetime | None) -> bool:
    """Tell whether a `yes` holds: nobody agreed since, nor was the number given up before the date relied on.

    A later `no` among those about that date or an earlier one shows the latter.
    """
    if relied is None:
        return True
    if relied > yes.answered_at:
        return False
    return not any(no.answered_at >= yes.answered_at and no.asked_since > yes.asked_since for no in nos)


def _lost(no: ReassignedAnswer, about: Iterable[ReassignedAnswer]) -> bool:
    """Tell whether the database has no data any more where it said `no` before."""
    return any(
        each.answer == "no_data" and each.answered_at > no.answered_at and each.asked_since >= no.asked_since
        for each in about
    )


def _not_answered(facts: Facts, relied: datetime | None) -> Verdict:
    other = _newest(facts.reassigned)
    if other is None or relied is None:
        return block(NAME, "the reassigned-numbers database must be asked about this number first")
    reason = (
        f"the reassigned-numbers database was asked about the time since {other.asked_since.isoformat()} only; "
        f"ask about {relied.date().isoformat()}, the date of the consent or relationship"
    )
    return block(NAME, reason, **_evidence(other))


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
