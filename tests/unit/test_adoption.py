"""Taking over the talks of an earlier engine: who sits with whom, and who is alone."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from dispatch_support import START, at
from recovery_support import NUMBER, Rig
from settings_support import write_config

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Phase
from dialer_engine.core.outcome import Result, never_left
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.adoption import Adoption, attempt_of
from dialer_engine.engine.agents import bridge_of
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.plan import ring_window
from dialer_engine.engine.recovery import Seen
from dialer_engine.engine.trunks import Trunks
from dialer_engine.settings.load import load_config
from dialer_engine.store.attempts import LiveAttempt

pytestmark = pytest.mark.unit

TALK: dict[str, Any] = {"answered_at": at(4), "joined_at": at(5), "agent_id": 1, "agent": "alice"}


def live(attempt_id: str, phase: Phase = Phase.BRIDGED, **known: Any) -> LiveAttempt:
    """An attempt as the database has it: by default a talk of alice's."""
    begun: dict[str, Any] = {
        "attempt_id": attempt_id,
        "campaign_id": 1,
        "campaign": "spring",
        "member_id": 1,
        "contact_id": 1,
        "number_id": 1,
        "number": NUMBER,
        "caller_id": "+12105550199",
        "trunk": "main",
        "node": "main",
        "epoch": 1,
        "state": phase.value,
        "local_time": "",
        "reserved_at": START,
        "originated_at": at(1),
        "ringing_at": at(2),
        "message_at": None,
        "dialed_by": None,
        "audio": None,
        "early": False,
        "last_event": 5,
    }
    return LiveAttempt(**(begun | TALK | known))


class Next(Rig):
    """An engine that finds what another one left."""

    def __init__(self, *others: str) -> None:
        super().__init__(*others)
        self.adoption = Adoption(
            self.dispatcher, self.legs, Trunks({}), lambda campaign: None, lambda number: None
        )

    def left(self, customer: str, agent: str, node: str = "main") -> None:
        """A customer is in an agent's bridge on a node."""
        asterisk = self.asterisks[node]
        asterisk.up[customer] = "Up"
        asterisk.bridges.setdefault(bridge_of(agent), []).append(customer)

    async def take_over(self, *attempts: LiveAttempt, node: str = "main", seen: Seen | None = None) -> None:
        seen = seen or await self.compare(node, hang_up_orphans=False)
        self.adoption.adopt_all(attempts, seen)
        self.adoption.care_for_lonely()
        await self.quiet()

    def answer(self, attempt_id: str) -> None:
        """A call of this engine is answered and offered."""
        self.asterisk.up[attempt_id] = "Up"
        self.have(attempt_id, Phase.RINGING)
        self.dispatcher.feed(attempt_id, life.Answered(utc_now()))
        self.dispatcher.feed(attempt_id, life.Offered(utc_now()))

    def asked_for(self, attempt_id: str, node: str = "main") -> list[str]:
        """What was asked for a customer's channel."""
        return [what for what in self.asterisks[node].asked if f"/channels/{attempt_id}" in what]


@pytest.fixture
async def engine() -> AsyncIterator[Next]:
    made = Next("other")
    yield made
    await made.tasks.close()


@pytest.mark.parametrize(("region", "least"), [("US-TX", 20), ("US-FL", 15)])
async def test_a_line_that_rings_must_ring_as_long_as_the_rules_of_its_area_code_say(
    engine: Next, tmp_path: Path, region: str, least: int
) -> None:
    rule = f"rules: [{{regions: [{region}], ring_min_s: 20, by: Jo Doe, reason: counsel}}]\n"
    (tmp_path / "rules.yaml").write_text(rule, encoding="utf-8")
    config = load_config(write_config(tmp_path))
    engine.adoption.ring_window_of = lambda number: ring_window(config, number, START)
    engine.asterisk.up["x"] = "Ringing"
    nobody = dict.fromkeys(TALK)
    await engine.take_over(live("x", Phase.RINGING, number="+12105550100", **nobody))
    assert (engine.phase("x"), engine.dispatcher.calls["x"].ring_min_s) == (Phase.RINGING, least)


