"""The days that are compared, by name: the usual one and the ones that put a forecast to the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from dialer_engine.lab.pacing.workload import HOUR_S, Swings, Workload

SCENARIOS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "steady": {},
        "rate-swings": {"rate_factor": Swings()},
        "talk-60": {"talk_mean_s": 60.0},
        "talk-180": {"talk_mean_s": 180.0},
        "ring-18": {"ring_timeout_s": 18.0},
        "half-leave": {"half_leave_s": 3 * HOUR_S},
        "machines": {"machine_share": 0.5, "machines_from_s": 2 * HOUR_S, "machines_until_s": 4 * HOUR_S},
    }
)
"""What differs from the usual day."""


def scenario(name: str, agents: int, answer_rate: float) -> Workload:
    """Return the workload of a scenario for so many agents and a share of dials that a person answers."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}; scenarios are {', '.join(SCENARIOS)}")
    return replace(Workload(agents=agents, answer_rate=answer_rate), **SCENARIOS[name])
