"""The answer of `dialer why` in words for a supervisor, and as JSON for a program."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from dialer_engine.core.gate import RULES, Decision, Outcome, Verdict
from dialer_engine.settings.rules import load_zones

if TYPE_CHECKING:
    from dialer_engine.cli.why import Answer, Question
    from dialer_engine.store.facts import NumberInCampaign

_BY_THE_NUMBER_ALONE = frozenset({"number_class", "zone_data", "holiday", "calling_hours"})
NEEDS_DATABASE = frozenset(rule.name for rule in RULES) - _BY_THE_NUMBER_ALONE
"""Rules whose facts only the database has; without it they are not checked, which refuses the call."""

NOT_CHECKED = "not checked"
_UNCHECKED_REASON = "the database cannot be asked, so the engine would refuse"


def answer_lines(answer: Answer) -> Iterator[str]:
    """Yield the answer line by line."""
    yield f"{answer.number} at {answer.clock.isoformat(timespec='seconds')} (gate's clock)"
    if answer.database_error is not None:
        yield f"database: {answer.database_error}"
    for question in answer.questions:
        yield ""
        yield _heading(question.entry, answer.database_error is not None)
        yield from _rules(question.decision, answer.database_error is not None)
        yield from _conclusion(question, answer)
    if answer.questions:
        yield f"rules: {answer.questions[0].decision.rule_versions}"


def as_json(answer: Answer) -> dict[str, Any]:
    """Return the answer as plain values; times are ISO 8601 with their offset."""
    unchecked = answer.database_error is not None
    return {
        "number": answer.number,
        "clock": answer.clock.isoformat(),
        "database_error": answer.database_error,
        "answers": [_plain(question, unchecked) for question in answer.questions],
    }


def _heading(entry: NumberInCampaign, unchecked: bool) -> str:
    parts = (("campaign", entry.campaign), ("list", entry.list), ("Member", entry.member))
    named = [f"{word} {name}" for word, name in parts if name is not None]
    if named:
        return ", ".join(named)
    return "whatever list it is on" if unchecked else "on none of the lists in question"


def _rules(decision: Decision, unchecked: bool) -> Iterator[str]:
    for verdict in decision.verdicts:
        outcome, reason = _shown(verdict, unchecked)
        yield f"  {outcome:<11}  {verdict.rule:<20}  {reason}"
        if outcome in (Outcome.wait, Outcome.block):
            yield from (f"{'':37}{name}: {value}" for name, value in verdict.evidence)


def _shown(verdict: Verdict, unchecked: bool) -> tuple[str, str]:
    if unchecked and verdict.rule in NEEDS_DATABASE:
        return NOT_CHECKED, _UNCHECKED_REASON
    return verdict.outcome.value, verdict.reason


def _conclusion(question: Question, answer: Answer) -> Iterator[str]:
    decision, entry = question.decision, question.entry
    yield f"  local time there: {decision.local_time} ({decision.zone})"
    if answer.database_error is not None:
        yield "  may not be called now: not every rule could be checked"
        yield f"  as far as the rules could be checked: {_next(decision, answer.clock)}"
        return
    yield f"  {_next(decision, answer.clock)}"
    if entry.held_rule is not None:
        yield f"  held in the queue by {entry.held_rule}: {entry.held_reason or 'no reason kept'}"
    if entry.next_at is not None and entry.next_at > answer.clock:
        yield f"  next look of the queue: {entry.next_at.isoformat(timespec='seconds')}"


def _next(decision: Decision, clock: datetime) -> str:
    moment = decision.next_allowed
    if decision.allowed or moment == clock:
        return "may be called now"
    if moment is not None:
        return f"may next be called at {_both_clocks(moment, decision.zone)}"
    blocking = decision.blocking
    if blocking is not None and blocking.outcome is Outcome.wait:
        return f"may not be called now; when is not known ({blocking.rule})"
    return "may not be called" if blocking is None else f"may not be called ({blocking.rule})"


def _both_clocks(moment: datetime, zone: str) -> str:
    there = _there(moment, zone)
    here = moment.astimezone()
    return f"{there:%a %Y-%m-%d %H:%M} ({zone}), which is {here:%a %Y-%m-%d %H:%M %Z} here"


def _there(moment: datetime, zone: str) -> datetime:
    clocks: dict[str, ZoneInfo] = load_zones()
    return moment.astimezone(clocks[zone]) if zone in clocks else moment


def _plain(question: Question, unchecked: bool) -> dict[str, Any]:
    decision, entry = question.decision, question.entry
    moment = decision.next_allowed
    return {
        "campaign": entry.campaign,
        "list": entry.list,
        "member": entry.member,
        "contact_id": entry.contact_id,
        "queue_state": entry.queue_state,
        "held_rule": entry.held_rule,
        "held_reason": entry.held_reason,
        "allowed": decision.allowed and not unchecked,
        "blocking": _blocking(decision, unchecked),
        "local_time": decision.local_time,
        "zone": decision.zone,
        "next_allowed": _iso(moment),
        "next_allowed_there": _iso(_there(moment, decision.zone)) if moment is not None else None,
        "rule_versions": decision.rule_versions,
        "rules": [_plain_verdict(verdict, unchecked) for verdict in decision.verdicts],
    }


def _blocking(decision: Decision, unchecked: bool) -> str | None:
    """Name the first rule that refuses; a rule that was not checked does."""
    for verdict in decision.verdicts:
        if verdict.outcome is not Outcome.allow or (unchecked and verdict.rule in NEEDS_DATABASE):
            return verdict.rule
    return None


def _plain_verdict(verdict: Verdict, unchecked: bool) -> dict[str, Any]:
    outcome, reason = _shown(verdict, unchecked)
    checked = outcome != NOT_CHECKED
    return {
        "rule": verdict.rule,
        "outcome": outcome if checked else "not_checked",
        "reason": reason,
        "until": _iso(verdict.until) if checked else None,
        "evidence": dict(verdict.evidence) if checked else {},
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
