"""The database is away while people talk: no new calls, nobody cut, nothing lost, nothing twice, opt-outs obeyed."""

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from engine_support import (
    HUMAN,
    POWER,
    PROGRESSIVE,
    WANTS_OUT,
    at_carrier,
    begin,
    lab,
    press,
    rows,
    status,
    table,
    totals,
    until,
    until_state,
)

from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.world import World
from dialer_engine.store import postmaster
from dialer_engine.store.held import held_directory, held_records

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

STOPS_S = 1.0
"""New calls stop within this time; the carrier's clock is ours."""
MEASURED_S = 2.0
"""How far the engine's times may be from the carrier's."""


async def held(made: World) -> int:
    return int((await status(made))["engine"]["held"])


async def test_a_kill_in_an_outage_keeps_every_record_and_every_opt_out() -> None:
    """One person talks to the agent and says no to him, two hear the message and press 9; then all is killed."""
    late = replace(WANTS_OUT, ring_s=3.0)
    async with lab(POWER, table(HUMAN, late, late), 3) as made:
        await begin(made)
        await until_state(made, "in_call")
        kill_postgres(made)

        async def opted_out() -> bool:
            return len(list((made.main.directory / "journal" / "optout").glob("*.json"))) == 2

        await until(opted_out, "two opt-outs wait in the journal of the script", 40.0)
        press(made, "*")
        await until_state(made, "wrap")
        press(made, "3")
        await until_state(made, "ready")

        async def all_ended() -> bool:
            return (await totals(made))["attempts"] == 3

        await until(all_ended, "all calls have ended under the engine's eyes")

        async def all_held() -> bool:
            return (await status(made))["engine"]["unwritten"] == await held(made) >= 3

        await until(all_held, "everything is on the disk")
        assert "on the disk until the database takes them" in await made.engine.run(
            "status", "--config", str(made.config)
        )
        findings = {one["what"]: one for one in json.loads(await doctor(made))}
        assert findings["journals"]["state"] == "warning"
        assert str(held_directory(made.home)) in findings["journals"]["words"]
        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()
        assert held_records(held_directory(made.home)) >= 3
        await made.engine.start()
        await made.engine.ready()
        await complete_once(made, 3)
        found = await rows(
            made, "select result, ended_by, disposition, agent from cdr_export order by result desc"
        )
        assert [row["result"] for row in found] == ["bridged", "abandoned", "abandoned"]
        assert tuple(found[0])[1:] == ("agent", "do_not_call", "agent001")
        stopped = {row["number"] for row in await rows(made, "select number from suppressions")}
        assert stopped == {call.number for call in at_carrier(made)}
        assert held_records(held_directory(made.home)) == 0
        assert not (made.home / "log" / "rejected.jsonl").exists()


async def doctor(made: World) -> str:
    """What `dialer doctor` finds, whatever its exit status."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dialer_engine", "doctor", "--json", "--config", str(made.config)),
        stdout=asyncio.subprocess.PIPE,
        env=dict(made.engine.variables),
    )
    output, _ = await process.communicate()
    return output.decode()


def kill_postgres(made: World) -> None:
    """Kill the server as a machine that fails does."""
    found = postmaster.read(made.postgres.data)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)


async def complete_once(made: World, count: int) -> None:
    """Every call of the carrier has one record, with the carrier's times; no attempt is left without one."""

    async def recorded() -> bool:
        counts = "select (select count(*) from cdrs where originated_at is not null), (select count(*) from cdrs), "
        found = await rows(made, counts + "count(*), count(*) filter (where ended_at is null) from attempts")
        sent, records, attempts, live = tuple(found[0])
        return bool(sent == count and records == attempts and live == 0)

    await until(recorded, f"{count} calls with their records", 60.0)
    sent = {
        row["called_number"]: row
        for row in await rows(made, "select * from cdrs where originated_at is not null")
    }
    calls = at_carrier(made)
    assert sorted(sent) == sorted(call.number for call in calls), "a call twice, or without a record"
    for call in calls:
        agrees(sent[call.number], call)


def agrees(row: Any, call: CarrierCall) -> None:
    """The record's times are the carrier's."""
    for ours, theirs in ((row["answered_at"], call.answered_at), (row["ended_at"], call.ended_at)):
        assert (ours is None) == (theirs is None), call.number
        assert ours is None or abs(seconds(ours) - theirs) < MEASURED_S, (call.number, seconds(ours) - theirs)


def seconds(moment: datetime) -> float:
    return moment.timestamp()


async def test_a_database_that_is_gone_and_then_frozen_stops_new_calls_and_nothing_else() -> None:
    """One call a second leaves for four agents: those that wait for their turn must not leave any more."""
    scenario = replace(PROGRESSIVE, agents=4, calls_per_second=1.0, wrap_seconds=1, retry_s=1)
    async with lab(scenario, table(replace(HUMAN, talk_s=4.0)), 8) as made:
        await begin(made)
        await until_calls(made, 2)
        await asyncio.to_thread(made.postgres.stop)
        await outlast(made, time.time())
        await asyncio.to_thread(made.postgres.start)
        await until_calls(made, len(at_carrier(made)) + 2)
        frozen = processes_of_postgres(made)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            await outlast(made, time.time())
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        await complete_once(made, 8)
        counted = await rows(
            made, "select result, count(*) as n from cdr_export where originated_at is not null group by 1"
        )
        assert [tuple(row) for row in counted] == [("bridged", 8)]
        assert await held(made) == 0
        assert not (made.home / "log" / "rejected.jsonl").exists()


async def until_calls(made: World, count: int) -> None:
    async def reached() -> bool:
        return len(at_carrier(made)) >= count and await in_call(made) > 0

    await until(reached, f"{count} calls", 30.0)


async def in_call(made: World) -> int:
    return sum(one["state"] == "in_call" for one in (await status(made))["agents"])


async def outlast(made: World, gone_at: float) -> None:
    """Calls in progress end as always, agents are ready again, everything is on the disk, and no call leaves."""

    async def said() -> bool:
        return "database is away" in str((await status(made))["engine"]["why_not"])

    await until(said, "the engine says that the database is away", 20.0)

    async def all_ready() -> bool:
        return all(one["state"] == "ready" for one in (await status(made))["agents"])

    await until(all_ready, "the shift goes on", 30.0)

    async def all_held() -> bool:
        return (await status(made))["engine"]["unwritten"] == await held(made) > 4

    await until(all_held, "what happened is on the disk")
    late = [call.came_at - gone_at for call in at_carrier(made) if call.came_at > gone_at + STOPS_S]
    assert late == [], "a call was placed without a database"


def processes_of_postgres(made: World) -> list[int]:
    """The server and its children, by their working directory."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == str(made.postgres.data):
                found.append(int(entry))
        except OSError:
            continue
    return sorted(found)
