"""A trunk that one node does not know: the others use it, and the node tries it again after a while."""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from dispatch_support import reservation
from recovery_support import Rig
from structlog.testing import capture_logs

from dialer_engine.cli.doctor import CRITICAL, OK, WARNING, trunks_found
from dialer_engine.cli.status import _trunk_health
from dialer_engine.core.attempt import Attempt
from dialer_engine.core.breaker import FAULTS, BreakerState
from dialer_engine.engine import trunk_watch
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.phones import PhoneWatch
from dialer_engine.engine.status import trunks_status
from dialer_engine.engine.trunk_watch import LACKED_DELAY, TrunkWatch
from dialer_engine.engine.trunks import LACKED, Trunks
from dialer_engine.pbx.ami import AmiEvent, Resync
from dialer_engine.settings.carriers import SHIPPED, load_carriers
from dialer_engine.settings.models import Trunk

pytestmark = pytest.mark.unit

NAMES, NODES = ["main"], ["main", "node2"]
UNKNOWN_THERE = "trunk main gets no channel from Asterisk at node2"


class Pair:
    """Two nodes and one trunk, which `node2` was not told of."""

    def __init__(self, status: int = 500) -> None:
        self.rig = Rig("node2")
        self.rig.asterisks["node2"].trunkless = status
        trunk = Trunk.model_validate({"host": "127.0.0.1", "calls_per_second": 50, "max_channels": 99})
        self.trunks = Trunks({"main": trunk})
        self.line = self.trunks.lines["main"]
        self.watch = TrunkWatch(self.rig.dispatcher, self.trunks, load_carriers(SHIPPED).codes)
        self.rig.dispatcher.on_finished = self.watch.finished

    async def call(self, name: str, node: str = "node2") -> None:
        self.line.active += 1
        self.rig.send(name, node)
        await self.rig.quiet()

    async def calls(self, count: int = FAULTS) -> None:
        for number in range(count):
            await self.call(f"c{len(self.rig.results)}-{number}")

    def usable(self) -> list[str]:
        return [node for node in NODES if self.trunks.first_free(NAMES, time.monotonic(), node)]

    def phones(self) -> PhoneWatch:
        access: Any = SimpleNamespace(name="node2")
        return PhoneWatch(access, self.trunks)


