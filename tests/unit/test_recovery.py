"""Comparing with Asterisk while calls leave and channels end: what a look shows late, or not yet, ends nobody."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from dispatch_support import at
from recovery_support import Rig, rig

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.seat import SeatState
from dialer_engine.engine import actions
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.recovery import Before, Seen, agree

__all__ = ["rig"]

pytestmark = pytest.mark.unit


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


async def test_the_end_of_such_a_call_may_be_among_what_was_kept_in_a_freeze(rig: Rig) -> None:
    """A reply that a freeze outlasted counts as lost, though the call's end is known and only waits to be told."""
    kept = True
    rig.actions.behind = lambda: kept
    rig.asterisk.up["x"] = "Down"
    rig.have("x", Phase.DIALING)
    rig.asterisk.end("x")
    rig.dispatcher.feed("x", life.ReplyLost(utc_now()))
    await rig.quiet()
    assert rig.results == []
    kept = False
    rig.dispatcher.feed("x", life.Gone(utc_now(), 17, 486, "SIP 486 Busy Here"))
    await asyncio.sleep(0.1)
    assert (rig.results, rig.dispatcher.illegal) == ([("x", "busy")], {})


# --- originates that Asterisk does not take -------------------------------------------------------------


async def test_an_originate_to_a_trunk_that_the_node_does_not_know_is_the_trunks_fault(rig: Rig) -> None:
    """Asterisk calls an unknown trunk a channel that exists (409); the look-up tells that there is none."""
    rig.asterisk.trunkless = 409
    rig.send("x")
    await rig.quiet()
    assert rig.asterisk.asked == ["POST /channels/x", "GET /channels/x"]
    assert (rig.results, rig.dispatcher.illegal) == ([("x", "trunk_fault")], {})


async def test_a_comparison_that_looks_such_a_call_up_at_that_moment_says_the_same(rig: Rig) -> None:
    rig.asterisk.trunkless = 409
    rig.send("x")
    await rig.asterisk.websocket.acquire()
    rig.asterisk.meanwhile["/channels"] = rig.asterisk.websocket.release
    await rig.compare()
    assert rig.results == [("x", "trunk_fault")]


async def test_a_channel_that_has_the_id_already_is_left_to_its_own_news(rig: Rig) -> None:
    rig.asterisk.up["x"] = "Ringing"
    rig.send("x")
    await rig.quiet()
    assert (rig.phase("x"), rig.results) == (Phase.DIALING, [])


@pytest.mark.parametrize(("news", "results"), [(life.Ringing, []), (life.Missed, [("x", "unknown")])])
async def test_one_that_was_heard_of_did_leave(
    rig: Rig, news: type[life.Event], results: list[tuple[str, str]]
) -> None:
    rig.asterisk.trunkless = 409
    rig.send("x")
    rig.dispatcher.feed("x", news(utc_now()))
    await rig.quiet()
    assert (rig.results, rig.dispatcher.illegal) == (results, {})


async def test_one_that_cannot_be_looked_up_is_left_to_a_comparison_which_knows_what_was_said(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "LOOK_AGAIN_S", 0.0)
    doubts: list[str] = []
    rig.actions.on_doubt = doubts.append
    rig.asterisk.trunkless = 409
    rig.asterisk.refused["GET /channels/x"] = 1
    rig.send("x")
    await rig.quiet()
    assert (rig.phase("x"), rig.results, doubts) == (Phase.DIALING, [], ["main"])
    await rig.compare()
    assert rig.results == [("x", "trunk_fault")]


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


def lose(rig: Rig) -> None:
    """The node has been away for so long that it counts as lost."""
    agree(rig.dispatcher, rig.legs, "main", Seen.nothing(), Before.now(rig.dispatcher, rig.legs, "main"))


@pytest.mark.parametrize("left_s", [-20, 3600])
async def test_nothing_is_asked_of_a_lost_node_even_by_a_clock_that_went_back(rig: Rig, left_s: int) -> None:
    left = utc_now() + timedelta(seconds=left_s)
    rig.have("x", Phase.DIALING).attempt = Attempt("x", Phase.DIALING, originated_at=left)
    lose(rig)
    await rig.quiet()
    assert (rig.results, rig.asterisk.asked) == ([("x", "unknown")], [])


