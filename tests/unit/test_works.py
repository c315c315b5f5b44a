"""The start of an engine whose Asterisk is only partly there: what no call needs holds nothing up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer_engine.engine import station as station_module
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.node_link import Access
from dialer_engine.engine.phones import PhoneWatch
from dialer_engine.engine.station import Station
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.engine.works import Works
from dialer_engine.pbx.ami import AmiAdapter, AmiError, AmiLoginRefused
from dialer_engine.pbx.ari.errors import AriError

pytestmark = pytest.mark.unit

NO_ANSWER = AmiError("AMI at 10.0.0.6:5038 cannot be reached (no answer within 5 s)")
REFUSED = AmiLoginRefused("AMI at 10.0.0.6:5038 refused user 'engine'")
NO_ARI = AriError("ARI at http://10.0.0.6:8088 cannot be reached")


async def nothing() -> None:
    return None


async def no_ledgers(*what: object) -> tuple[()]:
    return ()


def station(name: str) -> Station:
    access = Access(name, f"http://{name}.invalid:8088", "engine", "x", "127.0.0.1", 5038, "engine", "x")
    return Station(
        *(access, Path("/sounds"), None, Trunks({}), lambda node, event: None, lambda node, up: None),
        may_return=lambda: True,
    )


class Links:
    """Stands for the connections of all stations: what raises which error now, and how often it was tried."""

    def __init__(self) -> None:
        self.ari: dict[str, AriError] = {}
        self.ami: dict[str, AmiError] = {}
        self.watched: list[str] = []
        self.started: list[str] = []

    def made(self, name: str, monkeypatch: pytest.MonkeyPatch) -> Station:
        one = station(name)

        async def start() -> None:
            if name in self.ari:
                raise self.ari[name]
            self.started.append(name)
            monkeypatch.setattr(one.client, "_task", object())

        async def close() -> None:
            return None

        monkeypatch.setattr(one.client, "start", start)
        monkeypatch.setattr(one.client, "close", close)
        return one


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Links:
    made = Links()

    async def start(phones: PhoneWatch) -> None:
        name = phones.access.name
        if name in made.ami:
            raise made.ami[name]

    async def run(phones: PhoneWatch) -> None:
        made.watched.append(phones.access.name)

    monkeypatch.setattr(PhoneWatch, "start", start)
    monkeypatch.setattr(PhoneWatch, "run", run)
    monkeypatch.setattr(station_module, "RETRY_S", 0.01)
    return made


@pytest.fixture
async def opened() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def works(opened: AsyncExitStack, *stations: Station) -> Works:
    """What `Works.open` uses of an engine, around real stations."""
    made = object.__new__(Works)
    made.life = SimpleNamespace(opened=opened, tasks=Tasks(), service=SimpleNamespace())  # type: ignore[assignment]
    made.writer = SimpleNamespace(run=nothing, close=nothing, beat=0.0)  # type: ignore[assignment]
    made.restored = SimpleNamespace(compare=nothing)  # type: ignore[assignment]
    made.agreement = SimpleNamespace(close=lambda: None)  # type: ignore[assignment]
    made.stations = {each.name: each for each in stations}
    return made


def recovering(*stations: Station) -> tuple[Works, list[str]]:
    """What `Works.recover` uses of an engine, and the names of what it keeps running."""
    kept: list[str] = []
    made = object.__new__(Works)
    made.life = SimpleNamespace(  # type: ignore[assignment]
        tasks=SimpleNamespace(keep=lambda making, what: kept.append(what)),
        blockers=SimpleNamespace(lease_holds=lambda: True),
    )
    made.clock, made.reloading = GateClock.starting_at(None), asyncio.Lock()
    made.tenure = SimpleNamespace(pool=Pool(), url="postgresql://nowhere")  # type: ignore[assignment]
    made.writer = SimpleNamespace(held=0, caught_up=nothing)  # type: ignore[assignment]
    made.agreement = SimpleNamespace(  # type: ignore[assignment]
        recover_present=nothing, end_strangers=nothing, begin=lambda: None, settle_all=nothing
    )
    made.floor = SimpleNamespace(  # type: ignore[assignment]
        ledgers=SimpleNamespace(load=no_ledgers, begin=lambda *grouping: None),
        registry=SimpleNamespace(plans={}),
        translator=SimpleNamespace(chairs=SimpleNamespace(run=nothing)),
    )
    made.intakes = []
    part: Any = SimpleNamespace(run=nothing)
    made.journal_keeper = made.queues = made.steady = made.pacing_history = made.overload = part
    made.stations = {each.name: each for each in stations}
    return made, kept


class Pool:
    """Gives a connection that nobody uses."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        yield None


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not so within 2 s")


async def test_an_engine_starts_without_ami_and_connects_it_later(
    links: Links, opened: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    links.ami["main"] = NO_ANSWER
    with capture_logs() as logs:
        await works(opened, links.made("main", monkeypatch)).open()
    assert [entry["event"] for entry in logs] == [
        "AMI cannot be reached; calls go on, phones and trunks are not seen until it is back"
    ]
    await asyncio.sleep(0.05)
    assert links.watched == []
    del links.ami["main"]
    await until(lambda: links.watched == ["main"])
    assert links.started == ["main"], "ARI was there and is not connected a second time"


@pytest.mark.parametrize(("ari", "ami"), [(None, REFUSED), (NO_ARI, None), (NO_ARI, NO_ANSWER)])
async def test_without_ari_or_with_a_wrong_ami_password_it_does_not_start(
    links: Links,
    opened: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
    ari: AriError | None,
    ami: AmiError | None,
) -> None:
    if ari is not None:
        links.ari["main"] = ari
    if ami is not None:
        links.ami["main"] = ami
    with pytest.raises(type(ari or ami)):
        await works(opened, links.made("main", monkeypatch)).open()


async def test_one_of_several_nodes_is_enough_even_without_ami(
    links: Links, opened: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    links.ari["main"], links.ami["other"], links.ami["third"] = NO_ARI, NO_ANSWER, REFUSED
    names = ("main", "other", "third")
    await works(opened, *(links.made(name, monkeypatch) for name in names)).open()
    links.ari.clear()
    links.ami.clear()
    await until(lambda: sorted(links.watched) == sorted(names))


async def test_phones_are_watched_though_the_link_is_down_at_that_moment_of_the_start() -> None:
    opened, never = station("main"), station("other")
    opened.phones.ami = AmiAdapter("127.0.0.1", 5038, "engine", "x")
    assert not opened.client.connected
    engine, kept = recovering(opened, never)
    await engine.recover()
    assert [what for what in kept if what.startswith("phone watch")] == ["phone watch of main"]
    never.keep_phones(engine.life.tasks)
    opened.keep_phones(engine.life.tasks)
    assert kept[-1] == "phone watch of other", "once each"
    assert kept.count("phone watch of main") == 1
