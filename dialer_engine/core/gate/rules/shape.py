"""The common shape of a rule, and short ways to say its verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.core.gate.model import Facts, GateContext, Outcome, Verdict

Check = Callable[[Facts, GateContext], Verdict]


@dataclass(frozen=True, slots=True)
class Rule:
    """A name that appears in reports, and the function that gives the verdict."""

    name: str
    check: Check


def allow(rule: str, reason: str, **evidence: str) -> Verdict:
    """Say yes."""
    return Verdict(rule, Outcome.allow, reason, None, tuple(evidence.items()))


def wait(rule: str, reason: str, until: datetime | None, **evidence: str) -> Verdict:
    """Say not now, and from when on this rule will allow (None: when somebody or something else ends it)."""
    return Verdict(rule, Outcome.wait, reason, until, tuple(evidence.items()))


def block(rule: str, reason: str, **evidence: str) -> Verdict:
    """Say no, for as long as the facts stay as they are."""
    return Verdict(rule, Outcome.block, reason, None, tuple(evidence.items()))
