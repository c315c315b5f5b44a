"""How many calls to place now? One module per mode, all with the same shape."""

from dialer_engine.core.pacing.model import (
    AgentState,
    AgentView,
    CallState,
    CallView,
    Decision,
    Pacer,
    PacingEvent,
    Snapshot,
)
from dialer_engine.core.pacing.modes import MODES, make_pacer

__all__ = [
    "MODES",
    "AgentState",
    "AgentView",
    "CallState",
    "CallView",
    "Decision",
    "Pacer",
    "PacingEvent",
    "Snapshot",
    "make_pacer",
]
