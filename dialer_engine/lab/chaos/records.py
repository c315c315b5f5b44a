"""What the database holds in the end beside the carrier's calls and what the phones heard.

A record must say what carrier and phones saw. What nobody saw may be *unknown* or *node_lost*, but only where a fault
left the engine blind or ended an Asterisk, and only of calls of that time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dialer_engine.core.outcome import Result
from dialer_engine.engine.trunk_watch import SILENT
from dialer_engine.lab.chaos.talks import Talk
from dialer_engine.lab.ledger import CarrierCall

NOT_ANSWERED = frozenset(
    {Result.NO_ANSWER, Result.BUSY, Result.CONGESTION, Result.NOT_IN_SERVICE, Result.REJECTED, Result.BLOCKED,
     Result.CANCELLED, Result.FAILED, Result.TRUNK_FAULT}
)  # fmt: skip
ANSWERED = frozenset({Result.BRIDGED, Result.ABANDONED, Result.HUNG_UP})
AT_THE_CARRIER = ANSWERED | {Result.NO_ANSWER, Result.BUSY, Result.REJECTED}
"""What only a call that reached the carrier can end as."""
NOBODY_KNOWS = frozenset({Result.UNKNOWN, Result.NODE_LOST})
UNWRITTEN_S = 1.0
"""What happened so shortly before an engine's death may not be in the database yet."""
NOTICED_S = 3.0
"""An attempt that never came may be looked up once more after dialing went on."""
HEARD_WITHIN_S = 0.5
"""Who left so soon after the join need not have been heard at the agent's phone."""
SAME_S = 2.2
"""Carrier and record tell of one moment within this. Asterisk stamps what it tells, milliseconds after the carrier; a
packet that is lost twice comes 1.5 s late by SIP's T1, and the rest is for a machine that does other things too."""
SAID_AGAIN_S = 8.0
"""What SIP says into 12 s of silence it says again so long after them at most: it waits twice as long each time."""
ACKED_S = 4.0
"""An answer that no ACK came for is said again this often (RFC 3261, T2), and the carrier's BYE waits for the ACK."""
STAYS_S, NOTED_S = 2.5, 0.5
"""Who stays for so long in a message notes that it is heard; the last sound before may be noted so much later."""
Spans = Sequence[tuple[float, float]]


class Wrong(StrEnum):
    """Ways in which a record is wrong that a fault may excuse by themselves, while it lasts."""

    TALK_ABANDONED = "a talk recorded as abandoned"
    UNHEARD = "a talk of which no phone heard anything"
    OTHER_AGENT = "a talk recorded of another agent"
    UNSEEN_ANSWER = "an answer of which nothing passed, recorded as none"
    OTHER_TIME = "a time that nobody saw pass"
    LEFT_LATE = "a call that was stamped in the fault and left later"
    SAID_LATE = "a call that one side began or ended in the fault or right after it, and of which the other heard later"


