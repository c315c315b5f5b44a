"""How a trunk did in the last hour: answers, post-dial delay, short calls and codes, in bounded memory."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

MINUTES = 60
SHORT_S = 6.0
"""Answered calls shorter than this are what carriers hold against a caller, in seconds."""
SAMPLES = 50
"""Post-dial delays kept per minute; 3,000 are enough for a median."""
SETUP_MINUTES = 10
SETUP_SAMPLES = 20
CODES = 32
OTHER = "other"


@dataclass(slots=True)
class _Minute:
    number: int
    calls: int = 0
    answered: int = 0
    short: int = 0
    deaf: int = 0
    mute: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    delays: array[float] = field(default_factory=lambda: array("f"))


@dataclass(frozen=True, slots=True)
class Health:
    """The last hour of a trunk; shares are None without anything to count, the delay is in milliseconds.

    `no_audio_...` counts talks by the direction that was silent.
    """

    calls: int
    answer_seizure_ratio: float | None
    short_share: float | None
    post_dial_delay_ms_p50: float | None
    no_audio_from_carrier: int
    no_audio_to_carrier: int
    codes: dict[str, int]


@dataclass(slots=True)
class TrunkHealth:
    """Counts by minute; times in monotonic seconds."""

    _minutes: deque[_Minute] = field(default_factory=lambda: deque(maxlen=MINUTES))

    def add(self, now: float, code: str, post_dial_delay_s: float | None, talked_s: float | None) -> None:
        """Count one ended call: its code, seconds until it rang (None: never), seconds up (None: not answered)."""
        minute = self._minute(int(now // 60))
        minute.calls += 1
        minute.codes[code if code in minute.codes or len(minute.codes) < CODES else OTHER] += 1
        if talked_s is not None:
            minute.answered += 1
            minute.short += talked_s < SHORT_S
        if post_dial_delay_s is not None and len(minute.delays) < SAMPLES:
            minute.delays.append(post_dial_delay_s * 1000.0)

    def without_audio(self, now: float, *, from_carrier: bool, to_carrier: bool) -> None:
        """Count a talk in which no audio came from the carrier, or none was there to be sent to it."""
        minute = self._minute(int(now // 60))
        minute.deaf += from_carrier
        minute.mute += to_carrier

    def _minute(self, number: int) -> _Minute:
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(_Minute(number))
        return self._minutes[-1]

    def _fresh(self, now: float, minutes: int = MINUTES) -> Iterator[_Minute]:
        oldest = int(now // 60) - minutes
        return (minute for minute in self._minutes if minute.number > oldest)

    def setup_s(self, now: float) -> float:
        """Return the seconds that nearly all calls (p95) of the last ten minutes took until they rang; 0 of too few."""
        delays = sorted(delay for minute in self._fresh(now, SETUP_MINUTES) for delay in minute.delays)
        return delays[int(len(delays) * 0.95)] / 1000.0 if len(delays) >= SETUP_SAMPLES else 0.0

    def report(self, now: float) -> Health:
        """Return the last hour's figures."""
        fresh = list(self._fresh(now))
        calls, answered = sum(m.calls for m in fresh), sum(m.answered for m in fresh)
        codes: Counter[str] = Counter()
        for minute in fresh:
            codes.update(minute.codes)
        delays = sorted(delay for minute in fresh for delay in minute.delays)
        return Health(
            calls=calls,
            answer_seizure_ratio=round(answered / calls, 4) if calls else None,
            short_share=round(sum(m.short for m in fresh) / answered, 4) if answered else None,
            post_dial_delay_ms_p50=round(delays[len(delays) // 2], 1) if delays else None,
            no_audio_from_carrier=sum(m.deaf for m in fresh),
            no_audio_to_carrier=sum(m.mute for m in fresh),
            codes=dict(codes.most_common()),
        )
