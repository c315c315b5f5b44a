"""Two engines, each cut off from the database or from Asterisk: one owner at most, and nobody is called twice.

In one turn the new owner is killed while the earlier one is still cut off: that one leaves its calls alone. In the last
one the owner is frozen and wakes displaced.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from dialer_engine.core.outcome import Result
from dialer_engine.engine.control_client import EngineNotRunning, EngineRefused
from dialer_engine.lab.chaos.blindness import differences, originates
from dialer_engine.lab.chaos.do_not_call import UNHEARD_KEY
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground, Talks
from dialer_engine.lab.chaos.link_faults import ON_ITS_WAY_S
from dialer_engine.lab.chaos.records import UNTIMED, Wrong
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, Promise
from dialer_engine.lab.engine_process import EngineProcess
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.place import LabError
from dialer_engine.lab.proxy import Mood
from dialer_engine.lab.second_engine import Ways, break_off, with_clock
from dialer_engine.store.sql import sql

TAKES_OVER_S = 30.0
CUT_OFF_S = 6.0
NOTICED_S = 1.0
HALF_OPEN_NOTICED_S = 8.0
ALONE_S = 8.0
"""Three times as long as a displaced engine waits before it looks whether the other one is still there."""
LOOK_S = 0.1
FROZEN_S = 30.0
CASES = (
    ("database", Mood.CUT),
    ("asterisk", Mood.CUT),
    ("database", Mood.HALF_OPEN),
    ("asterisk", Mood.HALF_OPEN),
    ("successor", Mood.CUT),
    ("frozen", Mood.PASS),
)
PROMISE = (
    Promise(recovery_s=15.0).excusing(Wrong.TALK_ABANDONED).leaving(Result.UNKNOWN, *UNTIMED, UNHEARD_KEY)
)
"""A standby takes over within 10 s, on a machine that does other things too. What an owner that is cut off from the
database cannot write of calls that end then is not known."""


async def split(ground: Ground) -> Strike:
    """Cut the owner off from the database or from Asterisk, or lose its successor too, in turn; a standby is there."""
    what, mood = CASES[(ground.round - 1) % len(CASES)]
    return await _watched(ground, lambda: HOW[what](ground, mood))


async def freeze_long(ground: Ground) -> Strike:
    """Freeze the owner for half a minute, in which the standby takes over: the woken engine's epoch is an old one."""
    return await _watched(ground, lambda: _frozen(ground, Mood.PASS, FROZEN_S))


async def _watched(ground: Ground, strike_now: Callable[[], Awaitable[Strike]]) -> Strike:
    """Let something happen to the owner while a standby waits; whether both dial is looked at all the time."""
    await _standby(ground)
    both = _Both(ground)
    watching = asyncio.create_task(both.watch())
    try:
        strike = await strike_now()
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    if not watching.cancelled() and (error := watching.exception()) is not None:
        raise error
    found = (*both.found, *await overlaps(ground))
    away = (strike.since - JUST_BEFORE_S, strike.able)
    return replace(strike, broken=(*strike.broken, *found), excused=(away,))


async def _without_database(ground: Ground, mood: Mood) -> Strike:
    """The owner cannot renew its lease."""
    database = _ways(ground).database
    return await _replaced(ground, lambda: break_off((database,), mood), database.heal)


async def _frozen(ground: Ground, mood: Mood, seconds: float = 0.0) -> Strike:
    """The owner is stopped for longer than its lease, and for so many seconds at least, and wakes."""
    owner = ground.world.engine
    stop, go_on = (lambda: owner.send(signal.SIGSTOP)), (lambda: owner.send(signal.SIGCONT))
    return await _replaced(ground, stop, go_on, seconds)


