"""Which legs are asked within the call, hung up, or left alone, by what their phones answer and send."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from dispatch_support import at
from recovery_support import Rig

from dialer_engine.core.attempt import Phase
from dialer_engine.core.seat import SeatState
from dialer_engine.engine import agents, empty_chairs
from dialer_engine.engine.empty_chairs import EmptyChairs
from dialer_engine.engine.recovery import Before, Seen, agree
from dialer_engine.engine.silence import UNREACHABLE

pytestmark = pytest.mark.unit


class Chairs(Rig):
    """Alice is on duty with the leg `leg`."""

    def __init__(self) -> None:
        super().__init__()
        self.chairs = EmptyChairs(self.legs)
        self.asterisk.seat("leg", "alice")

    async def look(self, *, missed: bool = False) -> int:
        """Look once, as `run` does; how often the phone was asked by it."""
        before = self.questions
        await self.chairs._look("main", missed=missed)
        await self.done()
        return self.questions - before

    async def done(self) -> None:
        """Wait until nobody is listened to any more."""
        while len(self.tasks):
            await asyncio.gather(*self.tasks._running, return_exceptions=True)

    @property
    def questions(self) -> int:
        return self.asterisk.asked.count("POST /channels/leg/variable")

    @property
    def there(self) -> bool:
        return "leg" in self.asterisk.up

    async def silent(self) -> None:
        """The phone has not answered its OPTIONS in time."""
        self.chairs.contact("main", "alice", UNREACHABLE, ["leg"])
        await self.done()

    def talk(self) -> None:
        self.asterisk.up["x"] = "Up"
        call = self.have("x", Phase.BRIDGED, "alice", answered_at=at(4), joined_at=at(5))
        self.dispatcher.reseat(call, "alice")
        assert self.state("alice") is SeatState.IN_CALL


@pytest.fixture
async def chairs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chairs]:
    monkeypatch.setattr(empty_chairs, "LISTEN_S", 0.01)
    monkeypatch.setattr(empty_chairs, "TALK_S", 0.01)
    made = Chairs()
    await made.compare()
    yield made
    await made.tasks.close()


async def test_one_that_answers_no_options_and_sends_nothing_is_asked_once(chairs: Chairs) -> None:
    chairs.asterisk.offline.add("alice")
    assert [await chairs.look() for _ in range(3)] == [1, 0, 0]
    assert await chairs.look(missed=True) == 1, "after a lost link everybody is asked again"


async def test_one_that_is_there_by_its_options_is_not_asked(chairs: Chairs) -> None:
    assert await chairs.look() == 0


async def test_one_whose_audio_came_is_asked_when_it_stops(chairs: Chairs) -> None:
    """A phone that ignores OPTIONS never answered any; that it dies later is seen by its audio only."""
    chairs.asterisk.offline.add("alice")
    chairs.asterisk.sound.add("leg")
    assert [await chairs.look() for _ in range(2)] == [0, 0]
    chairs.asterisk.sound.clear()
    assert [await chairs.look() for _ in range(2)] == [1, 0]
    chairs.asterisk.sound.add("leg")
    assert await chairs.look() == 0
    chairs.asterisk.sound.clear()
    assert await chairs.look() == 1, "it was there meanwhile"


async def test_a_look_that_failed_is_made_again(chairs: Chairs) -> None:
    chairs.asterisk.offline.add("alice")
    del chairs.asterisk.up["leg"]
    assert await chairs.look() == 0
    chairs.asterisk.up["leg"] = "Up"
    assert await chairs.look() == 1


async def test_a_phone_that_stops_to_answer_loses_its_leg(chairs: Chairs) -> None:
    chairs.asterisk.sound.add("leg")
    await chairs.silent()
    assert not chairs.there
    assert chairs.questions == 0


@pytest.mark.parametrize("audio", [True, False])
async def test_in_a_talk_one_missed_answer_ends_it_only_without_audio(chairs: Chairs, audio: bool) -> None:
    chairs.talk()
    if audio:
        chairs.asterisk.sound.add("leg")
    await chairs.silent()
    assert chairs.there is audio
    assert chairs.questions == int(audio)


async def test_a_phone_that_dies_after_such_a_talk_is_asked_again(chairs: Chairs) -> None:
    chairs.talk()
    chairs.asterisk.offline.add("alice")
    chairs.asterisk.sound.add("leg")
    await chairs.silent()
    assert await chairs.look() == 0
    chairs.asterisk.sound.clear()
    assert await chairs.look() == 1


async def test_dead_phones_count_at_once_and_their_legs_are_hung_up_one_after_the_other(
    chairs: Chairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty hang-ups at once kept Asterisk from seeing answers, and calls that were cancelled meanwhile were cut."""
    monkeypatch.setattr(agents, "EMPTY_EVERY_S", 0.05)
    chairs.asterisk.seat("other", "bob")
    await chairs.compare()
    chairs.chairs.contact("main", "alice", UNREACHABLE, ["leg"])
    chairs.chairs.contact("main", "bob", UNREACHABLE, ["other"])
    assert not chairs.legs.by_agent, "nobody is connected to them from now on"
    assert {chairs.state("alice"), chairs.state("bob")} == {SeatState.OFF}
    await chairs.quiet()
    assert (chairs.there, "other" in chairs.asterisk.up) == (False, True)
    await asyncio.sleep(0.06)
    await chairs.done()
    assert "other" not in chairs.asterisk.up


async def test_a_leg_of_a_dead_phone_that_is_still_there_is_hung_up_again(chairs: Chairs) -> None:
    chairs.asterisk.refused["DELETE /channels/leg"] = 1
    await chairs.silent()
    assert chairs.there
    await chairs.compare()
    assert not chairs.there
    assert "alice" not in chairs.legs.by_agent
    await chairs.compare()
    chairs.asterisk.seat("leg", "alice")
    await chairs.compare()
    assert chairs.there, "what has ended since is another leg"


@pytest.mark.parametrize("looks", [True, False])
async def test_a_dead_leg_is_not_forgotten_before_it_ended(chairs: Chairs, looks: bool) -> None:
    """Neither when its phone dies during a look that shows the leg, nor with a node that gives no word."""
    chairs.asterisk.refused["DELETE /channels/leg"] = 1
    if looks:
        chairs.asterisk.meanwhile["/bridges"] = lambda: chairs.legs.unreachable(["leg"])
        await chairs.compare()
    else:
        chairs.legs.unreachable(["leg"])
        agree(
            chairs.dispatcher,
            chairs.legs,
            "main",
            Seen.nothing(),
            Before.now(chairs.dispatcher, chairs.legs, "main"),
        )
    await chairs.done()
    assert chairs.there
    await chairs.compare()
    assert (chairs.there, chairs.legs.by_agent) == (False, {})
