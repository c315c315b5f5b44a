"""The book of a minute: means by time, counts of events, what bounded the level, and calibration by bins."""

from typing import Any

import pytest

from dialer_engine.core.pacing import (
    AgentView,
    CallView,
    Decision,
    LedgerView,
    PacingEvent,
    Snapshot,
    make_pacer,
)
from dialer_engine.core.pacing.history import BINS, EDGES, Bins, Book, Counts, Watched

pytestmark = pytest.mark.unit


def snapshot(now: float, *, agents: tuple[str, ...] = (), flying: int = 0, **more: Any) -> Snapshot:
    """A campaign with agents in these states and so many ringing lines."""
    on_duty = tuple(AgentView(f"a{n}", state, 0.0) for n, state in enumerate(agents))  # type: ignore[arg-type]
    calls = tuple(CallView(f"c{n}", "ringing", 0.0, 1.0) for n in range(flying))
    usual: dict[str, Any] = {"channels_free": 50, "rate_tokens": 50, "queue_due": None, "open": True}
    return Snapshot(
        now=now, agents=on_duty, calls=calls, lines_per_agent=2.0, cancel_before_15s=False, **usual | more
    )


def decision(place: int = 0, bound: Any = "risk", **more: Any) -> Decision:
    return Decision(place, (), more.pop("reasons", (f"because of {bound}",)), bound=bound, **more)


def call(book: Book, name: str, *steps: tuple[str, float], result: str | None = None) -> None:
    """Let a call live through its steps; the last one has the result."""
    for kind, at in steps:
        book.observe(PacingEvent(kind, at, name, "a0", result if kind == "ended" else None))  # type: ignore[arg-type]


def agent(book: Book, name: str, *states: tuple[str, float]) -> None:
    for state, at in states:
        book.observe(PacingEvent("agent", at, agent=name, result=state))


def test_means_are_by_time() -> None:
    book = Book()
    book.decided(snapshot(0.0, agents=("ready", "in_call"), flying=1), decision())
    book.decided(snapshot(1.0, agents=("in_call", "in_call"), flying=4), decision(bound="budget"))
    book.decided(snapshot(1.5, agents=("wrap",), flying=0), decision(bound="budget"))
    minute = book.take(2.0)
    assert minute is not None
    assert minute.seconds == 2.0
    assert minute.level == pytest.approx((1 * 1.0 + 4 * 0.5) / 2)
    assert minute.level_max == 4
    assert minute.agents == {"ready": 0.5, "in_call": 1.0, "wrap": 0.25}
    assert minute.bounds == {"risk": 1.0, "budget": 1.0}


def test_what_several_pools_show_at_a_time_adds_up() -> None:
    book = Book()
    book.decided(snapshot(0.0, agents=("ready",), flying=2), decision(place=1, risks=(0.02,)), "a")
    book.decided(snapshot(0.0, agents=("in_call", "in_call"), flying=3), decision(place=1, risks=(0.2,)), "b")
    book.observe(PacingEvent("placed", 0.1, "x"), "b")
    book.observe(PacingEvent("answered", 0.5, "x"), "b")
    book.observe(PacingEvent("bridged", 0.6, "x"), "b")
    book.decided(snapshot(1.0, agents=("in_call",), flying=0), decision(), "a")
    minute = book.take(2.0)
    assert minute is not None
    assert minute.seconds == 2.0
    assert minute.level == pytest.approx((2 * 1.0 + 3 * 2.0) / 2)
    assert minute.level_max == 5
    assert minute.agents == {"ready": 0.5, "in_call": (2 * 2.0 + 1.0) / 2}
    assert sum(minute.bins.predicted) == 0.2, "the line is judged by its own pool's forecast"


def test_the_longest_bound_wins_with_its_latest_words() -> None:
    book = Book()
    for second, bound, words in ((0, "risk", "a"), (1, "list", "b"), (2, "list", "c"), (3, "budget", "d")):
        book.decided(snapshot(float(second)), decision(bound=bound, reasons=(words, "and so on")))
    minute = book.take(3.2)
    assert minute is not None
    assert (minute.bound, minute.reason) == ("list", "c; and so on")


def test_a_standing_campaign_is_not_believed_for_long() -> None:
    book = Book()
    book.decided(snapshot(0.0, flying=3), decision())
    minute = book.take(60.0)
    assert minute is not None
    assert minute.seconds == 2.0
    assert book.take(120.0) is None, "nobody decided anything in that minute"


def test_a_quiet_minute_is_none_and_a_clock_that_goes_back_counts_nothing() -> None:
    book = Book()
    assert book.take(60.0) is None
    book.decided(snapshot(100.0, flying=3), decision())
    book.decided(snapshot(50.0, flying=3), decision())
    assert book.take(50.0) is None


def test_a_minute_that_spans_two_takes_is_split() -> None:
    book = Book()
    book.decided(snapshot(59.5, flying=2), decision(bound="list"))
    first = book.take(60.0)
    book.decided(snapshot(60.5, flying=6), decision(bound="list"))
    second = book.take(61.0)
    assert first is not None
    assert second is not None
    assert (first.seconds, first.level, second.seconds, second.level) == (0.5, 2.0, 1.0, 4.0)
    assert second.reason == "because of list"


