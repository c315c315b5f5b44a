"""The rules in the order they are asked: first what can never be called, last what must only wait."""

from dialer_engine.core.gate.rules import (
    announcing_device,
    automated_dialing,
    calling_hours,
    contact_attempts,
    contact_finished,
    emergency_stop,
    holiday,
    internal_suppression,
    list_freshness,
    litigator,
    live_call,
    member_suppression,
    number_attempts,
    number_class,
    person_attempts,
    reassigned,
    registry,
    retry_delay,
    wireless,
    zone_data,
)
from dialer_engine.core.gate.rules.shape import Rule

RULES: tuple[Rule, ...] = (
    Rule(number_class.NAME, number_class.check),
    Rule(internal_suppression.NAME, internal_suppression.check),
    Rule(member_suppression.NAME, member_suppression.check),
    Rule(emergency_stop.NAME, emergency_stop.check),
    Rule(contact_finished.NAME, contact_finished.check),
    Rule(live_call.NAME, live_call.check),
    Rule(zone_data.NAME, zone_data.check),
    Rule(registry.NAME, registry.check),
    Rule(litigator.NAME, litigator.check),
    Rule(list_freshness.NAME, list_freshness.check),
    Rule(reassigned.NAME, reassigned.check),
    Rule(wireless.NAME, wireless.check),
    Rule(automated_dialing.NAME, automated_dialing.check),
    Rule(holiday.NAME, holiday.check),
    Rule(calling_hours.NAME, calling_hours.check),
    Rule(announcing_device.NAME, announcing_device.check),
    Rule(number_attempts.NAME, number_attempts.check),
    Rule(person_attempts.NAME, person_attempts.check),
    Rule(contact_attempts.NAME, contact_attempts.check),
    Rule(retry_delay.NAME, retry_delay.check),
)

__all__ = ["RULES", "Rule"]
