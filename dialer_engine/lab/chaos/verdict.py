"""What a fault did, judged by the carrier's ledger, the phones, and the database beside the carrier's calls.

The people of a fault run are called at most once: no result is tried again within hours. So a second call to
a number is a double dial, whenever it comes, and who was called must not be due again either. They end each call
themselves, and the agents end none: an answered call that our side ended was cut, unless the drop message was over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from dialer_engine.core.outcome import Result
from dialer_engine.lab.chaos.stillness import silent_since
from dialer_engine.lab.chaos.talks import Talk, talks
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import quantile
from dialer_engine.lab.people import Oracle

SILENCE_S = 2.0
MEASURING_S = 0.2
"""The carrier needs 40 ms of sound to notice it, in frames of 20 ms, on a machine that does other things too."""
JUST_BEFORE_S = SILENCE_S + MEASURING_S
"""Who answered so long before a fault may not have heard anybody yet."""
NOT_ANSWERED = frozenset(
    {Result.NO_ANSWER, Result.BUSY, Result.CONGESTION, Result.NOT_IN_SERVICE, Result.REJECTED, Result.BLOCKED,
     Result.CANCELLED, Result.FAILED, Result.TRUNK_FAULT}
)  # fmt: skip
ANSWERED = frozenset({Result.BRIDGED, Result.ABANDONED, Result.HUNG_UP})
NOBODY_KNOWS = frozenset({Result.UNKNOWN, Result.NODE_LOST})


@dataclass(frozen=True, slots=True)
class Record:
    """One call record: number, result, and when the call ended (seconds since 1970)."""

    number: str
    result: str
    ended_at: float


@dataclass(frozen=True, slots=True)
class DueAgain:
    """A contact who was called and was due again too soon; when, and when the call was, by the gate's clock, as text.

    `due` is None when the gate had to refuse another call.
    """

    number: str
    due: str | None
    called: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database holds in the end: records, the tries that contacts are charged, and suppressed numbers.

    `due_again` are contacts who waited for a second call.
    """

    records: Sequence[Record] = ()
    tries: Mapping[str, int] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()
    due_again: Sequence[DueAgain] = ()


@dataclass(frozen=True, slots=True)
class Witness:
    """What one world's carrier, phones and database tell; without what is `kept` nothing is compared with records.

    `message_s` is how long the drop message takes with the wait behind it.
    """

    calls: Sequence[CarrierCall]
    heard: Sequence[Heard] = ()
    kept: Kept | None = None
    oracle: Oracle | None = None
    message_s: float = 0.0


@dataclass(slots=True)
class Seen:
    """What the rounds of one fault saw in one world.

    `recovery_s`: seconds until the carrier saw a new call, one for each round. `answer_ratios`: p95 from answer to
    agent during the fault by that without it, one for each round that has both. `spans`: from before each round's
    fault until dialing went on; `began`: when the newest round did. `excused`: the times in which what a fault makes no
    promise of may happen. `cpu_busy`: the share of the machine that was busy in the round in which most was, 0 to 1.
    """

    rounds: int = 0
    recovery_s: list[float] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    answer_ratios: list[float] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    excused: list[tuple[float, float]] = field(default_factory=list)
    began: float = float("inf")
    cpu_busy: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """The line of one fault in the table; `evidence` says what stands behind every count.

    `calls_up` is the least of all rounds: calls that a person had answered when the fault came. `lived_through` of
    these still went on when dialing did. `messages` are people who got the drop message instead of an agent.
    `cpu_busy` is the share of the machine's CPUs, 0 to 1, that was busy in the round in which most was: on a machine
    that has none left audio is torn, and phones do not hear what was said.
    """

    fault: str
    rounds: int
    calls: int
    calls_up: int
    lived_through: int
    messages: int
    calls_cut: int
    left_alone: int
    silent_answers: int
    double_dials: int
    forbidden: int
    opt_outs_lost: int
    cdrs_lost: int
    cdrs_doubled: int
    cdrs_wrong: int
    charged: int
    stuck: int
    recovery_p95_s: float | None
    answer_p95_ratio: float | None = None
    cpu_busy: float = 0.0
    broken: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The row as it goes into the file of `--json`."""
        return asdict(self)


COUNTS = (
    "calls_cut", "left_alone", "silent_answers", "double_dials", "forbidden", "opt_outs_lost",
    "cdrs_lost", "cdrs_doubled", "cdrs_wrong", "charged", "stuck",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Promise:
    """What a fault may cost: counts that must be zero, and the longest p95 of the recovery in seconds.

    `excused` are counts that must be zero outside of the times that the fault itself names. Whoever is called by an
    engine or a node that dies just then is charged though no call came of it, so only some faults promise `charged`.
    `answer_ratio` is how much longer p95 from answer to agent may be, in the median of the rounds; None for a fault
    that does not measure it or promises nothing.
    """

    zero: tuple[str, ...] = tuple(name for name in COUNTS if name != "charged")
    excused: tuple[str, ...] = ()
    recovery_s: float = 5.0
    answer_ratio: float | None = None

    def charging_nobody(self) -> Promise:
        """The same promise, and nobody is charged for a call that the carrier did not see."""
        return replace(self, zero=(*self.zero, "charged"))

    def excusing(self, *counts: str) -> Promise:
        """The same promise, but that these counts need not be zero while the fault lasts."""
        return replace(self, excused=(*self.excused, *counts))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong, when (None: at no moment of its own) and in words."""

    at: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Tally:
    """One world's findings by the name of their count, and its calls in numbers."""

    seen: Seen
    found: Mapping[str, Sequence[Finding]]
    calls: int
    calls_up: int | None
    lived_through: int
    messages: int

    def outside(self, name: str) -> int:
        """How many findings of a count lie outside of the times that the faults excuse."""
        return sum(not self._excused(each) for each in self.found[name])

    def _excused(self, finding: Finding) -> bool:
        at = finding.at
        return at is not None and any(low <= at <= high for low, high in self.seen.excused)


