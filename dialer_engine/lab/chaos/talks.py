"""Who was talked to, and for how long nobody was there: the carrier's calls beside all that the phones heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dialer_engine.lab.behaviours import pitch_hz
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.pairing import CLOCK_SLACK_S, PITCH_TOLERANCE_HZ, Answer, pair

ENDING_S = 0.5
"""A call ends at the carrier a little after or before the message's last word, on a machine that does other things."""
CROSSED_S = 1.0
"""What an agent hears of nobody's call for so long is no echo, no tail of a call, and no tone of the engine's."""
TAKEN_BACK_S = 2.0
"""A talk that is over so soon, while the person stays, is one that the dialplan may have taken back."""
ALONE_S = 2.2
"""Who has no agent for so long is left alone, with the measuring."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which no phone heard a person who had been heard before: seconds since 1970, and seconds."""

    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Talk:
    """One call that a person answered, with every stretch in which some phone heard that person, in order.

    `told_at` is when the drop message began by the call's record, None when it tells of none.
    """

    call: CarrierCall
    heard: tuple[Heard, ...]
    told_at: float | None = None

    @property
    def gap(self) -> Gap | None:
        """The longest stretch without an agent, from the first one on; None when there was no agent at all."""
        if not self.heard:
            return None
        edges = [(one.last, other.first) for one, other in pairwise(self.heard)]
        last = self.heard[-1].last
        edges.append((last, self.call.ended_at or last))
        began, ended = max(edges, key=lambda edge: edge[1] - edge[0])
        return Gap(began, ended - began)

    @property
    def message(self) -> bool:
        """Whether this person heard something and no agent was there: that was the drop message."""
        return not self.heard and self.call.heard_at is not None

    def cut(self, message_s: float) -> bool:
        """Whether our side ended it: people end their calls, agents here none, and the message when it is over.

        `message_s` is how long the drop message takes with the wait behind it. Whoever pressed 9 during the message is
        thanked, and the call ends.
        """
        call = self.call
        if not ended_by_us(call) or call.ended_at is None or self.opted_out:
            return False
        if self.message and call.heard_at is not None:
            return call.ended_at - call.heard_at < message_s - ENDING_S
        return True

    @property
    def opted_out(self) -> bool:
        """Whether the person pressed 9 while hearing the message: it was told by then, and no agent was there."""
        nine = self.call.nine_at
        if nine is None or any(piece.first <= nine <= piece.last + ENDING_S for piece in self.heard):
            return False
        return self.message or (self.told_at is not None and self.told_at <= nine)

    @property
    def taken_back(self) -> bool:
        """Whether an agent was there for a moment only, and the person stayed on without: see decision 0017."""
        gap = self.gap
        if gap is None or len(self.heard) > 1:
            return False
        (piece,) = self.heard
        return piece.last - piece.first <= TAKEN_BACK_S and gap.began == piece.last and gap.seconds > ALONE_S


def ended_by_us(call: CarrierCall) -> bool:
    """Whether a person had answered this call, and our side ended it."""
    return call.answered_human and call.ended_by == "caller"


@dataclass(frozen=True, slots=True)
class Crossed:
    """What an agent heard for long, and no call explains: when it began (seconds since 1970), and in words."""

    at: float
    words: str


def talks(calls: Iterable[CarrierCall], heard: Sequence[Heard]) -> list[Talk]:
    """Every call that a person answered, with what phones heard of that person (`listened`)."""
    return listened(calls, heard)[0]


