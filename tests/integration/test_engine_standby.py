"""A second engine waits and takes over: from a frozen one, a killed one, one that hands over; no call is cut."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from engine_support import HUMAN, PROGRESSIVE, at_carrier, begin, lab, press, rows, table, until

from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.control_client import EngineRefused
from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.engine_process import EngineProcess
from dialer_engine.lab.place import LabError
from dialer_engine.lab.second_engine import second_engine
from dialer_engine.lab.world import World
from dialer_engine.store.pool import connect
from dialer_engine.store.sql import sql

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

TALKS = replace(HUMAN, talk_s=300.0)
BUSY = Behaviour(Kind.BUSY, 0.2, 0.0)
SCENARIO = replace(PROGRESSIVE, agents=3, wrap_seconds=1, retry_s=3600, calls_per_second=4.0)
LONG = 40.0


async def ended(engine: EngineProcess) -> int:
    """How an engine's process ended."""
    assert engine.process is not None
    return await asyncio.wait_for(engine.process.wait(), LONG)


def set_aside(engine: EngineProcess) -> list[dict[str, Any]]:
    """The records that an engine was not allowed to write any more."""
    file = engine.home / "log" / "rejected.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def owns(engine: EngineProcess, epoch: int) -> None:
    """Wait until the engine has taken the lease with this epoch, and dials."""

    async def true() -> bool:
        found = (await engine.control.status())["engine"]
        return bool((found["lease"] or {}).get("epoch") == epoch and found["dialing"])

    await until(true, f"the engine owns the lease with epoch {epoch}: {engine.last_words()}", LONG)


async def talking(made: World, engine: EngineProcess, count: int) -> None:
    """Wait until so many agents are in conversations that the engine knows of."""

    async def true() -> bool:
        agents = (await engine.control.status())["agents"]
        return sum(one["state"] == "in_call" for one in agents) == count

    await until(true, f"{count} agents talk", LONG)
    assert len([call for call in at_carrier(made) if call.live and call.number in TALKERS]) == count


WRITTEN_BY_THE_FIRST = """
    select (select count(*) from attempts where epoch = 1) as attempts,
           (select count(*) from attempt_events where epoch = 1) as events,
           (select count(*) from cdrs where epoch = 1) as records
"""
NINE_AT_THE_FIRST, NINE_AT_THE_OTHER = "+12145550398", "+12145550399"
TALKERS = {"+12145550100", "+12145550101"}


@asynccontextmanager
async def second(made: World) -> AsyncIterator[EngineProcess]:
    """An engine with a home of its own, which uses the first one's database and Asterisk."""
    engine = second_engine(made)
    try:
        yield engine
    finally:
        if engine.pid is not None:
            os.kill(engine.pid, signal.SIGCONT)
        await engine.stop(1.0)


async def one_record_each(made: World) -> None:
    """Wait until nothing is live; every attempt has one record, nobody was called twice."""

    async def true() -> bool:
        found = await rows(
            made,
            "select (select count(*) from attempts where ended_at is null) as live, "
            "(select count(*) from attempts) as attempts, (select count(*) from cdrs) as cdrs",
        )
        return bool(found[0]["live"] == 0 and found[0]["attempts"] == found[0]["cdrs"])

    await until(true, "every attempt has its record", LONG)
    numbers = [call.number for call in at_carrier(made)]
    assert len(numbers) == len(set(numbers)), "somebody was called twice"


async def end_the_talks(made: World, engine: EngineProcess) -> None:
    """Dial nobody any more and let the agents end their conversations."""
    await engine.control.post("/campaigns/demo/pause")
    for number in range(SCENARIO.agents):
        press(made, "*", number)
    await one_record_each(made)
    found = await rows(made, "select called_number, ended_by, result from cdrs where result = 'bridged'")
    assert {row["called_number"] for row in found} == TALKERS
    assert {row["ended_by"] for row in found} == {"agent"}