@pytest.mark.parametrize(
    ("phase", "times", "result"),
    [
        (Phase.RINGING, {}, "unknown"),
        (Phase.WAITING, {"answered_at": at(4)}, "abandoned"),
        (Phase.JOINING, {"answered_at": at(4)}, "abandoned"),
        (Phase.MESSAGE, {"answered_at": at(4), "message_at": at(6)}, "abandoned"),
        (Phase.BRIDGED, {"answered_at": at(4), "joined_at": at(5)}, "bridged"),
    ],
)
async def test_a_node_that_may_only_be_cut_off_is_not_said_to_have_died(
    rig: Rig, phase: Phase, times: dict[str, Any], result: str
) -> None:
    """A call that rang there may have been answered since: as `node_lost` it would be dialed again by itself (P3)."""
    rig.have("x", phase, **times)
    lose(rig)
    await rig.quiet()
    assert (rig.results, rig.asterisk.asked) == ([("x", result)], [])


async def test_an_agents_talk_on_a_lost_node_ends_as_a_talk_with_the_default_disposition(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.asterisk.up["x"] = "Up"
    rig.have("x", Phase.BRIDGED, "alice", answered_at=at(4), joined_at=at(5))
    rig.dispatcher.reseat(rig.dispatcher.calls["x"], "alice")
    lose(rig)
    assert (rig.results, rig.state("alice")) == ([("x", "bridged")], SeatState.OFF)
    assert rig.book.dispositions == [("x", "spring", "alice", None)]


async def test_the_talk_of_a_lost_node_is_given_to_nobody_whose_leg_is_lost_as_well(rig: Rig) -> None:
    rig.asterisk.seat("leg-a", "alice")
    rig.asterisk.seat("leg-b", "bob")
    await rig.compare()
    rig.asterisk.up["x"] = "Up"
    call = rig.have("x", Phase.BRIDGED, "alice", answered_at=at(4), joined_at=at(5))
    rig.dispatcher.reseat(call, "alice")
    seats, before = len(rig.book.seats), Before.now(rig.dispatcher, rig.legs, "main")
    alice_first = Before(before.at, dict.fromkeys(("leg-a", "leg-b")).keys(), before.phases)
    agree(rig.dispatcher, rig.legs, "main", Seen.nothing(), alice_first)
    assert (call.attempt.agent, rig.results) == ("alice", [("x", "bridged")])
    changes = rig.book.seats[seats:]
    assert [change for change in changes if change[0] == "alice"] == [("alice", "wrap"), ("alice", "off")]
    assert [change for change in changes if change[0] == "bob"] == [("bob", "off")]
    assert rig.book.dispositions == [("x", "spring", "alice", None)]


async def test_a_join_of_a_lost_node_frees_nobody_whose_leg_is_lost_as_well(rig: Rig) -> None:
    """Whoever waits is given to agents who are there."""
    for leg, agent in (("leg-a", "alice"), ("leg-b", "bob")):
        rig.asterisk.seat(leg, agent)
    await rig.compare()
    rig.have("x", Phase.RINGING)
    rig.dispatcher.feed("x", life.Answered(utc_now()))
    rig.dispatcher.feed("x", life.Offered(utc_now()))
    rig.dispatcher.feed_seat("bob", chair.PauseKey(utc_now()))
    rig.have("y", Phase.RINGING)
    rig.dispatcher.feed("y", life.Answered(utc_now()))
    rig.dispatcher.feed("y", life.Offered(utc_now()))
    rig.asterisk.up["y"] = "Up"
    rig.asterisk.end("leg-a")
    await rig.compare()
    assert (rig.phase("y"), rig.state("alice")) == (Phase.WAITING, SeatState.OFF)


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


async def test_who_was_left_in_silence_has_the_message_asked_for_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's phone died after the time-out of the dialplan was switched off: nobody else helps this person."""
    monkeypatch.setattr(actions, "LOOK_AGAIN_S", 0.01)
    doubted = asyncio.Event()
    rig.actions.on_doubt = lambda node: doubted.set()
    rig.asterisk.up["x"] = "Up"
    rig.have("x", Phase.BRIDGED, "alice", answered_at=at(4), joined_at=at(5))
    message = "POST /channels/x/continue"
    rig.asterisk.refused[message] = 1
    rig.dispatcher.feed("x", life.AgentVanished(utc_now(), None))
    async with asyncio.timeout(5.0):
        await doubted.wait()
    assert rig.asterisk.asked.count(message) == 1
    await rig.compare()
    assert rig.asterisk.asked.count(message) == 2
    assert rig.phase("x") is Phase.UNCLAIMED


@pytest.mark.parametrize("hears_at_once", [True, False])
async def test_who_has_answered_before_a_lost_cancel_is_known_hears_the_message_to_its_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, hears_at_once: bool
) -> None:
    monkeypatch.setattr(actions, "LOOK_AGAIN_S", 60.0)
    rig.asterisk.up["x"] = "Ringing"
    rig.have("x", Phase.RINGING)
    hang_up = "DELETE /channels/x"
    rig.asterisk.refused[hang_up] = 1
    rig.dispatcher.cancel("x", "no agent is free")
    await rig.quiet()
    assert rig.asterisk.asked.count(hang_up) == 1
    rig.asterisk.up["x"] = "Up"
    if hears_at_once:
        rig.asterisk.hears.add("x")
    await rig.compare()
    rig.asterisk.hears.add("x")
    await rig.compare()
    await rig.compare()
    assert rig.asterisk.asked.count(hang_up) == 1
    assert (rig.phase("x"), rig.dispatcher.illegal) == (Phase.MESSAGE, {})
    rig.asterisk.end("x")
    rig.dispatcher.feed("x", life.Gone(utc_now(), 16))
    assert rig.results == [("x", "abandoned")]


