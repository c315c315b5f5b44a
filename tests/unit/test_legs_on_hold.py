"""An agent whose phone has the call to 100 on hold hears nobody: no customer is given to them meanwhile."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
from dispatch_support import at
from recovery_support import Rig
from test_seat_life import TALKING, WRAP, walk
from test_trunk_watch import CHANNEL

from dialer_engine.cli.desk_screen import in_words
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Phase
from dialer_engine.core.seat import Seat, SeatState, step
from dialer_engine.engine.audio_check import AudioCheck
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.translate import EVENT_TYPES, Translator
from dialer_engine.engine.trunk_watch import TrunkWatch
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari import models as ari
from dialer_engine.settings.carriers import SHIPPED, load_carriers

pytestmark = pytest.mark.unit

READY = (chair.LegUp(at(0), "main"),)
HELD, BACK = chair.Held(at(100)), chair.Unheld(at(110))


# --- the seat -----------------------------------------------------------------------------------------


def test_a_hold_of_who_is_ready_is_a_pause_that_ends_with_it() -> None:
    paused, said = walk(*READY, HELD)
    assert (paused.state, paused.since, said[-1]) == (SeatState.PAUSED, at(100), chair.Tell("paused"))
    ready, said = walk(BACK, seat=paused)
    assert ready.state is SeatState.READY
    assert said == [chair.Tell("ready"), chair.BecameReady()]


def test_a_pause_of_before_outlasts_the_hold_and_is_said_again() -> None:
    for began in ((chair.PauseKey(at(1)), HELD), (HELD, BACK, chair.PauseKey(at(120)), chair.Held(at(130)))):
        paused, said = walk(*READY, *began, chair.Unheld(at(140)))
        assert (paused.state, said[-1]) == (SeatState.PAUSED, chair.Tell("paused"))


@pytest.mark.parametrize("before", [TALKING[:2], TALKING, WRAP])
def test_a_hold_in_a_talk_or_wrap_up_changes_nothing_until_it_is_over(
    before: tuple[chair.SeatEvent, ...],
) -> None:
    seat, said = walk(*before)
    held, more = walk(HELD, seat=seat)
    assert (held.state, held.attempt, more) == (seat.state, "x", [])
    end = {
        SeatState.RESERVED: (chair.Freed(at(105), "x"),),
        SeatState.IN_CALL: (chair.CustomerOut(at(105), "x"),),
    }
    over = (*end.get(seat.state, ()), chair.WrapOver(at(106), "x"))
    paused, said = walk(*over, seat=held)
    assert (paused.state, said[-1]) == (SeatState.PAUSED, chair.Tell("paused"))
    assert chair.BecameReady() not in said
    assert walk(BACK, seat=paused)[0].state is SeatState.READY
    assert walk(chair.Unheld(at(102)), *over, seat=held)[0].state is SeatState.READY


def test_a_digit_of_the_desk_in_the_wrap_up_makes_nobody_ready_whose_phone_is_on_hold() -> None:
    seat, _ = walk(*WRAP, HELD, chair.DispositionKey(at(105), "sale"))
    assert seat.state is SeatState.PAUSED


def test_a_pause_that_was_asked_for_in_a_talk_outlasts_the_hold() -> None:
    over = (chair.CustomerOut(at(105), "x"), chair.WrapOver(at(106), "x"))
    seat, said = walk(*TALKING, chair.PauseKey(at(20)), HELD, *over, BACK)
    assert (seat.state, said[-1]) == (SeatState.PAUSED, chair.Tell("paused"))


def test_zero_ends_the_pause_of_a_hold_whose_end_was_not_heard() -> None:
    seat, _ = walk(*READY, HELD, chair.PauseKey(at(105)))
    assert (seat.state, seat.on_hold) == (SeatState.READY, False)
    assert step(seat, BACK) == (seat, ())


@pytest.mark.parametrize("before", [READY, TALKING, WRAP])
def test_another_phone_is_not_on_hold_because_the_first_one_was(before: tuple[chair.SeatEvent, ...]) -> None:
    again = chair.LegUp(at(120), "main")
    assert not walk(*before, HELD, again)[0].on_hold
    assert not walk(*before, HELD, chair.LegDown(at(119)), again)[0].on_hold
    assert walk(*READY, HELD, again)[0].state is SeatState.READY


def test_a_phone_that_is_on_hold_before_it_is_seated_gets_no_customer() -> None:
    seat, said = walk(chair.LegUp(at(0), "main", on_hold=True))
    assert (seat.state, said) == (SeatState.PAUSED, [chair.Tell("paused")])
    assert walk(BACK, seat=seat)[0].state is SeatState.READY


def test_a_talk_that_is_recalled_is_followed_by_what_there_was() -> None:
    seat, _ = walk(*READY, HELD, chair.Recalled(at(101), "x"))
    assert (seat.pause_wanted, seat.on_hold) == (False, True)


# --- through Asterisk's events ------------------------------------------------------------------------


class Office(Rig):
    """Alice and bob are on duty, and the engine hears the node's events."""

    def __init__(self) -> None:
        super().__init__()
        trunks = Trunks({})
        watch = TrunkWatch(self.dispatcher, trunks, load_carriers(SHIPPED))
        audio = AudioCheck({}, self.dispatcher, trunks, self.tasks)
        self.translator = Translator(self.dispatcher, self.legs, watch, audio)

    async def begin(self, *agents: str) -> None:
        for agent in agents:
            self.asterisk.seat(f"leg-{agent}", agent)
        await self.compare()

    async def hears(self, kind: Any, channel: str) -> None:
        self.translator.on_event("main", told(kind, channel))
        await self.quiet()

    async def answers(self, attempt_id: str) -> str | None:
        """Somebody answers; returns the agent who is chosen."""
        call = self.have(attempt_id, Phase.RINGING)
        self.asterisk.up[attempt_id] = "Up"
        await self.hears(ari.ChannelStateChange, attempt_id)
        await self.hears(ari.CallBroadcast, attempt_id)
        return call.attempt.agent


