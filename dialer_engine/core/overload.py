"""Brakes new calls before Asterisk or the engine chokes, and releases the brake slowly.

The life
--------
Once a second what is measured comes in as a `Sample`. Each measure has a `Limit`: from which value on new calls are
slowed, from which they are stopped, and for how many samples in a row that must hold. *Full*: calls leave as the
trunks allow. *Slowed*: half as many calls a second as left before; half of that again after every `DEEPER_S` in
which it is still too much, an eighth at the least. *Stopped*: none. The other way needs calm, all measures below
`CLEAR` of what slows: `RESTART_S` until a stopped engine begins again with the lowest share, then `RELEASE_S` for
each doubling. What is between calm and too much changes nothing.

One late sample is no overload: a process that was frozen, or a machine that was asleep, is over it. A measure that is
not known (None) counts as calm, because without Asterisk nothing is dialed anyway.

Calls in progress are no concern of the brake; it decides over new ones alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

SHARES = (1.0, 0.5, 0.25, 0.125)
"""Shares of the calls a second that leave at each step of slowing."""
DEEPER_S = 3.0
RESTART_S = 2.0
RELEASE_S = 3.0
CLEAR = 0.7
"""Calm is below this share of the value that slows, so that a value at the limit does not switch for ever."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured in one second; None is not known.

    `depth` is a share of the high-water mark of Asterisk's fullest task processor, `event_late_s` the latest event
    from Asterisk's time-stamp to its handling, `answer_s` how long Asterisk took, or has taken so far, to answer a
    ping over the same connection, `loop_late_s` how late the engine's event loop woke, `cpu` the share of all CPUs
    of the machine that were busy.
    """

    depth: float | None = None
    event_late_s: float | None = None
    answer_s: float | None = None
    loop_late_s: float | None = None
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Values that slow and stop, samples in a row that each needs, and the words; `stop` None never stops.

    `least` is the smallest share to which this measure alone slows. What needs `LASTING` samples or more is in the
    way of a release only once it had them: a busy machine must not hold a brake that something else pulled.
    """

    slow: float
    stop: float | None
    slow_after: int
    stop_after: int
    words: str
    least: float = SHARES[-1]


LASTING = 60
LIMITS: dict[str, Limit] = {
    # Asterisk refuses new work above its high-water mark (500 tasks): half of that is a queue that only grows.
    "depth": Limit(0.5, 1.0, 2, 1, "Asterisk's task processors are {value:.0%} full"),
    # A person must hear somebody 2 s after answering (P4): at 1.5 s that is as good as lost.
    "event_late_s": Limit(0.75, 1.5, 2, 2, "Asterisk's events arrive {value:.1f} s late"),
    "answer_s": Limit(0.75, 1.5, 2, 2, "Asterisk takes {value:.1f} s to answer"),
    "loop_late_s": Limit(0.5, 1.5, 3, 3, "the engine's event loop is {value:.1f} s late"),
    # A busy machine that still answers in time is well used, so this alone never stops, and slows after ten minutes.
    "cpu": Limit(0.99, None, 600, 1, "the machine's CPUs are {value:.0%} busy, for ten minutes now", 0.5),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many new calls may leave: a share of the present calls a second, and why it is not all of them."""

    share: float = 1.0
    reason: str | None = None

    @property
    def level(self) -> str:
        """The share in one word."""
        return "full" if self.share >= 1.0 else "slowed" if self.share > 0 else "stopped"


@dataclass(slots=True)
class Brake:
    """The state of one engine's brake; times in monotonic seconds."""

    verdict: Verdict = field(default_factory=Verdict)
    _slow: dict[str, int] = field(default_factory=dict)
    _stop: dict[str, int] = field(default_factory=dict)
    _moved_at: float = 0.0
    _calm_since: float | None = None

    def decide(self, now: float, sample: Sample) -> Verdict:
        """Take one second's sample in and return what holds from now on."""
        values = {each.name: getattr(sample, each.name) for each in fields(sample)}
        stop = self._count(self._stop, values, [(n, x.stop, x.stop_after) for n, x in LIMITS.items()])
        slow = self._count(self._slow, values, [(n, x.slow, x.slow_after) for n, x in LIMITS.items()])
        calm = all(self._eased(name, value) for name, value in values.items())
        if not calm:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        if stop is not None:
            self._move(now, 0.0, in_words(stop, values[stop]))
        elif slow is not None and self.verdict.share > 0:
            self._slower(now, in_words(slow, values[slow]), LIMITS[slow].least)
        elif calm:
            self._release(now)
        return self.verdict

    def _count(
        self,
        counts: dict[str, int],
        values: dict[str, float | None],
        limits: list[tuple[str, float | None, int]],
    ) -> str | None:
        """Count samples in a row beyond each limit; return the first measure that had enough of them."""
        for name, limit, _ in limits:
            value = values[name]
            over = value is not None and limit is not None and value >= limit
            counts[name] = counts.get(name, 0) + 1 if over else 0
        return next((name for name, _, needed in limits if counts[name] >= needed), None)

    def _eased(self, name: str, value: float | None) -> bool:
        """Return whether a measure is no reason to hold the brake any longer; `_slow` has counted it."""
        limit = LIMITS[name]
        if value is None:
            return True
        return (
            self._slow[name] < limit.slow_after if limit.slow_after >= LASTING else value < limit.slow * CLEAR
        )

    def _slower(self, now: float, reason: str, least: float) -> None:
        share = self.verdict.share
        step = SHARES.index(share)
        if step == 0 or (now - self._moved_at >= DEEPER_S and share > least):
            self._move(now, SHARES[step + 1], reason)
        else:
            self.verdict = Verdict(self.verdict.share, reason)

    def _release(self, now: float) -> None:
        if self.verdict.share >= 1.0 or self._calm_since is None:
            return
        stopped = self.verdict.share == 0.0
        since = max(self._calm_since, self._moved_at)
        if now - since < (RESTART_S if stopped else RELEASE_S):
            return
        share = SHARES[-1] if stopped else SHARES[SHARES.index(self.verdict.share) - 1]
        self._move(now, share, None if share >= 1.0 else self.verdict.reason)

    def _move(self, now: float, share: float, reason: str | None) -> None:
        if share != self.verdict.share:
            self._moved_at = now
        self.verdict = Verdict(share, reason)


def in_words(measure: str, value: float | None) -> str:
    """Return what a measure says, for people."""
    return LIMITS[measure].words.format(value=value or 0.0)
