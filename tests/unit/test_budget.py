"""P9: whatever people answer and however agents come free, the limit on abandoned calls is never passed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer_engine.core.budget import Admission, Budget, Exposure, budget
from dialer_engine.core.ledger import (
    LIMITS,
    AbandonLimit,
    Counts,
    Ledger,
    allowed,
    counts_of,
)
from dialer_engine.core.ledger import CallTimes as Times
from dialer_engine.core.pacing import AgentView, CallView, Snapshot, make_pacer

pytestmark = pytest.mark.unit

START = datetime(2026, 6, 10, 16, 0, tzinfo=UTC)
DAY = START.date()


@dataclass
class Line:
    """A call of the simulated campaign."""

    id: str
    country: str
    state: str = "dialing"
    rang: float = 0.0
    agent: str | None = None
    cancelled: bool = False


@dataclass
class Room:
    """A campaign's floor with its own agents; the ledger is shared by all rooms of one seller and offer."""

    name: str
    ledger: Ledger
    agents: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    others: list[Room] = field(default_factory=list)
    now: datetime = START
    made: int = 0
    mode: str = "power"
    lines_per_agent: float = 10.0

    def exposure(self) -> Exposure:
        flying = Counter(line.country for line in self.lines.values() if line.state != "message")
        lost = Counter(line.country for line in self.lines.values() if line.state == "message")
        for line in self.lines.values():
            if line.cancelled and line.state != "message":
                flying[line.country] -= 1
                lost[line.country] += 1
        free = sum(state in ("ready", "reserved") for state in self.agents.values())
        return Exposure(free, +flying, +lost)

    def budget(self) -> Budget:
        return budget(self.ledger, self.now, self.exposure(), [room.exposure() for room in self.others])

    def snapshot(self, given: int) -> Snapshot:
        return Snapshot(
            now=0.0,
            agents=tuple(AgentView(name, state, 0.0) for name, state in self.agents.items()),
            calls=tuple(
                CallView(line.id, line.state, 0.0, line.rang)
                for line in self.lines.values()
                if not line.cancelled
            ),
            lines_per_agent=self.lines_per_agent,
            channels_free=1000,
            rate_tokens=1000,
            queue_due=None,
            cancel_before_15s=False,
            open=True,
            budget=given,
            ending=sum(line.cancelled for line in self.lines.values()),
        )

    def dial(self, countries: list[str]) -> None:
        """One pass of the runner: decide, cancel, reserve within the rooms of each country, send."""
        left = self.budget()
        decision = make_pacer(self.mode).decide(self.snapshot(left.lines_at_risk))
        for cancelled in decision.cancel:
            self.lines[cancelled].cancelled = True
        admission = Admission(left)
        for n in range(decision.place):
            country = countries[n % len(countries)]
            if not admission.admit(country):
                continue
            self.made += 1
            line = Line(f"{self.name}{self.made}", country)
            self.lines[line.id] = line
            self.ledger.began(country, self.now.date())

    def answer(self, line: Line) -> None:
        """The person answers: a free agent takes the call, else it waits; a cancelled one gets nobody."""
        ready = next((name for name, state in self.agents.items() if state == "ready"), None)
        if line.cancelled or ready is None:
            line.state = "waiting"
            return
        line.state, line.agent = "waiting", ready
        self.agents[ready] = "reserved"

    def join(self, line: Line) -> None:
        """The agent's bridge has the customer: a live answer once the disposition is known."""
        assert line.agent is not None
        self.agents[line.agent] = "in_call"
        self.count(line, Counts(connected=1))
        del self.lines[line.id]

    def abandon(self, line: Line) -> None:
        """Nobody came in time: the drop message."""
        line.state = "message"

    def end(self, line: Line) -> None:
        """The line is gone; one that heard the message is in the ledger from now on."""
        if line.state == "message":
            self.count(line, Counts(abandoned=1))
        del self.lines[line.id]

    def count(self, line: Line, counts: Counts) -> None:
        self.ledger.add(line.country, self.now.date(), counts)

    def serve(self, agent: str) -> None:
        """An agent becomes ready and takes who waits, unless the line is being cancelled."""
        self.agents[agent] = "ready"
        for line in self.lines.values():
            if line.state == "waiting" and line.agent is None and not line.cancelled:
                line.agent = agent
                self.agents[agent] = "reserved"
                return


