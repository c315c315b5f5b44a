"""At most one call at a time to a number, and to a contact whatever number of theirs it is; none to one on show."""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, wait

NAME = "live_call"

_ALLOW = allow(NAME, "no call to the number or contact is up")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Wait for the present call to the number or contact to end; when, nobody knows."""
    if facts.number_live:
        return wait(NAME, "a call to this number is up now", None, live="number")
    if facts.contact_live:
        return wait(NAME, "a call to this contact is up now", None, live="contact")
    if facts.on_show:
        return wait(NAME, "an agent is looking at this contact now", None, live="preview")
    return _ALLOW