def test_what_happened_is_counted_as_the_law_counts_it() -> None:
    book = Book()
    call(book, "in time", ("placed", 0), ("ringing", 2), ("answered", 8), ("bridged", 9.5), ("ended", 60))
    call(book, "too late", ("placed", 0), ("answered", 8), ("bridged", 10.5), ("ended", 60))
    call(book, "dropped", ("placed", 0), ("answered", 8), ("ended", 10), result="abandoned")
    call(book, "gone at once", ("placed", 0), ("answered", 8), ("ended", 9), result="hung_up")
    call(book, "unknown", ("placed", 0), ("answered", 8), ("ended", 20), result="unknown")
    call(book, "nobody", ("placed", 0), ("ringing", 2), ("ended", 25), result="no_answer")
    call(book, "cut", ("placed", 0), ("ringing", 2), ("ended", 20), result="cancelled")
    minute = book.take(60.0)
    assert minute is not None
    assert minute.counts == Counts(
        placed=7, live=4, abandoned=3, cancelled=1, customer_waits=2, customer_wait_s=4.0
    )
    assert minute.bins == Bins(), "no mode gave these lines a risk"


def test_agents_waits_end_with_a_customer_or_are_not_counted() -> None:
    book = Book()
    agent(book, "a", ("ready", 0), ("reserved", 5), ("in_call", 5.1), ("wrap", 60), ("ready", 70))
    agent(book, "b", ("ready", 0), ("paused", 30), ("ready", 40), ("in_call", 47))
    minute = book.take(80.0)
    assert minute is not None
    assert (minute.counts.agent_waits, minute.counts.agent_wait_s) == (2, 12.0)


def test_who_was_ready_before_the_campaign_began_waits_from_its_beginning() -> None:
    book = Book()
    book.decided(snapshot(100.0, agents=("ready", "paused")), decision())
    agent(book, "a0", ("reserved", 103.0))
    agent(book, "a1", ("ready", 101.0), ("reserved", 102.0))
    minute = book.take(110.0)
    assert minute is not None
    assert (minute.counts.agent_waits, minute.counts.agent_wait_s) == (2, 4.0)


def test_each_answer_is_judged_by_the_risk_its_line_was_placed_with() -> None:
    book = Book()
    book.decided(snapshot(0.0), decision(3, risks=(0.004, 0.05, 0.3)))
    for name in ("first", "second", "third", "without a risk"):
        call(book, name, ("placed", 1))
    book.decided(snapshot(1.0), decision(0))
    call(book, "third", ("answered", 8), ("ended", 10), result="abandoned")
    call(book, "second", ("answered", 8), ("ended", 8.5), result="hung_up")
    call(book, "first", ("answered", 8), ("bridged", 8.1))
    call(book, "without a risk", ("answered", 8), ("bridged", 8.1))
    minute = book.take(20.0)
    assert minute is not None
    assert minute.bins.answers == [1, *[0] * (BINS - 2), 1]
    assert minute.bins.predicted == pytest.approx([0.004, *[0.0] * (BINS - 2), 0.3])
    assert minute.bins.abandoned == [0] * (BINS - 1) + [1]


def test_every_risk_has_its_bin() -> None:
    bins = Bins()
    for risk in (0.0, *EDGES, 1.0):
        bins.add(risk, abandoned=False)
    assert bins.answers == [1] * (BINS - 1) + [2]


def test_memory_is_bounded_by_the_calls_that_are_up() -> None:
    book = Book()
    for n in range(1000):
        call(book, f"c{n}", ("placed", n), ("answered", n), ("bridged", n), ("ended", n))
        call(book, f"d{n}", ("placed", n), ("ended", n), result="no_answer")
        agent(book, f"a{n}", ("ready", n), ("off", n))
    assert not book._lines
    assert not book._ready
    assert not any(book._risks.values())


@pytest.mark.parametrize("mode", ["progressive", "power", "predictive"])
def test_a_watched_pacer_decides_as_it_would_alone(mode: str) -> None:
    book, alone = Book(), make_pacer(mode)
    watched = Watched(make_pacer(mode), book)
    seen = snapshot(1.0, agents=("ready", "ready", "in_call"), ledger=LedgerView(200, 3, 0.03), budget=2)
    assert watched.decide(seen) == alone.decide(seen)
    minute = book.take(2.0)
    assert minute is not None
    assert minute.ledger == LedgerView(200, 3, 0.03)
    assert minute.bound == ("learning" if mode == "predictive" else "agents")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"agents": ("paused",)}, "nobody"),
        ({"open": False}, "closed"),
        ({"queue_due": 0}, "list"),
        ({"channels_free": 1}, "channels"),
        ({"rate_tokens": 1}, "rate"),
        ({"budget": 0, "flying": 0}, "budget"),
        ({}, "agents"),
    ],
)
def test_every_mode_says_what_bounds_it(changes: dict[str, Any], expected: str) -> None:
    seen = snapshot(1.0, **{"agents": ("ready", "ready"), **changes})
    assert make_pacer("power").decide(seen).bound == expected
