"""The seat's machine: presence from the leg, one attempt at a time, one disposition per conversation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer_engine.core import seat as chair
from dialer_engine.core.seat import SEAT_IGNORED, SEAT_TABLE, IllegalSeatEvent, Seat, SeatState, step

pytestmark = pytest.mark.unit

START = datetime(2026, 6, 10, 16, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def walk(*events: chair.SeatEvent, seat: Seat | None = None) -> tuple[Seat, list[chair.SeatCommand]]:
    state, said = seat or Seat("alice"), []
    for event in events:
        state, commands = step(state, event)
        said.extend(commands)
    return state, said


TALKING = (chair.LegUp(at(0), "main"), chair.Reserved(at(10), "x"), chair.CustomerIn(at(10.01), "x"))
WRAP = (*TALKING, chair.CustomerOut(at(70), "x"))


def test_a_shift_with_one_call() -> None:
    seat, said = walk(*WRAP, chair.DispositionKey(at(75), "sale"), chair.LegDown(at(80)))
    assert seat.state is SeatState.OFF
    assert said == [
        chair.BecameReady(),
        chair.Tell("arrived"),
        chair.StartWrap("x"),
        chair.Dispose("x", "sale"),
        chair.Tell("noted"),
        chair.BecameReady(),
    ]


def test_the_wrap_time_gives_the_default_disposition() -> None:
    seat, said = walk(*WRAP, chair.WrapOver(at(90), "x"))
    assert seat.state is SeatState.READY
    assert said[-2:] == [chair.Dispose("x", None), chair.BecameReady()]


def test_a_late_wrap_timer_of_an_earlier_call_changes_nothing() -> None:
    seat, _ = walk(*WRAP, chair.DispositionKey(at(75), "sale"), chair.Reserved(at(76), "y"))
    assert step(seat, chair.WrapOver(at(90), "x")) == (seat, ())
    talked, _ = walk(chair.CustomerIn(at(77), "y"), chair.CustomerOut(at(80), "y"), seat=seat)
    assert step(talked, chair.WrapOver(at(90), "x")) == (talked, ())


def test_freeing_names_its_attempt() -> None:
    seat, _ = walk(chair.LegUp(at(0), "main"), chair.Reserved(at(1), "y"))
    assert step(seat, chair.Freed(at(2), "x")) == (seat, ())
    freed, said = step(seat, chair.Freed(at(2), "y"))
    assert freed.state is SeatState.READY
    assert said == (chair.BecameReady(),)


def test_star_ends_the_call_only_while_talking() -> None:
    talking, _ = walk(*TALKING)
    assert step(talking, chair.HangupKey(at(20))) == (talking, (chair.EndCall("x"),))
    ready, _ = walk(chair.LegUp(at(0), "main"))
    assert step(ready, chair.HangupKey(at(1))) == (ready, ())


def follows(seconds: float) -> Seat:
    """Somebody in a talk that began so many seconds after the end of another one, without a wrap-up between them."""
    over = (chair.CustomerOut(at(70), "x"), chair.WrapOver(at(70), "x"))
    talking, _ = walk(*TALKING, *over, chair.Reserved(at(70), "y"), chair.CustomerIn(at(70 + seconds), "y"))
    return talking


def test_star_in_the_first_moment_was_meant_for_a_talk_right_before() -> None:
    talking = follows(0.02)
    assert step(talking, chair.HangupKey(at(71))) == (talking, (chair.Tell("refused"),))
    assert step(talking, chair.HangupKey(at(71.02))) == (talking, (chair.EndCall("y"),))
    assert step(talking, chair.HangupKey(at(60))) == (talking, (chair.EndCall("y"),)), (
        "a node's clock is ahead"
    )
    later = follows(1.0)
    assert step(later, chair.HangupKey(at(71.1))) == (later, (chair.EndCall("y"),))
    first, _ = walk(*TALKING)
    assert step(first, chair.HangupKey(at(10.02))) == (first, (chair.EndCall("x"),))


def test_zero_pauses_and_resumes() -> None:
    paused, said = walk(chair.LegUp(at(0), "main"), chair.PauseKey(at(1)))
    assert paused.state is SeatState.PAUSED
    assert said[-1] == chair.Tell("paused")
    ready, said = walk(chair.PauseKey(at(2)), seat=paused)
    assert ready.state is SeatState.READY
    assert said == [chair.Tell("ready"), chair.BecameReady()]


DO_NOT_CALL = chair.DispositionKey(at(150), "dnc", suppress=True)
REST = (*WRAP, chair.WrapOver(at(80), "x"))


def test_a_do_not_call_counts_also_after_the_wrap_up() -> None:
    ready, _ = walk(*REST)
    paused, _ = walk(chair.PauseKey(at(81)), seat=ready)
    for seat in (ready, paused):
        assert step(seat, DO_NOT_CALL) == (seat, (chair.Correct("x", "dnc"), chair.Tell("noted")))
    sold, _ = walk(*WRAP, chair.DispositionKey(at(75), "sale"))
    assert step(sold, DO_NOT_CALL)[1] == (chair.Correct("x", "dnc"), chair.Tell("noted"))


def test_any_other_late_digit_and_one_of_long_after_the_talk_is_refused() -> None:
    ready, _ = walk(*REST)
    refused = (chair.Tell("refused"),)
    assert step(ready, chair.DispositionKey(at(81), "sale")) == (ready, refused)
    last = at(70) + chair.DO_NOT_CALL_WITHIN
    assert step(ready, replace(DO_NOT_CALL, at=last))[1][0] == chair.Correct("x", "dnc")
    assert step(ready, replace(DO_NOT_CALL, at=last + timedelta(milliseconds=1))) == (ready, refused)
    fresh, _ = walk(chair.LegUp(at(0), "main"))
    assert step(fresh, DO_NOT_CALL) == (fresh, refused), "there was no talk"


def test_a_talk_that_just_begins_wins_and_one_that_began_ends_the_time_of_the_talk_before() -> None:
    coming, _ = walk(*REST, chair.Reserved(at(90), "y"))
    assert step(coming, DO_NOT_CALL) == (coming, ())
    nobody, _ = walk(chair.Freed(at(91), "y"), seat=coming)
    assert step(nobody, DO_NOT_CALL)[1][0] == chair.Correct("x", "dnc"), "it did not begin after all"
    talking, _ = walk(chair.CustomerIn(at(91), "y"), seat=coming)
    assert step(talking, DO_NOT_CALL) == (talking, ())
    after, _ = walk(chair.CustomerOut(at(95), "y"), chair.WrapOver(at(96), "y"), seat=talking)
    assert step(after, DO_NOT_CALL)[1][0] == chair.Correct("y", "dnc")


@pytest.mark.parametrize("talk", [TALKING, WRAP])
def test_who_dials_in_again_after_the_phone_was_lost_may_still_give_the_do_not_call(
    talk: tuple[chair.SeatEvent, ...],
) -> None:
    back, _ = walk(*talk, chair.LegDown(at(71), vanished=True), chair.LegUp(at(80), "main"))
    assert step(back, DO_NOT_CALL)[1] == (chair.Correct("x", "dnc"), chair.Tell("noted"))


def test_zero_in_a_call_is_heard_and_so_is_its_taking_back() -> None:
    for before in (TALKING[:2], TALKING, WRAP):
        wanting, said = walk(*before, chair.PauseKey(at(71)))
        assert said[-1] == chair.Tell("noted")
        assert step(wanting, chair.PauseKey(at(72)))[1] == (chair.Tell("cancelled"),)


def test_zero_in_a_call_pauses_after_the_wrap_and_can_be_taken_back() -> None:
    wanted, _ = walk(*WRAP, chair.PauseKey(at(71)))
    paused, said = step(wanted, chair.WrapOver(at(80), "x"))
    assert paused.state is SeatState.PAUSED
    assert chair.BecameReady() not in said
    taken_back, _ = walk(*WRAP, chair.PauseKey(at(71)), chair.PauseKey(at(72)), chair.WrapOver(at(80), "x"))
    assert taken_back.state is SeatState.READY


def test_a_leg_that_dies_in_a_call_leaves_customer_and_disposition_to_the_engine() -> None:
    seat, said = walk(*TALKING, chair.LegDown(at(20)))
    assert seat.state is SeatState.OFF
    assert said[-2:] == [chair.CustomerAlone("x"), chair.Dispose("x", None)]


def test_a_leg_that_dies_before_the_customer_came_disposes_nothing() -> None:
    _, said = walk(chair.LegUp(at(0), "main"), chair.Reserved(at(1), "x"), chair.LegDown(at(2)))
    assert said[-1] == chair.CustomerAlone("x")


@pytest.mark.parametrize("before", [TALKING[:2], TALKING, WRAP])
def test_a_second_phone_takes_over_the_seat_as_it_is(before: tuple[chair.SeatEvent, ...]) -> None:
    seat, _ = walk(*before)
    assert step(seat, chair.LegUp(at(90), "main")) == (seat, ())


def test_a_second_phone_of_a_paused_agent_is_ready() -> None:
    seat, said = walk(chair.LegUp(at(0), "main"), chair.PauseKey(at(1)), chair.LegUp(at(2), "main"))
    assert seat.state is SeatState.READY
    assert said[-1] == chair.BecameReady()


def test_a_leg_that_is_found_again_is_as_paused_as_it_was() -> None:
    seat, said = walk(chair.LegUp(at(0), "main", paused=True))
    assert (seat.state, seat.node, seat.since) == (SeatState.PAUSED, "main", at(0))
    assert said == []
    back, said = step(seat, chair.PauseKey(at(5)))
    assert back.state is SeatState.READY
    assert said == (chair.Tell("ready"), chair.BecameReady())


@pytest.mark.parametrize("paused", [False, True])
def test_a_talk_that_an_earlier_engine_left_goes_on_and_a_pause_follows_it(paused: bool) -> None:
    talk = (chair.Recalled(at(1), "x"), chair.CustomerIn(at(1), "x"))
    seat, _ = walk(chair.LegUp(at(0), "main", paused=paused), *talk)
    assert (seat.state, seat.attempt, seat.pause_wanted) == (SeatState.IN_CALL, "x", paused)
    after, _ = walk(chair.CustomerOut(at(60), "x"), chair.WrapOver(at(70), "x"), seat=seat)
    assert after.state is (SeatState.PAUSED if paused else SeatState.READY)
    assert not after.pause_wanted


def test_the_wish_of_a_pause_ends_with_the_leg() -> None:
    wanting, _ = walk(*TALKING, chair.PauseKey(at(11)))
    assert wanting.resting
    gone, _ = step(wanting, chair.LegDown(at(12)))
    assert not gone.resting
    again, _ = step(gone, chair.LegUp(at(13), "main"))
    assert again.state is SeatState.READY


def test_a_phone_that_vanishes_is_told_apart_from_one_that_hangs_up() -> None:
    _, said = walk(*TALKING, chair.LegDown(at(20), vanished=True))
    assert said[-2] == chair.CustomerAlone("x", vanished=True)


def test_a_leg_that_dies_in_wrap_gives_the_default() -> None:
    _, said = walk(*WRAP, chair.LegDown(at(71)))
    assert said[-1] == chair.Dispose("x", None)


def test_a_ready_seat_is_not_reserved_twice() -> None:
    seat, _ = walk(chair.LegUp(at(0), "main"), chair.Reserved(at(1), "x"))
    with pytest.raises(IllegalSeatEvent, match="Reserved is illegal for a seat that is reserved"):
        step(seat, chair.Reserved(at(2), "y"))


SAMPLES: tuple[chair.SeatEvent, ...] = (
    chair.LegUp(at(1), "main"),
    chair.LegUp(at(1), "main", paused=True),
    chair.LegDown(at(1)),
    chair.LegUp(at(1), "main", on_hold=True),
    chair.Held(at(1)),
    chair.Unheld(at(1)),
    chair.Reserved(at(1), "x"),
    chair.Reserved(at(1), "y"),
    chair.Recalled(at(1), "x"),
    chair.Freed(at(1), "x"),
    chair.Freed(at(1), "y"),
    chair.CustomerIn(at(1), "x"),
    chair.CustomerIn(at(1), "y"),
    chair.CustomerOut(at(1), "x"),
    chair.CustomerOut(at(1), "y"),
    chair.HangupKey(at(1)),
    chair.PauseKey(at(1)),
    chair.DispositionKey(at(1), "sale"),
    chair.DispositionKey(at(1), "dnc", suppress=True),
    chair.WrapOver(at(1), "x"),
    chair.WrapOver(at(1), "y"),
)


def test_every_event_type_is_sampled() -> None:
    sampled = {type(event).__name__ for event in SAMPLES}
    assert sampled == {kind.__name__ for kind in chair.SeatEvent.__subclasses__()}


@pytest.mark.parametrize("state", list(SeatState))
@pytest.mark.parametrize("event", SAMPLES, ids=lambda e: f"{type(e).__name__}-{getattr(e, 'attempt', '')}")
def test_each_pair_moves_is_ignored_or_is_refused(state: SeatState, event: chair.SeatEvent) -> None:
    before = Seat("alice", state, at(0), "x")
    pair = (state, type(event))
    if pair in SEAT_TABLE:
        step(before, event)
    elif pair in SEAT_IGNORED:
        assert step(before, event) == (before, ())
    else:
        with pytest.raises(IllegalSeatEvent):
            step(before, event)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(SAMPLES), max_size=30))
def test_each_conversation_gets_exactly_one_disposition(events: list[chair.SeatEvent]) -> None:
    seat, disposed, talked = Seat("alice"), 0, 0
    for event in events:
        before = seat
        try:
            seat, commands = step(seat, event)
        except IllegalSeatEvent:
            continue
        talked += before.state is not SeatState.IN_CALL and seat.state is SeatState.IN_CALL
        disposed += sum(isinstance(command, chair.Dispose) for command in commands)
        assert not any(isinstance(command, chair.Correct) for command in commands) or talked == disposed
        assert (seat.state in (SeatState.RESERVED, SeatState.IN_CALL, SeatState.WRAP)) == bool(seat.attempt)
        assert not (seat.on_hold and seat.state in (SeatState.READY, SeatState.OFF))
        assert not seat.for_hold or (seat.on_hold and seat.state is SeatState.PAUSED)
    open_ = seat.state in (SeatState.IN_CALL, SeatState.WRAP)
    assert talked == disposed + open_