def check(ledger: Ledger, now: datetime) -> None:
    """The promise: 2 abandoned before 100 live answers, then floor(share x live answers)."""
    for country, limit in ledger.limits.items():
        days = {day for known, day in ledger.days if known == country} | {now.date()}
        for day in days:
            counts = ledger.counts(country, day)
            most = 2 if counts.live < 100 else int(limit.share * counts.live)
            assert counts.abandoned <= most, (country, day, counts)


STEPS = st.sampled_from(
    ["dial", "dial", "ring", "ring", "answer", "answer", "answer", "no_answer", "drop", "end", "join", "wrap"]
)


def step(room: Room, what: str, pick: int, countries: list[str]) -> None:
    """Carry out one thing that can happen, to the `pick`-th line or agent it can happen to."""
    lines = list(room.lines.values())
    if what == "dial":
        room.dial(countries)
        return
    if what == "wrap":
        busy = [name for name, state in room.agents.items() if state in ("in_call", "wrap", "off")]
        if busy:
            room.serve(busy[pick % len(busy)])
        return
    fitting = {
        "ring": [x for x in lines if x.state == "dialing" and not x.cancelled],
        "answer": [x for x in lines if x.state in ("dialing", "ringing")],
        "no_answer": [x for x in lines if x.state in ("dialing", "ringing")],
        "join": [x for x in lines if x.state == "waiting" and x.agent],
        "drop": [x for x in lines if x.state == "waiting" and not x.agent],
        "end": [x for x in lines if x.state == "message"],
    }[what]
    if not fitting:
        return
    line = fitting[pick % len(fitting)]
    if what == "ring":
        line.state, line.rang = "ringing", float(pick % 40)
    elif what == "answer":
        room.answer(line)
    elif what == "join":
        room.join(line)
    elif what == "drop":
        room.abandon(line)
    else:
        room.end(line)


HISTORY = st.lists(
    st.tuples(
        st.integers(0, 1), STEPS, st.integers(0, 50), st.lists(st.sampled_from(["US", "CA"]), min_size=1)
    ),
    max_size=250,
)


