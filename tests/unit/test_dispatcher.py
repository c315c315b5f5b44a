"""The dispatcher: who gets whom, in which order, and what is recorded, with the far sides written down."""

import pytest
from dispatch_support import START, Floor, at, reservation

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.outcome import Result
from dialer_engine.core.seat import SeatState
from dialer_engine.engine import dispatcher
from dialer_engine.engine.call import Call

pytestmark = pytest.mark.unit


def test_a_call_from_answer_to_disposition() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    assert floor.state("alice") is SeatState.RESERVED
    floor.join("x")
    assert floor.state("alice") is SeatState.IN_CALL
    floor.hang_up("x")
    assert floor.state("alice") is SeatState.WRAP
    assert ("wrap", "alice", "x") in floor.book.asked
    floor.dispatcher.feed_seat("alice", chair.DispositionKey(at(65), "sale"))
    assert floor.book.dispositions == [("x", "spring", "alice", "sale")]
    assert floor.state("alice") is SeatState.READY
    assert floor.book.ended == [("x", 8, "bridged")]
    assert [call.attempt_id for call in floor.finished] == ["x"]
    assert floor.dispatcher.calls == {}


def test_event_numbers_run_from_one_without_a_gap() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.hang_up("x")
    numbers = [number for _, number, _, _ in floor.book.events] + [floor.book.ended[0][1]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_agent_who_is_ready_longest_gets_the_call() -> None:
    floor = Floor(alice="spring", bob="spring", carol="spring")
    for second, agent in enumerate(("bob", "carol", "alice")):
        floor.on_duty(agent, second)
    for number, attempt_id in enumerate("xyz"):
        floor.ring(attempt_id, number=f"+1210555010{number}")
        floor.answer(attempt_id)
    assert floor.claims() == [("claim", "x", "bob"), ("claim", "y", "carol"), ("claim", "z", "alice")]


def test_two_answers_of_one_moment_never_win_the_same_agent() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.ring("y", number="+12105550101")
    floor.answer("x")
    floor.answer("y")
    assert floor.claims() == [("claim", "x", "alice")]
    assert floor.dispatcher.calls["y"].phase is Phase.WAITING


def test_an_agent_who_becomes_ready_takes_the_longest_waiting_person() -> None:
    floor = Floor(alice="spring")
    for second, attempt_id in enumerate("xyz"):
        floor.ring(attempt_id, number=f"+1210555010{second}")
        floor.answer(attempt_id, 5 + second / 10)
    floor.hang_up("x", 5.5)
    floor.on_duty("alice", 6)
    assert floor.claims() == [("claim", "y", "alice")]


def test_an_agent_of_another_campaign_is_not_taken() -> None:
    floor = Floor(alice="autumn")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    assert floor.claims() == []


def test_a_waiting_person_whose_cancel_is_under_way_is_skipped() -> None:
    floor = Floor(alice="spring")
    floor.ring("x")
    floor.dispatcher.cancel("x", "suppressed")
    floor.answer("x")
    floor.on_duty("alice", 6)
    assert floor.claims() == []
    assert ("hang_up", "x") in floor.book.asked


def test_a_lost_claim_gives_the_agent_to_the_next_person_at_once() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.ring("y", number="+12105550101")
    floor.answer("x")
    floor.answer("y")
    floor.dispatcher.feed("x", life.ClaimLost(at(6)))
    assert floor.claims()[-1] == ("claim", "y", "alice")
    assert floor.state("alice") is SeatState.RESERVED


def test_the_agents_star_hangs_the_customer_up() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.dispatcher.feed_seat("alice", chair.HangupKey(at(20)))
    assert ("hang_up", "x") in floor.book.asked
    floor.hang_up("x", 20.1)
    assert floor.finished[0].attempt.ended_by is life.EndedBy.AGENT


def test_a_leg_that_is_lost_in_a_call_ends_it_and_disposes_once() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(20)))
    floor.hang_up("x", 20.1)
    assert floor.book.dispositions == [("x", "spring", "alice", None)]
    assert floor.book.disposed_numbers == ["+12105550100"]
    assert floor.finished[0].attempt.result is Result.BRIDGED
    assert floor.state("alice") is SeatState.OFF