def listened(calls: Iterable[CarrierCall], heard: Sequence[Heard]) -> tuple[list[Talk], list[Crossed]]:
    """Every call that a person answered, with what phones heard of that person, and what was heard of nobody's call.

    What is not the beginning of a call goes on with the call of that pitch that was heard last before it, or else
    belongs to one that was up then and that nobody else heard at that time.
    """
    answers = pair(calls, heard)
    pieces = [[answer.heard] if answer.heard is not None else [] for answer in answers]
    begun = {id(answer.heard) for answer in answers if answer.heard is not None}
    by_pitch: dict[int, list[int]] = defaultdict(list)
    for place, answer in enumerate(answers):
        if answer.heard is not None:
            by_pitch[pitch_hz(answer.call.number)].append(place)
    left = []
    for each in sorted(heard, key=lambda piece: piece.first):
        if id(each) in begun:
            continue
        goes_on = _goes_on(each, answers, pieces, by_pitch)
        if goes_on is None:
            left.append(each)
        else:
            pieces[goes_on].append(each)
    crossed = []
    for each in left:
        if each.last - each.first <= CROSSED_S:
            continue
        late = _begins_late(each, answers, pieces)
        if late is None:
            crossed.append(_of_nobody(each))
        else:
            pieces[late] = sorted([*pieces[late], each], key=lambda piece: piece.first)
    spoken = [Talk(answer.call, tuple(found)) for answer, found in zip(answers, pieces, strict=True)]
    return spoken, [*crossed, *(_outlasting(talk, piece) for talk in spoken for piece in _beyond(talk))]


def _of_nobody(piece: Heard) -> Crossed:
    seconds = piece.last - piece.first
    voice = f"a voice of {piece.pitch:.0f} Hz for {seconds:.1f} s from {piece.first:.3f}"
    return Crossed(piece.first, f"{piece.agent} heard {voice}, of no call")


def _beyond(talk: Talk) -> list[Heard]:
    """The pieces that outlast their call: it is somebody else who is heard, or nobody ended it for the agent."""
    return [piece for piece in talk.heard if piece.last > talk.call.until + CROSSED_S]


def _outlasting(talk: Talk, piece: Heard) -> Crossed:
    beyond = piece.last - talk.call.until
    words = f"{piece.agent} heard {talk.call.number} or somebody else for {beyond:.1f} s after the end of that call"
    return Crossed(talk.call.until, words)


def _begins_late(piece: Heard, answers: Sequence[Answer], pieces: Sequence[Sequence[Heard]]) -> int | None:
    """The place of a call that was up, of which no phone heard anything while this one did, if any.

    A person whose first agent's phone was dead is heard late, and one who is moved may be heard twice for a moment.
    """
    fitting = [
        (abs(piece.last - answer.call.until), place)
        for place, answer in enumerate(answers)
        if abs(pitch_hz(answer.call.number) - piece.pitch) <= PITCH_TOLERANCE_HZ
        and (answer.call.answered_at or 0.0) - CLOCK_SLACK_S <= piece.first
        and piece.first <= answer.call.until + CLOCK_SLACK_S
        and all(_together(piece, other) <= ENDING_S for other in pieces[place])
    ]
    return min(fitting)[-1] if fitting else None


def _together(one: Heard, other: Heard) -> float:
    """For how many seconds both were heard at once; less than 0 when they were not."""
    return min(one.last, other.last) - max(one.first, other.first)


def _goes_on(
    piece: Heard, answers: Sequence[Answer], pieces: Sequence[list[Heard]], by_pitch: dict[int, list[int]]
) -> int | None:
    """The place of the call that this piece continues, if any.

    Several people may have this voice and be heard again at the same moment. What is heard beyond a call's end is not
    that call's; then whom the piece ends with, whom the same agent had before, and who was heard last.
    """
    fitting = [
        (*_unlike(piece, pieces[place][-1], answers[place].call.until), place)
        for pitch, places in by_pitch.items()
        if abs(pitch - piece.pitch) <= PITCH_TOLERANCE_HZ
        for place in places
        if pieces[place][-1].last <= piece.first <= answers[place].call.until + CLOCK_SLACK_S
    ]
    return min(fitting)[-1] if fitting else None


def _unlike(piece: Heard, last: Heard, until: float) -> tuple[bool, bool, bool, float]:
    """What speaks against a piece being the same person as the last one, the gravest first; seconds between them."""
    beyond = piece.last - until
    return beyond > ENDING_S, abs(beyond) > ENDING_S, piece.agent != last.agent, piece.first - last.last
