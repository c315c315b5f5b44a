"""What a fault did, judged by the carrier's ledger, the phones, and the database beside the carrier's calls.

The people of a fault run are called at most once: no result is tried again within hours. So a second call to
a number is a double dial, whenever it comes, and who was called must not be due again either. They end each call
themselves, and the agents end none: an answered call that our side ended was cut, unless the drop message was over.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from dialer_engine.lab.agents import Pressed
from dialer_engine.lab.chaos.do_not_call import given, unheeded
from dialer_engine.lab.chaos.records import DueAgain, Finding, Kept, compared, told
from dialer_engine.lab.chaos.refusals import unaccounted
from dialer_engine.lab.chaos.ringing import rung
from dialer_engine.lab.chaos.stillness import NOTES_S, silent_since
from dialer_engine.lab.chaos.talks import Gap, Talk, listened
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import quantile
from dialer_engine.lab.people import Oracle
from dialer_engine.lab.wire import Invite

SILENCE_S = 2.0
MEASURING_S = 0.2
"""The carrier needs 40 ms of sound to notice it, in frames of 20 ms, on a machine that does other things too."""
JUST_BEFORE_S = SILENCE_S + MEASURING_S
"""Who answered so long before a fault may not have heard anybody yet."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What one world's carrier, phones and database tell; without what is `kept` nothing is compared with records.

    `message_s` is how long the drop message takes with the wait behind it. `invites` are those at the wire to people of
    whom there was no record before, None without a wire. `pressed` are the keys of the agents' phones.
    """

    calls: Sequence[CarrierCall]
    heard: Sequence[Heard] = ()
    kept: Kept | None = None
    oracle: Oracle | None = None
    message_s: float = 0.0
    invites: Sequence[Invite] | None = None
    pressed: Sequence[Pressed] = ()


@dataclass(slots=True)
class Seen:
    """What the rounds of one fault saw in one world.

    `recovery_s`: seconds until the carrier saw a new call, one for each round. `answer_ratios`: p95 from answer to
    agent during the fault by that without it, one for each round that has both. `spans`: from before each round's
    fault until dialing went on; `began`: when the newest round did. `excused`: the times in which what a fault makes no
    promise of may happen, to anybody; `excused_only`: to these numbers. `notes` are for the reader. `cpu_busy`: the
    share of the machine that was busy in the round in which most was, 0 to 1.
    """

    rounds: int = 0
    recovery_s: list[float] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    answer_ratios: list[float] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    excused: list[tuple[float, float]] = field(default_factory=list)
    excused_only: list[tuple[float, float, frozenset[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = float("inf")
    cpu_busy: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """The line of one fault in the table; `evidence` says what stands behind every count.

    `calls_up` is the least of all rounds: calls that a person had answered when the fault came. `lived_through` of
    these still went on when dialing did. `messages` are people who got the drop message instead of an agent.
    `cpu_busy` is the share of the machine's CPUs, 0 to 1, that was busy in the round in which most was: on a machine
    that has none left audio is torn, and phones do not hear what was said. `opt_outs` are people who are not to be
    called again: they pressed 9 in the message, or an agent a do-not-call after the talk; without any the lost ones are
    None. What is compared with the database is None when that was not looked at, because the rounds ended early.
    `notes` are for the reader.
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
    rung: int
    crossed: int
    double_dials: int
    forbidden: int
    opt_outs_lost: int | None
    cdrs_lost: int | None
    cdrs_doubled: int | None
    cdrs_wrong: int | None
    charged: int | None
    stuck: int
    recovery_p95_s: float | None
    answer_p95_ratio: float | None = None
    cpu_busy: float = 0.0
    opt_outs: int = 0
    broken: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The row as it goes into the file of `--json`."""
        return asdict(self)


COUNTS = (
    "calls_cut", "left_alone", "silent_answers", "rung", "crossed", "double_dials", "forbidden",
    "opt_outs_lost", "cdrs_lost", "cdrs_doubled", "cdrs_wrong", "charged", "stuck",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Promise:
    """What a fault may cost: counts that must be zero, and the longest p95 of the recovery in seconds.

    `excused` are counts, or kinds of findings, that must be zero outside of the times that the fault itself names.
    Of the counts in `over` a finding is excused only when it was over within these times too.
    `leaves` are results of calls whose end nobody saw that this fault may leave of its time: such a record is not
    wrong, and whoever has one of a call that the carrier did not see may be charged, for a phone may have rung.
    `answer_ratio` is how much longer p95 from answer to agent may be, in the median of the rounds; None for a fault
    that does not measure it or promises nothing.
    """

    zero: tuple[str, ...] = COUNTS
    excused: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    leaves: frozenset[str] = frozenset()
    recovery_s: float = 5.0
    answer_ratio: float | None = None

    def excusing(self, *counts: str) -> Promise:
        """The same promise, but that these counts or kinds need not be zero while the fault lasts."""
        return replace(self, excused=(*self.excused, *counts))

    def ending(self, *counts: str) -> Promise:
        """The same promise, but that of these counts only that is excused which is over when the fault's time is."""
        return replace(self, over=(*self.over, *counts))

    def leaving(self, *results: str) -> Promise:
        """The same promise, but that calls of the fault's time may end with these results."""
        return replace(self, leaves=self.leaves | frozenset(results))