def tally(told: Witness, seen: Seen) -> Tally:
    """Count what went wrong in one world."""
    spoken = talks(told.calls, told.heard)
    up = [_up_through(spoken, span) for span in seen.spans]
    return Tally(
        seen,
        {
            "calls_cut": [_cut(talk) for talk in spoken if talk.cut(told.message_s)],
            "left_alone": [
                found for talk in spoken if (found := _alone(talk) or _still(talk, told)) is not None
            ],
            "silent_answers": [_silence(call) for call in told.calls if is_silent(call)],
            "double_dials": _double_dials(told.calls, told.kept),
            "forbidden": [Finding(None, text) for text in _objections(told)],
            "stuck": [Finding(None, text) for text in seen.stuck],
            **_compared(told.calls, spoken, told.kept),
        },
        calls=len(told.calls),
        calls_up=min((up for up, _ in up), default=None),
        lived_through=sum(through for _, through in up),
        messages=sum(talk.message for talk in spoken),
    )


def row_of(fault: str, promise: Promise, tallies: Sequence[Tally]) -> Row:
    """Sum up the worlds of one fault, and say which promises were broken."""
    counts = {name: sum(len(each.found[name]) for each in tallies) for name in COUNTS}
    broken = [name for name in promise.zero if _breaks(name, promise, tallies)]
    recoveries = sorted(second for each in tallies for second in each.seen.recovery_s)
    p95 = quantile(recoveries, 0.95) if recoveries else None
    broken += ["recovery_p95_s"] if p95 is not None and p95 > promise.recovery_s else []
    ratios = [ratio for each in tallies for ratio in each.seen.answer_ratios]
    ratio = round(median(ratios), 2) if ratios else None
    slower = ratio is not None and promise.answer_ratio is not None and ratio > promise.answer_ratio
    broken += ["answer_p95_ratio"] if slower else []
    return Row(
        fault,
        rounds=sum(each.seen.rounds for each in tallies),
        calls=sum(each.calls for each in tallies),
        calls_up=min((each.calls_up for each in tallies if each.calls_up is not None), default=0),
        lived_through=sum(each.lived_through for each in tallies),
        messages=sum(each.messages for each in tallies),
        **counts,
        recovery_p95_s=p95,
        answer_p95_ratio=ratio,
        cpu_busy=round(max((each.seen.cpu_busy for each in tallies), default=0.0), 2),
        broken=(*broken, *(text for each in tallies for text in each.seen.broken)),
        evidence=tuple(
            f"{name}: {each.words}" for name in COUNTS for one in tallies for each in one.found[name]
        ),
    )


def _breaks(name: str, promise: Promise, tallies: Sequence[Tally]) -> bool:
    if name in promise.excused:
        return any(each.outside(name) for each in tallies)
    return any(each.found[name] for each in tallies)


def _up_through(spoken: Sequence[Talk], span: tuple[float, float]) -> tuple[int, int]:
    """How many talks were going on when the fault came, and how many of them still did when dialing went on."""
    began, over = span
    up = [talk.call for talk in spoken if (talk.call.answered_at or 0.0) < began < talk.call.until]
    return len(up), sum(call.until > over for call in up)


def _double_dials(calls: Iterable[CarrierCall], kept: Kept | None) -> list[Finding]:
    placed = Counter(call.number for call in calls)
    twice = [f"{number}: called {count} times" for number, count in placed.items() if count > 1]
    again = [_again(each) for each in kept.due_again] if kept is not None else []
    return [Finding(None, words) for words in (*twice, *again)]


def _again(found: DueAgain) -> str:
    when = "due again too soon and refused by the gate" if found.due is None else f"due again at {found.due}"
    return f"{found.number}: {when}, though called at {found.called}"