async def _replaced(
    ground: Ground, lose: Callable[[], None], give_back: Callable[[], None], seconds: float = 0.0
) -> Strike:
    """The standby takes over from an owner that is lost; given back it learns of that, writes nothing, and ends.

    It is lost until another one dials, and for so many seconds at least.
    """
    world = ground.world
    owner, ways = world.engine, _ways(ground)
    world.engine = other = next(engine for engine in world.engines if engine is not owner)
    hung_up: list[float] = []
    with originates(ways.ari, hung_up) as asked:
        since = time.time()
        lose()
        try:
            taken = await _becomes(other, "dialing")
            able = time.time()
            await asyncio.sleep(max(NOTICED_S, since + seconds - able))
            standing = await earlier_rows(ground)
        finally:
            give_back()
        gone = await ground.until(lambda: owner.pid is None, TAKES_OVER_S)
    broken = [] if taken else [f"no engine took over within {TAKES_OVER_S:g} s"]
    broken += [] if gone else ["the displaced engine did not end"]
    broken += await _written(ground, standing)
    return Strike(since, able, broken=(*broken, *_still_acted(asked, hung_up, able)))


def _ways(ground: Ground) -> Ways:
    """The ways of the engine that owns the campaigns."""
    world = ground.world
    return world.ways[world.engines.index(world.engine)]


async def earlier_rows(ground: Ground) -> set[str]:
    """What attempts, their events and call records stand in the database under the epochs of earlier owners."""
    return {row["what"] for row in await ground.ask(sql("chaos_earlier"))}


async def _written(ground: Ground, standing: set[str]) -> list[str]:
    """What an earlier owner wrote under its own epoch beside what stood there when another one had taken over."""
    new = sorted(await earlier_rows(ground) - standing)
    return [f"the earlier owner wrote {len(new)} rows, such as {new[0]}"] if new else []


def _still_acted(asked: list[float], hung_up: list[float], since: float) -> tuple[str, ...]:
    """What an owner of before asked Asterisk for when another one had taken over: calls, and ends of calls."""
    return tuple(
        f"the earlier owner asked for {late} {what} after it was displaced"
        for what, moments in (("calls", asked), ("hang-ups", hung_up))
        if (late := sum(at > since for at in moments))
    )


async def _without_successor(ground: Ground, mood: Mood) -> Strike:
    """The owner cannot see the database when the engine that took over is killed: those calls are not its own.

    It ends when it sees the database again, and goes on when it is started again, as by a service manager. Until then
    nobody may dial: what either engine asked for before reaches the carrier within a moment.
    """
    world = ground.world
    owner, ways = world.engine, _ways(ground)
    world.engine = other = next(engine for engine in world.engines if engine is not owner)
    hung_up: list[float] = []
    with originates(ways.ari, hung_up) as asked:
        break_off((ways.database,), mood)
        try:
            taken = await _becomes(other, "dialing")
            able = time.time()
            await ground.busy()
            await other.kill()
            alone = time.time()
            took = await _takes_asterisk(owner, ALONE_S)
            standing = await earlier_rows(ground)
        finally:
            ways.database.heal()
        ended = await ground.until(lambda: owner.pid is None, TAKES_OVER_S)
    broken = [] if taken else [f"no engine took over within {TAKES_OVER_S:g} s"]
    broken += ["the displaced engine took Asterisk back without a lease"] if took else []
    broken += [] if ended else ["it did not end"]
    broken += await _written(ground, standing)
    since = time.time()
    broken += [*_still_acted(asked, hung_up, able), *ownerless(ground.calls, alone, since)]
    world.engine = owner
    await _again(owner, world.clock_now.isoformat())
    broken += [] if await _becomes(owner, "dialing") else ["it did not go on"]
    return Strike(since, time.time(), broken=tuple(broken))


def ownerless(calls: Iterable[CarrierCall], alone: float, since: float) -> list[str]:
    """The calls that came when the owner had been dead for a moment and no other engine was started yet."""
    return [
        f"dialed {call.number} while no engine owned the campaigns"
        for call in calls
        if alone + ON_ITS_WAY_S < call.came_at < since
    ]


async def _takes_asterisk(engine: EngineProcess, seconds: float) -> bool:
    """Whether an engine connects to Asterisk within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = await _document(engine)
        if found is not None and any(node["ari"] for node in found["nodes"]):
            return True
        await asyncio.sleep(LOOK_S)
    return False


async def _again(engine: EngineProcess, clock: str) -> None:
    """Start an engine that has ended; its gate's clock goes on."""
    with_clock(engine.config, clock)
    await engine.start("--standby")


