"""Asterisk is killed with every call in it: the records must say so, and the agents come back."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.verdict import Promise, Record
from dialer_engine.lab.place import LabError

NODE_LOST = "node_lost"
BACK_S = 30.0
RECORDED_S = 10.0
SEATED_S = 30.0
NOTICES_S = 1.0


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
    unrecorded, _ = await asyncio.gather(_unrecorded(ground, cut, since, back), _agents_return(ground))
    return Strike(since, back, stuck=tuple(unrecorded))


async def _unrecorded(ground: Ground, cut: set[str], since: float, back: float) -> list[str]:
    """The calls of the dead Asterisk that have no record saying so, some seconds after it is back."""
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


async def _agents_return(ground: Ground) -> None:
    """The agents hear nothing any more, hang up, and dial in again."""
    await asyncio.sleep(NOTICES_S)
    phones = ground.world.phones
    await phones.dial_in_again(BACK_S)


def asterisk_faults() -> list[Fault]:
    """The faults of this module."""
    promise = Promise(recovery_s=SEATED_S).without("calls_cut", "silent_answers")
    return [Fault("asterisk-kill", "SIGKILL the engine's Asterisk with its calls", kill_asterisk, promise)]
