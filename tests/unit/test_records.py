"""What the engine writes about a call names the number and the Member: the database may lack the attempt."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from dispatch_support import START, at, reservation
from structlog.testing import capture_logs

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.gate import Limits
from dialer_engine.core.outcome import Result
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.prompts import Prompt
from dialer_engine.engine.record import Records
from dialer_engine.engine.registry import Agent
from dialer_engine.engine.writer import Writer
from dialer_engine.settings.models import Campaign
from dialer_engine.store.attempts import AttemptEnd, Disposed
from dialer_engine.store.batch import Record
from dialer_engine.store.opt_outs import OptOutGiven

pytestmark = pytest.mark.unit

NUMBER = "+12105550100"


async def _nothing(*given: object) -> None:
    """Neither a connection nor a lease is asked for here."""


class Book:
    """Records of one campaign, `spring` of `acme`, and what they put into the writer."""

    def __init__(self, home: Path) -> None:
        self.writer = Writer(_nothing, home / "held", home / "rejected.jsonl", 1, _nothing)
        self.records = Records(self.writer, GateClock())
        settings = Campaign(
            name="spring",
            member="acme",
            lists=["june"],
            trunks=["main"],
            caller_ids=["+12105550177"],
            dispositions={"8": {"code": "dnc", "label": "Do not call", "suppress": True}},  # type: ignore[dict-item]
        )
        self.plan = CampaignPlan(
            settings, 1, 1, Prompt("x", "v"), Limits(3, 6, {"bridged": timedelta(days=1)})
        )
        self.records.plans = {"spring": self.plan}
        ended = Attempt("x", phase=Phase.ENDED, ended_at=START, result=Result.BRIDGED)
        self.call = Call(reservation("x"), "spring", ended, START)

    @property
    def put(self) -> list[Record]:
        return [each.record for each in self.writer._memory]


def walk(attempt: Attempt, *events: life.Event) -> Attempt:
    for event in events:
        attempt, _ = life.step(attempt, event)
    return attempt


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_an_end_says_whom_it_was_about(book: Book) -> None:
    book.records.attempt_end(book.call, life.Gone(at(9)))
    [end] = book.put
    assert isinstance(end, AttemptEnd)
    assert (end.number, end.campaign, end.member) == (NUMBER, "spring", "acme")


@pytest.mark.parametrize("then", [life.Gone(at(20.1), 16), life.Vanished(at(20.1)), life.NodeLost(at(20.1))])
def test_the_record_names_the_last_agent_who_talked_not_one_who_was_only_chosen(
    book: Book, then: life.Event
) -> None:
    book.records.agents = {name: Agent(n, name, "", None) for n, name in enumerate(("alice", "bob"), start=1)}
    waiting = Attempt("x", Phase.WAITING, originated_at=at(1), answered_at=at(5))
    chosen = walk(waiting, life.AgentChosen(at(5), "alice"))
    talking = walk(chosen, life.Entered(at(5.01)), life.Joined(at(5.02)))
    lost = walk(talking, life.AgentVanished(at(20), "bob"))
    for attempt in (lost, chosen, walk(lost, life.Joined(at(20.05)))):
        book.records.attempt_end(replace(book.call, attempt=walk(attempt, then)), then)
    ends = [each for each in book.put if isinstance(each, AttemptEnd)]
    assert [(end.agent_id, end.joined_at) for end in ends] == [(1, at(5.02)), (None, None), (2, at(5.02))]


def test_a_call_that_never_left_is_soon_due_again_and_not_counted(book: Book) -> None:
    unsent = Attempt("x", phase=Phase.ENDED, ended_at=START, result=Result.CANCELLED)
    sent = replace(unsent, originated_at=START)
    for attempt in (unsent, sent):
        book.records.attempt_end(replace(book.call, attempt=attempt), life.Gone(at(9)))
    ends = [each for each in book.put if isinstance(each, AttemptEnd)]
    assert [(end.counted, end.final) for end in ends] == [(False, False), (True, True)]
    assert ends[0].retry_at is not None


@pytest.mark.parametrize(
    ("after_s", "counted", "code", "words"),
    [(6.5, True, None, "no response after SIP 407 Not Yet"), (0.3, False, 407, "SIP 407 Not Yet")],
)
def test_silence_after_a_challenge_is_counted_and_a_refusal_of_our_password_is_not(
    book: Book, after_s: float, counted: bool, code: int | None, words: str
) -> None:
    gone = life.Gone(at(after_s), 21, 407, "SIP 407 Not Yet", Result.TRUNK_FAULT)
    book.call.attempt = walk(Attempt("x"), life.Sent(at(0), 22), gone)
    book.records.attempt_end(book.call, gone)
    [end] = book.put
    assert isinstance(end, AttemptEnd)
    assert (end.result, end.counted, end.sip_code, end.cause_text) == ("trunk_fault", counted, code, words)


def test_whom_a_call_of_unknown_outcome_may_have_reached_is_left_to_the_gate(book: Book) -> None:
    lost = Attempt("x", phase=Phase.ENDED, originated_at=START, ended_at=START, result=Result.UNKNOWN)
    for limits in (Limits(3, 6, {"unknown": None}), Limits(3, 6, {"unknown": timedelta(days=1)})):
        book.records.plans = {"spring": replace(book.plan, limits=limits)}
        book.records.attempt_end(replace(book.call, attempt=lost), life.Vanished(at(9)))
    never, later = [each for each in book.put if isinstance(each, AttemptEnd)]
    assert (never.final, never.retry_at, never.counted) == (False, None, True)
    assert not later.final
    assert later.retry_at is not None


def test_a_do_not_call_says_whom_it_forbids_also_when_a_reload_took_the_campaign_away(book: Book) -> None:
    book.records.disposition("x", "spring", "ana", "dnc", at(9), book.call)
    book.records.plans = {}
    book.records.disposition("x", "spring", "ana", "dnc", at(9), replace(book.call, plan=book.plan))
    for disposed in book.put:
        assert isinstance(disposed, Disposed)
        assert (disposed.code, disposed.suppress) == ("dnc", True)
        assert (disposed.number, disposed.member) == (NUMBER, "acme")
    assert len(book.put) == 2


def test_the_key_is_recorded_with_what_is_known_of_the_call_or_what_asterisk_said(book: Book) -> None:
    book.records.opt_out("x", book.call, "", "", at(9))
    book.records.opt_out("gone", None, "+12105550101", "7", at(9))
    with capture_logs() as logs:
        book.records.opt_out("odd", None, "", "7", at(9))
    assert [entry["attempt"] for entry in logs] == ["odd"]
    assert book.put == [
        OptOutGiven("x", NUMBER, "acme", at(9)),
        OptOutGiven("gone", "+12105550101", "7", at(9)),
    ]
