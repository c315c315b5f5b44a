"""What a campaign's calls and agents did so far, and what that says about the next 30 seconds.

A call goes from dialing to ringing, and from there to an answer or another end; an agent goes from a talk over
the wrap-up back to ready, or away. Each step has its own learned durations. From them come rows: for a call or
an agent of a given age, the chance of the event by the end of each of the next `HORIZON` seconds. Rows are kept
until enough new has been learned to make them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from dialer_engine.core.pacing.durations import Durations
from dialer_engine.core.pacing.level import UNANSWERED, call_age
from dialer_engine.core.pacing.measured import CUT, Past, SeenCall
from dialer_engine.core.pacing.model import CallView, PacingEvent
from dialer_engine.core.pacing.segments import Segments

HORIZON = 30
"""Seconds looked ahead: a call placed now is answered, or given up, in about this time."""
RENEW_AFTER = 10
"""Observations after which the rows are made anew."""
CALL_HALF_LIFE = 500.0
TALK_HALF_LIFE = 300.0
RING, FAIL = 0, 1
ANSWER, END = 0, 1
BACK, AWAY = 0, 1

Row = tuple[float, ...]
"""Chance of the event by the end of each coming second, `HORIZON` numbers that never fall."""
Flying = tuple[Row, float, int]
"""Calls of one age: any call's row, how many times as likely theirs are on average, and how many they are."""


@dataclass(slots=True)
class _Call:
    placed: float
    segments: tuple[str, ...]
    rings: float | None = None