async def test_a_frozen_engine_is_replaced_and_does_nothing_when_it_wakes_and_calls_are_handed_over() -> None:
    async with lab(SCENARIO, table(TALKS, TALKS, BUSY), 300) as made, second(made) as other:
        first = made.engine
        await begin(made)
        await talking(made, first, 2)
        await other.start("--standby")

        await until(lambda: waits_for(other, str(first.home)), "the second engine waits", LONG)
        with pytest.raises(EngineRefused, match="standby"):
            await other.control.post("/campaigns/demo/pause")
        took_down(other, NINE_AT_THE_OTHER)
        await until(lambda: suppressed(made, NINE_AT_THE_OTHER), "the waiting engine took it in", LONG)

        assert first.process is not None
        first.process.send_signal(signal.SIGSTOP)
        await owns(other, 2)
        await talking(made, other, 2)

        async def dials() -> bool:
            return bool(await rows(made, "select 1 from attempts where epoch = 2 and ended_at is not null"))

        await until(dials, "the second engine dials", LONG)
        before = await rows(made, WRITTEN_BY_THE_FIRST)
        took_down(first, NINE_AT_THE_FIRST)
        first.process.send_signal(signal.SIGCONT)
        assert await ended(first) == 1
        assert "another engine has taken over" in first.last_words()
        assert await rows(made, WRITTEN_BY_THE_FIRST) == before, "the old engine wrote"
        assert {entry["epoch"] for entry in set_aside(first)} <= {1}
        assert await suppressed(made, NINE_AT_THE_FIRST), "it ended and left an opt-out on its disk"

        await first.start("--standby")
        await until(lambda: waits_for(first, str(other.home)), "the first engine waits", LONG)
        await other.run("drain", "--config", str(other.config))
        assert await ended(other) == 0
        assert "handed over" in other.log.read_text()
        await owns(first, 3)
        await talking(made, first, 2)
        await holds_back_without_a_renewal(made, first)
        await end_the_talks(made, first)
        assert "has ended" in await first.run("drain", "--config", str(first.config))
        assert await ended(first) == 0
        abandoned = await rows(made, "select 1 from cdrs where result in ('abandoned', 'hung_up')")
        assert not abandoned


def took_down(engine: EngineProcess, number: str) -> None:
    """Leave an opt-out as the script of an Asterisk of this engine's machine does, of a call nobody knows of."""
    directory = engine.home / "nodes" / "main" / "journal" / "optout"
    directory.mkdir(parents=True, exist_ok=True)
    given = {"attempt_id": str(uuid4()), "member_id": "1", "number": number, "source": "drop_message"}
    written = directory / "given.json.part"
    written.write_text(json.dumps(given | {"at": utc_now().isoformat(), "key": "9"}))
    written.rename(directory / f"{given['attempt_id']}.json")


async def suppressed(made: World, number: str) -> bool:
    """Whether a number is on the do-not-call list."""
    return number in [row["number"] for row in await rows(made, "select number from suppressions")]


async def holds_back_without_a_renewal(made: World, engine: EngineProcess) -> None:
    """While no lease can be renewed no call leaves, the status says why, and calls in progress go on.

    The lock stops those who change a lease; records, which only rely on one, are written all the time.
    """
    conn = await connect(made.postgres.url(), batch=True)

    async def held_back() -> bool:
        return "lease" in ((await engine.control.status())["engine"]["why_not"] or "")

    async def dials() -> bool:
        return bool((await engine.control.status())["engine"]["dialing"])

    try:
        async with conn.transaction():
            await conn.execute("lock table leases in share row exclusive mode")
            await until(held_back, "the engine holds back", LONG)
            await until(lambda: none_leaves(made), "what left just before has reached the carrier", LONG)
            before = len(at_carrier(made))
            await asyncio.sleep(1.0)
            assert len(at_carrier(made)) == before
            await talking(made, engine, 2)
    finally:
        await conn.close()
    await until(dials, "the engine dials again", LONG)


async def none_leaves(made: World) -> bool:
    """Whether no call is on its way to the carrier."""
    query = "select 1 from attempts where state in ('reserved', 'dialing')"
    return not await rows(made, query)


async def waits_for(engine: EngineProcess, owner: str) -> bool:
    """Whether an engine answers as a standby that names this owner."""
    found = (await engine.control.status())["engine"]
    return bool(found["state"] == "standby" and owner in found["why_not"])


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def listen(self) -> list[str]:
        """Return everything that was said so far, one line an entry."""
        while True:
            try:
                self.heard += self._socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.heard

    async def hears(self, line: str) -> None:
        """Wait for a line that begins so, from now on."""
        self.listen()
        known = len(self.heard)

        async def true() -> bool:
            return any(each.startswith(line) for each in self.listen()[known:])

        await until(true, f"the service manager hears {line}", LONG)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


