"""Whose phone goes on ringing when the Asterisk that called dies: nobody can speak to those who then answer."""

from __future__ import annotations

from collections.abc import Iterable

from dialer_engine.lab.behaviours import Table, behaviour
from dialer_engine.lab.ledger import CarrierCall

EARLY_S, LATE_S = 0.1, 0.5
"""The carrier lets it ring for as long as the table says, and does other things too."""


def answers_of(calls: Iterable[CarrierCall], table: Table, moment: float) -> tuple[tuple[float, float], ...]:
    """The times in which those people answer who were being called at a moment (seconds since 1970)."""
    due = (
        call.came_at + person.ring_s
        for call in calls
        if call.came_at <= moment < call.until
        for person in (behaviour(table, call.number),)
        if person.human
    )
    return tuple((at - EARLY_S, at + LATE_S) for at in due if at > moment)
