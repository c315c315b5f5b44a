"""Comparing with Asterisk while agents' legs come and go: seats, log-outs that the link lost, side channels."""

import pytest
from dispatch_support import at
from recovery_support import Rig, rig
from structlog.testing import capture_logs

from dialer_engine.core.attempt import Phase
from dialer_engine.core.seat import SeatState
from dialer_engine.engine import agents
from dialer_engine.engine.agents import bridge_of, whisper_of
from dialer_engine.engine.recovery import Before, Seen, agree

__all__ = ["rig"]

pytestmark = pytest.mark.unit


# --- legs ---------------------------------------------------------------------------------------------


async def test_a_leg_that_the_engine_does_not_know_takes_its_seat(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    assert rig.state("alice") is SeatState.READY
    assert rig.legs.by_agent == {"alice": "leg"}


async def test_a_known_leg_that_is_gone_loses_its_seat(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.asterisk.end("leg")
    await rig.compare()
    assert rig.state("alice") is SeatState.OFF


async def test_a_leg_that_ends_during_the_look_is_not_raised_again(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.asterisk.meanwhile["/bridges"] = lambda: rig.leg_ends("leg")
    await rig.compare()
    assert rig.state("alice") is SeatState.OFF
    assert rig.legs.by_agent == {}


async def test_a_leg_whose_log_out_the_link_lost_is_hung_up_at_the_next_look(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    rig.asterisk.seat("other", "bob")
    await rig.compare()
    rig.asterisk.cut = True
    assert rig.legs.log_out("alice")
    await rig.quiet()
    assert "leg" in rig.asterisk.up
    rig.asterisk.cut = False
    await rig.compare()
    assert "leg" not in rig.asterisk.up
    assert "other" in rig.asterisk.up
    await rig.compare()
    assert (rig.state("alice"), rig.state("bob")) == (SeatState.OFF, SeatState.READY)
    assert rig.asterisk.asked.count("DELETE /channels/leg") == 2
    await rig.compare()
    assert not rig.legs._leaving


async def test_nobody_is_given_to_a_leg_that_is_to_be_hung_up(rig: Rig) -> None:
    rig.asterisk.seat("leg-a", "alice")
    rig.asterisk.seat("leg-b", "bob")
    await rig.compare()
    rig.asterisk.up["x"] = "Up"
    call = rig.have("x", Phase.BRIDGED, "alice", answered_at=at(4), joined_at=at(5))
    rig.dispatcher.reseat(call, "alice")
    rig.asterisk.cut = True
    assert rig.legs.log_out("bob")
    await rig.quiet()
    rig.asterisk.cut = False
    rig.asterisk.end("leg-a")
    await rig.compare()
    assert rig.phase("x") is Phase.UNCLAIMED, "the message is better than a phone that is hung up"
    assert (rig.state("alice"), rig.state("bob")) == (SeatState.OFF, SeatState.OFF)
    assert "leg-b" not in rig.asterisk.up


async def test_so_is_one_whose_node_counted_as_lost_meanwhile(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.asterisk.cut = True
    rig.legs.log_out("alice")
    await rig.quiet()
    agree(rig.dispatcher, rig.legs, "main", Seen.nothing(), Before.now(rig.dispatcher, rig.legs, "main"))
    rig.asterisk.cut = False
    await rig.compare()
    assert "leg" not in rig.asterisk.up
    assert rig.state("alice") is SeatState.OFF
    await rig.compare()
    assert not rig.legs._leaving


async def test_so_is_one_whose_agent_was_removed(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.legs.known = lambda agent: agent != "alice"
    await rig.compare()
    assert "leg" not in rig.asterisk.up


async def test_who_dials_in_again_after_a_log_out_is_on_duty(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    rig.legs.log_out("alice")
    await rig.quiet()
    rig.legs.gone("leg")
    assert not rig.legs._leaving
    rig.asterisk.seat("new", "alice")
    await rig.compare()
    assert (rig.state("alice"), "new" in rig.asterisk.up) == (SeatState.READY, True)


async def test_a_look_that_ends_earlier_leaves_the_other_its_notes(rig: Rig) -> None:
    rig.asterisk.seat("leg", "alice")
    await rig.compare()
    with rig.legs.noting_ends() as ended:
        await rig.compare()
        rig.leg_ends("leg")
        await rig.compare()
        assert "leg" in ended
    with rig.legs.noting_ends() as ended:
        assert not ended


async def test_a_phone_that_an_agent_left_does_not_throw_out_the_new_one(rig: Rig) -> None:
    rig.asterisk.seat("old", "alice")
    await rig.compare()
    rig.have("x", Phase.BRIDGED, "alice", answered_at=at(4), joined_at=at(5))
    rig.asterisk.up["x"] = "Up"
    rig.asterisk.bridges[bridge_of("alice")].append("x")
    rig.dispatcher.reseat(rig.dispatcher.calls["x"], "alice")
    rig.asterisk.up["new"], rig.asterisk.legs["new"] = "Up", "alice"
    rig.legs.arrived("main", "new", "alice")
    rig.asterisk.meanwhile["/channels"] = lambda: rig.leg_ends("old")
    await rig.compare()
    assert "new" in rig.asterisk.up, "the phone in use was hung up"
    assert rig.legs.by_agent == {"alice": "new"}
    assert (rig.state("alice"), rig.phase("x")) == (SeatState.IN_CALL, Phase.BRIDGED)


# --- side channels for tones ------------------------------------------------------------------------------

SIDE_CHANNEL = f"POST /channels/leg/snoop/{whisper_of('leg')}"


async def seated_without_side_channel(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's leg came while Asterisk refused it the side channel, time after time."""
    monkeypatch.setattr(agents, "WHISPER_PAUSES_S", (0.0, 0.0, 0.0, 0.0))
    rig.asterisk.refused[SIDE_CHANNEL] = 4
    rig.asterisk.up["leg"] = "Up"
    rig.asterisk.legs["leg"] = "alice"
    rig.legs.arrived("main", "leg", "alice")
    with capture_logs() as logs:
        await rig.quiet()
    assert rig.asterisk.asked.count(SIDE_CHANNEL) == 4
    assert [entry["agent"] for entry in logs if entry["log_level"] == "warning"] == ["alice"]


async def test_a_side_channel_that_was_refused_is_tried_for_again_at_a_comparison(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seated_without_side_channel(rig, monkeypatch)
    await rig.compare()
    assert rig.asterisk.asked.count(SIDE_CHANNEL) == 5
    assert whisper_of("leg") in rig.asterisk.up
    await rig.compare()
    assert rig.asterisk.asked.count(SIDE_CHANNEL) == 5, "it is there now"
    assert rig.state("alice") is SeatState.READY


async def test_it_is_not_tried_for_twice_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await seated_without_side_channel(rig, monkeypatch)
    monkeypatch.setattr(agents, "WHISPER_PAUSES_S", (60.0,))
    rig.asterisk.refused[SIDE_CHANNEL] = 10
    await rig.compare()
    await rig.compare()
    assert rig.asterisk.asked.count(SIDE_CHANNEL) == 5


async def test_one_that_is_opened_during_the_look_is_not_missing(rig: Rig) -> None:
    rig.asterisk.up["leg"] = "Up"
    rig.asterisk.legs["leg"] = "alice"
    await rig.asterisk.websocket.acquire()
    rig.legs.arrived("main", "leg", "alice")
    rig.asterisk.meanwhile["/channels"] = rig.asterisk.websocket.release
    await rig.compare()
    assert rig.asterisk.asked.count(SIDE_CHANNEL) == 1


async def test_a_leg_that_ends_during_the_look_gets_none(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await seated_without_side_channel(rig, monkeypatch)
    rig.asterisk.meanwhile["/bridges"] = lambda: rig.leg_ends("leg")
    await rig.compare()
    assert rig.asterisk.asked.count(SIDE_CHANNEL) == 4
