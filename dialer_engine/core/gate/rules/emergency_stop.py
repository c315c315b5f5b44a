"""Somebody stopped all calls into a region: an emergency, a court, a doubt. It holds until resumed."""

from dialer_engine.core.gate.consent import allows_registry
from dialer_engine.core.gate.model import EmergencyStop, Facts, GateContext, Verdict
from dialer_engine.core.gate.places import places_for
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "emergency_stop"

_ALLOW = allow(NAME, "no emergency stop here")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a number that may lie in a region with a stop."""
    if not context.stops:
        return _ALLOW
    regions = places_for(facts, context).every_region
    for stop in context.stops:
        if stop.region in regions and not _exempt(stop, facts, context):
            since = stop.since.isoformat(timespec="seconds")
            reason = f"calls to {stop.region} are stopped since {since}: {stop.reason}"
            return block(NAME, reason, by=stop.who)
    return _ALLOW


def _exempt(stop: EmergencyStop, facts: Facts, context: GateContext) -> bool:
    if not stop.exempts_consent:
        return False
    return allows_registry(facts.consents, context.now, stop.region[:2]) is not None