UNTIMED = (Wrong.OTHER_TIME, Wrong.LEFT_LATE)
"""The times of its own seconds that a fault leaves wrong in which nobody sees them pass."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong, when (None: at no moment that a fault could excuse), in words, and perhaps to whom.

    `kind` is a `Wrong`, or the result of a call of the fault's time whose end nobody saw. `until` is when it was over,
    None when that is not known or is no matter.
    """

    at: float | None
    words: str
    kind: str | None = None
    number: str | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One call record: number, result, agent, and when it all was (seconds since 1970; None: it was not).

    `sip_code` is the carrier's answer, `cause_text` what was said last (`dialer_engine.engine.record`).
    """

    number: str
    result: str
    ended_at: float
    agent: str | None = None
    originated_at: float | None = None
    answered_at: float | None = None
    message_at: float | None = None
    joined_at: float | None = None
    sip_code: int | None = None
    cause_text: str | None = None

    @property
    def left(self) -> bool:
        """Whether the call may have left: one that was cancelled before is no call."""
        return self.result != Result.CANCELLED or self.originated_at is not None

    @property
    def at_wire(self) -> bool:
        """Whether it tells of a carrier's answer or silence; what Asterisk turned down has neither and never left."""
        return self.sip_code is not None or (self.cause_text or "").startswith(SILENT)


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

    `due_again` are contacts who waited for a second call; `counted_refusals` the numbers of calls that a trunk refused
    by a code of its own fault, and that count for the caps all the same. `unrecorded` are those of attempts that ended
    without a record, `at_trunk` the records of trunk faults that are none of the carrier's calls.
    """

    records: Sequence[Record] = ()
    tries: Mapping[str, int] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()
    due_again: Sequence[DueAgain] = ()
    counted_refusals: Sequence[str] = ()
    unrecorded: Sequence[str] = ()
    at_trunk: Sequence[Record] = ()

    def of_calls(self, calls: Iterable[CarrierCall], earlier: frozenset[str]) -> Kept:
        """The same without what earlier faults left in this world, by the numbers that had records before."""
        placed = list(calls)
        others = earlier - {call.number for call in placed}
        records = [record for record in self.records if record.number not in others]
        seen = of_the_carrier(records, placed)
        known = {id(record) for record in seen}
        return replace(
            self,
            records=seen,
            at_trunk=[each for each in records if id(each) not in known and each.number not in earlier],
            tries={number: tries for number, tries in self.tries.items() if number not in others},
            counted_refusals=[number for number in self.counted_refusals if number not in others],
            unrecorded=[number for number in self.unrecorded if number not in earlier],
        )


def compared(
    calls: Sequence[CarrierCall], spoken: Sequence[Talk], kept: Kept | None, spans: Spans
) -> dict[str, list[Finding]]:
    """What the database holds beside the carrier's calls; nothing when it was not read.

    `spans` are the times of the faults, from before each until dialing went on.
    """
    if kept is None:
        return {}
    held = Counter(record.number for record in kept.records if record.left)
    placed = Counter(call.number for call in calls)
    return {
        "opt_outs_lost": list(_lost_opt_outs(spoken, kept)),
        "cdrs_lost": [
            Finding(None, f"{n}: {c} calls, {held[n]} records") for n, c in placed.items() if held[n] < c
        ],
        "cdrs_doubled": [
            Finding(None, f"{n}: {held[n]} records of {c} calls") for n, c in placed.items() if held[n] > c
        ],
        "cdrs_wrong": [*_wrong_records(calls, spoken, kept.records, spans), *_of_no_call(kept, placed)],
        "charged": list(_charged(kept, placed, spans)),
    }


def told(spoken: Iterable[Talk], kept: Kept | None) -> list[Talk]:
    """The talks, with when the drop message began by the records."""
    records = kept.records if kept is not None else ()
    began = {record.number: record.message_at for record in records if record.left}
    return [replace(talk, told_at=began.get(talk.call.number)) for talk in spoken]


def of_the_carrier(records: Iterable[Record], calls: Iterable[CarrierCall]) -> list[Record]:
    """The records but those of trunk faults that are more than the carrier's calls: it never saw these."""
    kept = list(records)
    surplus = Counter(record.number for record in kept if record.left)
    surplus.subtract(call.number for call in calls)
    found = []
    for record in kept:
        if record.result == Result.TRUNK_FAULT and surplus[record.number] > 0:
            surplus[record.number] -= 1
        else:
            found.append(record)
    return found


def _lost_opt_outs(spoken: Iterable[Talk], kept: Kept) -> Iterator[Finding]:
    for talk in spoken:
        if talk.opted_out and talk.call.number not in kept.suppressed:
            words = f"{talk.call.number}: pressed 9 in the message, and is not suppressed"
            yield Finding(talk.call.nine_at, words)


def _charged(kept: Kept, placed: Counter[str], spans: Spans) -> Iterator[Finding]:
    """Contacts with more tries than calls; of some the record says, in a fault's time, that nobody knows why."""
    lost = {record.number: record for record in kept.records if record.result in NOBODY_KNOWS}
    for number, tries in kept.tries.items():
        if tries <= placed[number]:
            continue
        record = lost.get(number)
        known = record is None or tries > placed[number] + 1 or not _within(record.ended_at, spans)
        words = f"{number}: {tries} tries, {placed[number]} calls"
        yield Finding(None, words, None if known or record is None else record.result)
    for number in kept.counted_refusals:
        yield Finding(None, f"{number}: refused by the trunk, and counted for the caps")


