"""When a draining engine may leave its calls to the next one, and what it waits for."""

import asyncio
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dialer_engine.core.attempt import Phase
from dialer_engine.engine.drain import RECORDS, Drain, HandOver
from dialer_engine.engine.floor import Floor

pytestmark = pytest.mark.unit

LATER = 3600.0


@dataclass
class Room:
    """What a drain looks at: calls by phase, agents in wrap, records left, and whether a standby waits."""

    phases: list[Phase] = field(default_factory=list)
    wraps: int = 0
    standby: bool = False
    left: int = 0
    said: list[str] = field(default_factory=list)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    async def waits(self) -> bool:
        return self.standby

    def drain(self) -> Drain:
        calls = {str(number): SimpleNamespace(phase=phase) for number, phase in enumerate(self.phases)}
        parts: Any = SimpleNamespace(
            dispatcher=SimpleNamespace(calls=calls), legs=SimpleNamespace(wraps=self.wraps)
        )
        return Drain(cast("Floor", parts), self.hurry, self.waits, lambda: self.left > 0, self.said.append)


async def leaves(room: Room, wanted: HandOver | None) -> tuple[bool, bool]:
    """Whether it leaves within a moment, and whether it says that it handed over."""
    drain = room.drain()
    leaving = asyncio.create_task(drain.wait(lambda: wanted))
    done, _ = await asyncio.wait({leaving}, timeout=0.1)
    leaving.cancel()
    return bool(done), drain.handed_over


def soon() -> HandOver:
    return HandOver(time.monotonic() + LATER)


async def test_a_stop_waits_for_every_call_and_wrap_whoever_waits() -> None:
    assert await leaves(Room([Phase.BRIDGED], standby=True), None) == (False, False)
    assert await leaves(Room(wraps=1, standby=True), None) == (False, False)
    assert await leaves(Room(), None) == (True, False)


async def test_conversations_and_messages_are_left_to_a_standby() -> None:
    assert await leaves(Room([Phase.BRIDGED, Phase.MESSAGE, Phase.UNCLAIMED], standby=True), soon()) == (
        True,
        True,
    )
    assert await leaves(Room([Phase.BRIDGED]), soon()) == (False, False)


@pytest.mark.parametrize(
    "phase", [Phase.RESERVED, Phase.DIALING, Phase.RINGING, Phase.WAITING, Phase.JOINING]
)
async def test_a_call_that_may_need_an_agent_within_seconds_is_seen_through(phase: Phase) -> None:
    assert await leaves(Room([Phase.BRIDGED, phase], standby=True), soon()) == (False, False)


async def test_an_agent_in_wrap_has_time_for_a_key() -> None:
    assert await leaves(Room([Phase.BRIDGED], wraps=1, standby=True), soon()) == (False, False)


async def test_after_the_time_to_wait_it_leaves_with_calls_up() -> None:
    past = HandOver(time.monotonic() - 1.0)
    assert await leaves(Room([Phase.BRIDGED, Phase.RINGING]), past) == (True, False)


async def test_a_second_request_ends_the_wait() -> None:
    room = Room([Phase.RINGING])
    room.hurry.set()
    assert (await leaves(room, None))[0]


@pytest.mark.parametrize("phases", [[], [Phase.BRIDGED]])
async def test_what_the_database_lacks_is_not_left_on_a_disk_that_the_standby_does_not_have(
    phases: list[Phase],
) -> None:
    room = Room(phases, standby=True, left=3)
    assert await leaves(room, soon()) == (False, False)
    assert room.said == [RECORDS]
    room.left = 0
    assert await leaves(room, soon()) == (True, True)


async def test_it_leaves_as_soon_as_the_database_has_everything() -> None:
    room = Room(standby=True, left=1)
    drain = room.drain()
    leaving = asyncio.create_task(drain.wait(soon))
    await asyncio.sleep(0.05)
    room.left = 0
    await asyncio.wait_for(leaving, 5.0)
    assert drain.handed_over
    assert room.said == [RECORDS, ""]


@pytest.mark.parametrize("phases", [[], [Phase.BRIDGED]])
async def test_after_the_time_to_wait_it_leaves_records_on_the_disk_and_says_so(phases: list[Phase]) -> None:
    with capture_logs() as logs:
        assert (await leaves(Room(phases, left=1), HandOver(time.monotonic() - 1.0)))[0]
    assert any("will not have it" in entry["event"] for entry in logs if entry["log_level"] == "error")


async def test_a_stop_waits_a_little_for_records_and_a_hand_over_as_long_as_for_calls() -> None:
    room = Room(left=1)

    async def waits(wanted: HandOver | None, most_s: float) -> bool:
        waiting = asyncio.create_task(
            room.drain().wait_for_records(lambda: room.left, lambda: wanted, most_s)
        )
        done, _ = await asyncio.wait({waiting}, timeout=1.0)
        waiting.cancel()
        return not done

    assert not await waits(None, 0.1)
    assert await waits(None, LATER)
    assert await waits(soon(), 0.1)
    assert not await waits(HandOver(time.monotonic() - 1.0), LATER)
    room.hurry.set()
    assert not await waits(None, LATER)
    room.hurry.clear()
    room.left = 0
    assert not await waits(None, LATER)