def test_a_dead_phone_gives_its_customer_to_a_free_agent_whose_disposition_counts() -> None:
    floor = Floor(alice="spring", bob="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.on_duty("bob")
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(20), vanished=True))
    assert floor.book.asked[-1] == ("join", "x", "bob")
    floor.dispatcher.feed("x", life.Joined(at(20.1)))
    assert floor.state("bob") is SeatState.IN_CALL
    floor.hang_up("x", 65)
    floor.dispatcher.feed_seat("bob", chair.DispositionKey(at(70), "sale"))
    assert floor.book.dispositions == [("x", "spring", "bob", "sale")]
    assert floor.dispatcher.illegal == {}


def test_a_talk_whose_second_agent_was_never_joined_gets_the_default_disposition() -> None:
    for end in (
        (life.Gone(at(20.1), 16),),
        (life.JoinFailed(at(20.1)), life.MessageStarted(at(20.2)), life.Gone(at(40), 16)),
        (life.Vanished(at(20.1)),),
        (life.NodeLost(at(20.1)),),
    ):
        floor = Floor(alice="spring", bob="spring")
        floor.on_duty("alice")
        floor.ring("x")
        floor.answer("x")
        floor.join("x")
        floor.on_duty("bob")
        floor.dispatcher.feed_seat("alice", chair.LegDown(at(20), vanished=True))
        for event in end:
            floor.dispatcher.feed("x", event)
        assert floor.state("bob") is SeatState.READY
        assert floor.book.dispositions == [("x", "spring", "alice", None)]
        assert floor.dispatcher.illegal == {}


def test_of_three_agents_the_last_one_who_talked_disposes() -> None:
    floor = Floor(alice="spring", bob="spring", carol="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.on_duty("bob", 6)
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(20), vanished=True))
    floor.dispatcher.feed("x", life.Joined(at(20.1)))
    floor.on_duty("carol", 21)
    floor.dispatcher.feed_seat("bob", chair.LegDown(at(30), vanished=True))
    floor.hang_up("x", 30.1)
    assert floor.state("carol") is SeatState.READY
    assert floor.book.dispositions == [("x", "spring", "bob", None)]


def test_the_wish_of_a_pause_is_recorded_when_it_comes_and_when_it_goes() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    for second in (20, 21, 22):
        floor.dispatcher.feed_seat("alice", chair.PauseKey(at(second)))
    floor.hang_up("x", 60)
    floor.dispatcher.feed_seat("alice", chair.WrapOver(at(70), "x"))
    assert floor.book.wishes[3:] == [
        ("alice", "in_call", True, at(20)),
        ("alice", "in_call", False, at(21)),
        ("alice", "in_call", True, at(22)),
        ("alice", "wrap", True, at(60)),
        ("alice", "paused", False, at(70)),
    ]


def test_a_hold_that_is_to_become_a_pause_is_recorded_as_the_wish_of_one() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.dispatcher.feed_seat("alice", chair.Held(at(5.005)))
    floor.join("x")
    floor.dispatcher.feed_seat("alice", chair.Unheld(at(20)))
    floor.dispatcher.feed_seat("alice", chair.Held(at(21)))
    floor.dispatcher.feed_seat("alice", chair.PauseKey(at(22)))
    floor.dispatcher.feed_seat("alice", chair.Unheld(at(23)))
    floor.dispatcher.feed_seat("alice", chair.PauseKey(at(24)))
    floor.hang_up("x", 60)
    floor.dispatcher.feed_seat("alice", chair.Held(at(61)))
    floor.dispatcher.feed_seat("alice", chair.WrapOver(at(70), "x"))
    floor.dispatcher.feed_seat("alice", chair.Unheld(at(71)))
    assert floor.book.wishes[2:] == [
        ("alice", "reserved", True, at(5.005)),
        ("alice", "in_call", True, at(5.01)),
        ("alice", "in_call", False, at(20)),
        ("alice", "in_call", True, at(21)),
        ("alice", "in_call", False, at(24)),
        ("alice", "wrap", False, at(60)),
        ("alice", "wrap", True, at(61)),
        ("alice", "paused", False, at(70)),
        ("alice", "ready", False, at(71)),
    ]


