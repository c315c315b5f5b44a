"""The attempt's machine: every pair is decided, the races of its essay end as it says, invariants hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import IGNORED, TABLE, Attempt, EndedBy, IllegalTransition, Phase, step
from dialer_engine.core.audio import Audio
from dialer_engine.core.outcome import CHALLENGED_S, Result, result_of_failure

pytestmark = pytest.mark.unit

PJSIP_BASE = Path(__file__).resolve().parents[2] / "asterisk" / "shared" / "pjsip_base.conf"
START = datetime(2026, 6, 10, 16, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def walk(*events: life.Event, attempt: Attempt | None = None) -> tuple[Attempt, list[life.Command]]:
    state, said = attempt or Attempt("a"), []
    for event in events:
        state, commands = step(state, event)
        said.extend(commands)
    return state, said


RINGING = (life.Sent(at(0), 22), life.Ringing(at(2)))
ANSWERED = (*RINGING, life.Answered(at(5)), life.Offered(at(5.001)))
BRIDGED = (*ANSWERED, life.AgentChosen(at(5.001), "alice"), life.Entered(at(5.002)), life.Joined(at(5.01)))


def test_a_good_call_is_claimed_joined_and_told_to_the_seat() -> None:
    ended, said = walk(*BRIDGED, life.Gone(at(65), cause=16))
    assert said == [
        life.Offer(),
        life.Claim("alice"),
        life.Join("alice"),
        life.CustomerJoined("alice"),
        life.CustomerLeft("alice"),
        life.Finish(),
    ]
    assert (ended.result, ended.ended_by) == (Result.BRIDGED, EndedBy.CUSTOMER)
    assert (ended.answered_at, ended.joined_at, ended.ended_at) == (at(5), at(5.01), at(65))


EARLY = (life.Sent(at(0), 22), life.Ringing(at(0.5), alerting=False))


def test_a_phone_rings_since_the_180_that_comes_after_a_183() -> None:
    early, _ = walk(*EARLY)
    assert (early.phase, early.ringing_at) == (Phase.RINGING, at(0.5))
    rings, said = walk(life.Ringing(at(7)), attempt=early)
    assert (rings.phase, rings.ringing_at, said) == (Phase.RINGING, at(7), [])
    for more in (life.Ringing(at(8), alerting=False), life.Ringing(at(9))):
        assert step(rings, more) == (rings, ())
    assert step(early, life.Ringing(at(1), alerting=False)) == (early, ())


def test_a_183_that_is_all_a_carrier_sends_and_one_after_the_180_change_nothing() -> None:
    rings, _ = walk(*RINGING)
    assert step(rings, life.Ringing(at(3), alerting=False)) == (rings, ())
    ended, _ = walk(*EARLY, life.Gone(at(9), 19, 480, "SIP 480 Temporarily Unavailable", Result.TRUNK_FAULT))
    assert (ended.result, ended.ringing_at) == (Result.NO_ANSWER, at(0.5)), "it may have rung a phone"


def test_a_call_that_is_taken_over_between_the_183_and_the_180_rings_since_the_180() -> None:
    """Asterisk's channel does not ring before the 180, so such a call is dialing for the engine that takes it over."""
    found = replace(walk(*EARLY)[0], phase=Phase.DIALING)
    again, _ = walk(life.Ringing(at(3), alerting=False), attempt=found)
    assert (again.phase, again.ringing_at) == (Phase.RINGING, at(0.5))
    for before in (found, again):
        assert walk(life.Ringing(at(7)), attempt=before)[0].ringing_at == at(7)


def test_the_agents_key_ends_the_call_and_is_named_for_it() -> None:
    ended, said = walk(*BRIDGED, life.AgentHangup(at(30)), life.Gone(at(30.1), cause=16))
    assert life.HangUp() in said
    assert (ended.result, ended.ended_by) == (Result.BRIDGED, EndedBy.AGENT)


def test_the_offer_may_come_before_the_answer() -> None:
    early, said = walk(*RINGING, life.Offered(at(5)), life.Answered(at(5.001)))
    assert early.phase is Phase.WAITING
    assert early.answered_at == at(5)
    assert said == [life.Offer()]


