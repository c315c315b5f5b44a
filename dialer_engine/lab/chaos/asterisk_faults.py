"""Asterisk is killed with every call in it: the records must say so, and the agents come back."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from dialer_engine.lab.chaos.do_not_call import UNHEARD_KEY
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.link_faults import ARI
from dialer_engine.lab.chaos.records import Record
from dialer_engine.lab.chaos.ringing import answers_of, too_long_of
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, Promise
from dialer_engine.lab.place import LabError
from dialer_engine.lab.proxy import Proxy

NODE_LOST = "node_lost"
BACK_S = 30.0
RECORDED_S = 10.0
SEATED_S = 30.0
NOTICES_S = 1.0
EARLY_S = (0.1, 1.5)
UNSEEN_S = 5.0


async def kill_asterisk(ground: Ground) -> Strike:
    """Kill the engine's Asterisk, which the engine starts again; its agents notice and dial in again."""
    node = ground.world.main_node
    pid = node.pid
    if pid is None:
        raise LabError("the engine's Asterisk does not run")
    cut = {call.number for call in ground.calls if call.live}
    since = time.time()
    os.kill(pid, signal.SIGKILL)
    await ground.until(lambda: ground.world.main_node.pid not in (None, pid), BACK_S)
    back = time.time()
    on_it = [call for call in ground.calls if call.until > since]
    missing, manned = await asyncio.gather(unrecorded(ground, cut, since, back), _agents_return(ground))
    excused = (
        (since - JUST_BEFORE_S, back),
        *answers_of(on_it, ground.world.setting.table, back),
        *too_long_of(on_it, back),
    )
    only = frozenset(call.number for call in on_it)
    return Strike(since, back, stuck=tuple(missing), excused=excused, only=only, manned=manned)


async def kill_early(ground: Ground) -> Strike:
    """Kill it when the campaign has just begun, and nobody may have answered yet."""
    await ground.quiet()
    await ground.begin()
    await asyncio.sleep(ground.chance(*EARLY_S, "early"))
    return await kill_asterisk(ground)


async def kill_unseen(ground: Ground) -> Strike:
    """Kill it, and keep the engine from seeing the new one until the agents have dialed in again."""
    proxy = ground.world.proxies[ARI]
    healing = asyncio.create_task(_heal_later(ground, proxy))
    try:
        return await kill_asterisk(ground)
    finally:
        healing.cancel()
        proxy.heal()


async def _heal_later(ground: Ground, proxy: Proxy) -> None:
    """Cut the link as Asterisk dies, until new calls of agents have waited for the engine."""
    pid = ground.world.main_node.pid
    proxy.cut()
    await ground.until(lambda: ground.world.main_node.pid not in (None, pid), BACK_S)
    await asyncio.sleep(UNSEEN_S)
    proxy.heal()


async def unrecorded(ground: Ground, cut: set[str], since: float, back: float) -> list[str]:
    """Return the calls of a dead Asterisk that have no record saying so, some seconds after it is back."""
    while True:
        records = {record.number: record for record in await ground.records()}
        wrong = [
            f"{number}: {records[number].result if number in records else 'no record'}, not {NODE_LOST}"
            for number in sorted(cut)
            if not _says_so(records, number, since)
        ]
        if not wrong or time.time() > back + RECORDED_S:
            return wrong
        await asyncio.sleep(0.5)


def _says_so(records: dict[str, Record], number: str, since: float) -> bool:
    record = records.get(number)
    return record is not None and (record.result == NODE_LOST or record.ended_at < since)


async def _agents_return(ground: Ground) -> float:
    """The agents hear nothing any more, hang up, and dial in again; returns when they had (wall clock)."""
    await asyncio.sleep(NOTICES_S)
    phones = ground.world.phones
    await phones.dial_in_again(BACK_S)
    return time.time()


def asterisk_faults() -> list[Fault]:
    """The faults of this module."""
    promise = (
        Promise(recovery_s=SEATED_S)
        .excusing("silent_answers", "left_alone", "rung")
        .leaving(NODE_LOST, UNHEARD_KEY)
    )
    early = f"SIGKILL it {EARLY_S[0]:g} to {EARLY_S[1]:g} s after the campaign began"
    unseen = f"SIGKILL it; the engine sees the new one {UNSEEN_S:g} s late, after the agents have dialed in"
    return [
        Fault("asterisk-kill", "SIGKILL the engine's Asterisk with its calls", kill_asterisk, promise),
        Fault("asterisk-kill-early", early, kill_early, promise),
        Fault("asterisk-kill-unseen", unseen, kill_unseen, promise, Needs(links=True)),
    ]