def test_a_dead_phone_leaves_its_customer_to_the_message_when_nobody_is_free() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(20), vanished=True))
    assert floor.book.asked[-1] == ("drop", "x")
    floor.dispatcher.feed("x", life.MessageStarted(at(20.1)))
    floor.hang_up("x", 40)
    assert floor.book.dispositions == [("x", "spring", "alice", None)]
    assert floor.finished[0].attempt.result is Result.BRIDGED


def test_an_agent_whose_customer_the_dialplan_took_back_is_not_left_alone() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.dispatcher.feed("x", life.MessageStarted(at(6.85)))
    assert floor.state("alice") is SeatState.WRAP
    floor.dispatcher.feed("x", life.OptedOut(at(9)))
    assert floor.book.asked[-1] == ("opt_outs",)
    floor.dispatcher.feed_seat("alice", chair.DispositionKey(at(9.5), "sale"))
    floor.hang_up("x", 12)
    assert floor.book.dispositions == [("x", "spring", "alice", "sale")]
    assert floor.finished[0].attempt.result is Result.ABANDONED
    assert floor.dispatcher.illegal == {}


def test_cancel_reaches_only_unanswered_calls() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.dispatcher.cancel("x", "suppressed")
    assert ("hang_up", "x") not in floor.book.asked


def test_an_illegal_event_is_counted_and_changes_nothing() -> None:
    floor = Floor()
    floor.ring("x")
    floor.dispatcher.feed("x", life.Joined(at(3)))
    assert floor.dispatcher.calls["x"].phase is Phase.RINGING
    assert floor.dispatcher.illegal == {"Joined is illegal in phase ringing": 1}


def test_events_of_unknown_attempts_are_ignored() -> None:
    floor = Floor()
    floor.dispatcher.feed("nobody", life.Gone(at(1)))
    assert floor.book.ended == []


def test_an_opt_out_takes_the_journal_in_at_once() -> None:
    floor = Floor()
    floor.ring("x")
    floor.answer("x")
    floor.dispatcher.feed("x", life.MessageStarted(at(6.8)))
    floor.dispatcher.opted_out("x", "", "", life.OptedOut(at(9)))
    assert ("opt_outs",) in floor.book.asked
    assert floor.book.opt_outs == [("x", "+12105550100", "")]


def test_an_opt_out_is_recorded_in_any_phase_and_of_a_call_that_counts_as_ended() -> None:
    floor = Floor()
    floor.ring("x")
    floor.dispatcher.opted_out("x", "+12105550100", "1", life.OptedOut(at(9)))
    floor.dispatcher.opted_out("gone", "+12105550101", "1", life.OptedOut(at(9)))
    assert floor.book.opt_outs == [("x", "+12105550100", "1"), ("gone", "+12105550101", "1")]


@pytest.mark.parametrize(
    ("attempt", "result"),
    [
        (Attempt("x", phase=Phase.RESERVED), Result.UNKNOWN),
        (Attempt("x", phase=Phase.RINGING), Result.UNKNOWN),
        (Attempt("x", phase=Phase.WAITING, answered_at=START), Result.ABANDONED),
        (Attempt("x", phase=Phase.BRIDGED, answered_at=START, joined_at=START), Result.BRIDGED),
    ],
)
def test_an_adopted_attempt_without_a_channel_ends_as_what_is_known_of_it(
    attempt: Attempt, result: Result
) -> None:
    floor = Floor()
    floor.dispatcher.adopt(Call(reservation("x"), "spring", attempt, START, None, 3))
    floor.dispatcher.feed("x", life.Vanished(at(60)))
    assert floor.book.ended == [("x", 4, result.value)]