def test_nobody_free_ends_in_the_message_and_counts_as_abandoned() -> None:
    ended, said = walk(*ANSWERED, life.MessageStarted(at(6.8)), life.OptedOut(at(10)), life.Gone(at(12)))
    assert ended.result is Result.ABANDONED
    assert said == [life.Offer(), life.Suppress(), life.Finish()]


@pytest.mark.parametrize(("waited", "result"), [(1.9, Result.HUNG_UP), (2.0, Result.ABANDONED)])
def test_hanging_up_while_waiting_is_judged_by_the_time(waited: float, result: Result) -> None:
    ended, _ = walk(*ANSWERED, life.Gone(at(5 + waited)))
    assert (ended.result, ended.ended_by) == (result, EndedBy.CUSTOMER)


def test_a_claim_that_lost_gives_the_agent_back_and_is_not_offered_again() -> None:
    lost, said = walk(*ANSWERED, life.AgentChosen(at(6.7), "bob"), life.ClaimLost(at(6.8)))
    assert lost.phase is Phase.UNCLAIMED
    assert lost.agent is None
    assert said[-1] == life.FreeAgent("bob")
    ended, after = walk(life.MessageStarted(at(6.81)), life.Gone(at(9)), attempt=lost)
    assert after == [life.Finish()]
    assert ended.result is Result.ABANDONED


def test_the_message_may_start_before_the_lost_claim_is_known() -> None:
    told, said = walk(*ANSWERED, life.AgentChosen(at(6.7), "bob"), life.MessageStarted(at(6.8)))
    assert said[-1] == life.FreeAgent("bob")
    same, nothing = step(told, life.ClaimLost(at(6.81)))
    assert same is told
    assert nothing == ()


def test_a_claim_whose_reply_was_lost_but_worked_goes_to_the_message() -> None:
    _, said = walk(*ANSWERED, life.AgentChosen(at(6), "bob"), life.ClaimLost(at(11)), life.Entered(at(11.1)))
    assert said[-1] == life.PlayDropMessage()


def test_a_bridge_that_fails_frees_the_agent_and_plays_the_message() -> None:
    _, said = walk(*ANSWERED, life.AgentChosen(at(5), "bob"), life.Entered(at(5)), life.JoinFailed(at(5)))
    assert said[-2:] == [life.FreeAgent("bob"), life.PlayDropMessage()]


def test_an_agent_who_is_lost_before_the_customer_entered_is_not_joined() -> None:
    _, said = walk(*ANSWERED, life.AgentChosen(at(5), "bob"), life.AgentLost(at(5.1)), life.Entered(at(5.2)))
    assert said[-1] == life.PlayDropMessage()


def test_a_cancel_that_crosses_the_answer_is_never_called_cancelled() -> None:
    ended, said = walk(
        *RINGING, life.Cancel(at(17), "surplus"), life.Answered(at(17.01)), life.Gone(at(17.1))
    )
    assert said == [life.HangUp(), life.Finish()]
    assert (ended.result, ended.ended_by) == (Result.ABANDONED, EndedBy.ENGINE)


def test_a_cancelled_offer_is_not_given_to_an_agent() -> None:
    _, said = walk(*RINGING, life.Cancel(at(17), "surplus"), life.Offered(at(17.01)))
    assert said == [life.HangUp()]


def test_a_cancelled_ringing_call_is_cancelled_by_us() -> None:
    ended, _ = walk(*RINGING, life.Cancel(at(17), "surplus"), life.Gone(at(17.1), cause=16))
    assert (ended.result, ended.ended_by) == (Result.CANCELLED, EndedBy.ENGINE)
    assert ended.cancel_reason == "surplus"


def test_a_reserved_call_that_never_left_is_cancelled_at_once() -> None:
    ended, said = walk(life.Cancel(at(0), "paused"))
    assert ended.result is Result.CANCELLED
    assert said == [life.Finish()]


def test_a_lost_reply_is_looked_up_and_never_sent_again() -> None:
    asked, said = walk(life.Sent(at(0), 22), life.ReplyLost(at(5)))
    assert said == [life.LookUp()]
    ended, _ = step(asked, life.Vanished(at(5.1)))
    assert (ended.result, ended.ended_by) == (Result.UNKNOWN, EndedBy.UNKNOWN)


