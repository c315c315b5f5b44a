"""When nodes are compared, given up and found again, and one that does not answer keeps no engine from its start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs
from test_adoption import Next, live

from dialer_engine.core.seat import SeatState
from dialer_engine.engine import agreement
from dialer_engine.engine.agreement import Agreement
from dialer_engine.engine.early_ends import EarlyEnds
from dialer_engine.engine.recovery import Seen
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.errors import AriTimeout

pytestmark = pytest.mark.unit


class Link:
    connected = True

    def give_way(self, why: str) -> None:
        raise AssertionError(why)


class Post:
    """A station of which only link and state are asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client = Link()
        self.up = False


class Meeting(Agreement):
    """Comparisons that `deaf` nodes never answer."""

    deaf: frozenset[str] = frozenset()
    recovered: tuple[str, ...] = ()

    async def recover(self, station: Any) -> None:
        if station.name in self.deaf:
            raise AriTimeout(f"{station.name} does not answer")
        self.recovered += (station.name,)

    async def settle(self, station: Any) -> None:
        if station.name in self.deaf:
            await asyncio.Event().wait()
        station.up = True


def meeting(*deaf: str) -> Meeting:
    stations: Any = {name: Post(name) for name in ("one", "two")}
    nobody: Any = None
    made = Meeting(stations, nobody, nobody, 1, Blockers(), Tasks(), 300.0)
    made.deaf = frozenset(deaf)
    return made


async def test_the_others_are_taken_over_from() -> None:
    made = meeting("one")
    await made.recover_present()
    assert made.recovered == ("two",)


async def test_when_none_answers_the_start_says_so() -> None:
    with pytest.raises(AriTimeout, match="one does not answer"):
        await meeting("one", "two").recover_present()


async def test_the_start_waits_for_all_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    made = meeting()
    await made.settle_all()
    assert all(post.up for post in made.stations.values())
    monkeypatch.setattr(agreement, "SETTLE_S", 0.05)
    made = meeting("two")
    async with asyncio.timeout(5.0):
        await made.settle_all()
    assert [post.up for post in made.stations.values()] == [True, False]
    await made.tasks.close()


async def test_with_no_node_up_it_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "SETTLE_S", 0.05)
    made = meeting("one", "two")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await made.settle_all()
    await made.tasks.close()


# --- a node that comes back, or breaks ----------------------------------------------------------------


class Database:
    """A pool that gives nobody a connection before it is `back`."""

    def __init__(self) -> None:
        self.back = asyncio.Event()
        self.asked = asyncio.Event()

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        self.asked.set()
        await self.back.wait()
        yield None


