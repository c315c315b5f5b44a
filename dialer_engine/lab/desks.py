"""Simulated agents at their desks: look at each contact of a preview campaign, then dial it or skip it.

A phone only lets its agent hear tones; whom to dial is on the desk, which these agents read over the control socket
as `dialer agent desk` does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dialer_engine.engine.control_client import ControlClient, EngineNotRunning, EngineRefused
from dialer_engine.lab.dice import Dice

AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Habits:
    """How long agents look at a contact, in seconds, and the share of contacts they skip."""

    looks_s: tuple[float, float] = (0.5, 2.5)
    skips_share: float = 0.1


@asynccontextmanager
async def at_desks(
    control: ControlClient, agents: Sequence[str], dice: Dice, habits: Habits
) -> AsyncIterator[None]:
    """Let every agent work at a desk while the block runs."""
    tasks = [asyncio.create_task(_work(control, agent, dice, habits)) for agent in agents]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work(control: ControlClient, agent: str, dice: Dice, habits: Habits) -> None:
    version, seen = None, 0
    while True:
        try:
            desk = await control.desk(agent, version)
        except (EngineNotRunning, EngineRefused):
            await asyncio.sleep(AGAIN_S)
            continue
        version = desk["version"]
        if desk["state"] == "looking":
            seen += 1
            await asyncio.sleep(dice.between(*habits.looks_s, agent, seen, "looks"))
            await _decide(control, desk, dice.fraction(agent, seen, "skips") < habits.skips_share)


async def _decide(control: ControlClient, desk: dict[str, Any], skips: bool) -> None:
    """Dial or skip; whoever was taken off the desk meanwhile is neither."""
    with contextlib.suppress(EngineNotRunning, EngineRefused):
        await control.act(desk["agent"], "skip" if skips else "dial", preview=desk["preview"])