def _compared(
    calls: Sequence[CarrierCall], spoken: Sequence[Talk], kept: Kept | None
) -> dict[str, list[Finding]]:
    """What the database holds beside the carrier's calls; nothing when it was not read."""
    if kept is None:
        return {name: [] for name in ("opt_outs_lost", "charged", "cdrs_wrong", "cdrs_lost", "cdrs_doubled")}
    held = Counter(record.number for record in kept.records)
    placed = Counter(call.number for call in calls)
    return {
        "opt_outs_lost": _lost_opt_outs(spoken, kept.suppressed),
        "charged": [
            Finding(None, f"{number}: {tries} tries, {placed[number]} calls")
            for number, tries in kept.tries.items()
            if tries > placed[number]
        ],
        "cdrs_wrong": _wrong_records(calls, spoken, kept.records),
        "cdrs_lost": [
            Finding(None, f"{n}: {c} calls, {held[n]} records") for n, c in placed.items() if held[n] < c
        ],
        "cdrs_doubled": [
            Finding(None, f"{n}: {held[n]} records of {c} calls") for n, c in placed.items() if held[n] > c
        ],
    }


def _wrong_records(
    calls: Iterable[CarrierCall], spoken: Iterable[Talk], records: Iterable[Record]
) -> list[Finding]:
    """Records of which the carrier and the phones say that it was not so; one that admits not to know is not wrong."""
    result = {record.number: record.result for record in records if record.result not in NOBODY_KNOWS}
    talk_of = {talk.call.number: talk for talk in spoken}
    found = []
    for call in calls:
        said, talk = result.get(call.number), talk_of.get(call.number)
        if said is None:
            continue
        if call.answered_at is None and said in ANSWERED:
            found.append(Finding(call.ended_at, f"{call.number}: nobody answered, recorded as {said}"))
        elif call.answered_at is not None and said in NOT_ANSWERED:
            found.append(Finding(call.answered_at, f"{call.number}: answered, recorded as {said}"))
        elif talk is not None and talk.heard and said != Result.BRIDGED:
            found.append(
                Finding(call.answered_at, f"{call.number}: talked with an agent, recorded as {said}")
            )
    return found


def _objections(told: Witness) -> list[str]:
    return told.oracle.objections(told.calls) if told.oracle is not None else []


def _lost_opt_outs(spoken: Iterable[Talk], suppressed: frozenset[str]) -> list[Finding]:
    return [
        Finding(talk.call.nine_at, f"{talk.call.number}: pressed 9 in the message, and is not suppressed")
        for talk in spoken
        if talk.opted_out and talk.call.number not in suppressed
    ]


def of_the_carrier(records: Iterable[Record], calls: Iterable[CarrierCall]) -> list[Record]:
    """The records but those of trunk faults that are more than the carrier's calls: it never saw these."""
    kept = list(records)
    surplus = Counter(record.number for record in kept)
    surplus.subtract(call.number for call in calls)
    found = []
    for record in kept:
        if record.result == Result.TRUNK_FAULT and surplus[record.number] > 0:
            surplus[record.number] -= 1
        else:
            found.append(record)
    return found


def is_silent(call: CarrierCall) -> bool:
    """Whether a person who answered heard nothing for longer than the law and the measuring allow."""
    until = call.heard_at or call.ended_at
    if not call.answered_human or call.answered_at is None or until is None:
        return False
    return until - call.answered_at > SILENCE_S + MEASURING_S


def _silence(call: CarrierCall) -> Finding:
    return Finding(call.answered_at, _words(call, "silence"))


def _cut(talk: Talk) -> Finding:
    return Finding(talk.call.ended_at, _words(talk.call, "cut"))


def _alone(talk: Talk) -> Finding | None:
    """The finding of a person who was without the agent for too long."""
    gap = talk.gap
    if gap is None or gap.seconds <= SILENCE_S + MEASURING_S:
        return None
    came = talk.call.came_at
    there = ", ".join(
        f"{each.agent} +{each.first - came:.3f} to +{each.last - came:.3f}" for each in talk.heard
    )
    words = f"alone for {gap.seconds:.1f} s from +{gap.began - came:.3f}, heard by {there}"
    return Finding(gap.began, _words(talk.call, words))


def _still(talk: Talk, told: Witness) -> Finding | None:
    """The finding of a person who heard nobody any more at the end of the talk."""
    since = silent_since(talk, told.message_s)
    if since is None:
        return None
    return Finding(since, _words(talk.call, f"nobody heard since {_after(talk.call, since)}"))


def _words(call: CarrierCall, what: str) -> str:
    answered, heard, ended = (_after(call, at) for at in (call.answered_at, call.heard_at, call.ended_at))
    return (
        f"{call.number}: {what}; came {call.came_at:.3f}, answered {answered}, heard {heard}, ended {ended}"
    )


def _after(call: CarrierCall, at: float | None) -> str:
    return "never" if at is None else f"+{at - call.came_at:.3f}"


def broken_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows whose promises were broken."""
    return [row for row in rows if row.broken]
