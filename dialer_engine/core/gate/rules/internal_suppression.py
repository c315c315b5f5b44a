"""A number on the engine's own do-not-call list is not called for anybody."""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "internal_suppression"

_ALLOW = allow(NAME, "not on the internal do-not-call list")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a number that an internal suppression covers."""
    for hit in facts.suppressions:
        if hit.scope == "internal":
            since = hit.since.isoformat(timespec="seconds")
            whose = "another number of this person is on" if hit.other_number else "on"
            return block(NAME, f"{whose} the internal do-not-call list since {since}", source=hit.source)
    return _ALLOW
