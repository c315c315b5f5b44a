"""The campaign's limit on attempts to one contact, all numbers and days together."""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "contact_attempts"

_FIRST = allow(NAME, "the first attempt to this contact")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a contact who was called as often as the campaign allows."""
    total = context.limits.per_contact_total
    made = facts.contact_attempts
    if made >= total:
        return block(NAME, f"{made} attempts to this contact; the campaign allows {total} in all")
    return allow(NAME, f"{made} of {total} attempts to this contact") if made else _FIRST
