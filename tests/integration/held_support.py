"""An engine's writer, killed and begun again on one home, beside a real Postgres that turns connections away."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from store_support import NOON, WALL, fictional, make_world, put_contacts, request, sizes

from dialer_engine.engine.writer import Guard, Writer
from dialer_engine.store.agents import StateChange
from dialer_engine.store.attempts import AttemptEnd, AttemptEvent, Disposed
from dialer_engine.store.batch import Record
from dialer_engine.store.directory import add_agent
from dialer_engine.store.held import held_directory, rejected_file
from dialer_engine.store.pool import Connection, connect
from dialer_engine.store.reserve import Reservation, ReserveRequest, reserve
from dialer_engine.store.suppress import remove

TABLES = ("attempt_events", "cdrs", "dispositions", "suppression_log", "agent_sessions", "agent_states")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB, mounted where the test's DIALER_HOME keeps its journal."""
    place = tmp_path / "journal"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)], check=False)
    assert mounted.returncode == 0, "this test makes a small disk and needs to be root"
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(filler: Path) -> None:
    """Leave no room on the disk of a file."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


async def _anybody(conn: object) -> None:
    """A lease that nobody else ever takes."""


@dataclass
class Desk:
    """One database, its attempts and agent, and engines' writers that come and go on one DIALER_HOME."""

    url: str
    home: Path
    attempts: list[Reservation]
    agent: int
    asked: ReserveRequest
    said: list[str] = field(default_factory=list)

    @property
    def held(self) -> Path:
        return held_directory(self.home)

    @property
    def rejected(self) -> list[dict[str, Any]]:
        file = rejected_file(self.home)
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @asynccontextmanager
    async def writer(
        self, epoch: int = 1, *, killed: bool = False, guard: Guard = _anybody
    ) -> AsyncIterator[Writer]:
        """A running writer, which at the end is closed or (`killed`) just gone."""
        writer = Writer(lambda: connect(self.url), self.held, rejected_file(self.home), epoch, guard)
        writer.on_health = lambda: self.said.append(f"healthy {writer.healthy} unsafe {writer.unsafe}")

        async def before() -> None:
            self.said.append("before healthy")

        writer.before_healthy = before
        running = asyncio.create_task(writer.run())
        try:
            yield writer
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            if killed:
                writer._drop_connection()
            else:
                await writer.close()

    async def ask(self, query: str, *given: Any) -> Any:
        """Ask as the server's master, whether the database takes connections or not."""
        conn = await connect(self._with_database("postgres"), batch=True)
        try:
            return await conn.fetch(query, *given)
        finally:
            await conn.close()

    async def go_away(self) -> None:
        """From now on the server ends and refuses every connection to the database."""
        await self.ask(f"alter database {self.name} allow_connections false")
        await self.ask("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", self.name)

    async def come_back(self) -> None:
        await self.ask(f"alter database {self.name} allow_connections true")

    @property
    def name(self) -> str:
        return self.url.partition("?")[0].rpartition("/")[2]

    def _with_database(self, name: str) -> str:
        base, mark, query = self.url.partition("?")
        return base.rpartition("/")[0] + "/" + name + mark + query

    async def counts(self) -> list[int]:
        conn = await connect(self.url)
        try:
            return await sizes(conn, *TABLES)
        finally:
            await conn.close()

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        conn = await connect(self.url)
        try:
            return [tuple(row) for row in await conn.fetch(query)]
        finally:
            await conn.close()


@pytest.fixture
async def desk(pg_url: str, tmp_path: Path) -> Desk:
    conn = await connect(pg_url)
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(5))
    attempts = list((await reserve(conn, request(world, 4))).reserved)
    agent = await add_agent(conn, None, "ana", "secret")
    await conn.close()
    return Desk(pg_url, tmp_path, attempts, agent, request(world, 1))


def at(seconds: float) -> Any:
    return WALL + timedelta(seconds=seconds, microseconds=123_000)


def talk(one: Reservation, agent: int, *, suppress: bool = False) -> list[Record]:
    """What an engine writes about a call from its answer to its disposition."""
    events = [
        AttemptEvent(one.attempt_id, 1, "dialing", at(1)),
        AttemptEvent(one.attempt_id, 2, "ringing", at(2)),
        AttemptEvent(one.attempt_id, 3, "waiting", at(5)),
        AttemptEvent(one.attempt_id, 4, "bridged", at(5.02), {"agent_id": str(agent)}),
    ]
    end = AttemptEnd(
        *(one.attempt_id, 5, "bridged", at(65), "agent"),
        originated_at=at(1),
        ringing_at=at(2),
        answered_at=at(5),
        joined_at=at(5.02),
        agent_id=agent,
        final=True,
    )
    states = [
        StateChange(agent, state, at(n), "main", None, one.attempt_id)
        for n, state in ((5, "in_call"), (65, "wrap"))
    ]
    disposed = Disposed(
        one.attempt_id, "dnc" if suppress else "sale", "x", "agent", at(70), NOON, True, suppress
    )
    return [*events, states[0], end, states[1], disposed]


def put_all(writer: Writer, records: list[Record]) -> None:
    for record in records:
        writer.put(record)


async def until(true: Callable[[], bool], words: str, seconds: float = 20.0) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < end, f"never came true: {words}"
        await asyncio.sleep(0.02)


async def take_off_all(conn: Connection) -> None:
    """Take every number off the do-not-call lists, as a person does by `dialer dnc remove`."""
    for row in await conn.fetch("select distinct number, member_id from suppressions"):
        await remove(conn, row["number"], row["member_id"], WALL, who="test")


async def outage(desk: Desk, writer: Writer) -> None:
    await until(lambda: writer._conn is not None, "the writer is connected")
    await desk.go_away()
    await until(lambda: not writer.healthy, "the outage is known")


async def on_disk(writer: Writer, count: int) -> None:
    await until(lambda: writer.held == count and not writer._memory, f"{count} records are on the disk")