@pytest.mark.parametrize(("events", "result"), [(ANSWERED, Result.ABANDONED), (BRIDGED, Result.BRIDGED)])
def test_what_happened_before_a_channel_vanished_is_not_forgotten(
    events: tuple[life.Event, ...], result: Result
) -> None:
    ended, _ = walk(*events, life.Vanished(at(60)))
    assert (ended.result, ended.ended_by) == (result, EndedBy.UNKNOWN)


def test_a_message_proves_an_answer_that_was_missed() -> None:
    told, _ = walk(*RINGING, life.MessageStarted(at(8)))
    assert (told.phase, told.answered_at, told.message_at) == (Phase.MESSAGE, at(8), at(8))


def test_a_refused_originate_is_nobodys_attempt() -> None:
    ended, _ = walk(life.Sent(at(0), 22), life.Refused(at(0.1), "404"))
    assert (ended.result, ended.ended_by) == (Result.TRUNK_FAULT, EndedBy.ENGINE)


@pytest.mark.parametrize(
    ("after", "code", "said", "by", "kept"),
    [
        (22.1, 480, "SIP 180 Ringing", EndedBy.ENGINE, None),
        (22.1, 480, None, EndedBy.ENGINE, None),
        (22.1, 487, "SIP 487 Request Terminated", EndedBy.ENGINE, 487),
        (22.1, 480, "SIP 480 Temporarily Unavailable", EndedBy.CARRIER, 480),
        (10.0, 480, "SIP 480 Temporarily Unavailable", EndedBy.CARRIER, 480),
        (10.0, 487, "SIP 487 Request Terminated", EndedBy.CARRIER, 487),
        (10.0, 480, None, EndedBy.CARRIER, 480),
    ],
)
def test_our_own_ring_time_is_no_code_of_the_carrier(
    after: float, code: int, said: str | None, by: EndedBy, kept: int | None
) -> None:
    ended, _ = walk(*RINGING, life.Gone(at(after), cause=19, sip_code=code, said=said))
    assert (ended.result, ended.ended_by, ended.sip_code) == (Result.NO_ANSWER, by, kept)


def test_what_480_means_at_a_carrier_says_nothing_of_our_own_ring_time() -> None:
    gone = life.Gone(at(22.1), 19, 480, "SIP 180 Ringing", Result.NOT_IN_SERVICE)
    ended, _ = walk(*RINGING, gone)
    assert (ended.result, ended.ended_by) == (Result.NO_ANSWER, EndedBy.ENGINE)
    told, _ = walk(*RINGING, replace(gone, at=at(9), said="SIP 480 Temporarily Unavailable"))
    assert told.result is Result.NOT_IN_SERVICE


def test_a_vanished_conversation_gives_the_agent_back() -> None:
    _, said = walk(*BRIDGED, life.Vanished(at(60)))
    assert said[-2:] == [life.CustomerLeft("alice"), life.Finish()]


@pytest.mark.parametrize(
    ("cause", "sip", "rang", "result"),
    [
        (17, 486, True, Result.BUSY),
        (19, 480, True, Result.NO_ANSWER),
        (34, 503, False, Result.CONGESTION),
        (1, 404, False, Result.NOT_IN_SERVICE),
        (21, 603, True, Result.REJECTED),
        (127, 608, False, Result.BLOCKED),
        (21, 403, False, Result.FAILED),
        (17, None, True, Result.BUSY),
        (None, None, True, Result.NO_ANSWER),
        (None, None, False, Result.FAILED),
        (16, None, False, Result.FAILED),
    ],
)
def test_carriers_words_become_results(
    cause: int | None, sip: int | None, rang: bool, result: Result
) -> None:
    assert result_of_failure(cause, sip, rang=rang) is result


DIALED = (life.Sent(at(0), 22),)


def test_a_refusal_that_means_the_trunk_is_the_trunks() -> None:
    gone = life.Gone(at(0.2), 34, 503, "SIP 503 Service Unavailable", Result.TRUNK_FAULT)
    ended, _ = walk(*DIALED, gone)
    assert (ended.result, ended.ended_by, ended.sip_code) == (Result.TRUNK_FAULT, EndedBy.CARRIER, 503)
    assert not ended.silent
    rang, _ = walk(*RINGING, gone)
    assert rang.result is Result.CONGESTION