async def answered(service: Manager, known: int) -> bool:
    """Whether a reload was begun and ended in what the service manager heard after the first `known` lines."""
    return {"RELOADING=1", "READY=1"} <= set(service.listen()[known:])


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    made = Manager(address)
    try:
        yield made
    finally:
        made.close()


def watched(engine: EngineProcess, address: str) -> EngineProcess:
    """The same engine as a service with a watchdog of three seconds."""
    more = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"}
    return EngineProcess(engine.home, engine.config, engine.log, {**engine.variables, **more})


def lines(engine: EngineProcess) -> list[dict[str, Any]]:
    """The engine's log."""
    return [json.loads(line) for line in engine.log.read_text().splitlines() if line.startswith("{")]


async def test_on_one_home_a_standby_replaces_a_killed_and_a_frozen_engine_and_serves_the_service_manager() -> (
    None
):
    async with lab(SCENARIO, table(TALKS, TALKS, BUSY), 300) as made:
        first = made.engine
        address = f"@dialer-test-{os.getpid()}"
        with manager(address) as service:
            made.engine = standby = watched(first, address)
            made.engines.append(standby)
            await begin_with(made, first)
            await standby.start("--standby")
            await service.hears("READY=1")
            await service.hears("WATCHDOG=1")
            assert any("standby" in line for line in service.heard if line.startswith("STATUS="))
            assert standby.process is not None
            known = len(service.listen())
            standby.process.send_signal(signal.SIGHUP)
            await until(lambda: answered(service, known), "the reload of a waiting engine is answered", LONG)

            assert first.process is not None
            with pytest.raises(LabError, match="a standby waits"):
                await first.run("stop", "--all", "--now", "--config", str(made.config))
            assert first.process.returncode is None
            assert (await first.control.status())["engine"]["dialing"], (
                "nothing was ended, the engine neither"
            )
            first.process.kill()
            await first.process.wait()
            await owns(standby, 2)
            await talking(made, standby, 2)
            await service.hears("WATCHDOG=1")

            # SIGHUP with a broken file: said to the manager, refused in the log, nothing changed.
            good = (made.config / "dialer.yaml").read_text()
            (made.config / "dialer.yaml").write_text(good.replace("trunks:", "trunk:"))
            known = len(service.listen())
            standby.process.send_signal(signal.SIGHUP)
            await service.hears("READY=1")
            assert service.heard[known:][0] == "RELOADING=1"
            assert any(line.startswith("MONOTONIC_USEC=") for line in service.heard[known:])
            refused = [line for line in lines(standby) if line["event"] == "reload refused"]
            assert len(refused) == 1
            assert "dialer.yaml:" in refused[0]["why"]
            assert "trunks" in refused[0]["why"]
            assert (await standby.control.status())["engine"]["dialing"]
            (made.config / "dialer.yaml").write_text(good)

            third = EngineProcess(first.home, first.config, made.place.log / "third.log", first.variables)
            made.engines.append(third)
            await third.start("--standby")
            await until(lambda: logged(third, "owns this DIALER_HOME"), "the third engine waits", LONG)
            await until(lambda: has_looked(made), "it has seen the owner alive", LONG)
            standby.process.send_signal(signal.SIGSTOP)
            service.listen()
            known = len(service.heard)
            made.engine = third
            await owns(third, 3)
            assert await ended(standby) == -signal.SIGKILL
            assert "WATCHDOG=1" not in service.listen()[known:]
            await talking(made, third, 2)

            # Without a standby a drain waits for calls as long as it is told, and cuts none.
            await third.run("drain", "--wait", "0.5", "--config", str(third.config))
            assert await ended(third) == 0
            assert "still up" in third.log.read_text()
            await third.start()
            await owns(third, 4)
            await talking(made, third, 2)
            await end_the_talks(made, third)


async def has_looked(made: World) -> bool:
    """Whether a standby has asked who holds the lease: no engine that works has a session that asked for this last."""
    query = "select query from pg_stat_activity where state = 'idle'"
    return sql("lease_holder") in [row["query"] for row in await rows(made, query)]


async def begin_with(made: World, engine: EngineProcess) -> None:
    """Start the campaign and wait for the two conversations."""
    await begin(made)
    await talking(made, engine, 2)


async def logged(engine: EngineProcess, words: str) -> bool:
    """Whether the words stand in the engine's log."""
    return Path(engine.log).exists() and words in engine.log.read_text()