async def _without_asterisk(ground: Ground, mood: Mood) -> Strike:
    """The owner keeps its lease and dials nobody; once it sees Asterisk again it goes on."""
    ways = _ways(ground)
    noticed = NOTICED_S if mood is Mood.CUT else HALF_OPEN_NOTICED_S
    with originates(ways.ari) as asked:
        down = time.time()
        break_off(ways.asterisk, mood)
        try:
            await asyncio.sleep(noticed + CUT_OFF_S)
        finally:
            for proxy in ways.asterisk:
                proxy.heal()
        now = time.time()
        blind = sum(down + noticed < at < now for at in asked)
    # A half-open link passes nothing: what left before it is on its way for a moment only.
    late = [call for call in ground.calls if down + NOTICED_S < call.came_at < now]
    broken = [f"dialed {call.number} while cut off" for call in late]
    broken += [f"asked for {blind} calls while cut off"] if blind else []
    return Strike(now, now, broken=(*broken, *await differences(ground)))


async def _standby(ground: Ground) -> None:
    """Let the engine that does not own wait for its turn; it may have ended in an earlier round."""
    world = ground.world
    if len(world.engines) == 1:
        await world.add_standby()
    waiting = next(engine for engine in world.engines if engine is not world.engine)
    if waiting.pid is None:
        await _again(waiting, world.clock_now.isoformat())
    if not await _becomes(waiting, "standby"):
        raise LabError(f"the second engine does not wait: {waiting.last_words()}")


async def _becomes(engine: EngineProcess, state: str) -> bool:
    """Wait until an engine says that it is a `standby`, or that it dials."""
    end = time.monotonic() + TAKES_OVER_S
    while time.monotonic() < end:
        found = await _status(engine)
        if found is not None and (found["state"] == "standby" if state == "standby" else found["dialing"]):
            return True
        await asyncio.sleep(LOOK_S)
    return False


async def _status(engine: EngineProcess) -> dict[str, object] | None:
    found = await _document(engine)
    return None if found is None else dict(found["engine"])


async def _document(engine: EngineProcess) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(2.0):
            return await engine.control.status()
    except (EngineNotRunning, EngineRefused, TimeoutError, OSError):
        return None


class _Both:
    """Asks both engines again and again whether they may dial; `found` says when both did."""

    def __init__(self, ground: Ground) -> None:
        self.found: tuple[str, ...] = ()
        self._ground = ground

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            states = await asyncio.gather(*(_status(engine) for engine in self._ground.world.engines))
            if sum(state is not None and bool(state["dialing"]) for state in states) > 1:
                self.found = (f"both engines dial at {time.time():.1f}",)
            await asyncio.sleep(LOOK_S)


async def overlaps(ground: Ground) -> tuple[str, ...]:
    """Epochs of which a later one let a call leave before an earlier one let its last leave."""
    rows = await ground.ask(sql("chaos_owners"))
    return tuple(
        f"epoch {later['epoch']} dialed {earlier['last'] - later['first']:.2f} s before epoch {earlier['epoch']} ended"
        for earlier, later in pairwise(rows)
        if later["first"] < earlier["last"]
    )


HOW: dict[str, Callable[[Ground, Mood], Awaitable[Strike]]] = {
    "database": _without_database,
    "asterisk": _without_asterisk,
    "successor": _without_successor,
    "frozen": _frozen,
}


def split_faults() -> list[Fault]:
    """The faults of this module."""
    does = (
        "cut the owner of two engines off from the database, from Asterisk; cut, then half open; kill its successor; "
        "freeze it"
    )
    frozen = f"SIGSTOP the owner of two engines for {FROZEN_S:g} s: the other one takes over, and it wakes displaced"
    lasting = Needs(split=True, talks=Talks.LASTING)
    return [
        Fault("engines-split", does, split, PROMISE, Needs(split=True)),
        Fault("engine-freeze-replaced", frozen, freeze_long, PROMISE, lasting),
    ]
