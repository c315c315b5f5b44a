"""Comparing with Asterisk while calls leave and channels end: what a look shows late, or not yet, ends nobody.

The moments between two answers cannot be hit in a real Asterisk, so a small one answers the real commands here.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dispatch_support import START, Notebook, at, reservation

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.actions import AsteriskActions, Leg
from dialer_engine.engine.agents import Legs, bridge_of, whisper_of
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.recovery import Before, Seen, agree, reconcile
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriRefused

pytestmark = pytest.mark.unit

Doing = Callable[[], None]
NUMBER = "+12105550100"


@dataclass
class Asterisk:
    """Answers the real commands: what goes through the websocket in order, lists at once, as the real one does.

    `meanwhile` is what happens right after an answer was made.
    """

    app: str = "dialer"
    up: dict[str, str] = field(default_factory=dict)
    legs: dict[str, str] = field(default_factory=dict)
    bridges: dict[str, list[str]] = field(default_factory=dict)
    started: str = "2026-01-01T00:00:00.000+0000"
    meanwhile: dict[str, Doing] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    websocket: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def fetch(self, path: str) -> bytes:
        lists = {"/channels": [self._channel(id) for id in self.up], "/bridges": self._bridges()}
        body = json.dumps(lists[path]).encode()
        self._happens(path)
        await self.request("GET", "/asterisk/ping")
        return body

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> bytes:
        async with self.websocket:
            self.asked.append(f"{method} {path}")
            return self._answer(method, path, query or {})

    def _answer(self, method: str, path: str, query: Mapping[str, str]) -> bytes:
        kind, _, rest = path.strip("/").partition("/")
        id, _, what = rest.partition("/")
        if path == "/asterisk/info":
            status = {"startup_time": self.started, "last_reload_time": self.started}
            return json.dumps({"status": status}).encode()
        if kind == "channels" and method == "POST" and not what:
            self.up[id] = "Down"
        elif kind == "channels" and id not in self.up:
            raise AriRefused(404, "Channel not found", path)
        elif kind == "channels" and method == "DELETE":
            self.end(id)
            return b""
        elif kind == "bridges" and what == "addChannel":
            if query["channel"] not in self.up:
                raise AriRefused(400, "Channel not found", path)
            self.bridges[id].append(query["channel"])
        elif kind == "bridges":
            self.bridges.setdefault(id, [])
            return json.dumps(self._bridges()[-1]).encode()
        return json.dumps(self._channel(id)).encode() if kind == "channels" and not what else b"{}"

    def _channel(self, id: str) -> dict[str, Any]:
        nobody = {"name": "", "number": ""}
        data = f"{self.app},agent,{self.legs[id]}" if id in self.legs else ""
        plan = {
            "app_data": data,
            "app_name": "Stasis" if data else "",
            "context": "",
            "exten": "",
            "priority": 1,
        }
        where = "PJSIP/agent-1" if data else "PJSIP/trunk-main-1"
        return {
            "id": id,
            "name": where,
            "state": self.up.get(id, "Down"),
            "dialplan": plan,
            "accountcode": "",
            "caller": nobody,
            "connected": nobody,
            "creationtime": "",
            "language": "en",
            "protocol_id": "",
        }

    def _bridges(self) -> list[dict[str, Any]]:
        words = ("bridge_class", "bridge_type", "creationtime", "creator", "name", "technology")
        empty = dict.fromkeys(words, "")
        return [{**empty, "id": id, "channels": list(inside)} for id, inside in self.bridges.items()]

    def _happens(self, what: str) -> None:
        self.meanwhile.pop(what, lambda: None)()

    def seat(self, channel: str, agent: str) -> None:
        """A leg of an agent is up, in the agent's bridge, with its side channel."""
        self.up[channel] = self.up[whisper_of(channel)] = "Up"
        self.legs[channel] = agent
        self.bridges.setdefault(bridge_of(agent), []).append(channel)

    def end(self, channel: str) -> None:
        """A channel is destroyed."""
        del self.up[channel]
        for inside in self.bridges.values():
            if channel in inside:
                inside.remove(channel)


@dataclass
class Node:
    """A place with such an Asterisk."""

    commands: Commands
    name: str = "main"
    sounds: Path = Path("/sounds")
    up: bool = True


