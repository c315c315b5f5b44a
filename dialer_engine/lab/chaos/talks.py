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


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which no phone heard a person who had been heard before: seconds since 1970, and seconds."""

    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Talk:
    """One call that a person answered, with every stretch in which some phone heard that person, in order."""

    call: CarrierCall
    heard: tuple[Heard, ...]

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
        if not ended_by_us(call) or call.ended_at is None:
            return False
        if self.message and call.heard_at is not None:
            return call.nine_at is None and call.ended_at - call.heard_at < message_s - ENDING_S
        return True

    @property
    def opted_out(self) -> bool:
        """Whether the person pressed 9 while hearing the message."""
        return self.message and self.call.nine_at is not None


def ended_by_us(call: CarrierCall) -> bool:
    """Whether a person had answered this call, and our side ended it."""
    return call.answered_human and call.ended_by == "caller"


def talks(calls: Iterable[CarrierCall], heard: Sequence[Heard]) -> list[Talk]:
    """Every call that a person answered, with what phones heard of that person.

    What is not the beginning of a call goes on with the call of that pitch that was heard last before it.
    """
    answers = pair(calls, heard)
    pieces = [[answer.heard] if answer.heard is not None else [] for answer in answers]
    begun = {id(answer.heard) for answer in answers if answer.heard is not None}
    by_pitch: dict[int, list[int]] = defaultdict(list)
    for place, answer in enumerate(answers):
        if answer.heard is not None:
            by_pitch[pitch_hz(answer.call.number)].append(place)
    for each in sorted(heard, key=lambda piece: piece.first):
        goes_on = None if id(each) in begun else _goes_on(each, answers, pieces, by_pitch)
        if goes_on is not None:
            pieces[goes_on].append(each)
    return [Talk(answer.call, tuple(found)) for answer, found in zip(answers, pieces, strict=True)]


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