@dataclass(frozen=True, slots=True)
class Tally:
    """One world's findings by the name of their count, for those that were looked at, and its calls in numbers."""

    seen: Seen
    found: Mapping[str, Sequence[Finding]]
    calls: int
    calls_up: int | None
    lived_through: int
    messages: int
    opt_outs: int

    def excused(self, finding: Finding, *, over: bool = False) -> bool:
        """Whether a finding lies in the times that the faults excuse, with its end when it must be `over`."""
        at, until = finding.at, finding.until if over else None
        spans = [*self.seen.excused]
        spans += [(low, high) for low, high, who in self.seen.excused_only if finding.number in who]
        return at is not None and any(
            low <= at <= high and (until is None or until <= high) for low, high in spans
        )


def tally(witness: Witness, seen: Seen) -> Tally:
    """Count what went wrong in one world."""
    spoken, crossed = listened(witness.calls, witness.heard)
    spoken = told(spoken, witness.kept)
    if witness.kept is None:
        # The calls that still went on are not among these, and what is heard of them is nobody's.
        crossed = []
    up = [_up_through(spoken, span) for span in seen.spans]
    asked = given(spoken, witness.pressed, witness.heard)
    unwritten = {"opt_outs_lost": list(unheeded(asked, witness.kept, seen.spans))} if witness.kept else {}
    return Tally(
        seen,
        {
            "calls_cut": [_cut(talk) for talk in spoken if talk.cut(witness.message_s)],
            "left_alone": [found for talk in spoken if (found := _left(talk, witness)) is not None],
            "silent_answers": [_silence(call) for call in witness.calls if is_silent(call)],
            "rung": list(rung(witness.calls, _left_at(witness.kept))),
            "crossed": [Finding(each.at, each.words) for each in crossed],
            "double_dials": _double_dials(witness.calls, witness.kept),
            "forbidden": [Finding(None, text) for text in _objections(witness)],
            "stuck": [Finding(None, text) for text in seen.stuck],
            **_together(
                compared(witness.calls, spoken, witness.kept, seen.spans),
                unaccounted(witness.invites, witness.calls, witness.kept),
                unwritten,
            ),
        },
        calls=len(witness.calls),
        calls_up=min((up for up, _ in up), default=None),
        lived_through=sum(through for _, through in up),
        messages=sum(talk.message for talk in spoken),
        opt_outs=len(asked) + sum(talk.opted_out for talk in spoken),
    )


def _together(*parts: Mapping[str, Sequence[Finding]]) -> dict[str, list[Finding]]:
    """The findings of several looks, by the name of their count."""
    found: dict[str, list[Finding]] = defaultdict(list)
    for part in parts:
        for name, findings in part.items():
            found[name] += findings
    return found


def _left_at(kept: Kept | None) -> dict[str, float]:
    """When the calls left by the records, by number."""
    records = kept.records if kept is not None else ()
    return {each.number: each.originated_at for each in records if each.originated_at is not None}