@settings(max_examples=200, deadline=None)
@given(
    history=HISTORY,
    agents=st.integers(1, 6),
    lines=st.floats(1.0, 10.0),
    earned=st.integers(0, 400),
    wasted=st.integers(0, 20),
    later=st.lists(st.integers(0, 90), max_size=3),
)
def test_no_order_of_answers_passes_the_limit(
    history: list[tuple[int, str, int, list[str]]],
    agents: int,
    lines: float,
    earned: int,
    wasted: int,
    later: list[int],
) -> None:
    ledger = Ledger()
    spent = min(wasted, allowed(LIMITS["US"], earned))
    ledger.add("US", DAY, Counts(connected=earned - spent if earned > spent else 0, abandoned=spent))
    if ledger.counts("US", DAY).abandoned > allowed(LIMITS["US"], ledger.counts("US", DAY).live):
        return
    rooms = [
        Room(name, ledger, {f"{name}{n}": "ready" for n in range(agents)}, lines_per_agent=lines)
        for name in ("a", "b")
    ]
    rooms[0].others, rooms[1].others = [rooms[1]], [rooms[0]]
    pauses = {len(history) * (n + 1) // 4: hours for n, hours in enumerate(later)}
    for n, (which, what, pick, countries) in enumerate(history):
        if n in pauses:
            for room in rooms:
                room.now += timedelta(hours=pauses[n])
                for line in [x for x in room.lines.values() if x.state == "message"]:
                    room.end(line)
        step(rooms[which], what, pick, countries)
        check(ledger, rooms[0].now)
    for room in rooms:  # the worst end: everybody still on a line answers at once, and no agent comes free
        for line in list(room.lines.values()):
            if line.state in ("dialing", "ringing"):
                room.answer(line)
        for line in list(room.lines.values()):
            if line.agent:
                room.join(line)
            else:
                room.abandon(line)
                room.end(line)
            check(ledger, room.now)


@settings(max_examples=100, deadline=None)
@given(history=HISTORY, agents=st.integers(1, 5), leaves=st.lists(st.integers(0, 249), max_size=8))
def test_an_agent_who_leaves_costs_at_most_the_line_that_rang_for_them(
    history: list[tuple[int, str, int, list[str]]], agents: int, leaves: list[int]
) -> None:
    """Lines without an agent are ended at once; only an answer that crosses the cancel is too many."""
    ledger = Ledger()
    room = Room("a", ledger, {f"a{n}": "ready" for n in range(agents)})
    crossed = 0
    for n, (_, what, pick, _) in enumerate(history):
        step(room, what, pick, ["US"])
        ready = [name for name, state in room.agents.items() if state == "ready"]
        if n in leaves and ready:
            room.agents[ready[0]] = "paused"
            room.dial(["US"])
            own = room.exposure()
            waiting = sum(line.state == "waiting" and not line.cancelled for line in room.lines.values())
            ending = sum(line.cancelled for line in room.lines.values())
            assert own.lines - own.free <= max(waiting, room.budget().lines_at_risk + ending, 0)
            crossed += 1
    counts = ledger.counts("US", DAY)
    assert counts.abandoned <= allowed(LIMITS["US"], counts.live) + crossed * agents


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (Times(at(0), at(1), at(5), None, at(6.9), at(60)), Counts(doubtful=1)),
        (Times(at(0), at(1), at(5), None, at(7.0), at(60)), Counts(doubtful=1)),
        (Times(at(0), at(1), at(5), None, at(7.001), at(60)), Counts(abandoned=1)),
        (Times(at(0), at(1), at(5), at(6.9), None, at(20)), Counts(abandoned=1, messages=1)),
        (Times(at(0), at(1), at(5), at(7.5), None, at(20)), Counts(abandoned=1)),
        (Times(at(0), at(1), at(5), at(6.85), at(6.8), at(20)), Counts(abandoned=1, messages=1)),
        (Times(at(0), at(1), at(5), at(7.02), at(5.02), at(20)), Counts(abandoned=1)),
        (Times(at(0), at(1), at(5), at(7.03), at(5.02), at(20)), Counts(doubtful=1)),
        (Times(at(0), at(1), at(5), None, None, at(6.9)), Counts(short=1)),
        (Times(at(0), at(1), at(5), None, None, at(7.0)), Counts(abandoned=1)),
        (Times(at(0), at(1), at(5), None, None, at(5.5), ended_by_us=True), Counts(abandoned=1)),
        (Times(at(0), at(1), at(5), None, None, at(5.5), unknown=True), Counts(abandoned=1)),
        (Times(at(0), at(1), None, None, None, at(25)), Counts()),
        (Times(at(0), at(1), None, None, None, at(25), ended_by_us=True), Counts()),
        (Times(at(0), at(1), None, None, None, at(15.9), ended_by_us=True), Counts(rung_short=1)),
        (Times(at(0), None, None, None, None, at(1), ended_by_us=True), Counts()),
        (Times(at(0), None, None, None, None, at(9), unknown=True), Counts(abandoned=1)),
        (Times(None, None, None, None, None, at(9), unknown=True), Counts()),
        (Times(at(0), at(1), at(5), None, at(6), at(9), machine=True), Counts()),
        (
            Times(at(0), at(1), at(5), None, None, at(9), machine=True, ended_by_us=True),
            Counts(machine_hangups=1),
        ),
    ],
)
def test_attempts_are_judged_by_their_times(times: Times, expected: Counts) -> None:
    assert counts_of(times) == expected


