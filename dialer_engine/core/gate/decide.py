"""Run the rules in order and put their verdicts together; whatever breaks in a rule refuses the call."""

from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from dialer_engine.core.gate.model import Decision, Facts, GateContext, Outcome, Verdict
from dialer_engine.core.gate.places import places_for
from dialer_engine.core.gate.rules import RULES, Rule, reassigned

_MOST_STEPS = 64


class _FailClosed:
    """Turns any exception of a rule into a refusal by that rule: what cannot be checked is not called."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return isinstance(error, Exception)

    def refusal(self, rule: str) -> Verdict:
        evidence = (("error", type(self.error).__name__),)
        return Verdict(rule, Outcome.block, "cannot be checked", None, evidence)


def evaluate(facts: Facts, context: GateContext, *, all_rules: bool = False) -> Decision:
    """Say whether the number may be called now; stops at the first refusal unless `all_rules`."""
    facts = _of_present_owner(facts)
    verdicts: list[Verdict] = []
    blocking: Verdict | None = None
    for rule in RULES:
        verdict = _ask(rule, facts, context)
        verdicts.append(verdict)
        if verdict.outcome is not Outcome.allow and blocking is None:
            blocking = verdict
            if not all_rules:
                break
    local_time, zone = _local(facts, context)
    upcoming = context.now if blocking is None else _next_allowed(blocking, facts, context)
    version = context.rules.version
    ring = _ring_window(facts, context)
    return Decision(tuple(verdicts), blocking is None, blocking, local_time, zone, version, upcoming, ring)


def _of_present_owner(facts: Facts) -> Facts:
    """Leave out what former owners of the number agreed to; where nothing else is left, `reassigned` refuses it."""
    with _FailClosed():
        return replace(facts, consents=reassigned.present_owners(facts) or facts.consents)
    return replace(facts, consents=())


def _ask(rule: Rule, facts: Facts, context: GateContext) -> Verdict:
    with _FailClosed() as guard:
        return rule.check(facts, context)
    return guard.refusal(rule.name)


def _next_allowed(refusal: Verdict | None, facts: Facts, context: GateContext) -> datetime | None:
    """Step from refusal to refusal: each names the first moment its own rule allows, so none is skipped."""
    moment = context.now
    for _ in range(_MOST_STEPS):
        if refusal is None:
            return moment
        if refusal.outcome is Outcome.block or refusal.until is None or refusal.until <= moment:
            return None
        moment = refusal.until
        refusal = _first_refusal(facts, replace(context, now=moment))
    return None


def _first_refusal(facts: Facts, context: GateContext) -> Verdict | None:
    verdicts = (_ask(rule, facts, context) for rule in RULES)
    return next((verdict for verdict in verdicts if verdict.outcome is not Outcome.allow), None)


def _ring_window(facts: Facts, context: GateContext) -> tuple[int, int] | None:
    with _FailClosed():
        return places_for(facts, context).day(context.now).ring_window
    return None


def _local(facts: Facts, context: GateContext) -> tuple[str, str]:
    """Return the local time in the strictest candidate zone, or UTC when no zone is known."""
    with _FailClosed():
        places = places_for(facts, context)
        schedule = places.schedule(context.limits.hours)
        interval = schedule.current(context.now)
        if interval is not None:
            zone = interval.closing_zone
        else:
            opening = schedule.opening(context.now)
            zone = opening.opening_zone if opening is not None else places.zones[0]
        local = context.now.astimezone(context.rules.zones[zone])
        return local.isoformat(timespec="seconds"), zone
    moment = context.now if context.now.tzinfo is None else context.now.astimezone(UTC)
    return moment.isoformat(timespec="seconds"), "UTC"
