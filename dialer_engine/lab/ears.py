"""What a simulated agent hears: when a customer's voice starts and stops, and which customer it is, by pitch.

A customer's voice is a pure tone of 1500-2690 Hz; the engine's own signals to the agent are all below and may
sound at the same time. They are filtered out first: the arrival tone of 1000 Hz, an eighth of the sampling
rate, cancels when each sample is added to the one four before it, and differences weaken whatever is low.
"""

from __future__ import annotations

import statistics
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

RATE = 8000
LOUD = 1500
VOICE_HZ = (1450.0, 2750.0)
NOTCH = 4
DIFFERENCES = 3
CLEANED_LOUD = 4000
AGREE_HZ = 6.0
SILENCE_S = 0.25
PITCH_FRAMES = 20


@dataclass(frozen=True, slots=True)
class Heard:
    """One customer heard at one phone: wall-clock seconds of the first and last loud frame, pitch in Hz."""

    agent: str
    first: float
    last: float
    pitch: float


def without_signals(samples: array[int]) -> list[int]:
    """The samples with 1000 Hz removed and what is below 1400 Hz made faint."""
    kept = [now + before for now, before in zip(samples[NOTCH:], samples, strict=False)]
    for _ in range(DIFFERENCES):
        kept = [now - before for before, now in pairwise(kept)]
    return kept


def frequency(samples: list[int]) -> float | None:
    """The frequency of a pure tone, in hertz, by its rising zero crossings; None when fewer than three."""
    crossings = [
        index + before / (before - after)
        for index, (before, after) in enumerate(pairwise(samples))
        if before < 0 <= after
    ]
    if len(crossings) < 3:
        return None
    return (len(crossings) - 1) * RATE / (crossings[-1] - crossings[0])


def voice(audio: bytes) -> float | None:
    """The pitch of a customer's voice in one 20 ms frame; None when nobody speaks in it."""
    samples = array("h", audio[: len(audio) & ~1])
    if not samples or max(samples) < LOUD:
        return None
    cleaned = without_signals(samples)
    if max(cleaned, default=0) < CLEANED_LOUD:
        return None
    found = frequency(cleaned)
    return found if found is not None and VOICE_HZ[0] <= found <= VOICE_HZ[1] else None


def agreed(pitches: list[float]) -> float:
    """The pitch on which most frames agree: other sounds can spoil some of them."""
    ordered = sorted(pitches)
    groups = [ordered[i : bisect_right(ordered, low + AGREE_HZ)] for i, low in enumerate(ordered)]
    largest: list[float] = max(groups, key=len)
    return statistics.fmean(largest)


@dataclass(slots=True)
class Ear:
    """Follows one phone's incoming audio and reports each customer's beginning and end."""

    agent: str
    on_start: Callable[[float], None]
    on_end: Callable[[Heard], None]
    _first: float | None = None
    _last: float = 0.0
    _pitches: list[float] = field(default_factory=list)

    @property
    def hearing(self) -> bool:
        """Whether a customer is being heard now."""
        return self._first is not None

    def frame(self, at: float, audio: bytes) -> None:
        """Take in one frame that arrived at wall-clock second `at`."""
        if len(self._pitches) >= PITCH_FRAMES:
            self._follow(at, audio)
            return
        pitch = voice(audio)
        if pitch is None:
            return
        if self._first is None:
            self._first = at
            self.on_start(at)
        self._last = at
        self._pitches.append(pitch)

    def tick(self, now: float) -> None:
        """Notice silence: no voice for a quarter of a second ends the customer."""
        if self._first is not None and now - self._last > SILENCE_S:
            self.finish()

    def finish(self) -> None:
        """End what is being heard, if anything."""
        if self._first is None:
            return
        ended = Heard(self.agent, self._first, self._last, agreed(self._pitches))
        self._first, self._pitches = None, []
        self.on_end(ended)

    def _follow(self, at: float, audio: bytes) -> None:
        samples = array("h", audio[: len(audio) & ~1])
        if samples and max(samples) >= LOUD:
            self._last = at
