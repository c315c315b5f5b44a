"""May this number be called now? One ordered list of rules, one answer with its reasons.

The gate is the only way to a call. It is pure: the clock, the rules and the facts come in from outside, and
the same question always has the same answer. Whatever cannot be checked is refused.
"""

from dialer_engine.core.gate.consent import Consent, ConsentKind
from dialer_engine.core.gate.decide import evaluate
from dialer_engine.core.gate.lists import ListHit, ListPolicy, ListState, ReassignedAnswer, RequiredList
from dialer_engine.core.gate.model import (
    CampaignHours,
    Decision,
    Dialing,
    EmergencyStop,
    Facts,
    GateContext,
    Limits,
    Outcome,
    SuppressionHit,
    Verdict,
)
from dialer_engine.core.gate.rulebook import RegionRule, RuleBook
from dialer_engine.core.gate.rules import RULES

__all__ = [
    "RULES",
    "CampaignHours",
    "Consent",
    "ConsentKind",
    "Decision",
    "Dialing",
    "EmergencyStop",
    "Facts",
    "GateContext",
    "Limits",
    "ListHit",
    "ListPolicy",
    "ListState",
    "Outcome",
    "ReassignedAnswer",
    "RegionRule",
    "RequiredList",
    "RuleBook",
    "SuppressionHit",
    "Verdict",
    "evaluate",
]