def test_a_refusal_crosses_our_cancel_and_is_still_the_trunks() -> None:
    gone = life.Gone(at(0.2), 34, 503, "SIP 503 Service Unavailable", Result.TRUNK_FAULT)
    ended, _ = walk(*DIALED, life.Cancel(at(0.1), "nobody is free"), gone)
    assert ended.result is Result.TRUNK_FAULT


def test_when_news_may_have_been_missed_a_refusal_is_not_the_trunks_but_silence_is() -> None:
    """That it rang may have been among the news; a carrier that never said a word said nothing of ringing."""
    missed = (*DIALED, life.Missed(at(3)), life.Missed(at(4)))
    refused, _ = walk(*missed, life.Gone(at(5), 34, 503, "SIP 503 No", Result.TRUNK_FAULT))
    assert refused.result is Result.CONGESTION
    silent, _ = walk(*missed, life.Gone(at(22), 19, 480, ""))
    assert (silent.result, silent.silent) == (Result.TRUNK_FAULT, True)


def test_silence_until_our_own_ring_time_is_the_trunks_and_its_code_is_not_the_carriers() -> None:
    ended, _ = walk(*DIALED, life.Gone(at(22.1), 19, 480, ""))
    assert (ended.result, ended.ended_by, ended.sip_code) == (Result.TRUNK_FAULT, EndedBy.ENGINE, None)
    trying, _ = walk(*DIALED, life.Gone(at(22.1), 19, 480, "SIP 100 Trying"))
    assert trying.result is Result.NO_ANSWER, "it may have rung without a word"
    cancelled, _ = walk(*DIALED, life.Cancel(at(5), "nobody is free"), life.Gone(at(5.1), 16, None, ""))
    assert cancelled.result is Result.CANCELLED


@pytest.mark.parametrize("code", [401, 407])
def test_silence_after_a_challenge_is_silence_and_a_refusal_of_our_password_is_none(code: int) -> None:
    """The INVITE with the password may have rung a phone, and nobody can cancel it."""
    gone = life.Gone(at(6.5), 21, code, f"SIP {code} Unauthorized", Result.TRUNK_FAULT)
    silent, _ = walk(*DIALED, gone)
    assert (silent.result, silent.silent, silent.sip_code) == (Result.TRUNK_FAULT, True, None)
    refused, _ = walk(*DIALED, replace(gone, at=at(0.3)))
    assert (refused.result, refused.silent, refused.sip_code) == (Result.TRUNK_FAULT, False, code)
    rang, _ = walk(*RINGING, gone)
    assert (rang.result, rang.silent, rang.sip_code) == (Result.FAILED, False, code)
    assert not walk(*DIALED, replace(gone, sip_code=403, said="SIP 403 Forbidden"))[0].silent


def test_what_counts_as_silence_after_a_challenge_is_less_than_asterisk_waits() -> None:
    lines = PJSIP_BASE.read_text(encoding="utf-8").splitlines()
    [timer_b_ms] = [line.split("=")[1] for line in lines if line.startswith("timer_b")]
    assert int(timer_b_ms) / 1000 > CHALLENGED_S


EVENTS: dict[type[life.Event], life.Event] = {
    life.Sent: life.Sent(at(1), 22),
    life.Refused: life.Refused(at(1), "no"),
    life.ReplyLost: life.ReplyLost(at(1)),
    life.Ringing: life.Ringing(at(1)),
    life.Missed: life.Missed(at(1)),
    life.Answered: life.Answered(at(1)),
    life.Offered: life.Offered(at(1)),
    life.AgentChosen: life.AgentChosen(at(1), "alice"),
    life.ClaimLost: life.ClaimLost(at(1)),
    life.Entered: life.Entered(at(1)),
    life.JoinFailed: life.JoinFailed(at(1)),
    life.Joined: life.Joined(at(1)),
    life.AudioChecked: life.AudioChecked(at(1), Audio.OK),
    life.MessageStarted: life.MessageStarted(at(1)),
    life.MessageOver: life.MessageOver(at(1)),
    life.OptedOut: life.OptedOut(at(1)),
    life.Cancel: life.Cancel(at(1), "why"),
    life.AgentHangup: life.AgentHangup(at(1)),
    life.AgentLost: life.AgentLost(at(1)),
    life.AgentVanished: life.AgentVanished(at(1), "bob"),
    life.Gone: life.Gone(at(1), 16, None),
    life.Vanished: life.Vanished(at(1)),
    life.NodeLost: life.NodeLost(at(1)),
}


