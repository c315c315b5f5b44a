"""The days that are compared, by name: the usual one and the ones that put a forecast to the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from dialer_engine.lab.pacing.workload import HOUR_S, Block, Swings, Workload

RARE = Block(300, 0.05)
"""A long stretch where few answer: with ten agents some 40 minutes."""
AT_HOME = Block(20, 0.95)
BUSY = Block(300, 0.0, fail_share=1.0)

SCENARIOS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "steady": {},
        "rate-swings": {"rate_factor": Swings()},
        "talk-60": {"talk_mean_s": 60.0},
        "talk-180": {"talk_mean_s": 180.0},
        "ring-18": {"ring_timeout_s": 18.0},
        "half-leave": {"half_leave_s": 3 * HOUR_S},
        "machines": {"machine_share": 0.5, "machines_from_s": 2 * HOUR_S, "machines_until_s": 4 * HOUR_S},
        "jump": {"blocks": (RARE, AT_HOME)},
        "jump-busy": {"blocks": (BUSY, Block(20, 1.0, ring_factor=0.25))},
        "jump-slow": {"blocks": (RARE, Block(20, 0.95, ring_factor=1.6))},
        "jump-40": {"blocks": (Block(200, 0.10), Block(50, 0.40))},
        "lists": {"blocks": (Block(200, 0.10, list_name="old"), Block(50, 0.40, list_name="new"))},
        "sorted": {
            "blocks": (BUSY, AT_HOME, Block(40, 0.0, machine_share=0.9), Block(100, 0.0), Block(20, 0.9))
        },
    }
)
"""What differs from the usual day."""


def scenario(name: str, agents: int, answer_rate: float) -> Workload:
    """Return the workload of a scenario for so many agents and a share of dials that a person answers."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}; scenarios are {', '.join(SCENARIOS)}")
    return replace(Workload(agents=agents, answer_rate=answer_rate), **SCENARIOS[name])