@pytest.mark.parametrize(
    ("live", "us", "canada"),
    [
        (0, 2, 2),
        (99, 2, 2),
        (100, 3, 5),
        (133, 3, 6),
        (134, 4, 6),
        (1000, 30, 50),
        (1100, 33, 55),
        (700, 21, 35),
    ],
)
def test_the_limit_in_numbers(live: int, us: int, canada: int) -> None:
    assert allowed(LIMITS["US"], live) == us
    assert allowed(LIMITS["CA"], live) == canada


@given(share=st.fractions(0, 1, max_denominator=1000), live=st.integers(0, 10_000))
def test_a_limit_that_holds_goes_on_holding(share: Fraction, live: int) -> None:
    limit = AbandonLimit(share, "days")
    assert allowed(limit, live) <= allowed(limit, live + 1)
    assert allowed(limit, live) <= 2 or allowed(limit, live) <= share * live


def test_machine_hang_ups_count_a_share_of_people() -> None:
    counts = Counts(connected=90, abandoned=1, machine_hangups=21)
    assert counts.counted_abandoned == 3
    assert counts.live == 93


def test_periods_follow_each_other_in_the_us_and_are_months_in_canada() -> None:
    ledger = Ledger()
    for day in range(65):
        for country in ("US", "CA"):
            ledger.add(country, DAY + timedelta(days=day), Counts(connected=1))
    assert ledger.counts("US", DAY + timedelta(days=29)).live == 30
    assert ledger.counts("US", DAY + timedelta(days=30)).live == 30
    assert ledger.counts("US", DAY + timedelta(days=60)).live == 5
    assert ledger.counts("CA", DAY).live == 21  # 10 to 30 June
    assert ledger.counts("CA", DAY + timedelta(days=21)).live == 31  # July


def test_the_end_of_a_period_takes_what_both_periods_leave() -> None:
    ledger = Ledger()
    ledger.add("US", DAY, Counts(connected=1000, abandoned=3))
    end = datetime(2026, 7, 10, tzinfo=UTC)
    assert ledger.left("US", end - timedelta(minutes=3)) == 27
    assert ledger.left("US", end - timedelta(minutes=1)) == 2
    assert ledger.left("US", end) == 2


def test_an_earlier_day_moves_the_first_period() -> None:
    ledger = Ledger()
    ledger.began("US", DAY)
    ledger.began("US", DAY - timedelta(days=3))
    ledger.began("US", DAY + timedelta(days=9))
    assert ledger.period("US", DAY) == DAY - timedelta(days=3)


def view(count: int, state: str, rang: float = 0.0) -> tuple[CallView, ...]:
    return tuple(CallView(f"{state}{n}", state, 0.0, rang) for n in range(count))


def floor_of(
    agents: list[str], calls: tuple[CallView, ...], left: int | None, lines: float = 5.0
) -> Snapshot:
    seats = tuple(AgentView(f"a{n}", state, 0.0) for n, state in enumerate(agents))
    return Snapshot(0.0, seats, calls, lines, 1000, 1000, None, False, True, left)


@pytest.mark.parametrize(
    ("agents", "calls", "left", "expected"),
    [
        (["ready"] * 4, (), 0, 4),  # nothing left: one line per free agent, the campaign goes on
        (["ready"] * 4, (), -7, 4),
        (["ready"] * 4, (), 2, 6),
        (["ready"] * 4, (), 100, 20),
        (["ready"] * 4, (), None, 20),
        (["ready"] * 2, view(2, "dialing"), 0, 0),
        (["ready"] * 2, view(2, "dialing"), 1, 1),
        (["ready", "reserved"], view(1, "waiting") + view(1, "ringing"), 0, 0),  # each has an agent
        (["ready", "reserved"], view(1, "waiting"), 0, 1),
        (["ready", "in_call"], view(1, "bridged"), 0, 1),
    ],
)
def test_power_never_goes_beyond_the_budget(
    agents: list[str], calls: tuple[CallView, ...], left: int | None, expected: int
) -> None:
    assert make_pacer("power").decide(floor_of(agents, calls, left)).place == expected


