"""Strict mode: a call that may end in the recorded drop message obeys the rules of announcing devices.

Whether such a call is one is disputed; a campaign with `strict_predictive` takes the safe side. Progressive
dialing counts as well, because an agent can vanish while a phone rings; only manual calls play no message.
"""

from dialer_engine.core.gate.consent import valid_consent
from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.places import Places, places_for
from dialer_engine.core.gate.rulebook import DeviceRule, in_force
from dialer_engine.core.gate.rules.calling_hours import within
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "announcing_device"

_OFF = allow(NAME, "the campaign does not ask for the windows of announcing devices")
_MANUAL = allow(NAME, "a call dialed by hand plays no message")
_FREE = allow(NAME, "no window for announcing devices here")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Ask for a consent where announcing devices need one, and wait for their window."""
    if not context.strict_predictive:
        return _OFF
    if context.dialing == "manual":
        return _MANUAL
    places = places_for(facts, context)
    schedule = places.device_schedule()
    if schedule is None:
        return _FREE
    refused = _without_consent(places, facts, context)
    return refused or within(NAME, schedule, context.now)


def _without_consent(places: Places, facts: Facts, context: GateContext) -> Verdict | None:
    for row in _rows(places, context):
        if row.accepted and valid_consent(row.accepted, facts.consents, context.now) is None:
            kinds = " or ".join(sorted(row.accepted))
            return block(NAME, f"{row.name} wants consent to announcing devices: {kinds}", source=row.source)
    return None


def _rows(places: Places, context: GateContext) -> list[DeviceRule]:
    days = sorted({context.now.astimezone(places.rules.zones[zone]).date() for zone in places.zones})
    devices = [places.rules.devices.get(region, ()) for region in places.regions]
    rows = (in_force(dated, day) for dated in devices for day in days)
    return [row for row in rows if row is not None]