def test_of_a_number_in_no_table_nothing_is_known(tmp_path: Path) -> None:
    assert ring_window(load_config(write_config(tmp_path)), "+19995550100", START) is None


@pytest.mark.parametrize("paused", [False, True])
async def test_a_talk_goes_on_with_its_agent(engine: Next, paused: bool) -> None:
    if paused:
        engine.legs.paused.add("alice")
    engine.asterisk.seat("leg", "alice")
    engine.left("x", "alice")
    await engine.take_over(live("x"))
    assert (engine.state("alice"), engine.phase("x")) == (SeatState.IN_CALL, Phase.BRIDGED)
    assert engine.dispatcher.seats["alice"].pause_wanted is paused
    assert engine.book.dispositions == []


async def test_an_agent_who_dialed_in_on_another_node_meanwhile_gets_no_customer_of_the_first(
    engine: Next,
) -> None:
    engine.asterisks["other"].seat("new", "alice")
    await engine.compare("other")
    engine.asterisk.seat("old", "alice")
    engine.left("x", "alice")
    await engine.take_over(live("x"))
    assert "old" not in engine.asterisk.up, "the first leg is hung up"
    seat = engine.dispatcher.seats["alice"]
    assert (seat.state, seat.node, seat.attempt) == (SeatState.READY, "other", None)
    assert engine.phase("x") is Phase.UNCLAIMED
    assert engine.asked_for("x")[-1] == "POST /channels/x/continue", "the message plays"
    engine.dispatcher.feed("x", life.Gone(utc_now(), 16))
    assert engine.book.dispositions == [("x", "spring", "alice", None)]


async def test_another_agent_of_the_node_goes_on_in_that_ones_place(engine: Next) -> None:
    engine.asterisks["other"].seat("new", "alice")
    await engine.compare("other")
    engine.asterisk.seat("old", "alice")
    engine.asterisk.seat("leg", "bob")
    engine.left("x", "alice")
    await engine.take_over(live("x"))
    assert (engine.state("alice"), engine.state("bob")) == (SeatState.READY, SeatState.RESERVED)
    assert "x" in engine.asterisk.bridges[bridge_of("bob")]


async def test_an_agent_who_is_just_dialing_in_gets_no_customer_of_before_and_then_only_one(
    engine: Next,
) -> None:
    engine.left("x", "alice")
    seen = await engine.compare(hang_up_orphans=False)
    engine.asterisk.up["new"], engine.asterisk.legs["new"] = "Up", "alice"
    engine.legs.arrived("main", "new", "alice")
    await engine.take_over(live("x"), seen=seen)
    assert engine.dispatcher.illegal == {}
    assert engine.phase("x") is Phase.UNCLAIMED
    assert engine.state("alice") is SeatState.READY
    engine.answer("y")
    assert engine.dispatcher.calls["y"].attempt.agent == "alice"
    assert engine.asked_for("x")[-1] == "POST /channels/x/continue"


async def test_an_agent_who_has_another_customer_by_now_keeps_that_one(engine: Next) -> None:
    engine.asterisk.seat("leg", "alice")
    await engine.compare()
    engine.answer("y")
    engine.left("x", "alice")
    await engine.take_over(live("x"))
    assert (engine.state("alice"), engine.dispatcher.seats["alice"].attempt) == (SeatState.RESERVED, "y")
    assert engine.phase("x") is Phase.UNCLAIMED


async def test_a_talk_that_ended_while_its_agent_stayed_is_in_wrap(engine: Next) -> None:
    engine.asterisk.seat("leg", "alice")
    await engine.take_over(live("x"))
    assert [state for _, state in engine.book.seats] == ["ready", "reserved", "in_call", "wrap", "ready"]
    assert engine.results == [("x", "bridged")]
    assert engine.book.dispositions == [("x", "spring", "alice", None)], "one, when the wrap time is over"


