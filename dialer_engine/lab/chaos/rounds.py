"""Rounds of one fault: wait until the world is busy, strike, see who comes back, and judge in the end."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg

from dialer_engine.engine.control_client import EngineNotRunning, EngineRefused
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.records import Kept
from dialer_engine.lab.chaos.stuck import left_behind
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, Seen, Tally, Witness, tally
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.place import LabError
from dialer_engine.lab.usage import Busy
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.pbx.node import NodeError
from dialer_engine.store.errors import StoreError

BACK_S = 60.0
AGENTS_S = 30.0
EARS_S = 3.0
"""Phones notice a little later than the carrier that a call is over."""

WENT_WRONG = (
    *(LabError, EngineNotRunning, EngineRefused, AriError, NodeError),
    *(StoreError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError),
)
"""What is raised when a world does not go on as it should: the lab's fault before any came, the engine's afterwards."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Before:
    """What a world had before a fault's rounds: how many calls, talks heard, keys pressed and INVITEs at the wire.

    `numbers` are those of whom there were records.
    """

    calls: int
    heard: int
    pressed: int
    invites: int
    numbers: frozenset[str]

    @classmethod
    async def now(cls, ground: Ground) -> Before:
        """What there is at this moment."""
        phones, invites = ground.world.phones, len(ground.wire.invites) if ground.wire is not None else 0
        numbers = frozenset(record.number for record in await ground.records())
        return cls(len(ground.calls), len(phones.heard), len(phones.pressed), invites, numbers)


async def run_fault(ground: Ground, fault: Fault, rounds: int, tell: Tell, tallies: list[Tally]) -> None:
    """Add the tally of one fault in this world to `tallies`; when interrupted, that of the rounds that are done.

    Once a fault came, a world that does not go on is a broken promise, and its tally that of what was seen until then.
    """
    before, seen = await Before.now(ground), Seen()
    try:
        await ground.begin()
        for number in range(1, rounds + 1):
            ground.round += 1
            tell(f"{fault.name}, round {number} of {rounds}: {await _round(ground, fault, seen)}")
        await _everybody_comes_back(ground, seen)
        seen.stuck += [f"{number}: its call does not end" for number in await ground.quiet()]
        await ground.until(lambda: not ground.world.phones.hearing, EARS_S)
        kept, live = await ground.settled()
        seen.stuck += [f"{number}: its attempt stays live" for number in live]
        seen.stuck += [f"{number}: is nobody's, and never due again" for number in await ground.forgotten()]
        seen.stuck += await left_behind(ground, before.calls, kept.records, seen.spans)
        seen.broken += await fault.after(ground)
    except asyncio.CancelledError:
        if seen.rounds:
            tallies.append(_so_far(ground, before, seen))
        raise
    except WENT_WRONG as error:
        if seen.began == math.inf:
            raise
        said = str(error) or type(error).__name__
        seen.broken.append(f"nothing more after {seen.rounds} of {rounds} rounds: {said}")
        tell(f"{fault.name}: {seen.broken[-1]}")
        tallies.append(_so_far(ground, before, seen))
        return
    calls = tuple(ground.calls[before.calls :])
    tallies.append(tally(_witness(ground, calls, before, kept.of_calls(calls, before.numbers)), seen))


def _so_far(ground: Ground, before: Before, seen: Seen) -> Tally:
    """The tally of the calls that have ended; the database is not read, in the middle of a fault."""
    ended = tuple(call for call in ground.calls[before.calls :] if not call.live)
    seen.excused.append((seen.began - JUST_BEFORE_S, math.inf))
    return tally(_witness(ground, ended, before, None), seen)


def _witness(ground: Ground, calls: Sequence[CarrierCall], before: Before, kept: Kept | None) -> Witness:
    phones, invites = ground.world.phones, None
    if ground.wire is not None:
        new = ground.wire.invites[before.invites :]
        invites = [invite for invite in new if invite.number not in before.numbers]
    heard, pressed = phones.heard[before.heard :], phones.pressed[before.pressed :]
    return Witness(calls, heard, kept, ground.oracle, ground.message_s, invites, pressed)


async def _round(ground: Ground, fault: Fault, seen: Seen) -> str:
    await ground.busy()
    began, idle = time.time(), Busy.read()
    seen.began = began
    strike = await fault.strike(ground)
    first = await ground.first_call_after(strike.able, BACK_S)
    deaf = await ground.deaf_agents(strike.manned or strike.able, AGENTS_S)
    seen.rounds += 1
    seen.cpu_busy = max(seen.cpu_busy, Busy.read().since(idle))
    seen.spans.append((began, strike.able if first is None else first))
    _note(seen, strike, first, deaf)
    back = (
        "dialing did not go on"
        if first is None
        else f"dialing again after {max(0.0, first - strike.since):.1f} s"
    )
    return f"{back}, {len(deaf)} agents without a new customer"


async def _everybody_comes_back(ground: Ground, seen: Seen) -> None:
    """See who hears a new customer once the talks of now are over: who still talked may have been missed before."""
    missing = await ground.deaf_agents(time.time(), AGENTS_S, talking=False)
    seen.stuck += [f"{agent}: no new customer after all rounds" for agent in missing]


def _note(seen: Seen, strike: Strike, first: float | None, deaf: list[str]) -> None:
    seen.recovery_s.append(BACK_S if first is None else max(0.0, first - strike.since))
    seen.stuck += [f"{agent}: no new customer in {AGENTS_S:g} s" for agent in deaf]
    seen.stuck += strike.stuck
    seen.broken += strike.broken
    seen.broken += [f"dialing did not go on within {BACK_S:g} s"] if first is None else []
    if strike.only is None:
        seen.excused += strike.excused
    else:
        seen.excused_only += [(*span, strike.only) for span in strike.excused]
    seen.notes += strike.notes
    seen.answer_ratios += [] if strike.answer_ratio is None else [strike.answer_ratio]