@pytest.mark.parametrize("over", [True, False])
def test_who_ended_the_message_is_on_record(over: bool) -> None:
    said = (life.MessageOver(at(19)),) if over else ()
    ended, _ = walk(*ANSWERED, life.MessageStarted(at(6.8)), *said, life.Gone(at(19.1), cause=16))
    assert (ended.result, ended.ended_by) == (Result.ABANDONED, EndedBy.ENGINE if over else EndedBy.CUSTOMER)


@pytest.mark.parametrize("before", [BRIDGED, BRIDGED[:2], BRIDGED[:3]])
def test_whatever_a_dead_asterisk_carried_ends_as_node_lost(before: tuple[life.Event, ...]) -> None:
    ended, said = walk(*before, life.NodeLost(at(60)))
    assert (ended.phase, ended.result) == (Phase.ENDED, Result.NODE_LOST)
    assert said[-1] == life.Finish()


def test_another_agent_goes_on_when_a_phone_dies_and_the_first_join_counts() -> None:
    events = (life.AgentVanished(at(20), "bob"), life.Joined(at(20.1)), life.Gone(at(65), cause=16))
    ended, said = walk(*BRIDGED, *events)
    assert said[-4:] == [
        life.Join("bob"),
        life.CustomerJoined("bob"),
        life.CustomerLeft("bob"),
        life.Finish(),
    ]
    assert (ended.result, ended.agent, ended.joined_at) == (Result.BRIDGED, "bob", at(5.01))
    assert ended.talker == "bob"


@pytest.mark.parametrize(
    "lost", [life.Gone(at(20.1), 16), life.JoinFailed(at(20.1)), life.Vanished(at(20.1))]
)
def test_who_was_to_go_on_and_never_had_the_person_is_not_who_talked(lost: life.Event) -> None:
    after, _ = walk(*BRIDGED, life.AgentVanished(at(20), "bob"), lost)
    assert (after.talker, after.joined_at) == ("alice", at(5.01))


@pytest.mark.parametrize("lost", [life.Gone(at(8), 16), life.ClaimLost(at(8)), life.MessageStarted(at(8))])
def test_nobody_talked_who_was_only_chosen(lost: life.Event) -> None:
    after, _ = walk(*ANSWERED, life.AgentChosen(at(6.7), "bob"), lost)
    assert (after.talker, after.joined_at) == (None, None)


def test_audio_that_was_missing_with_one_agent_was_missing_in_the_call() -> None:
    ended, _ = walk(
        *BRIDGED,
        life.AudioChecked(at(10), Audio.NONE_FROM_AGENT),
        life.AgentVanished(at(20), "bob"),
        life.AudioChecked(at(20.05), Audio.NONE),
        life.Joined(at(20.1)),
        life.AudioChecked(at(24.1), Audio.OK),
        life.Gone(at(65), cause=16),
    )
    assert ended.audio is Audio.NONE_FROM_AGENT
    short, _ = walk(*BRIDGED, life.Gone(at(6), cause=16))
    assert short.audio is Audio.UNKNOWN


def test_without_another_agent_the_message_plays_and_the_talk_stays_a_talk() -> None:
    events = (life.AgentVanished(at(20)), life.MessageStarted(at(20.1)), life.Gone(at(40), cause=16))
    ended, said = walk(*BRIDGED, *events)
    assert said[-2:] == [life.PlayDropMessage(), life.Finish()]
    assert (ended.result, ended.message_at, ended.joined_at) == (Result.BRIDGED, at(20.1), at(5.01))


@pytest.mark.parametrize(("after", "result"), [(0.05, "abandoned"), (2.0, "abandoned"), (2.1, "bridged")])
def test_a_talk_that_the_dialplan_takes_back_is_no_talk_and_the_agent_is_not_left_alone(
    after: float, result: str
) -> None:
    events = (life.MessageStarted(at(5.01 + after)), life.OptedOut(at(9)), life.Gone(at(12), cause=16))
    ended, said = walk(*BRIDGED, *events)
    assert said[-3:] == [life.CustomerLeft("alice"), life.Suppress(), life.Finish()]
    assert (ended.result, ended.agent) == (result, None)
    assert (ended.joined_at, ended.message_at) == (at(5.01), at(5.01 + after)), "the record says both"
    vanished, _ = walk(*BRIDGED, events[0], life.Vanished(at(12)))
    assert vanished.result == result