async def test_who_talks_now_goes_on_though_the_end_of_the_talk_before_is_not_on_record(engine: Next) -> None:
    engine.asterisk.seat("leg", "alice")
    engine.left("y", "alice")
    await engine.take_over(live("x"), live("y", Phase.RINGING, **dict.fromkeys(TALK)))
    assert (engine.state("alice"), engine.dispatcher.seats["alice"].attempt) == (SeatState.IN_CALL, "y")
    assert (engine.phase("y"), engine.results) == (Phase.BRIDGED, [("x", "bridged")])
    assert "POST /channels/y/continue" not in engine.asked_for("y")
    assert engine.book.dispositions == [("x", "spring", "alice", None)]
    assert engine.dispatcher.illegal == {}


@pytest.mark.parametrize(
    ("phase", "known"),
    [
        (Phase.BRIDGED, {}),
        (Phase.JOINING, {}),
        (Phase.MESSAGE, {"agent": None, "agent_id": None, "message_at": at(60)}),
    ],
)
async def test_a_talk_that_ended_and_whose_agent_left_has_the_default_disposition(
    engine: Next, phase: Phase, known: dict[str, Any]
) -> None:
    await engine.take_over(live("x", phase, **known))
    assert engine.results == [("x", "bridged")]
    assert [(given[0], given[3]) for given in engine.book.dispositions] == [("x", None)]
    assert engine.book.disposed_numbers == [NUMBER]
    assert engine.dispatcher.campaign_of_attempt("x") == "", "nobody waits for another one"


@pytest.mark.parametrize(
    ("phase", "known", "result"),
    [
        (Phase.BRIDGED, {}, "bridged"),
        (Phase.MESSAGE, {"joined_at": None, "agent": None, "message_at": at(6)}, "abandoned"),
        (Phase.RINGING, {"answered_at": None, "joined_at": None, "agent": None}, "unknown"),
        (Phase.DIALING, {"answered_at": None, "joined_at": None, "agent": None}, "unknown"),
    ],
)
async def test_what_an_earlier_engine_left_on_a_lost_node_ends_as_what_is_known_of_it(
    engine: Next, phase: Phase, known: dict[str, Any], result: str
) -> None:
    """On a node that stays away, or that the settings do not name any more: nobody knows that Asterisk died there."""
    await engine.take_over(live("x", phase, **known), seen=Seen.nothing())
    assert (engine.results, engine.asterisk.asked) == ([("x", result)], [])


@pytest.mark.parametrize(
    ("phase", "known", "result", "answered"),
    [
        (Phase.MESSAGE, {"joined_at": None, "agent": None, "message_at": at(6)}, "abandoned", at(6)),
        (Phase.BRIDGED, {}, "bridged", at(5)),
        (Phase.MESSAGE, {"joined_at": at(5), "message_at": at(5.5)}, "abandoned", at(5)),
    ],
)
async def test_who_answered_while_no_engine_looked_is_known_by_what_came_after_it(
    engine: Next, phase: Phase, known: dict[str, Any], result: str, answered: datetime
) -> None:
    """The engine that adopted the ringing call ended too; the answer's own time was never written."""
    left = live("x", phase, **({"answered_at": None} | known))
    await engine.take_over(left)
    assert engine.results == [("x", result)]
    assert attempt_of(left, None).answered_at == answered


async def test_an_answer_that_no_engine_saw_is_written_when_its_call_is_taken_over(engine: Next) -> None:
    """This engine may end before anything else happens to the call, as its predecessor did."""
    nobody = dict.fromkeys(TALK)
    engine.asterisk.seat("leg", "alice")
    engine.left("talks", "alice")
    engine.asterisk.up["hears"] = engine.asterisk.up["rings"] = "Up"
    engine.asterisk.hears.add("hears")
    engine.asterisk.up["rings"] = "Ringing"
    found = [live(name, Phase.RINGING, **nobody) for name in ("talks", "hears", "rings")]
    await engine.take_over(*found)
    assert engine.book.events == [
        ("talks", 6, "waiting", True),
        ("talks", 7, "bridged", True),
        ("hears", 6, "waiting", True),
        ("hears", 7, "message", True),
    ]
    assert engine.dispatcher.calls["hears"].attempt.answered_at is not None


