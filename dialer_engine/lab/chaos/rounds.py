"""Rounds of one fault: wait until the world is busy, strike, see who comes back, and judge in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.verdict import Row, Seen, judge, of_the_carrier

BACK_S = 60.0
AGENTS_S = 30.0

Tell = Callable[[str], None]


async def run_fault(ground: Ground, fault: Fault, rounds: int, tell: Tell, rows: list[Row]) -> None:
    """Add the row of one fault to `rows`; when interrupted, the row of the rounds that are done."""
    before, seen = len(ground.calls), Seen()
    try:
        await ground.begin()
        for number in range(1, rounds + 1):
            ground.round += 1
            tell(f"{fault.name}, round {number} of {rounds}: {await _round(ground, fault, seen)}")
        seen.stuck += [f"{number}: its call does not end" for number in await ground.quiet()]
        records, live = await ground.settled()
        seen.stuck += [f"{number}: its attempt stays live" for number in live]
    except asyncio.CancelledError:
        ended = [call for call in ground.calls[before:] if not call.live]
        if seen.rounds:
            rows.append(judge(fault.name, fault.promise.without("cdrs_lost"), ended, [], seen))
        raise
    calls = ground.calls[before:]
    rows.append(judge(fault.name, fault.promise, calls, of_the_carrier(records, calls), seen))


async def _round(ground: Ground, fault: Fault, seen: Seen) -> str:
    await ground.busy()
    strike = await fault.strike(ground)
    first = await ground.first_call_after(strike.able, BACK_S)
    deaf = await ground.deaf_agents(strike.able, AGENTS_S)
    seen.rounds += 1
    _note(seen, strike, first, deaf)
    back = (
        "dialing did not go on"
        if first is None
        else f"dialing again after {max(0.0, first - strike.since):.1f} s"
    )
    return f"{back}, {len(deaf)} agents without a new customer"


def _note(seen: Seen, strike: Strike, first: float | None, deaf: list[str]) -> None:
    seen.recovery_s.append(BACK_S if first is None else max(0.0, first - strike.since))
    seen.stuck += [f"{agent}: no new customer in {AGENTS_S:g} s" for agent in deaf]
    seen.stuck += strike.stuck
    seen.broken += strike.broken
    seen.answer_ratios += [] if strike.answer_ratio is None else [strike.answer_ratio]
