"""The real legs, dispatcher and actions of an engine over small nodes that answer the real commands.

The moments between two answers cannot be hit in a real Asterisk.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dispatch_support import START, Notebook, at, reservation

from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.actions import AsteriskActions, Leg
from dialer_engine.engine.agents import Legs, bridge_of, whisper_of
from dialer_engine.engine.call import Call
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.recovery import MESSAGE_CONTEXT, Seen, reconcile
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriLinkLost, AriRefused

Doing = Callable[[], None]
CREATED = "2026-06-10T12:00:00.500-0400"
"""When every channel of the simulated Asterisk came into being."""
NUMBER = "+12105550100"


@dataclass
class Asterisk:
    """Answers the real commands: what goes through the websocket in order, lists at once, as the real one does.

    `meanwhile` is what happens right after an answer was made. Audio comes from the legs that `sound`, and agents
    who are `offline` answer no OPTIONS. Who `hears` is in the drop message. Of a command in `refused` the next so many
    are refused. `heard` are the recordings that were played, each with its channel. One that is `trunkless` was told of
    no trunk, and refuses with this status. Through a link that is `cut` no command comes.
    """

    app: str = "dialer"
    up: dict[str, str] = field(default_factory=dict)
    legs: dict[str, str] = field(default_factory=dict)
    hears: set[str] = field(default_factory=set)
    bridges: dict[str, list[str]] = field(default_factory=dict)
    started: str = "2026-01-01T00:00:00.000+0000"
    meanwhile: dict[str, Doing] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)
    packets: Counter[str] = field(default_factory=Counter)
    offline: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    trunkless: int = 0
    cut: bool = False
    asked: list[str] = field(default_factory=list)
    heard: list[tuple[str, str]] = field(default_factory=list)
    websocket: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def fetch(self, path: str) -> bytes:
        lists = {
            "/channels": [self._channel(id) for id in self.up],
            "/bridges": self._bridges(),
            "/endpoints/PJSIP": [self._endpoint(agent) for agent in sorted({*self.legs.values()})],
        }
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
            self.asked.append(command := f"{method} {path}")
            if self.cut:
                raise AriLinkLost("the connection to Asterisk went down")
            if self.refused[command]:
                self.refused[command] -= 1
                raise AriRefused(500, "Internal Server Error", command)
            if "/play/" in path and body is not None:
                self.heard += [(path.split("/")[2], Path(media).name) for media in body["media"]]
            return self._answer(method, path, query or {})

    def _answer(self, method: str, path: str, query: Mapping[str, str]) -> bytes:
        kind, _, rest = path.strip("/").partition("/")
        id, _, what = rest.partition("/")
        if path == "/asterisk/info":
            status = {"startup_time": self.started, "last_reload_time": self.started}
            return json.dumps({"status": status}).encode()
        if path == "/asterisk/ping":
            self._happens(path)
            return json.dumps({"asterisk_id": "", "ping": "pong", "timestamp": CREATED}).encode()
        if kind == "channels" and method == "POST" and not what:
            if self.trunkless == 409 or id in self.up:
                raise AriRefused(409, "Channel with given unique ID already exists", path)
            if self.trunkless:
                raise AriRefused(self.trunkless, "Allocation failed", path)
            self.up[id] = "Down"
        elif kind == "channels" and id not in self.up:
            raise AriRefused(404, "Channel not found", path)
        elif kind == "channels" and method == "DELETE":
            self.end(id)
            return b""
        elif what == "rtp_statistics":
            return self._rtp(id)
        elif what.startswith("snoop/"):
            id, what = what.removeprefix("snoop/"), ""
            self.up[id] = "Up"
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
            "context": MESSAGE_CONTEXT if id in self.hears else "",
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
            "creationtime": CREATED,
            "language": "en",
            "protocol_id": "",
        }

    def _endpoint(self, agent: str) -> dict[str, Any]:
        state = "offline" if agent in self.offline else "online"
        return {"channel_ids": [], "resource": agent, "state": state, "technology": "PJSIP"}

    def _rtp(self, id: str) -> bytes:
        self.packets[id] += id in self.sound
        words = ("local_ssrc", "remote_ssrc", "rxoctetcount", "rxploss", "txcount", "txoctetcount", "txploss")
        return json.dumps(
            {**dict.fromkeys(words, 0), "channel_uniqueid": id, "rxcount": self.packets[id]}
        ).encode()

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
    """The real legs, dispatcher and actions of an engine with a node `main`, and others where they are named."""

    def __init__(self, *others: str) -> None:
        self.tasks, self.book = Tasks(), Notebook()
        self.asterisks = {name: Asterisk() for name in ("main", *others)}
        self.nodes = {name: Node(Commands(each), name) for name, each in self.asterisks.items()}  # type: ignore[arg-type]
        self.asterisk, self.node = self.asterisks["main"], self.nodes["main"]
        self.legs = Legs(self.nodes, self.tasks, lambda agent: True)
        self.actions = AsteriskActions(self.nodes, self.legs, self.tasks)
        self.dispatcher = Dispatcher(self.actions, self.book)
        self.dispatcher.assign({"alice": "spring", "bob": "spring"})
        self.legs.dispatcher = self.actions.dispatcher = self.dispatcher

    async def compare(self, node: str = "main", *, hang_up_orphans: bool = True) -> Seen:
        place = self.nodes[node]
        seen = await reconcile(
            self.dispatcher, self.legs, place, lambda: True, hang_up_orphans=hang_up_orphans
        )
        await self.quiet()
        return seen

    async def quiet(self) -> None:
        """Let everything happen that is under way."""
        for _ in range(100):
            await asyncio.sleep(0)

    def send(self, attempt_id: str, node: str = "main") -> None:
        call = Call(reservation(attempt_id, node=node), "spring", Attempt(attempt_id), START)
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

    def sounds_of(self, channel: str) -> list[str]:
        """What the agent of a leg heard, and nobody else."""
        return [name for where, name in self.asterisk.heard if where == whisper_of(channel)]

    def phase(self, attempt_id: str) -> Phase:
        return self.dispatcher.calls[attempt_id].phase

    def state(self, agent: str) -> SeatState:
        return self.dispatcher.seats[agent].state

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(attempt_id, result) for attempt_id, _, result in self.book.ended]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A rig whose tasks end with the test."""
    made = Rig()
    yield made
    await made.tasks.close()