@pytest.mark.parametrize(("state", "told"), [("Down", []), ("Ringing", [("x", 6, "ringing", True)])])
async def test_a_180_that_no_engine_saw_after_a_183_is_written_as_of_the_takeover(
    engine: Next, state: str, told: list[object]
) -> None:
    engine.asterisk.up["x"] = state
    before = utc_now()
    await engine.take_over(live("x", Phase.RINGING, early=True, **dict.fromkeys(TALK)))
    attempt = engine.dispatcher.calls["x"].attempt
    assert engine.book.events == told
    assert attempt.early is not bool(told)
    assert attempt.ringing_at is not None
    assert (attempt.ringing_at >= before) is bool(told)


async def test_a_call_that_left_without_a_record_of_it_counts_as_one_that_left(engine: Next) -> None:
    """Its engine died with that record in its hands: who may have heard a phone ring is not called again at once."""
    nobody = dict.fromkeys((*TALK, "ringing_at", "originated_at"))
    engine.asterisk.up["x"] = "Ringing"
    await engine.take_over(live("x", Phase.RESERVED, **nobody))
    assert engine.book.events == [("x", 6, "dialing", True)]
    call = engine.dispatcher.calls["x"]
    assert str(call.attempt.originated_at) == "2026-06-10 16:00:00.500000+00:00", "UTC, wherever Asterisk is"
    engine.dispatcher.cancel("x", "too many")
    engine.dispatcher.feed("x", life.Gone(utc_now()))
    assert engine.results == [("x", "cancelled")]
    assert not never_left(Result.CANCELLED, call.attempt.originated_at)


async def test_what_is_on_record_of_a_call_that_is_taken_over_is_not_written_again(engine: Next) -> None:
    engine.asterisk.seat("leg", "alice")
    engine.left("x", "alice")
    await engine.take_over(live("x"))
    assert engine.book.events == []


@pytest.mark.parametrize("phase", [Phase.JOINING, Phase.UNCLAIMED, Phase.MESSAGE])
def test_who_talked_before_is_known_and_has_the_call_only_in_a_talk(phase: Phase) -> None:
    before = attempt_of(live("x", phase), None)
    assert (before.agent, before.talker) == (None, "alice")
    talk = attempt_of(live("x"), None)
    assert (talk.agent, talk.talker) == ("alice", "alice")


@pytest.mark.parametrize("phase", [Phase.BRIDGED, Phase.JOINING])
async def test_another_agent_who_is_found_in_a_talk_is_written_as_the_one_who_talks(
    engine: Next, phase: Phase
) -> None:
    """This engine may end before the call does, and the next one would know of the first agent only."""
    engine.asterisk.seat("leg", "bob")
    engine.left("x", "bob")
    await engine.take_over(live("x", phase))
    assert engine.book.events == [("x", 6, "bridged", True)]
    attempt = engine.dispatcher.calls["x"].attempt
    assert (attempt.phase, attempt.talker, attempt.joined_at) == (Phase.BRIDGED, "bob", at(5))
    assert engine.state("bob") is SeatState.IN_CALL


async def test_a_call_that_nobody_talked_in_has_none(engine: Next) -> None:
    await engine.take_over(live("x", Phase.RINGING, answered_at=None, joined_at=None, agent=None))
    assert engine.results == [("x", "unknown")]
    assert engine.book.dispositions == []


async def test_what_the_database_forgot_of_a_call_that_was_sent_does_not_make_it_one_that_never_left(
    engine: Next,
) -> None:
    """A replica that went on in the database's place lacks its last second: what was sent was perhaps heard (P3)."""
    engine.send("sent")
    await engine.quiet()
    engine.dispatcher.feed("sent", life.Gone(utc_now(), 17))
    ended, written = engine.results, len(engine.book.events)
    nobody = dict.fromkeys((*TALK, "ringing_at", "originated_at"))
    left = [live(name, Phase.RESERVED, **nobody, last_event=0) for name in ("sent", "kept")]
    assert engine.adoption.end_forgotten(left) == 2
    assert engine.results[len(ended) :] == [("sent", "unknown"), ("kept", "cancelled")]
    assert engine.book.events[written:] == [("sent", 1, "dialing", True)]
    assert engine.dispatcher.illegal == {}
