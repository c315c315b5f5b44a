"""Trunks at run time: which is used, what they learn from calls, and how departures wait their turn."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest
from dispatch_support import Floor, at, reservation
from structlog.testing import capture_logs

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.breaker import FAULTS, BreakerState
from dialer_engine.core.gate.rules.live_call import RINGS_ON
from dialer_engine.core.outcome import Result
from dialer_engine.core.slots import GUARD_S, CallSlots
from dialer_engine.engine.agents import Legs
from dialer_engine.engine.audio_check import AudioCheck
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.departures import Departures
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.translate import Translator
from dialer_engine.engine.trunk_watch import RELEASE_S, TrunkWatch, code_of, is_fault
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari import models as ari
from dialer_engine.settings.carriers import SHIPPED, load_carriers
from dialer_engine.settings.models import Account, Trunk

pytestmark = pytest.mark.unit

CODES = load_carriers(SHIPPED).codes
REFUSED = "SIP 503 Service Unavailable"
TINY_S = 1e-6


def trunk(**changes: object) -> Trunk:
    return Trunk.model_validate({"host": "127.0.0.1", "calls_per_second": 50, "max_channels": 20} | changes)


class Line:
    """A watch over two trunks, `main` and `spare`, and calls that it can see."""

    def __init__(self, **changes: object) -> None:
        self.floor = Floor()
        self.trunks = Trunks({"main": trunk(**changes), "spare": trunk()})
        self.watch = TrunkWatch(self.floor.dispatcher, self.trunks, CODES)
        self.floor.dispatcher.on_finished = self.watch.finished
        self.main = self.trunks.lines["main"]

    def dial(self, name: str, contact: int = 1, sent: datetime | None = None, node: str = "main") -> None:
        booked = replace(reservation(name, node=node), contact_id=contact)
        self.floor.dispatcher.adopt(Call(booked, "spring", Attempt(name), utc_now()))
        self.main.active += 1
        self.floor.dispatcher.feed(name, life.Sent(sent or utc_now(), 22))

    def refuse(self, name: str, code: int = 503, said: str = REFUSED) -> Result | None:
        meaning = self.watch.meaning(name, code, said)
        self.floor.dispatcher.feed(name, life.Gone(utc_now(), 34, code, said, meaning))
        return meaning

    def ring(self, name: str) -> None:
        self.floor.dispatcher.feed(name, life.Ringing(utc_now()))
        self.watch.rang(name)

    def answer(self, name: str) -> None:
        self.floor.dispatcher.feed(name, life.Answered(utc_now()))
        self.watch.rang(name)

    def ring_long_ago(self, name: str) -> None:
        """A call that left and rang while the trunk still worked."""
        self.dial(name, contact=100, sent=utc_now() - timedelta(seconds=90))
        self.ring(name)


async def test_a_trunk_at_fault_is_passed_over_but_for_its_probes() -> None:
    line = Line()
    for number in range(FAULTS):
        line.dial(f"c{number}")
        assert line.refuse(f"c{number}") is Result.TRUNK_FAULT
    names, now = ["main", "spare"], time.monotonic()
    assert line.main.breaker.state is BreakerState.OPEN
    first = line.trunks.first_free(names, now)
    assert first is not None
    assert first.name == "spare"
    assert line.trunks.resting(names, now) == ["trunk main is at fault (last: 503), next try in 1 s"]
    probe = line.trunks.first_free(names, now + 2.0)
    assert probe is line.main
    assert line.main.departures(now + 2.0) == 1
    line.dial("probe")
    line.ring("probe")
    assert line.main.breaker.state is BreakerState.CLOSED
    assert line.trunks.resting(names, now) == []


async def test_a_trunk_whose_calls_asterisk_does_not_take_is_left_alone() -> None:
    line = Line()
    for number in range(FAULTS):
        line.dial(f"c{number}")
        assert line.main.breaker.state is BreakerState.CLOSED
        line.floor.dispatcher.feed(f"c{number}", life.Refused(utc_now(), "500"))
    assert line.main.breaker.state is BreakerState.OPEN


async def test_a_clock_that_was_set_back_while_a_call_rang_hides_no_fault() -> None:
    line = Line()
    line.dial("before", sent=utc_now() + timedelta(hours=1))
    line.ring("before")
    for number in range(2 * FAULTS):  # one of the first may count as sent just before the ringing
        line.dial(f"c{number}")
        line.refuse(f"c{number}")
    assert line.main.breaker.state is BreakerState.OPEN


async def test_a_node_that_is_cut_off_holds_up_no_calls_of_other_nodes_on_the_same_trunk() -> None:
    line, left = Line(calls_per_second=2), []
    for name, node in (("a", "node2"), ("b", "main")):
        line.dial(name, node=node)
        line.main.leave(time.monotonic() - 2.0, name)
    for name in ("c", "d"):
        line.main.queue.add(name, lambda name=name: not left.append(name))  # type: ignore[misc]
    assert line.main.wait(time.monotonic()) == float("inf")
    before = time.monotonic()
    line.watch.link_lost("node2")
    least, most = line.main.wait(time.monotonic()), line.main.wait(before)
    assert least - TINY_S <= 1.0 + GUARD_S <= most + TINY_S, "it is counted as if it had left now"
    for _ in range(1000):
        if left:
            break
        await asyncio.sleep(0.01)
    assert time.monotonic() - before >= 1.0 + GUARD_S - TINY_S
    assert left == ["c"]
    assert line.main.wait(time.monotonic()) == float("inf"), (
        "the node that is there still owes word of its call"
    )


async def test_an_ended_call_still_counts_for_the_channels_for_a_moment() -> None:
    woken = []
    line = Line(max_channels=1)
    line.watch.wake = lambda: woken.append(True)
    line.dial("a")
    line.refuse("a")
    assert (line.main.active, line.main.channels_free()) == (0, 0)
    await asyncio.sleep(RELEASE_S + 0.05)
    assert line.main.channels_free() == 1
    assert woken


async def test_a_contact_refused_alone_again_and_again_is_its_numbers_fault_at_last() -> None:
    line, meanings = Line(), []
    for number in range(9):
        line.dial(f"c{number}", contact=7)
        call = line.floor.dispatcher.calls[f"c{number}"]
        meanings.append(line.refuse(f"c{number}", 403, "SIP 403 Forbidden"))
        if meanings[-1] is Result.TRUNK_FAULT:
            assert line.watch.delay_after_fault(call) >= timedelta(seconds=1)
        line.dial(f"o{number}", contact=8)
        line.ring(f"o{number}")
        line.floor.dispatcher.feed(f"o{number}", life.Gone(utc_now(), 17, 486, "SIP 486 Busy", Result.BUSY))
    assert meanings == [Result.TRUNK_FAULT] * 7 + [Result.FAILED] * 2
    assert line.main.breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("end", ["talk", "ring time over", "answer", "ringing missed"])
async def test_what_becomes_of_calls_that_rang_before_does_not_hide_that_a_trunk_refuses_everything(
    end: str,
) -> None:
    line = Line()
    for number in range(FAULTS * 3):
        if end == "ringing missed":
            line.dial(f"old{number}", contact=100, sent=utc_now() - timedelta(seconds=90))
            line.floor.dispatcher.feed(f"old{number}", life.Missed(utc_now()))
        else:
            line.ring_long_ago(f"old{number}")
        if end == "talk":
            line.answer(f"old{number}")
    refused = 0
    while line.main.breaker.state is BreakerState.CLOSED and refused < FAULTS * 3:
        line.dial(f"c{refused}")
        line.refuse(f"c{refused}")
        if end == "answer":
            line.answer(f"old{refused}")
        else:
            line.floor.dispatcher.feed(f"old{refused}", life.Gone(utc_now(), 16))
        refused += 1
    assert refused == FAULTS
    assert line.main.breaker.state is BreakerState.OPEN


@pytest.mark.parametrize("sign", ["rings", "answers", "is busy"])
async def test_the_first_word_about_a_call_shows_that_the_trunk_works_whichever_it_is(sign: str) -> None:
    line = Line()
    for number in range(FAULTS * 3):
        line.dial(f"c{number}")
        line.refuse(f"c{number}")
        line.dial(f"o{number}")
        if sign == "rings":
            line.ring(f"o{number}")
        elif sign == "answers":
            line.answer(f"o{number}")
        else:
            gone = life.Gone(utc_now(), 17, 486, "SIP 486 Busy", Result.BUSY)
            line.floor.dispatcher.feed(f"o{number}", gone)
    assert line.main.breaker.state is BreakerState.CLOSED


async def test_ends_of_old_talks_are_no_others_who_get_through_while_a_contact_is_refused() -> None:
    line, meanings, delays = Line(), [], []
    for number in range(9):
        line.ring_long_ago(f"old{number}")
        line.answer(f"old{number}")
    for number in range(9):
        line.dial(f"c{number}", contact=7)
        call = line.floor.dispatcher.calls[f"c{number}"]
        meanings.append(line.refuse(f"c{number}", 403, "SIP 403 Forbidden"))
        delays.append(line.watch.delay_after_fault(call).total_seconds())
        line.floor.dispatcher.feed(f"old{number}", life.Gone(utc_now(), 16))
    assert meanings == [Result.TRUNK_FAULT] * 9
    assert delays == [1.0] * 9


@pytest.mark.parametrize(("code", "said"), [(408, ""), (407, "SIP 407 Proxy Authentication Required")])
async def test_a_silent_contact_has_peace_for_a_while(code: int, said: str) -> None:
    line = Line()
    line.dial("a", sent=utc_now() - timedelta(seconds=7))
    call = line.floor.dispatcher.calls["a"]
    line.refuse("a", code, said)
    assert line.watch.delay_after_fault(call) == RINGS_ON
    assert line.main.breaker.last_code == "no response"


START = datetime.fromisoformat("2026-06-10T16:00:00+00:00")


def ended(seconds: float, said: str | None, **changes: object) -> Attempt:
    attempt = Attempt("x", originated_at=START, ended_at=START + timedelta(seconds=seconds), said=said)
    return replace(attempt, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attempt", "fault", "code"),
    [
        (ended(6.4, "", result=Result.TRUNK_FAULT), True, "no response"),
        (ended(4.0, "", result=Result.CANCELLED, cancel_reason="nobody is free"), True, "cancelled"),
        (ended(1.0, "", result=Result.CANCELLED, cancel_reason="nobody is free"), False, "cancelled"),
        (
            ended(22.0, "SIP 100 Trying", result=Result.NO_ANSWER, ended_by=life.EndedBy.ENGINE),
            True,
            "ring time over",
        ),
        (ended(9.0, "SIP 100 Trying", result=Result.CANCELLED, cancel_reason="no"), False, "cancelled"),
        (ended(9.0, "SIP 486 Busy", result=Result.BUSY, sip_code=486), False, "486"),
        (ended(9.0, None, result=Result.UNKNOWN), False, "none"),
        (ended(9.0, None, result=Result.BRIDGED, answered_at=START), False, "200"),
    ],
)
def test_what_tells_of_a_fault(attempt: Attempt, fault: bool, code: str) -> None:
    assert (is_fault(attempt), code_of(attempt)) == (fault, code)


def test_trunks_of_one_account_share_its_limits() -> None:
    shared = {"both": Account(calls_per_second=2, max_channels=3)}
    trunks = Trunks({"a": trunk(account="both"), "b": trunk(account="both"), "c": trunk()}, shared)
    one, two, other = (trunks.lines[name] for name in "abc")
    one.active = 2
    assert (one.channels_free(), two.channels_free(), other.channels_free()) == (1, 1, 20)
    one.leave(100.0, "x")
    assert one.wait(100.0) == two.wait(100.0) == pytest.approx(0.5)
    assert other.wait(100.0) == 0.0
    two.leave(100.6, "y")
    assert one.wait(102.0) == float("inf"), "nobody knows yet whether x is out"
    trunks.on_wire("a", "x", 102.0)
    assert two.wait(102.0) == pytest.approx(1.05)
    trunks.apply({"a": trunk(account="both"), "b": trunk(), "c": trunk()}, shared)
    assert two.wait(102.0) == 0.0


@pytest.mark.parametrize("account", [None, "alone"])
@pytest.mark.parametrize("word", ["on_wire", "no_word"])
async def test_a_trunk_that_leaves_its_account_still_gives_it_word_of_its_calls(
    account: str | None, word: str
) -> None:
    accounts = {name: Account(calls_per_second=1, max_channels=9) for name in ("both", "alone")}
    trunks = Trunks({"a": trunk(account="both"), "b": trunk(account="both")}, accounts)
    now, queue = time.monotonic(), trunks.lines["b"].queue
    trunks.lines["a"].leave(now - 2.0, "left")
    trunks.apply({"a": trunk(account=account), "b": trunk(account="both")}, accounts)
    queue.add("next", lambda: True)
    assert (trunks.lines["b"].wait(now), len(queue)) == (float("inf"), 1)
    getattr(trunks, word)("a", "left", now - 1.5)
    assert (trunks.lines["b"].wait(now), len(queue)) == (float("inf"), 0), "the next one left"
    trunks.on_wire("b", "next", now)
    assert trunks.lines["b"].wait(now) == pytest.approx(1.0 + GUARD_S)


class Gate:
    """A line whose wait the test sets."""

    def __init__(self) -> None:
        self.seconds = float("inf")
        self.left: list[str] = []

    def wait(self, now: float) -> float:
        return self.seconds

    def leave(self, now: float, call: str) -> None:
        self.left.append(call)
        self.seconds = float("inf")


async def test_calls_leave_in_order_one_at_each_word_and_a_cancelled_one_takes_no_turn() -> None:
    gate, may = Gate(), {"a": True, "b": False, "c": True}
    queue = Departures(gate)
    for name in may:
        queue.add(name, lambda name=name: may[name])  # type: ignore[misc]
    assert (gate.left, len(queue)) == ([], 3)
    gate.seconds = 0.0
    queue.pump()
    assert (gate.left, len(queue)) == (["a"], 2)
    gate.seconds = 0.01
    queue.pump()
    assert gate.left == ["a"]
    gate.seconds = 0.0
    for _ in range(200):
        if not len(queue):
            break
        await asyncio.sleep(0.01)
    assert gate.left == ["a", "c"], "the timer let it go, b had no turn"


async def test_a_long_queue_whose_calls_may_not_leave_any_more_ends_at_once() -> None:
    """The end of each is a word for which the queue waits, and so asks for the next."""
    line, names = Line(max_channels=2000), [f"call {number}" for number in range(1000)]
    line.main.slots.begin(time.monotonic())
    dispatcher = line.floor.dispatcher

    def send(name: str) -> bool:
        dispatcher.cancel(name, "dialing stopped before the call left")
        return False

    for name in names:
        dispatcher.adopt(Call(reservation(name), "spring", Attempt(name), utc_now()))
        line.main.active += 1
        line.main.queue.add(name, lambda name=name: send(name))  # type: ignore[misc]
    assert len(line.main.queue) == len(names)
    line.main.slots = CallSlots(50.0)
    line.main.queue.pump()
    assert (len(line.main.queue), dispatcher.calls, line.main.active) == (0, {}, 0)
    assert [ended[0] for ended in line.floor.book.ended] == names


CHANNEL = ari.Channel(
    id="a",
    name="PJSIP/trunk-main-00000001",
    state="Down",
    caller=ari.CallerID(name="", number=""),
    connected=ari.CallerID(name="", number=""),
    accountcode="",
    dialplan=ari.DialplanCEP(context="outbound", exten="s", priority=1, app_name="", app_data=""),
    creationtime="2026-06-10T16:00:00.000+0000",
    language="en",
    protocol_id="",
)


def translator_of(line: Line) -> Translator:
    legs = Legs({}, Tasks(), lambda name: False)
    audio = AudioCheck({}, line.floor.dispatcher, line.trunks, Tasks())
    return Translator(line.floor.dispatcher, legs, line.watch, audio)


@pytest.mark.parametrize(("saved", "errors"), [("1", 0), ("0", 1), ("", 1)])
async def test_an_opt_out_is_heard_whether_asterisks_script_saved_it_or_not(saved: str, errors: int) -> None:
    line = Line()
    about = {"application": "dialer", "timestamp": utc_now().isoformat()}
    told = {"eventname": "OptOut", "Number": "+12105550108", "Member": "7", "Saved": saved}
    said = ari.ChannelUserevent(**about, eventname="OptOut", userevent=told, channel=CHANNEL)
    with capture_logs() as logs:
        translator_of(line).on_event("main", said)
    assert line.floor.book.opt_outs == [("a", "+12105550108", "7")]
    assert [entry["attempt"] for entry in logs if entry["log_level"] == "error"] == ["a"] * errors


async def test_asterisks_words_reach_attempt_and_trunk() -> None:
    line = Line()
    line.dial("a")
    line.main.leave(time.monotonic(), "a")
    translator = translator_of(line)
    about = {"application": "dialer", "timestamp": utc_now().isoformat()}
    translator.on_event("main", ari.Dial(**about, dialstatus="", peer=CHANNEL))
    assert line.main.slots._sent["a"] is not None
    told = {"eventname": "CarrierSaid", "Text": "SIP 603 Network Blocked"}
    said = ari.ChannelUserevent(**about, eventname="CarrierSaid", userevent=told, channel=CHANNEL)
    gone = ari.ChannelDestroyed(**about, cause=21, cause_txt="", channel=CHANNEL, tech_cause=603)
    translator.on_event("main", said)
    translator.on_event("main", gone)
    assert line.floor.book.ended[-1][2] == "blocked"
    assert translator._said == {}


async def test_a_phone_that_rings_after_a_183_may_ring_as_long_as_any_other() -> None:
    """Asterisk tells a 183 as the progress of a dial, a 180 as the channel's new state."""
    line = Line()
    line.dial("a", sent=at(0))
    call, translator = line.floor.dispatcher.calls["a"], translator_of(line)
    progress = ari.Dial(
        application="dialer", timestamp=at(0.5).isoformat(), dialstatus="PROGRESS", peer=CHANNEL
    )
    rings = msgspec.structs.replace(CHANNEL, state="Ringing")
    alerting = ari.ChannelStateChange(application="dialer", timestamp=at(7).isoformat(), channel=rings)
    for event, rang_s in ((progress, 15.5), (alerting, 9.0), (progress, 9.0)):
        translator.on_event("main", event)
        assert call.rang_for(at(16)) == rang_s
    line.floor.dispatcher.feed("a", life.Gone(at(20), 17, 486, "SIP 486 Busy Here"))
    assert list(line.main.health._minute(int(time.monotonic() // 60)).delays) == [7000.0]


@pytest.mark.parametrize(
    ("state", "context", "suppressed", "result"),
    [
        ("Up", "drop-message", True, "abandoned"),
        ("Up", "drop-message", False, "abandoned"),
        ("Up", "outbound", True, "abandoned"),
        ("Up", "outbound", False, "hung_up"),
        ("Ringing", "outbound", True, "cancelled"),
        ("Ringing", "outbound", False, "no_answer"),
    ],
)
async def test_a_call_that_was_answered_while_no_link_was_there_does_not_end_as_an_unanswered_one(
    state: str, context: str, suppressed: bool, result: str
) -> None:
    """An opt-out from the script's file may cancel it before a comparison has seen the answer."""
    line = Line()
    line.dial("a")
    line.floor.dispatcher.feed("a", life.Ringing(utc_now()))
    if suppressed:
        line.floor.dispatcher.cancel("a", "number was suppressed")
    translator_of(line).on_event("main", destroyed(state, context, utc_now()))
    assert line.floor.book.ended == [("a", line.floor.book.ended[0][1], result)]
    assert line.floor.dispatcher.illegal == {}


def destroyed(state: str, context: str, when: datetime) -> ari.ChannelDestroyed:
    """The end of a call that was in a state and a context of the dialplan."""
    about = {"application": "dialer", "timestamp": when.isoformat()}
    plan = ari.DialplanCEP(context=context, exten="s", priority=1, app_name="", app_data="")
    there = msgspec.structs.replace(CHANNEL, state=state, dialplan=plan)
    return ari.ChannelDestroyed(**about, cause=16, cause_txt="", channel=there)


WAITED: list[life.Event] = [life.Answered(at(5)), life.Offered(at(5))]
CHOSEN: list[life.Event] = [*WAITED, life.AgentChosen(at(5), "alice")]
TALKED: list[life.Event] = [*CHOSEN, life.Entered(at(5)), life.Joined(at(5.1))]


@pytest.mark.parametrize(
    ("seen", "phase", "ended_s", "context", "result"),
    [
        (WAITED, Phase.WAITING, 6.9, "drop-message", "abandoned"),
        (WAITED, Phase.WAITING, 6.9, "outbound", "hung_up"),
        ([*CHOSEN, life.ClaimLost(at(6))], Phase.UNCLAIMED, 6.9, "drop-message", "abandoned"),
        ([*CHOSEN, life.ClaimLost(at(6))], Phase.UNCLAIMED, 6.9, "outbound", "hung_up"),
        (CHOSEN, Phase.JOINING, 6.9, "drop-message", "abandoned"),
        (CHOSEN, Phase.JOINING, 6.9, "outbound", "hung_up"),
        (TALKED, Phase.BRIDGED, 6.9, "drop-message", "abandoned"),
        (TALKED, Phase.BRIDGED, 60, "drop-message", "abandoned"),
        (TALKED, Phase.BRIDGED, 60, "outbound", "bridged"),
        ([*TALKED, life.AgentVanished(at(50), None)], Phase.UNCLAIMED, 60, "drop-message", "bridged"),
    ],
)
async def test_a_call_whose_message_began_while_no_link_was_there_ends_as_one_that_heard_it(
    seen: list[life.Event], phase: Phase, ended_s: float, context: str, result: str
) -> None:
    """With the message in the record it is no hang-up within 2 s, and a talk that was taken back is none."""
    line = Line()
    line.floor.dispatcher.on_finished = line.floor.finished.append
    line.dial("a", sent=at(1))
    line.floor.on_duty("alice")
    line.floor.dispatcher.feed_seat("alice", chair.Reserved(at(5), "a"))
    for event in seen:
        line.floor.dispatcher.feed("a", event)
    assert line.floor.dispatcher.calls["a"].phase is phase
    translator_of(line).on_event("main", destroyed("Up", context, at(ended_s)))
    [ended] = line.floor.finished
    assert ended.attempt.result == result
    assert (ended.attempt.message_at is not None) is (context == "drop-message")
    assert line.floor.dispatcher.illegal == {}
