"""A number that a list of people who sue names is not called, whatever was agreed."""

from dialer_engine.core.gate.lists import LITIGATOR
from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "litigator"

_ALLOW = allow(NAME, "on no list of litigators")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a number of a litigator list."""
    for hit in facts.lists:
        if hit.kind == LITIGATOR:
            as_of = hit.as_of.isoformat(timespec="seconds")
            reason = f"on the litigator list {hit.name.partition(':')[2]}"
            return block(NAME, reason, list=hit.name, version=hit.version, as_of=as_of)
    return _ALLOW