def test_a_disposition_during_the_call_is_written_after_its_end() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.join("x")
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(20)))
    assert floor.book.dispositions == []
    floor.hang_up("x", 20.1)
    assert floor.book.dispositions == [("x", "spring", "alice", None)]


def test_a_join_that_comes_after_its_agent_left_goes_to_the_message() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    floor.ring("x")
    floor.answer("x")
    floor.dispatcher.feed("x", life.Entered(at(5.01)))
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(5.02)))
    floor.dispatcher.feed("x", life.Joined(at(5.03)))
    assert floor.book.asked[-1] == ("drop", "x")


def test_an_adopted_conversation_puts_the_agent_back_into_it() -> None:
    floor = Floor(alice="spring")
    floor.on_duty("alice")
    call = Call(reservation("x"), "spring", Attempt("x", phase=Phase.BRIDGED, agent="alice"), START, None, 6)
    floor.dispatcher.adopt(call)
    floor.dispatcher.reseat(call, "alice")
    assert floor.state("alice") is SeatState.IN_CALL
    floor.hang_up("x")
    assert floor.state("alice") is SeatState.WRAP


def test_numbers_and_campaigns_find_their_calls() -> None:
    floor = Floor()
    floor.ring("x", "spring", "+12105550100")
    floor.ring("y", "autumn", "+12105550101")
    assert [call.id for call in floor.dispatcher.calls_to("+12105550101", None)] == ["y"]
    assert [call.id for call in floor.dispatcher.calls_of("spring")] == ["x"]


def test_a_customer_and_an_agent_meet_on_the_customers_node_only() -> None:
    floor = Floor(alice="spring", bob="spring")
    floor.on_duty("alice", 0, node="a")
    floor.on_duty("bob", 1, node="b")
    floor.ring("x", node="b")
    floor.answer("x")
    assert floor.claims() == [("claim", "x", "bob")], "alice has waited longer, on another node"
    floor.ring("y", number="+12105550101", node="b")
    floor.ring("z", number="+12105550102", node="a")
    floor.answer("y")
    assert floor.state("alice") is SeatState.READY
    floor.answer("z")
    assert floor.claims()[1:] == [("claim", "z", "alice")]


def test_who_becomes_ready_takes_the_longest_waiting_person_of_the_own_node() -> None:
    floor = Floor(alice="spring", bob="spring")
    for attempt_id, node in (("x", "a"), ("y", "b")):
        floor.ring(attempt_id, number=f"+1210555010{len(node + attempt_id)}", node=node)
        floor.answer(attempt_id)
    floor.on_duty("bob", 6, node="b")
    assert floor.claims() == [("claim", "y", "bob")]
    floor.on_duty("alice", 7, node="a")
    assert floor.claims() == [("claim", "y", "bob"), ("claim", "x", "alice")], "x kept its place in the queue"


def test_an_agent_who_moves_to_another_node_leaves_the_customer_to_others_there() -> None:
    floor = Floor(alice="spring", bob="spring", carol="spring")
    floor.on_duty("alice", 0, node="a")
    floor.ring("x", node="a")
    floor.answer("x")
    floor.join("x")
    floor.on_duty("bob", 5, node="b")
    floor.on_duty("carol", 6, node="a")
    floor.dispatcher.feed_seat("alice", chair.LegDown(at(9), vanished=True))
    floor.on_duty("alice", 10, node="b")
    assert ("join", "x", "carol") in floor.book.asked, "bob is on another node and has waited longer"
    assert floor.dispatcher.seats["alice"].node == "b"
    assert [seat.agent for seat in floor.dispatcher.seats_of("spring", "b")] == ["alice", "bob"]


def test_of_the_last_calls_it_is_known_that_they_were_sent_also_when_they_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_SENT", 2)
    floor = Floor()
    for line in ("x", "y", "z"):
        floor.ring(line)
        floor.hang_up(line)
    assert [floor.dispatcher.sent_at(line) for line in ("x", "y", "z", "never")] == [None, at(1), at(1), None]