def _of_no_call(kept: Kept, placed: Counter[str]) -> Iterator[Finding]:
    for record in kept.records:
        if record.result in AT_THE_CARRIER and not placed[record.number]:
            yield Finding(None, f"{record.number}: recorded as {record.result}, and the carrier saw no call")


def _wrong_records(
    calls: Iterable[CarrierCall], spoken: Iterable[Talk], records: Iterable[Record], spans: Spans
) -> Iterator[Finding]:
    """Records of which the carrier and the phones say that it was not so."""
    of_number: dict[str, list[Record]] = defaultdict(list)
    for each in records:
        if each.left:
            of_number[each.number].append(each)
    talk_of = {talk.call.id: talk for talk in spoken}
    for call in calls:
        record, talk = _nearest(of_number[call.number], call), talk_of.get(call.id)
        if record is None:
            continue
        found = (
            _wrong_loss(call, record, spans)
            if record.result in NOBODY_KNOWS
            else _wrong_answer(call, record)
            or (_wrong_talk(talk, record, spans) or _untold(talk) if talk else None)
        )
        disordered = _wrong_order(record)
        yield from (each for each in (found, disordered) if each is not None)
        if disordered is None:
            yield from _wrong_times(call, record, spans)


def _nearest(records: Iterable[Record], call: CarrierCall) -> Record | None:
    """The record that tells of this call: of the ones of its number that which left, or ended, next to its coming."""
    return min(
        records, key=lambda each: abs((each.originated_at or each.ended_at) - call.came_at), default=None
    )


def _wrong_loss(call: CarrierCall, record: Record, spans: Spans) -> Finding:
    """A call of unknown outcome, of which a fault may be the reason when it was its time.

    Whoever ended while the engine was away is unknown, unless it had seen the answer before. What a dead Asterisk
    carried is lost.
    """
    if record.result == Result.NODE_LOST:
        then = any(low <= call.until and call.came_at <= high + UNWRITTEN_S for low, high in spans)
    else:
        first = call.until if call.answered_at is None else call.answered_at
        then = any(low - UNWRITTEN_S <= first and call.until <= high for low, high in spans)
    words = f"{call.number}: ended {call.ended_at}, recorded as {record.result}"
    return Finding(call.ended_at, words, record.result if then else None)


def _wrong_order(record: Record) -> Finding | None:
    """What is wrong with a record by which a call ended before it was answered."""
    answered, ended = record.answered_at, record.ended_at
    if answered is None or answered <= ended:
        return None
    return Finding(None, f"{record.number}: ended {answered - ended:.1f} s before its answer by its record")


def _wrong_times(call: CarrierCall, record: Record, spans: Spans) -> Iterator[Finding]:
    """What is wrong with the times of a record, of which the carrier tells others: one finding of each kind.

    The end of a call of unknown outcome is when it was given up, and how late an end may be at all is looked at for
    every call (`stuck`).
    """
    pairs = [("left", record.originated_at, call.came_at), ("answered", record.answered_at, call.answered_at)]
    if record.result not in NOBODY_KNOWS:
        pairs.append(("ended", record.ended_at, call.ended_at))
    wrong: dict[Wrong | None, list[tuple[str, float, float]]] = defaultdict(list)
    for what, told, at in pairs:
        if told is not None and at is not None and abs(told - at) > SAME_S:
            wrong[_why_other(what, told, at, spans)].append((what, told, at))
    for kind, found in wrong.items():
        said = ", ".join(f"{what} {told - at:+.1f} s" for what, told, at in found)
        words = f"{call.number}: recorded as {record.result}, and by the carrier's times {said}"
        yield Finding(found[0][2], words, kind)


