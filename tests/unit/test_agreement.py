"""One node that does not answer keeps no engine from its start."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dialer_engine.engine import agreement
from dialer_engine.engine.agreement import Agreement
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.errors import AriTimeout

pytestmark = pytest.mark.unit


class Link:
    connected = True


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
