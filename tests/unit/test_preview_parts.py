"""What preview needs of the other parts: pacing, the gate's view of who dials, the agent who dialed."""

from dataclasses import replace

import pytest
from dispatch_support import START, Floor, at, reservation
from test_gate_consent import FLORIDA, automated
from test_pacing_modes import agents, calls, snapshot

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.gate import Outcome
from dialer_engine.core.pacing import make_pacer
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.call import Call

pytestmark = pytest.mark.unit


# --- pacing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "up", "place"),
    [
        (["ready", "ready"], [], 2),
        (["ready", "ready"], ["reserved"], 1),
        (["ready", "reserved"], ["reserved", "ringing"], 0),
        (["in_call", "wrap", "paused"], ["bridged"], 0),
        (["ready"], ["ringing"], 0),
        (["ready", "reserved", "reserved"], ["ringing", "dialing"], 1),
    ],
)
def test_one_contact_per_ready_agent(states: list[str], up: list[str], place: int) -> None:
    decision = make_pacer("preview").decide(snapshot(agents(*states), calls(*up)))
    assert decision.place == place
    assert "1 contact each" in decision.reasons[0]


def test_a_line_rings_on_for_the_agent_who_dialed_it_and_ends_when_that_agent_left() -> None:
    theirs = replace(calls("ringing", rang=20.0)[0], agent="a0")
    decide = make_pacer("preview").decide
    assert decide(snapshot(agents("reserved"), [theirs])).cancel == ()
    for lone, state, cancelled in (
        (calls("ringing", rang=20.0), "in_call", ("c0",)),
        (calls("ringing", rang=20.0), "reserved", ("c0",)),
        (calls("ringing", rang=14.0), "in_call", ()),
        (calls("ringing", rang=20.0), "ready", ()),
    ):
        assert decide(snapshot(agents(state), lone)).cancel == cancelled


def test_nothing_is_shown_that_could_not_be_dialed() -> None:
    now = snapshot(agents("ready"))
    for held in (replace(now, open=False), replace(now, channels_free=0), replace(now, queue_due=0)):
        assert make_pacer("preview").decide(held).place == 0


# --- the gate -----------------------------------------------------------------------------------------


def test_who_starts_the_call_matters_where_the_law_is_about_dialing_and_not_where_it_is_about_selection() -> (
    None
):
    oklahoma, texas, connecticut = "+14052345678", "+12102345678", "+12032345678"
    assert automated(FLORIDA).outcome is Outcome.block
    assert automated(FLORIDA, dialing="preview").outcome is Outcome.allow
    for number in (oklahoma, connecticut):
        assert automated(number, dialing="preview").outcome is Outcome.block
    assert automated(oklahoma, dialing="manual").outcome is Outcome.allow
    assert automated(texas, dialing="preview").outcome is Outcome.allow


# --- the agent who dialed ------------------------------------------------------------------------------


def dialed(floor: Floor, agent: str = "alice", attempt_id: str = "x") -> Call:
    """A call that an agent dialed and that rings."""
    call = Call(reservation(attempt_id), "spring", Attempt(attempt_id), START, agent=agent)
    floor.dispatcher.adopt(call)
    assert floor.dispatcher.take_seat(call)
    floor.dispatcher.feed(attempt_id, life.Sent(at(1), 22))
    floor.dispatcher.feed(attempt_id, life.Ringing(at(2)))
    return call


def test_whoever_answers_gets_the_agent_who_dialed() -> None:
    floor = Floor(alice="spring", bob="spring")
    floor.on_duty("bob", -100.0)
    floor.on_duty("alice")
    dialed(floor)
    assert (floor.state("alice"), floor.state("bob")) == (SeatState.RESERVED, SeatState.READY)
    floor.answer("x")
    floor.join("x")
    assert floor.claims() == [("claim", "x", "alice")]
    assert floor.state("alice") is SeatState.IN_CALL


@pytest.mark.parametrize("end", [life.Gone(at(30), 19), life.Vanished(at(30)), life.NodeLost(at(30))])
def test_an_agent_whose_call_came_to_nothing_is_ready_again(end: life.Event) -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    dialed(floor)
    floor.dispatcher.feed("x", end)
    assert floor.state("alice") is SeatState.READY


def test_an_agent_who_left_meanwhile_is_replaced_by_whoever_is_free() -> None:
    floor = Floor(alice="spring", bob="spring")
    floor.on_duty("alice")
    floor.on_duty("bob")
    call = dialed(floor)
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(4)))
    assert (call.phase, floor.dispatcher.illegal.total()) == (Phase.RINGING, 0)
    floor.answer("x")
    assert floor.claims() == [("claim", "x", "bob")]


def test_nobody_is_dialed_for_an_agent_who_left_before() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    call = Call(reservation("x"), "spring", Attempt("x"), START, agent="alice")
    floor.dispatcher.adopt(call)
    assert floor.dispatcher.take_seat(call)
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(1)))
    assert floor.book.ended == [("x", 1, "cancelled")]
    late = Call(reservation("y"), "spring", Attempt("y"), START, agent="alice")
    floor.dispatcher.adopt(late)
    assert not floor.dispatcher.take_seat(late)


def test_a_message_that_started_first_frees_the_agent() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    dialed(floor)
    floor.dispatcher.feed("x", life.MessageStarted(at(8)))
    assert floor.state("alice") is SeatState.READY
