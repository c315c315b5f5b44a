"""How long the campaign leaves a contact in peace after the last result."""

from datetime import timedelta

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block, wait

NAME = "retry_delay"

UNLISTED = timedelta(hours=24)
"""The delay after a result the campaign says nothing about."""

_NEVER_CALLED = allow(NAME, "no earlier result to wait for")
_BRIDGED = allow(NAME, "the last call reached an agent: its disposition decides")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Wait for the delay after the last result; refuse after a result that is never retried."""
    result = facts.last_result
    if result is None:
        return _NEVER_CALLED
    if result == "bridged":
        return _BRIDGED
    delay = context.limits.retry.get(result, UNLISTED)
    if delay is None:
        return block(NAME, f"the last result was {result}, and the campaign never retries that")
    if facts.last_attempt_at is None:
        raise ValueError("a last result without the time of the last attempt")
    until = facts.last_attempt_at + delay
    if context.now >= until:
        return allow(NAME, f"the delay of {delay} after {result} is over")
    return wait(NAME, f"the campaign waits {delay} after {result}", until, last_result=result)