async def test_nobody_is_joined_to_a_person_who_answered_a_line_that_was_cancelled(rig: Rig) -> None:
    """The dialplan plays the message, as it does for everybody whom no engine claims."""
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.asterisk.up["x"] = "Ringing"
    rig.have("x", Phase.RINGING)
    rig.asterisk.refused["DELETE /channels/x"] = 1
    rig.dispatcher.cancel("x", "number was suppressed")
    await rig.quiet()
    rig.asterisk.up["x"] = "Up"
    await rig.compare()
    rig.dispatcher.feed("x", life.Offered(utc_now()))
    await rig.compare()
    assert (rig.phase("x"), rig.state("alice")) == (Phase.WAITING, SeatState.READY)
    rig.dispatcher.feed("x", life.MessageStarted(utc_now()))
    assert (rig.phase("x"), rig.dispatcher.illegal) == (Phase.MESSAGE, {})


@pytest.mark.parametrize(
    ("phase", "state", "event"),
    [
        (Phase.RINGING, "Ringing", life.Cancel(at(20), "no agent is free")),
        (Phase.BRIDGED, "Up", life.AgentHangup(at(20))),
    ],
)
async def test_a_hang_up_that_is_still_meant_is_asked_for_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, phase: Phase, state: str, event: life.Event
) -> None:
    monkeypatch.setattr(actions, "LOOK_AGAIN_S", 60.0)
    rig.asterisk.up["x"] = state
    rig.have("x", phase, **({"answered_at": at(4), "joined_at": at(5)} if phase is Phase.BRIDGED else {}))
    rig.asterisk.refused["DELETE /channels/x"] = 1
    rig.dispatcher.feed("x", event)
    await rig.quiet()
    await rig.compare()
    assert rig.asterisk.asked.count("DELETE /channels/x") == 2
    assert "x" not in rig.asterisk.up


async def test_a_180_that_was_missed_after_a_183_came_when_it_is_seen_at_the_latest(rig: Rig) -> None:
    rig.have("x", Phase.RINGING, ringing_at=at(2), early=True)
    rig.asterisk.up["x"] = "Down"
    await rig.compare()
    assert rig.dispatcher.calls["x"].attempt.ringing_at == at(2)
    rig.asterisk.up["x"] = "Ringing"
    before = utc_now()
    await rig.compare()
    rings = rig.dispatcher.calls["x"].attempt
    assert rings.ringing_at is not None
    assert rings.ringing_at >= before
    await rig.compare()
    assert rig.dispatcher.calls["x"].attempt == rings
