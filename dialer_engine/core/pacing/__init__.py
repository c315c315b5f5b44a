"""How many calls to place now? One module per mode, all with the same shape."""

from dialer_engine.core.pacing.model import (
    AgentState,
    AgentView,
    Bound,
    CallState,
    CallView,
    Decision,
    Goals,
    LedgerView,
    Pacer,
    PacingEvent,
    Snapshot,
)
from dialer_engine.core.pacing.modes import MODES, make_pacer

__all__ = [
    "MODES",
    "AgentState",
    "AgentView",
    "Bound",
    "CallState",
    "CallView",
    "Decision",
    "Goals",
    "LedgerView",
    "Pacer",
    "PacingEvent",
    "Snapshot",
    "make_pacer",
]
