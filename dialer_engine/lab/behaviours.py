"""What the simulated carrier does with a number: the single table that dialplan, oracle and tests share.

The last digit of the called number chooses the kind of answer, the digit before it the variant and the
times. A human's voice is a pure tone whose pitch is drawn from the number, so that whoever measures the audio
at an agent's phone knows which customer that agent heard, without asking the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PITCH_LOW_HZ = 1500
PITCH_STEP_HZ = 10
PITCH_COUNT = 120
GONE_AFTER_S = 0.1
NINE_AFTER_S = 3.0
"""An `opt_out` presses 9 so long after hearing somebody, and stays for the talk from then on."""


class Kind(StrEnum):
    """Who or what is at the other end of a number."""

    HUMAN = "human"
    IMPATIENT = "impatient"
    OPT_OUT = "opt_out"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    MACHINE = "machine"
    CONGESTION = "congestion"
    NOT_IN_SERVICE = "not_in_service"
    FAX = "fax"
    EARLY_MEDIA = "early_media"
    ANSWER_HANGUP = "answer_hangup"


HUMANS = frozenset({Kind.HUMAN, Kind.IMPATIENT, Kind.OPT_OUT})
ANSWERING = HUMANS | {Kind.MACHINE, Kind.FAX, Kind.ANSWER_HANGUP}


@dataclass(frozen=True, slots=True)
class Pace:
    """Factors on ring and talk times; 1.0 is life-like, tests use less."""

    ring: float = 1.0
    talk: float = 1.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one number does: `ring_s` seconds of ringing, then the kind's way, talking `talk_s` seconds.

    A `no_answer` rings for two minutes, for `ring_s` only when it `listens`. Who answers and `listens` keeps note of
    when somebody was heard last, which costs the carrier a little in every second of the talk.
    """

    kind: Kind
    ring_s: float
    talk_s: float
    listens: bool = False

    @property
    def answers(self) -> bool:
        """Whether the carrier answers such a call at all."""
        return self.kind in ANSWERING

    @property
    def stays_s(self) -> float:
        """How long somebody who is talked to stays, in seconds from hearing the first sound."""
        return self.talk_s + (NINE_AFTER_S if self.kind is Kind.OPT_OUT else 0.0)

    @property
    def human(self) -> bool:
        """Whether a person answers."""
        return self.kind in HUMANS


Table = tuple[Behaviour, ...]


def kind_of(variant: int, last: int) -> Kind:
    """The kind of a number by its second-last and last digit."""
    if last == 7:
        return Kind.CONGESTION if variant % 2 == 0 else Kind.NOT_IN_SERVICE
    if last == 8:
        return (Kind.FAX, Kind.EARLY_MEDIA, Kind.ANSWER_HANGUP)[variant % 3]
    fixed = {3: Kind.IMPATIENT, 4: Kind.NO_ANSWER, 5: Kind.BUSY, 6: Kind.MACHINE, 9: Kind.OPT_OUT}
    return fixed.get(last, Kind.HUMAN)


def life_like(pace: Pace | None = None) -> Table:
    """The full table by the last two digits: rings 1-6 s, people talk 4-22 s, times scaled by `pace`."""
    scale = pace or Pace()
    return tuple(
        Behaviour(
            kind_of(variant, last),
            round((1 + (variant + last) % 6) * scale.ring, 3),
            talk_s(kind_of(variant, last), variant, scale.talk),
        )
        for variant in range(10)
        for last in range(10)
    )


def talk_s(kind: Kind, variant: int, scale: float) -> float:
    """How long a kind stays after the answer, in seconds; whoever hangs up at once does so at any pace."""
    return GONE_AFTER_S if kind is Kind.ANSWER_HANGUP else round((4 + 2 * variant) * scale, 3)


def uniform(ring_s: float, talk_s: float, kind: Kind = Kind.HUMAN) -> Table:
    """A table for load tests: every number is of this kind and has these seconds."""
    return tuple(Behaviour(kind, ring_s, talk_s) for _ in range(100))


def behaviour(table: Table, number: str) -> Behaviour:
    """What `number` does according to `table`."""
    return table[int(number[-2:])]


def pitch_hz(number: str) -> int:
    """The pitch of the voice at `number` (E.164, +1NPANXXXXXX), in hertz, 1500-2690 in steps of 10."""
    return PITCH_LOW_HZ + PITCH_STEP_HZ * (int(number[2:5] + number[-2:]) % PITCH_COUNT)