def test_the_opt_out_key_in_a_talk_proves_a_message_whose_start_was_missed() -> None:
    told, said = walk(*BRIDGED, life.OptedOut(at(12)))
    assert said[-2:] == [life.CustomerLeft("alice"), life.Suppress()]
    assert (told.phase, told.message_at) == (Phase.MESSAGE, at(7.01))
    soon, _ = walk(*BRIDGED, life.OptedOut(at(6)))
    assert soon.message_at == at(6)
    ended, _ = walk(life.MessageStarted(at(12.1)), life.Gone(at(13)), attempt=told)
    assert (ended.result, ended.message_at) == (Result.ABANDONED, at(7.01))


def test_a_join_that_comes_to_nothing_because_the_message_plays_already_is_no_news() -> None:
    chosen = (*ANSWERED, life.AgentChosen(at(6.79), "bob"), life.Entered(at(6.8)))
    told, said = walk(*chosen, life.MessageStarted(at(6.86)))
    assert said[-2:] == [life.Join("bob"), life.FreeAgent("bob")]
    assert step(told, life.JoinFailed(at(6.87))) == (told, ())


def test_every_event_type_is_sampled() -> None:
    assert {kind.__name__ for kind in EVENTS} == {kind.__name__ for kind in life.Event.__subclasses__()}


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.ENDED])
@pytest.mark.parametrize("kind", list(EVENTS))
def test_each_pair_moves_is_ignored_or_is_refused(phase: Phase, kind: type[life.Event]) -> None:
    before = Attempt("a", phase=phase, agent="alice")
    if (phase, kind) in TABLE:
        step(before, EVENTS[kind])
    elif (phase, kind) in IGNORED:
        assert step(before, EVENTS[kind]) == (before, ())
    else:
        with pytest.raises(IllegalTransition, match=f"{kind.__name__} is illegal in phase {phase.value}"):
            step(before, EVENTS[kind])


def test_no_pair_is_both_moved_and_ignored() -> None:
    assert not set(TABLE) & IGNORED


@pytest.mark.parametrize("phase", [p for p in Phase if p not in (Phase.ENDED, Phase.RESERVED)])
def test_every_live_phase_ends_when_the_channel_is_gone(phase: Phase) -> None:
    for event in (EVENTS[life.Gone], EVENTS[life.Vanished], EVENTS[life.NodeLost]):
        ended, said = step(Attempt("a", phase=phase, agent="alice"), event)
        assert ended.phase is Phase.ENDED
        assert said[-1] == life.Finish()


@pytest.mark.parametrize("kind", list(EVENTS))
def test_ended_stays_ended(kind: type[life.Event]) -> None:
    ended, _ = walk(*BRIDGED, life.Gone(at(60)))
    assert step(ended, EVENTS[kind]) == (ended, ())


def _sequence() -> st.SearchStrategy[list[type[life.Event]]]:
    return st.lists(st.sampled_from(list(EVENTS)), max_size=25)


@settings(max_examples=400, deadline=None)
@given(_sequence())
def test_whatever_comes_the_promises_of_the_machine_hold(kinds: list[type[Any]]) -> None:
    attempt, finished, held = Attempt("a"), 0, 0
    for kind in kinds:
        try:
            attempt, commands = step(attempt, EVENTS[kind])
        except IllegalTransition:
            continue
        finished += sum(isinstance(c, life.Finish) for c in commands)
        held += sum(isinstance(c, life.Claim) for c in commands)
        held -= sum(isinstance(c, life.FreeAgent | life.CustomerLeft) for c in commands)
        assert held in (0, 1), "an agent was freed twice or chosen twice"
        assert (attempt.phase is Phase.ENDED) == (attempt.result is not None)
        assert attempt.result is not Result.CANCELLED or attempt.answered_at is None
        assert (attempt.talker is None) == (attempt.joined_at is None), "who talked was joined"
        assert attempt.phase is not Phase.BRIDGED or attempt.talker == attempt.agent
    assert finished == (attempt.phase is Phase.ENDED)