def test_reasons_say_the_budget_in_numbers() -> None:
    decision = make_pacer("power").decide(floor_of(["ready"] * 3, (), 2))
    assert (
        "the law leaves 2 abandoned calls: 3 free agents and 2 lines beyond them: held to 5"
        in decision.reasons
    )


def test_lines_an_agent_left_behind_end_at_once_when_the_budget_is_used_up() -> None:
    calls = (
        CallView("young", "ringing", 0.0, 2.0),
        CallView("old", "ringing", 0.0, 16.0),
        CallView("silent", "dialing", 0.0, 0.0),
        CallView("older", "ringing", 0.0, 9.0),
    )
    gone = floor_of(["ready", "paused", "paused"], calls, 1)
    decision = make_pacer("power").decide(gone)
    assert decision.place == 0
    assert decision.cancel == ("old", "silent")
    assert "4 lines" not in decision.reasons[0]
    assert "3 lines at risk, the law leaves 1 abandoned calls: 2 cancelled at once" in decision.reasons


def test_of_lines_that_must_end_those_go_first_that_rang_as_long_as_their_place_asks_for() -> None:
    calls = (
        CallView("must ring on", "ringing", 0.0, 19.0, ring_min_s=20),
        CallView("rang enough", "ringing", 0.0, 19.0),
        CallView("silent", "dialing", 0.0, 0.0),
    )
    decision = make_pacer("power").decide(floor_of(["ready", "paused", "paused"], calls, 0))
    assert decision.cancel == ("rang enough", "silent")


def admitted(left: Budget, countries: str) -> str:
    """Which of these lines, U and C, get in, one after the other."""
    admission = Admission(left)
    names = {"U": "US", "C": "CA"}
    return "".join(c if admission.admit(names[c]) else "-" for c in countries)


def test_a_country_with_few_answers_binds_only_its_own_lines() -> None:
    ledger = Ledger()
    ledger.add("US", DAY, Counts(connected=2000, abandoned=10))
    left = budget(ledger, START, Exposure(free=3, flying={"US": 10, "CA": 1}))
    assert (left.left, left.main, left.lines_at_risk) == ({"US": 50, "CA": 2}, "US", 50)
    assert admitted(left, "UCUCUC") == "UCU-U-"
    crowded = budget(ledger, START, Exposure(free=3, flying={"US": 10, "CA": 3}))
    assert crowded.lines_at_risk == 2
    assert admitted(crowded, "UC") == "--"


def test_every_free_agent_gets_a_line_when_nothing_is_left() -> None:
    ledger = Ledger()
    ledger.add("US", DAY, Counts(connected=50, abandoned=2))
    left = budget(ledger, START, Exposure(free=3))
    assert (left.left["US"], left.lines_at_risk) == (0, 0)
    assert admitted(left, "UUUUU") == "UUU--"
    assert admitted(left, "UUUCC") == "UUU--", "a fourth line puts a call to the US at risk, wherever it goes"
    assert admitted(left, "CCCCCCU") == "CCCCC--"


def test_lines_within_the_free_agents_are_never_at_risk() -> None:
    left = Budget({"US": -5, "CA": -1}, Exposure(free=4, flying={"US": 2}), "US")
    assert admitted(left, "CUCU") == "CU--"


def test_the_main_country_decides_how_many_lines_are_tried() -> None:
    ledger = Ledger()
    ledger.add("US", DAY, Counts(connected=40, abandoned=2))
    ledger.add("CA", DAY, Counts(connected=10))
    assert budget(ledger, START, Exposure(free=1)).lines_at_risk == 0
    ledger.add("CA", DAY, Counts(connected=50))
    assert budget(ledger, START, Exposure(free=1)).lines_at_risk == 2


def test_another_campaign_of_the_same_offer_uses_the_same_budget() -> None:
    ledger = Ledger()
    ledger.add("US", DAY, Counts(connected=1000))
    other = Exposure(free=2, flying={"US": 12}, lost={"US": 3}, promised=5)
    assert budget(ledger, START, Exposure(), [other]).left["US"] == 30 - 3 - 15