def told(kind: Any, channel: str) -> Any:
    about = {"application": "dialer", "timestamp": utc_now().isoformat()}
    return kind(**about, channel=msgspec.structs.replace(CHANNEL, id=channel, state="Up"))


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    made = Office()
    yield made
    await made.tasks.close()


@pytest.fixture
def heard(office: Office) -> Iterator[Any]:
    return lambda: office.sounds_of("leg-alice")


async def test_nobody_is_given_to_a_phone_on_hold_until_it_takes_the_call_back(
    office: Office, heard: Any
) -> None:
    assert {"ChannelHold", "ChannelUnhold"} <= set(EVENT_TYPES)
    await office.begin("alice")
    await office.hears(ari.ChannelHold, "leg-alice")
    assert (office.state("alice"), heard()) == (SeatState.PAUSED, ["paused"])
    assert await office.answers("x") is None
    await office.hears(ari.ChannelUnhold, "leg-alice")
    assert (office.dispatcher.calls["x"].attempt.agent, heard()) == ("alice", ["paused", "ready"])


async def test_a_hold_of_a_phone_that_was_replaced_and_of_a_customer_is_nobodys_pause(office: Office) -> None:
    await office.begin("alice")
    office.asterisk.up["leg-new"], office.asterisk.legs["leg-new"] = "Up", "alice"
    office.legs.arrived("main", "leg-new", "alice")
    await office.hears(ari.ChannelHold, "leg-alice")
    await office.hears(ari.ChannelHold, "x")
    assert office.state("alice") is SeatState.READY


async def test_a_hold_while_the_leg_is_being_seated_is_not_forgotten(office: Office) -> None:
    office.asterisk.up["leg-new"], office.asterisk.legs["leg-new"] = "Up", "alice"
    office.legs.arrived("main", "leg-new", "alice")
    office.translator.on_event("main", told(ari.ChannelHold, "leg-new"))
    await office.quiet()
    assert office.state("alice") is SeatState.PAUSED
    await office.hears(ari.ChannelUnhold, "leg-new")
    assert office.state("alice") is SeatState.READY


async def test_a_leg_on_hold_that_vanishes_with_its_node_is_found_in_a_pause(office: Office) -> None:
    await office.begin("alice", "bob")
    for agent in ("alice", "bob"):
        office.dispatcher.feed_seat(agent, chair.Reserved(utc_now(), agent))
    await office.hears(ari.ChannelHold, "leg-alice")
    for agent in ("alice", "bob"):
        office.legs.gone(f"leg-{agent}", vanished=True)
    await office.compare()
    assert (office.state("alice"), office.state("bob")) == (SeatState.PAUSED, SeatState.READY)


# --- a call that the agent dialed ---------------------------------------------------------------------


async def dialed_by_alice(office: Office, *kinds: Any) -> Call:
    """A call that alice dialed rings, and then her phone does this; others came on duty after her."""
    call = office.have("x", Phase.RINGING)
    call.agent = "alice"
    assert office.dispatcher.take_seat(call)
    for kind in kinds:
        await office.hears(kind, "leg-alice")
    office.asterisk.up["x"] = "Up"
    await office.hears(ari.ChannelStateChange, "x")
    await office.hears(ari.CallBroadcast, "x")
    return call


async def test_whoever_answers_is_not_given_to_the_dialer_whose_phone_is_on_hold(office: Office) -> None:
    await office.begin("alice", "bob")
    call = await dialed_by_alice(office, ari.ChannelHold)
    assert (call.attempt.agent, office.state("alice")) == ("bob", SeatState.PAUSED)
    await office.hears(ari.ChannelUnhold, "leg-alice")
    assert office.state("alice") is SeatState.READY, "it was the hold's pause"


async def test_without_another_agent_nobody_claims_until_the_dialer_takes_the_call_back(
    office: Office,
) -> None:
    await office.begin("alice")
    call = await dialed_by_alice(office, ari.ChannelHold)
    assert (call.phase, call.attempt.agent, office.state("alice")) == (Phase.WAITING, None, SeatState.PAUSED)
    await office.hears(ari.ChannelUnhold, "leg-alice")
    assert call.attempt.agent == "alice"


async def test_a_hold_that_is_over_before_the_answer_leaves_the_dialer_the_call(office: Office) -> None:
    await office.begin("alice", "bob")
    call = await dialed_by_alice(office, ari.ChannelHold, ari.ChannelUnhold)
    assert (call.attempt.agent, office.state("bob")) == ("alice", SeatState.READY)


def test_the_desk_says_why_the_agent_is_paused() -> None:
    desk = {"state": "paused", "on_hold": True}
    assert in_words(desk) == "paused: the phone has the call on hold"
    assert in_words({**desk, "on_hold": False}) == "paused"
    assert Seat("alice").on_hold is False