def row_of(fault: str, promise: Promise, tallies: Sequence[Tally]) -> Row:
    """Sum up the worlds of one fault, and say which promises were broken."""
    found = {name: [each for one in tallies for each in _counted(name, promise, one)] for name in COUNTS}
    counts: dict[str, Any] = {name: _count(name, found[name], tallies) for name in COUNTS}
    opt_outs = sum(each.opt_outs for each in tallies)
    if not opt_outs:
        counts["opt_outs_lost"] = None
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
        opt_outs=opt_outs,
        recovery_p95_s=p95,
        answer_p95_ratio=ratio,
        cpu_busy=round(max((each.seen.cpu_busy for each in tallies), default=0.0), 2),
        broken=(*broken, *(text for each in tallies for text in each.seen.broken)),
        evidence=tuple(f"{name}: {each.words}" for name in COUNTS for each in found[name]),
        notes=tuple(text for each in tallies for text in each.seen.notes),
    )


def _count(name: str, found: Sequence[Finding], tallies: Sequence[Tally]) -> int | None:
    """How many findings of a count there are; None when a world was not looked at, and nothing was found in others."""
    return len(found) if found or all(name in each.found for each in tallies) else None


def _counted(name: str, promise: Promise, one: Tally) -> list[Finding]:
    """The findings of a count; a record is not wrong that says what this fault may leave behind."""
    return [
        each for each in one.found.get(name, ()) if name != "cdrs_wrong" or each.kind not in promise.leaves
    ]


def _breaks(name: str, promise: Promise, tallies: Sequence[Tally]) -> bool:
    """Whether anything was found that this fault neither leaves behind nor excuses at that time."""
    return any(
        each.kind not in promise.leaves
        and not (
            (name in promise.excused or each.kind in promise.excused)
            and one.excused(each, over=name in promise.over)
        )
        for one in tallies
        for each in one.found.get(name, ())
    )


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


def _objections(witness: Witness) -> list[str]:
    return witness.oracle.objections(witness.calls) if witness.oracle is not None else []


def is_silent(call: CarrierCall) -> bool:
    """Whether a person who answered heard nothing for longer than the law and the measuring allow."""
    until = call.heard_at or call.ended_at
    if not call.answered_human or call.answered_at is None or until is None:
        return False
    return until - call.answered_at > SILENCE_S + MEASURING_S


def _silence(call: CarrierCall) -> Finding:
    until = call.heard_at or call.ended_at
    return Finding(call.answered_at, _words(call, "silence"), number=call.number, until=until)


def _cut(talk: Talk) -> Finding:
    return Finding(talk.call.ended_at, _words(talk.call, "cut"))


def _left(talk: Talk, witness: Witness) -> Finding | None:
    """The finding of a person who was left alone: by the agents' ears, else by what that person noted to hear.

    Who noted nothing to the end was alone until then, whatever agents heard meanwhile. Without records nobody knows
    when the message came.
    """
    alone, still = _alone(talk), _still(talk, witness)
    if alone is None:
        return still
    if still is not None:
        return replace(alone, until=still.until)
    return alone if witness.kept is not None else replace(alone, until=None)


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
    return Finding(gap.began, _words(talk.call, words), number=talk.call.number, until=_back(talk, gap))


def _back(talk: Talk, gap: Gap) -> float:
    """When the person had somebody again: the message by the record, an agent, or nobody to the end."""
    over = gap.began + gap.seconds
    if talk.told_at is not None and talk.told_at < over:
        return max(talk.told_at, gap.began)
    return over - NOTES_S if gap.began == talk.heard[-1].last else over


def _still(talk: Talk, witness: Witness) -> Finding | None:
    """The finding of a person who heard nobody any more at the end of the talk."""
    since = silent_since(talk, witness.message_s)
    if since is None:
        return None
    words = f"nobody heard since {_after(talk.call, since)}"
    until = None if talk.call.ended_at is None else talk.call.ended_at - NOTES_S
    return Finding(since, _words(talk.call, words), number=talk.call.number, until=until)


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