@pytest.mark.parametrize("status", [409, 500])
async def test_a_node_without_the_trunk_takes_it_from_nobody_else(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(trunk_watch, "TRY_AGAIN_S", 0.2, raising=False)
    pair, woken = Pair(status), []
    pair.watch.wake = lambda: woken.append(True)
    await pair.calls()
    assert {result for _, result in pair.rig.results} == {"trunk_fault"}
    assert pair.line.breaker.state is BreakerState.CLOSED
    assert pair.usable() == ["main"]
    assert pair.trunks.down(NAMES, NODES) == [UNKNOWN_THERE]
    assert pair.trunks.down(NAMES, ["node2"]) == [
        "no trunk can be used: trunk main gets no channel from Asterisk"
    ]
    woken.clear()
    await asyncio.sleep(0.25)
    assert pair.usable() == NODES, "the node may try again"
    assert woken
    assert pair.trunks.down(NAMES, NODES) == []


async def test_a_channel_in_between_takes_the_node_for_one_that_has_the_trunk() -> None:
    pair = Pair()
    for _ in range(3):
        await pair.calls(LACKED - 1)
        pair.rig.asterisks["node2"].trunkless = 0
        name = f"good{len(pair.rig.results)}"
        await pair.call(name)
        pair.watch.dialed(name)
        pair.rig.asterisks["node2"].trunkless = 500
    assert pair.usable() == NODES


async def test_a_node_that_had_passing_trouble_is_left_alone_for_seconds_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And each time for longer, until a call goes on its way: then the trunk is there."""
    waits: list[float] = []
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def at_once(seconds: float, *what: Any) -> Any:
        if seconds < 2.0:
            return later(seconds, *what)
        waits.append(seconds)
        return loop.call_soon(*what)

    monkeypatch.setattr(loop, "call_later", at_once)
    pair = Pair()
    await pair.calls(LACKED)
    for _ in range(6):
        await pair.calls(1)
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    pair.rig.asterisks["node2"].trunkless = 0
    await pair.call("good")
    pair.watch.dialed("good")
    assert pair.line.reach["node2"].known is None
    pair.rig.asterisks["node2"].trunkless = 500
    await pair.calls(LACKED - 1)
    assert len(waits) == 7
    await pair.calls(1)
    assert waits[7:] == [2.0]


async def test_a_burst_of_refusals_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_watch, "FIRST_PAUSE_S", 0.2)
    pair = Pair()
    await pair.calls(20)
    assert pair.usable() == ["main"]
    await asyncio.sleep(0.25)
    assert pair.usable() == NODES


async def test_it_is_said_once_however_often_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_watch, "TRY_AGAIN_S", 0.01, raising=False)
    pair = Pair()
    with capture_logs() as logs:
        for _ in range(3):
            await pair.calls(LACKED)
            await asyncio.sleep(0.03)
    said = [(entry["trunk"], entry["node"]) for entry in logs if "no channel from Asterisk" in entry["event"]]
    assert said == [("main", "node2")]


async def test_a_probe_that_such_a_node_took_is_another_nodes_now() -> None:
    pair = Pair()
    before = time.monotonic() - 100.0
    for _ in range(FAULTS):
        pair.line.breaker.fault(before, before, "503")
    assert pair.line.breaker.state is BreakerState.OPEN
    for number in range(LACKED):
        pair.line.breaker.probe(time.monotonic())
        assert pair.usable() == []
        await pair.call(f"probe{number}")
    assert pair.usable() == ["main"]
    assert pair.line.breaker.state is BreakerState.OPEN


async def test_its_contacts_are_due_at_once_and_count_for_no_refusal_of_the_carrier() -> None:
    pair, delays = Pair(), []
    pair.rig.dispatcher.on_finished = lambda call: None
    for number in range(9):
        call = Call(reservation(f"c{number}", node="node2"), "spring", Attempt(f"c{number}"), utc_now())
        call.attempt = Attempt(call.id, originated_at=utc_now(), no_trunk=True)
        delays.append(pair.watch.delay_after_fault(call).total_seconds())
        pair.line.refused.handled(100)
    assert delays == [LACKED_DELAY.total_seconds()] * 9
    assert not pair.line.refused.is_number(call.reservation.contact_id)


@pytest.mark.parametrize(
    ("event", "nodes"),
    [
        (AmiEvent("Reload", {}), NODES),
        (AmiEvent("FullyBooted", {}), NODES),
        (Resync("reconnected"), NODES),
        (AmiEvent("Registry", {}), ["main"]),
    ],
)
async def test_a_node_that_was_told_anew_tries_at_once(event: AmiEvent | Resync, nodes: list[str]) -> None:
    pair = Pair()
    await pair.calls(LACKED)
    pair.phones()._note(event)
    assert pair.usable() == nodes


async def test_what_a_node_is_asked_meanwhile_does_not_tell_that_it_knows_the_trunk() -> None:
    pair = Pair()
    await pair.calls(LACKED)
    pair.line.saw("node2", True, None)
    assert pair.usable() == ["main"]
    pair.phones()._forget()
    assert pair.usable() == ["main"]


def seen(trunks: Trunks, say: Callable[[dict[str, Any]], Any]) -> Any:
    return say(trunks_status(trunks)[0])


async def test_status_and_doctor_say_it() -> None:
    pair = Pair()
    assert seen(pair.trunks, lambda one: trunks_found([one]).state) == OK
    await pair.calls(LACKED)
    assert "no channel from Asterisk at node2" in seen(pair.trunks, _trunk_health).plain
    assert seen(pair.trunks, lambda one: trunks_found([one]).state) == CRITICAL
    pair.line.saw("main", True, None)
    partly = seen(pair.trunks, lambda one: trunks_found([one]))
    assert (partly.state, "main at node2" in partly.words) == (WARNING, True)
