"""A contact with a final disposition is not called again by this campaign."""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "contact_finished"

_ALLOW = allow(NAME, "the contact is not finished in this campaign")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a contact that is finished."""
    if not facts.contact_final:
        return _ALLOW
    return block(NAME, "the contact is finished in this campaign", last_result=facts.last_result or "none")