class Rig:
    """The real legs, dispatcher and actions of an engine with one node."""

    def __init__(self) -> None:
        self.asterisk, self.tasks, self.book = Asterisk(), Tasks(), Notebook()
        self.node = Node(Commands(self.asterisk))  # type: ignore[arg-type]
        places = {"main": self.node}
        self.legs = Legs(places, self.tasks, lambda agent: True)
        self.actions = AsteriskActions(places, self.legs, self.tasks)
        self.dispatcher = Dispatcher(self.actions, self.book)
        self.dispatcher.assign({"alice": "spring", "bob": "spring"})
        self.legs.dispatcher = self.actions.dispatcher = self.dispatcher

    async def compare(self) -> Seen:
        seen = await reconcile(self.dispatcher, self.legs, self.node, lambda: True, hang_up_orphans=True)
        await self.quiet()
        return seen

    async def quiet(self) -> None:
        """Let everything happen that is under way."""
        for _ in range(100):
            await asyncio.sleep(0)

    def send(self, attempt_id: str) -> None:
        call = Call(reservation(attempt_id), "spring", Attempt(attempt_id), START)
        self.dispatcher.adopt(call)
        self.actions.originate(call, Leg("PJSIP/x@main", "", 22, {"DIALED_NUMBER": NUMBER}))

    def have(self, attempt_id: str, phase: Phase, agent: str | None = None, **times: Any) -> Call:
        """A call that is in a phase for a long time."""
        attempt = Attempt(attempt_id, phase, originated_at=at(1), agent=agent, **times)
        call = Call(reservation(attempt_id), "spring", attempt, at(5))
        self.dispatcher.adopt(call)
        return call

    def leg_ends(self, channel: str) -> None:
        """A leg is destroyed and the event of it arrives."""
        self.asterisk.end(channel)
        self.legs.gone(channel)

    def phase(self, attempt_id: str) -> Phase:
        return self.dispatcher.calls[attempt_id].phase

    def state(self, agent: str) -> SeatState:
        return self.dispatcher.seats[agent].state

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(attempt_id, result) for attempt_id, _, result in self.book.ended]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.tasks.close()


# --- calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["/channels", "/bridges"])
async def test_a_call_that_leaves_during_the_look_goes_on(rig: Rig, moment: str) -> None:
    rig.asterisk.meanwhile[moment] = lambda: rig.send("x")
    seen = await rig.compare()
    assert "x" not in seen.channels
    assert (rig.phase("x"), rig.results) == (Phase.DIALING, [])
    await rig.compare()
    assert (rig.phase("x"), rig.results) == (Phase.DIALING, [])


async def test_a_call_whose_originate_the_list_overtakes_is_looked_up_behind_it(rig: Rig) -> None:
    rig.send("x")
    await rig.asterisk.websocket.acquire()
    rig.asterisk.meanwhile["/channels"] = rig.asterisk.websocket.release
    seen = await rig.compare()
    assert "x" not in seen.channels
    asked = [what for what in rig.asterisk.asked if what.endswith("/channels/x")]
    assert asked == ["POST /channels/x", "GET /channels/x"]
    assert (rig.phase("x"), rig.results) == (Phase.DIALING, [])


async def test_such_a_call_may_even_ring_before_the_look_is_over(rig: Rig) -> None:
    rig.send("x")
    await rig.asterisk.websocket.acquire()
    rig.asterisk.meanwhile["/channels"] = rig.asterisk.websocket.release
    rig.asterisk.meanwhile["/bridges"] = lambda: rig.dispatcher.feed("x", life.Ringing(utc_now()))
    await rig.compare()
    assert (rig.phase("x"), rig.results) == (Phase.RINGING, [])
    assert "GET /channels/x" not in rig.asterisk.asked


async def test_a_call_that_is_not_there_when_it_is_looked_up_has_ended(rig: Rig) -> None:
    rig.have("x", Phase.DIALING)
    await rig.compare()
    assert "GET /channels/x" in rig.asterisk.asked
    assert rig.results == [("x", "unknown")]


@pytest.mark.parametrize(
    ("phase", "times", "result"),
    [
        (Phase.RINGING, {}, "unknown"),
        (Phase.WAITING, {"answered_at": at(4)}, "abandoned"),
        (Phase.BRIDGED, {"answered_at": at(4), "joined_at": at(5)}, "bridged"),
    ],
)
async def test_a_call_that_asterisk_had_before_the_look_and_has_no_more_has_ended(
    rig: Rig, phase: Phase, times: dict[str, Any], result: str
) -> None:
    rig.have("x", phase, **times)
    await rig.compare()
    assert "GET /channels/x" not in rig.asterisk.asked
    assert rig.results == [("x", result)]


