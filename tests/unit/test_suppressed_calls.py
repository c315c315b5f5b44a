"""A do-not-call change ends the calls and showings that it forbids, and those of no other Member."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from dispatch_support import START, reservation
from dispatch_support import Floor as Rig
from test_ledgers import plan

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Attempt
from dialer_engine.core.preview import Preview
from dialer_engine.engine.call import Call
from dialer_engine.engine.control import ControlServer
from dialer_engine.engine.controls import Controls
from dialer_engine.engine.floor import Floor
from dialer_engine.engine.previews import Previews, Showing
from dialer_engine.engine.surroundings import Blockers, EngineSurroundings
from dialer_engine.store.cards import Card
from dialer_engine.store.preview import ShownContact
from dialer_engine.store.reserve import OnShow

pytestmark = pytest.mark.unit

NUMBER, OTHER = "+12105550100", "+12105550101"
ACME, BOLT = plan("spring", 1).member_id, 2
GONE = "gone"
"""A call whose campaign is not in the settings any more, so that its Member is not known."""


class Changed:
    """An engine's floor behind its control socket: what acme has ringing and on show, and who is told."""

    def __init__(self, socket: Path) -> None:
        self.socket, self.rig = socket, Rig(alice="spring")
        nothing = cast("Any", None)
        self.floor = Floor.__new__(Floor)
        self.floor.surroundings = EngineSurroundings(*[nothing] * 6)
        self.floor.dispatcher = self.rig.dispatcher
        self.floor.means = cast("Any", SimpleNamespace(blockers=Blockers()))
        rest: list[Any] = [*[nothing] * 4, lambda end: None, nothing, lambda *told: None, *[nothing] * 3]
        self.floor.previews = Previews(self.rig.dispatcher, *rest)
        contact = ShownContact(
            OnShow("p", 1, OTHER), Card(OTHER, "acme", "", "", (OTHER, NUMBER), {}, {}, ())
        )
        showing = Showing("alice", plan("spring", 1), contact, Preview("p", START, False), 0.0)
        self.floor.previews.showings["alice"] = showing
        for name, its in (("acme", plan("spring", 1)), (GONE, None)):
            self.rig.dispatcher.adopt(Call(reservation(name, NUMBER), "spring", Attempt(name), START, its))
            self.rig.dispatcher.feed(name, life.Sent(START, 22))
            self.rig.dispatcher.feed(name, life.Ringing(START))

    async def tell(self, **body: object) -> int:
        """Send a request about the number, as a command does; returns the status."""
        connector = aiohttp.UnixConnector(path=str(self.socket))
        async with aiohttp.ClientSession(connector=connector) as session:
            path = "http://engine/suppressions/changed"
            async with session.post(path, json={"number": NUMBER, **body}) as reply:
                return reply.status

    @property
    def hung_up(self) -> list[str]:
        """The calls that were ended."""
        return [asked[1] for asked in self.rig.book.asked if asked[0] == "hang_up"]

    @property
    def on_show(self) -> bool:
        """Whether alice still looks at her contact."""
        return "alice" in self.floor.previews.showings


@pytest.fixture
async def changed(tmp_path: Path) -> AsyncIterator[Changed]:
    made = Changed(tmp_path / "control.sock")
    server = ControlServer(Controls(cast("Any", SimpleNamespace(floor=made.floor))), made.socket)
    await server.start()
    yield made
    await server.close()


async def test_what_one_member_may_not_call_another_one_goes_on_calling(changed: Changed) -> None:
    began = time.monotonic()
    assert await changed.tell(member_id=BOLT) == 200
    assert changed.hung_up == [GONE], "whose call it is nobody knows"
    assert changed.on_show
    since = changed.floor.surroundings.suppressed_since
    assert not since(NUMBER, ACME, began), "a reservation of acme's may leave"
    assert since(NUMBER, BOLT, began)


@pytest.mark.parametrize("body", [{"member_id": ACME}, {"member_id": None}, {}])
async def test_what_a_member_or_nobody_may_call_ends(changed: Changed, body: dict[str, Any]) -> None:
    """A command of an earlier version names no Member: it means everybody."""
    began = time.monotonic()
    assert await changed.tell(**body) == 200
    assert changed.hung_up == ["acme", GONE]
    assert not changed.on_show
    assert changed.floor.surroundings.suppressed_since(NUMBER, ACME, began)
    await asyncio.sleep(0.001)
    assert not changed.floor.surroundings.suppressed_since(NUMBER, ACME, time.monotonic())


async def test_an_engine_that_woke_from_a_freeze_ends_no_call_for_it_by_what_it_knew(
    changed: Changed,
) -> None:
    """Another engine may have answered it since: whoever pressed the key hears the message's last words."""
    began = time.monotonic()
    changed.floor.means.blockers.behind = lambda: True
    assert await changed.tell(member_id=ACME) == 200
    assert changed.hung_up == []
    assert not changed.on_show
    assert changed.floor.surroundings.suppressed_since(NUMBER, ACME, began)


@pytest.mark.parametrize("member", ["acme", True, 1.5, [1]])
async def test_a_member_that_is_no_id_is_refused(changed: Changed, member: object) -> None:
    assert await changed.tell(member_id=member) == 409
    assert changed.hung_up == []