def _why_other(what: str, told: float, at: float, spans: Spans) -> Wrong | None:
    """Why a record may tell another time than the carrier; None where no fault can be the reason.

    What happened by the carrier in a fault's time may be a moment that nobody saw pass. A call that we begin or end
    is a word that has to reach the carrier, which a fault may hold up, as is an end of the carrier's that waits for the
    ACK to an answer in it. An end that never came to it is none.
    """
    ours = what != "answered" and told < at
    if what == "left" and ours and _during(told, _reaching(spans, at - SAME_S)):
        return Wrong.LEFT_LATE
    if _during(at, spans):
        return Wrong.OTHER_TIME
    if ours and any(low <= told <= high for low, high in _reaching(spans, at - SAID_AGAIN_S)):
        return Wrong.SAID_LATE
    if what == "ended" and any(low <= at < told <= high + ACKED_S + SAME_S for low, high in spans):
        return Wrong.SAID_LATE
    return None


def _reaching(spans: Spans, at: float) -> Spans:
    """The spans that were not over by then."""
    return [(low, high) for low, high in spans if at <= high]


def _during(at: float, spans: Spans) -> bool:
    """Whether it happened in one of these spans, or so shortly before that it was not written down."""
    return any(low - UNWRITTEN_S <= at <= high for low, high in spans)


def _within(at: float, spans: Spans) -> bool:
    """Whether it was in one of these spans, or noticed a little later."""
    return any(low <= at <= high + NOTICED_S for low, high in spans)


def _wrong_answer(call: CarrierCall, record: Record) -> Finding | None:
    if call.answered_at is None and record.result in ANSWERED:
        return Finding(call.ended_at, f"{call.number}: nobody answered, recorded as {record.result}")
    if call.answered_at is not None and record.result in NOT_ANSWERED:
        words = f"{call.number}: answered, recorded as {record.result}"
        unseen = call.heard_at is None and record.result == Result.NO_ANSWER
        return Finding(call.answered_at, words, Wrong.UNSEEN_ANSWER if unseen else None)
    return None


def _wrong_talk(talk: Talk, record: Record, spans: Spans) -> Finding | None:
    """What is wrong with the record of a person who answered: with an agent or not, and with which."""
    number, said = talk.call.number, record.result
    if not talk.heard:
        return _wrong_without_agent(talk, record)
    if said != Result.BRIDGED:
        if said == Result.ABANDONED and talk.taken_back:
            return None
        words = f"{number}: talked with {talk.heard[0].agent}, recorded as {said}"
        if said != Result.ABANDONED:
            return Finding(talk.call.answered_at, words)
        over = any(low <= talk.call.until <= high for low, high in spans)
        return Finding(talk.heard[0].first if over else None, words, Wrong.TALK_ABANDONED)
    agents = {piece.agent for piece in talk.heard}
    if record.agent in agents:
        return None
    words = f"{number}: talked with {', '.join(sorted(agents))}, recorded with {record.agent}"
    return Finding(talk.heard[-1].last, words, Wrong.OTHER_AGENT)


def _untold(talk: Talk) -> Finding | None:
    """What is wrong with a record by which a message began that this person, who stayed, did not hear."""
    call, began = talk.call, talk.told_at
    if began is None or call.until - began < STAYS_S:
        return None
    last = max(call.heard_at or 0.0, call.nine_at or 0.0, call.still_at or 0.0)
    if last > began + NOTED_S:
        return None
    return Finding(began, f"{call.number}: given to the message, and heard nothing of it")


def _wrong_without_agent(talk: Talk, record: Record) -> Finding | None:
    call, said = talk.call, record.result
    if said == Result.BRIDGED:
        joined = record.joined_at
        if joined is not None and record.ended_at - joined < HEARD_WITHIN_S and not talk.message:
            return None
        words = f"{call.number}: heard by no agent, recorded as {said} with {record.agent}"
        return Finding(call.answered_at, words, Wrong.UNHEARD)
    if talk.message and said != Result.ABANDONED:
        return Finding(call.answered_at, f"{call.number}: heard the message, recorded as {said}")
    return None
