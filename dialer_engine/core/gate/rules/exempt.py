"""Who may be called although a registry names the number: whoever agreed, a customer, and businesses.

A campaign to businesses says so of all its numbers, and nothing here can tell whether it is true: `dialer check` warns.
"""

from dialer_engine.core.gate.consent import allows_registry
from dialer_engine.core.gate.model import Facts, GateContext


def exemption(facts: Facts, context: GateContext, country: str) -> str | None:
    """Return in words why a country's registry does not forbid this call, or None."""
    if facts.business or context.business:
        return "a number of a business"
    consent = allows_registry(facts.consents, context.now, country)
    if consent is None:
        return None
    until = consent.ends_at()
    term = "" if until is None else f", valid until {until.date().isoformat()}"
    return f"{consent.kind.value} of {consent.since.date().isoformat()} (record {consent.evidence_id}){term}"