class Engine:
    """A new engine, its one node and its database; alice talks with `x` there since an earlier engine."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.rig, self.database = Next(), Database()
        self.rig.asterisk.seat("leg", "alice")
        self.rig.left("x", "alice")
        self.looks = self.broken = 0
        self.unanswered: set[int] = set()
        self.known_first: list[tuple[str, bool, bool]] = []
        self.post: Any = Post("main")
        self.post.settling, self.post.recovered = asyncio.Lock(), False
        floor: Any = SimpleNamespace(
            dispatcher=self.rig.dispatcher,
            adoption=self.rig.adoption,
            campaigns=self,
            compare=self.compare,
            give_up=lambda node: Seen.nothing(),
            know_paused=lambda ids: None,
            end_lost_shifts=lambda node, on_record, heard_until: None,
            dispose_forgotten=lambda talks: None,
            watch=SimpleNamespace(link_lost=lambda node: None),
            translator=SimpleNamespace(chairs=SimpleNamespace(missed=lambda node: None), early=EarlyEnds()),
        )
        nodes: Any = {"main": self.post}
        pool: Any = self.database
        self.made = Agreement(nodes, floor, pool, 2, Blockers(), self.rig.tasks, 0.02)
        self.made.begun = True

        async def nothing(*asked: Any) -> set[int]:
            return set()

        async def the_talk(*asked: Any) -> list[Any]:
            return [live("x")]

        async def all_of_them(conn: Any, ids: list[str], epoch: int) -> set[str]:
            return set(ids)

        for name in ("paused_on_record", "agents_on_record", "talks_without_disposition"):
            patch.setattr(agreement, name, nothing)
        patch.setattr(agreement, "live_attempts", the_talk)
        patch.setattr(agreement, "adopt", all_of_them)

    @contextlib.contextmanager
    def adopting(self, node: str) -> Iterator[None]:
        """Agents are given their campaigns: after the calls are known, and before others go on with lonely ones."""
        yield
        self.known_first.append((node, "x" in self.rig.dispatcher.calls, bool(self.rig.adoption._alone)))

    async def compare(self, station: Any, *, hang_up_orphans: bool = True) -> Seen:
        self.looks += 1
        if self.looks <= self.broken:
            raise ZeroDivisionError("a fault of the program")
        if self.looks in self.unanswered:
            raise AriTimeout("no reply from Asterisk")
        return await self.rig.compare(hang_up_orphans=hang_up_orphans)

    def link(self, up: bool) -> None:
        self.post.client.connected = up
        self.made.on_link("main", up)

    async def is_up(self) -> None:
        for _ in range(500):
            if self.post.up:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the node is still down")

    @property
    def talk(self) -> tuple[SeatState, str | None]:
        seat = self.rig.dispatcher.seats["alice"]
        return seat.state, seat.attempt


@pytest.fixture
async def engine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    made = Engine(monkeypatch)
    yield made
    await made.rig.tasks.close()


async def test_a_node_that_is_back_before_the_database_is_not_given_up(engine: Engine) -> None:
    engine.link(False)
    await engine.database.asked.wait()  # it counts as lost, and what was there waits for the database
    engine.link(True)
    await asyncio.sleep(0.05)
    engine.database.back.set()
    await engine.is_up()
    assert (engine.rig.results, engine.talk) == ([], (SeatState.IN_CALL, "x"))
    assert "x" in engine.rig.asterisk.up


async def test_agents_are_given_campaigns_between_the_calls_that_are_found_and_the_lonely_ones(
    engine: Engine,
) -> None:
    engine.rig.leg_ends("leg")
    engine.database.back.set()
    engine.link(True)
    await engine.is_up()
    assert engine.known_first == [("main", True, True)]
    assert not engine.rig.adoption._alone


async def test_a_node_that_stays_away_is_given_up_once_the_database_is_back(engine: Engine) -> None:
    engine.link(False)
    await engine.database.asked.wait()
    engine.database.back.set()
    await asyncio.sleep(0.05)
    assert engine.post.recovered
    assert engine.rig.results == [("x", "bridged")], "nobody knows that Asterisk died"


async def test_a_fault_in_a_comparison_leaves_no_node_down(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "BROKEN_RETRY_S", 0.05)
    engine.broken = 3
    engine.database.back.set()
    engine.link(True)
    await engine.is_up()
    assert engine.talk == (SeatState.IN_CALL, "x")


async def test_many_doubts_at_once_are_one_comparison(engine: Engine) -> None:
    engine.database.back.set()
    engine.post.recovered = True
    async with engine.post.settling:
        for _ in range(50):
            engine.made.settle_soon("main")
        await asyncio.sleep(0)
    await engine.is_up()
    assert engine.looks == 1
    engine.made.settle_soon("main")
    engine.made.settle_soon("main")
    await asyncio.sleep(0.05)
    assert engine.looks == 2


async def test_a_second_comparison_that_fails_is_made_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only it sees a join that was too young for the first; each try takes its time, so nothing spins."""
    monkeypatch.setattr(agreement, "JOIN_TAKES_S", 0.2)
    engine.database.back.set()
    engine.post.recovered = True
    engine.unanswered = {2, 4}
    with capture_logs() as logs:
        engine.made.settle_soon("main")
        await asyncio.sleep(0.4)
        assert engine.looks <= 3, "a pause before each second comparison"
        await asyncio.sleep(1.1)
    assert engine.looks == 6, "after one that worked nobody looks again"
    failed = [entry["log_level"] for entry in logs if entry["event"].startswith("second comparison")]
    assert failed == ["warning", "warning"]