@pytest.mark.parametrize("phase", [Phase.DIALING, Phase.RINGING])
async def test_calls_of_an_asterisk_that_died_end_as_such_without_a_question(rig: Rig, phase: Phase) -> None:
    rig.have("x", phase)
    rig.asterisk.started = "2026-07-01T00:00:00.000+0000"
    await rig.compare()
    assert "GET /channels/x" not in rig.asterisk.asked
    assert rig.results == [("x", "node_lost")]


async def test_nothing_is_asked_of_a_lost_node_even_by_a_clock_that_went_back(rig: Rig) -> None:
    rig.have("x", Phase.DIALING).attempt = Attempt(
        "x", Phase.DIALING, originated_at=utc_now() + timedelta(hours=1)
    )
    agree(rig.dispatcher, rig.legs, "main", Seen.nothing(), Before.now(rig.dispatcher, rig.legs, "main"))
    await rig.quiet()
    assert (rig.results, rig.asterisk.asked) == ([("x", "node_lost")], [])


async def test_a_join_that_began_during_the_look_has_its_time(rig: Rig) -> None:
    rig.asterisk.up["x"] = "Up"
    call = rig.have("x", Phase.JOINING, "alice", answered_at=at(5))
    call.phase_since = utc_now()
    before = Before.now(rig.dispatcher, rig.legs, "main")
    seen = await Seen.look(rig.node.commands)
    call.phase_since -= timedelta(seconds=2)
    late = Before(before.at - timedelta(seconds=2), before.legs, before.phases)
    agree(rig.dispatcher, rig.legs, "main", seen, late)
    assert rig.phase("x") is Phase.JOINING
    agree(rig.dispatcher, rig.legs, "main", seen, before)
    assert rig.phase("x") is Phase.UNCLAIMED


async def test_only_what_is_still_there_is_hung_up_because_nobody_owns_it(rig: Rig) -> None:
    rig.asterisk.up = {"ended": "Ringing", "orphan": "Ringing"}
    call = rig.have("ended", Phase.RINGING)

    def ends() -> None:
        rig.asterisk.end("ended")
        rig.legs.gone("ended")
        rig.dispatcher.feed(call.id, life.Gone(utc_now(), 17))

    rig.asterisk.meanwhile["/channels"] = ends
    seen = await rig.compare()
    assert "ended" not in seen.channels
    assert [what for what in rig.asterisk.asked if what.startswith("DELETE")] == ["DELETE /channels/orphan"]


# --- legs ---------------------------------------------------------------------------------------------


async def test_a_leg_that_the_engine_does_not_know_takes_its_seat(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    assert rig.state("alice") is SeatState.READY
    assert rig.legs.by_agent == {"alice": "leg"}


async def test_a_known_leg_that_is_gone_loses_its_seat(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.asterisk.end("leg")
    await rig.compare()
    assert rig.state("alice") is SeatState.OFF


async def test_a_leg_that_ends_during_the_look_is_not_raised_again(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.asterisk.meanwhile["/bridges"] = lambda: rig.leg_ends("leg")
    await rig.compare()
    assert rig.state("alice") is SeatState.OFF
    assert rig.legs.by_agent == {}


async def test_a_look_that_ends_earlier_leaves_the_other_its_notes(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    with rig.legs.noting_ends() as ended:
        await rig.compare()
        rig.leg_ends("leg")
        await rig.compare()
        assert "leg" in ended
    with rig.legs.noting_ends() as ended:
        assert not ended


async def test_a_phone_that_an_agent_left_does_not_throw_out_the_new_one(rig: Rig) -> None:
    rig.asterisk.seat("old", "alice")
    await rig.compare()
    rig.have("x", Phase.BRIDGED, "alice", answered_at=at(4), joined_at=at(5))
    rig.asterisk.up["x"] = "Up"
    rig.asterisk.bridges[bridge_of("alice")].append("x")
    rig.dispatcher.reseat(rig.dispatcher.calls["x"], "alice")
    rig.asterisk.up["new"], rig.asterisk.legs["new"] = "Up", "alice"
    rig.legs.arrived("main", "new", "alice")
    rig.asterisk.meanwhile["/channels"] = lambda: rig.leg_ends("old")
    await rig.compare()
    assert "new" in rig.asterisk.up, "the phone in use was hung up"
    assert rig.legs.by_agent == {"alice": "new"}
    assert (rig.state("alice"), rig.phase("x")) == (SeatState.IN_CALL, Phase.BRIDGED)
