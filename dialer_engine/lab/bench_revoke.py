"""`dialer bench revoke`: how soon a phone stops ringing once its number must not be called any more.

Phones ring at a simulated carrier and nobody answers. Rounds alternate between the two ways in which an engine
learns of an opt-out: a command that also tells the engine of its machine, and an entry that somebody else commits
(another engine, a hook, a person with SQL). Measured from just before the commit until the carrier sees the call end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dialer_engine.engine.clock import utc_now
from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.place import LabError, Place
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.store import suppress
from dialer_engine.store.pool import connect

AGENTS = 4
RING_S = 50.0
RUNG_S = 0.2
"""A call has been at the carrier for this long before its number is revoked."""
PATIENCE_S = 30.0
COMMAND, ELSEWHERE = "command", "elsewhere"
WAYS = (COMMAND, ELSEWHERE)

Tell = Callable[[str], None]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RevokeResult:
    """Milliseconds by way, in the order of the rounds, and calls to a number after its revocation."""

    times: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    called_after: int = 0

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that checks expect, times in ms."""
        figures: dict[str, Any] = {"called_after": self.called_after}
        for way, times in self.times.items():
            ordered = sorted(times)
            figures |= {
                f"{way}_count": len(ordered),
                f"{way}_p50_ms": round(ordered[len(ordered) // 2], 1),
                f"{way}_max_ms": round(ordered[-1], 1),
            }
        return figures


async def bench_revoke(bundle: Bundle, place: Place, rounds: int, tell: Tell) -> RevokeResult:
    """Revoke `rounds` ringing numbers each way. Raises LabError when a phone rings on or none rings."""
    scenario = Scenario(
        agents=AGENTS, mode="progressive", ring_seconds=int(RING_S), max_channels=AGENTS, clock=CROWD_CLOCK
    )
    nobody = (Behaviour(Kind.NO_ANSWER, 2 * RING_S, 0.0),) * 100
    people = make_crowd(2 * rounds * AGENTS + 400)
    setting = Setting(scenario, nobody, people, Manners(ends_share=0.0, digits=""))
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    revoked: dict[str, float] = {}
    async with world(bundle, place, setting, tell) as lab:
        await lab.begin()
        for turn in range(rounds):
            for way in WAYS:
                call = await _ringing(lab)
                begun = time.time()
                revoked[call.number] = await _revoke(lab, call.number, way)
                times[way].append(1000 * (await _end_of(lab, call) - begun))
            if (turn + 1) % 10 == 0:
                tell(f"{turn + 1} of {rounds} rounds")
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")
        lab.ledger.read()
        late = [c for c in lab.ledger.calls if c.came_at > revoked.get(c.number, float("inf"))]
    return RevokeResult(times, len(late))


async def _ringing(lab: World) -> CarrierCall:
    """Wait for a phone that rings and has done so for a moment."""

    def found() -> CarrierCall | None:
        old = time.time() - RUNG_S
        return next((call for call in lab.ledger.calls if call.live and call.came_at < old), None)

    return await _until(lab, found, "no phone rings at the carrier")


async def _revoke(lab: World, number: str, way: str) -> float:
    """Commit the entry, tell the engine if the way says so; return the moment after the commit."""
    conn = await connect(lab.postgres.url())
    try:
        await suppress.add(conn, number, None, "bench", utc_now(), who="bench")
    finally:
        await conn.close()
    committed = time.time()
    if way == COMMAND:
        await lab.engine.control.post("/suppressions/changed", {"number": number, "member_id": None})
    return committed


async def _end_of(lab: World, call: CarrierCall) -> float:
    def found() -> float | None:
        return next((each.ended_at for each in lab.ledger.calls if each.id == call.id), None)

    return await _until(lab, found, "a phone rings on although its number was revoked")


async def _until(lab: World, found: Callable[[], _T | None], otherwise: str) -> _T:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        lab.ledger.read()
        what = found()
        if what is not None:
            return what
        await asyncio.sleep(0.02)
    raise LabError(f"{otherwise} within {PATIENCE_S:g} s; see {lab.place.log}")