class Learning:
    """Learns from events; answers in rows."""

    def __init__(self) -> None:
        self.dialing = Durations(16, 1.0, (0.3, 0.05), 4.0, CALL_HALF_LIFE)
        self.ringing = Durations(61, 1.0, (0.02, 0.03), 4.0, CALL_HALF_LIFE)
        self.talks = Durations(121, 5.0, (0.06,), 4.0, TALK_HALF_LIFE)
        self.wraps = Durations(121, 1.0, (0.05, 0.002), 4.0, TALK_HALF_LIFE)
        self.segments = Segments()
        self._calls: dict[str, _Call] = {}
        self._agents: dict[str, tuple[str, float]] = {}
        self._calls_at = self._talks_at = -RENEW_AFTER
        self._ring_rows: dict[int, Row] = {}
        self._dial_rows: dict[int, Row] = {}
        self._talk_rows: dict[int, Row] = {}
        self._wrap_rows: dict[int, Row] = {}
        self.version = 0
        self._renew()

    # --- observing --------------------------------------------------------------------------------

    def observe(self, event: PacingEvent) -> None:
        """Take note of something that happened; what is not understood (a call of before) changes nothing."""
        if event.kind == "agent":
            self._agent(event)
        elif event.call is not None:
            self._call(event.call, event)

    def _call(self, call_id: str, event: PacingEvent) -> None:
        if event.kind == "placed":
            self._calls[call_id] = _Call(event.at, event.segments)
        elif event.kind == "ringing" and call_id in self._calls:
            call = self._calls[call_id]
            if call.rings is None:
                call.rings = event.at
                self.dialing.add(event.at - call.placed, RING)
        elif event.kind == "answered" and call_id in self._calls:
            self._decided(self._calls.pop(call_id), event.at, answered=True, cut=False)
        elif event.kind == "ended" and call_id in self._calls:
            cut = event.result in CUT
            self._decided(self._calls.pop(call_id), event.at, answered=False, cut=cut)

    def _decided(self, call: _Call, at: float, *, answered: bool, cut: bool) -> None:
        if call.rings is None:
            kind = None if cut else RING if answered else FAIL
            self.dialing.add(at - call.placed, kind)
            if answered:
                self.ringing.add(0.0, ANSWER)
        else:
            self.ringing.add(at - call.rings, None if cut else ANSWER if answered else END)
        if not cut:
            self.segments.add(call.segments, answered=answered, expected=self.new_call()[-1])

    def remember(self, past: Past, segments: Callable[[SeenCall], tuple[str, ...]]) -> None:
        """Learn from what an earlier engine saw; `segments` names those of a call."""
        for seen in past.calls:
            call = _Call(0.0, segments(seen), seen.dialed_s)
            if call.rings is not None:
                self.dialing.add(call.rings, RING)
            end = seen.answered_s if seen.answered else seen.lasted_s
            if end is not None:
                self._decided(call, end, answered=seen.answered, cut=seen.result in CUT)
            if seen.talked_s is not None:
                self.talks.add(seen.talked_s, 0)
            self.refresh()
        for seconds in past.wraps:
            self.wraps.add(seconds, BACK)
        self.refresh()

    def _agent(self, event: PacingEvent) -> None:
        if event.agent is None:
            return
        state = event.result or "off"
        before, since = self._agents.get(event.agent, ("off", event.at))
        if before == state:
            return
        if state == "off":
            self._agents.pop(event.agent, None)
        else:
            self._agents[event.agent] = (state, event.at)
        if before == "in_call":
            self.talks.add(event.at - since, 0)
            if state != "wrap":
                self.wraps.add(0.0, BACK if state in ("ready", "reserved") else AWAY)
        elif before == "wrap":
            self.wraps.add(event.at - since, BACK if state in ("ready", "reserved", "in_call") else AWAY)

    # --- answering --------------------------------------------------------------------------------

    @property
    def calls_seen(self) -> int:
        """How many calls ended in one of the ways that count."""
        return self.dialing.seen

    def refresh(self) -> None:
        """Make the rows anew when enough was learned since they were made."""
        if self.dialing.seen + self.ringing.seen - self._calls_at >= RENEW_AFTER:
            self._renew_calls()
        if self.talks.seen + self.wraps.seen - self._talks_at >= RENEW_AFTER:
            self._renew_talks()

    def _renew(self) -> None:
        self._renew_calls()
        self._renew_talks()

    def _renew_calls(self) -> None:
        self._calls_at = self.dialing.seen + self.ringing.seen
        self.version += 1
        self._dial_hazards, self._ring_hazards = self.dialing.hazards(), self.ringing.hazards()
        self._ring_rows.clear()
        self._dial_rows.clear()

    def _renew_talks(self) -> None:
        self._talks_at = self.talks.seen + self.wraps.seen
        self._talk_hazards, self._wrap_hazards = self.talks.hazards(), self.wraps.hazards()
        self._talk_rows.clear()
        self._wrap_rows.clear()

    def new_call(self) -> Row:
        """Return the row of answers of a call that is placed now."""
        return self.dial_row(0.0)

    def in_flight(self, calls: Iterable[CallView], now: float) -> list[Flying]:
        """Return the unanswered ones of these calls, those of one age together.

        That their chances differ is left out: it would make the sum of answers a little less uncertain.
        """
        factor = self.segments.factor
        groups: dict[tuple[bool, int], tuple[float, int]] = {}
        for call in calls:
            if call.state in UNANSWERED:
                kind = call.state == "ringing", call_age(call, now)
                total, count = groups.get(kind, (0.0, 0))
                groups[kind] = total + factor(call.segments), count + 1
        return [
            (self.ring_row(age) if rings else self.dial_row(age), total / count, count)
            for (rings, age), (total, count) in groups.items()
        ]

    def ring_row(self, rang: float) -> Row:
        """Return the row of answers of a call that has been ringing for `rang` seconds."""
        age = self.ringing.bin(rang)
        row = self._ring_rows.get(age)
        if row is None:
            row = self._ring_rows[age] = _by_then(self._ring_hazards, age)
        return row

    def dial_row(self, dialed: float) -> Row:
        """Return the row of answers of a call that left `dialed` seconds ago and does not ring yet."""
        age = self.dialing.bin(dialed)
        row = self._dial_rows.get(age)
        if row is None:
            rings = _steps(_by_then(self._dial_hazards, age))
            row = self._dial_rows[age] = _after(rings, self.ring_row(0.0))
        return row

    def picked_up(self, dialed: float, by: Row) -> Row:
        """Return the row of answers of a call that left `dialed` seconds ago, if it will ring and be answered.

        `by` is the share of answers that have come by each second of ringing.
        """
        rings = _steps(_by_then(self._dial_hazards, self.dialing.bin(dialed)))
        total = sum(rings)
        return _after([chance / total for chance in rings], by) if total > 0.0 else by

    def wrap_row(self, wrapping: float) -> Row:
        """Return the row of coming back to ready after `wrapping` seconds of wrap-up."""
        age = self.wraps.bin(wrapping)
        row = self._wrap_rows.get(age)
        if row is None:
            row = self._wrap_rows[age] = _by_then(self._wrap_hazards, age)
        return row

    def talk_row(self, talking: float) -> Row:
        """Return the row of coming back to ready after `talking` seconds of a talk that goes on."""
        age = self.talks.bin(talking)
        row = self._talk_rows.get(age)
        if row is None:
            row = self._talk_rows[age] = _after(self._talk_ends(talking), self.wrap_row(0.0))
        return row

    def _talk_ends(self, talking: float) -> list[float]:
        """Return the chance that the talk ends in each of the coming seconds."""
        hazards, lasts, steps = self._talk_hazards[0], 1.0, []
        for second in range(HORIZON):
            hazard = 1.0 - (1.0 - hazards[self.talks.bin(talking + second)]) ** (1.0 / self.talks.width)
            steps.append(lasts * hazard)
            lasts *= 1.0 - hazard
        return steps


def times(row: Row, factor: float) -> Row:
    """Return the row of a call whose answer is so many times as likely as any call's, at most certain."""
    if factor == 1.0 or row[-1] <= 0.0:
        return row
    factor = min(factor, 1.0 / row[-1])
    return tuple(chance * factor for chance in row)


def _by_then(hazards: list[list[float]], age: int) -> Row:
    """Return the chance of the first way to end by each coming bin, for what reached the bin `age`."""
    first, second = hazards
    last = len(first) - 1
    lasts, total, row = 1.0, 0.0, []
    for ahead in range(HORIZON):
        at = min(age + ahead, last)
        total += lasts * first[at]
        lasts *= max(0.0, 1.0 - first[at] - second[at])
        row.append(total)
    return tuple(row)


def _steps(row: Row) -> list[float]:
    return [row[0], *(after - before for before, after in pairwise(row))]


def _after(first: list[float], then: Row) -> Row:
    """Return the chance that the second thing has happened by each second, when it begins after the first."""
    row = [0.0] * HORIZON
    for start, chance in enumerate(first):
        if chance > 1e-9:
            for ahead in range(HORIZON - start):
                row[start + ahead] += chance * then[ahead]
    return tuple(row)
