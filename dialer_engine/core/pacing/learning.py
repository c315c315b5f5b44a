"""What a campaign's calls and agents did so far, and what that says about the next 30 seconds.

A call goes from dialing to ringing, and from there to an answer or another end; an agent goes from a talk over
the wrap-up back to ready, or away. Each step has its own learned durations. From them come rows: for a call or
an agent of a given age, the chance of the event by the end of each of the next `HORIZON` seconds. Rows are kept
until enough new has been learned to make them anew, and made for all ages at once, each from that of the next age.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul

from dialer_engine.core.pacing.durations import Durations
from dialer_engine.core.pacing.flying import Age, Flying
from dialer_engine.core.pacing.measured import CUT, Past, SeenCall
from dialer_engine.core.pacing.model import MOVED, PacingEvent
from dialer_engine.core.pacing.segments import Segments

HORIZON = 30
"""Seconds looked ahead: a call placed now is answered, or given up, in about this time."""
RENEW_AFTER = 10
"""Observations after which the rows are made anew."""
TALK_STEP_S = 5
CALL_HALF_LIFE = 500.0
TALK_HALF_LIFE = 300.0
RING, FAIL = 0, 1
ANSWER, END = 0, 1
BACK, AWAY = 0, 1

Row = tuple[float, ...]
"""Chance of the event by the end of each coming second, `HORIZON` numbers that never fall."""
Group = tuple[Row, float, int]
"""Calls or agents of one age: any one's row, how many times as likely theirs are on average, and how many they are."""
AT_ONCE: Row = (1.0,) * HORIZON


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
        self.talks = Durations(121, TALK_STEP_S, (0.06,), 4.0, TALK_HALF_LIFE)
        self.wraps = Durations(121, 1.0, (0.05, 0.002), 4.0, TALK_HALF_LIFE)
        self.segments = Segments()
        self._calls: dict[str, _Call] = {}
        self._agents: dict[str, tuple[str, float]] = {}
        self._ring_rows = _Rows(lambda: _rows(self._ring_hazards))
        self._start_rows = _Rows(lambda: _rows(self._dial_hazards))
        self._dial_rows = _Rows(lambda: _rows(self._dial_hazards, self.ring_row(0.0)))
        self._wrap_rows = _Rows(lambda: _rows(self._wrap_hazards))
        self._talk_rows = _Rows(lambda: _talk_rows(self._talk_hazards[0], self.wrap_row(0.0)))
        self.version = 0
        self._renew_calls()
        self._renew_talks()

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
                self.dialing.add(event.at - call.placed, RING)
            call.rings = event.at
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
        if state == MOVED:
            self._agents.pop(event.agent, None)
            return
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

    def _renew_calls(self) -> None:
        self._calls_at = self.dialing.seen + self.ringing.seen
        self.version += 1
        self._dial_hazards, self._ring_hazards = self.dialing.hazards(), self.ringing.hazards()
        for rows in (self._ring_rows, self._start_rows, self._dial_rows):
            rows.clear()

    def _renew_talks(self) -> None:
        self._talks_at = self.talks.seen + self.wraps.seen
        self._talk_hazards, self._wrap_hazards = self.talks.hazards(), self.wraps.hazards()
        for rows in (self._talk_rows, self._wrap_rows):
            rows.clear()

    def new_call(self) -> Row:
        """Return the row of answers of a call that is placed now."""
        return self.dial_row(0.0)

    def answers(self, flying: Flying) -> list[Group]:
        """Return the answers of these calls, those of one age together."""
        found = []
        for age, likelier, count in flying.by_age():
            row = self.call_row(age)
            found.append((row, min(likelier, 1.0 / row[-1]) if row[-1] > 0.0 else likelier, count))
        return found

    def call_row(self, age: Age) -> Row:
        """Return the row of answers of a call of this age, ringing or not."""
        return self.ring_row(age) if age >= 0 else self.dial_row(-1 - age)

    def ring_row(self, rang: float) -> Row:
        """Return the row of answers of a call that has been ringing for `rang` seconds."""
        return self._ring_rows.at(self.ringing.bin(rang))

    def dial_row(self, dialed: float) -> Row:
        """Return the row of answers of a call that left `dialed` seconds ago and does not ring yet."""
        return self._dial_rows.at(self.dialing.bin(dialed))

    def picked_up(self, dialed: float, by: Row, at: Sequence[int]) -> list[float]:
        """Return the chances of an answer by the end of some seconds, if a call will ring and be answered.

        It left `dialed` seconds ago; `by` is the share of answers that have come by each second of ringing.
        """
        rings = self._start_rows.at(self.dialing.bin(dialed))
        if rings[-1] <= 0.0:
            return [by[second] for second in at]
        steps = [rings[0], *(after - before for before, after in pairwise(rings))]
        # The second of ringing that an answer comes in runs backwards while that in which it began runs on.
        backwards = by[::-1]
        return [sum(map(mul, steps, backwards[HORIZON - 1 - second :])) / rings[-1] for second in at]

    def wrap_row(self, wrapping: float) -> Row:
        """Return the row of coming back to ready after `wrapping` seconds of wrap-up."""
        return self._wrap_rows.at(self.wraps.bin(wrapping))

    def talk_row(self, talking: float) -> Row:
        """Return the row of coming back to ready after `talking` seconds of a talk that goes on, in whole steps."""
        return self._talk_rows.at(self.talks.bin(talking))


class _Rows:
    """The rows of all ages, made when one of them is asked for."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], list[Row]]) -> None:
        self._make = make
        self._made: list[Row] = []

    def at(self, age: int) -> Row:
        if not self._made:
            self._made = self._make()
        return self._made[age]

    def clear(self) -> None:
        self._made = []


def times(row: Row, factor: float) -> Row:
    """Return the row of a call whose answer is so many times as likely as any call's, at most certain."""
    if factor == 1.0 or row[-1] <= 0.0:
        return row
    factor = min(factor, 1.0 / row[-1])
    return tuple(chance * factor for chance in row)


def _rows(hazards: Sequence[Sequence[float]], then: Sequence[float] = AT_ONCE, step: int = 1) -> list[Row]:
    """Return, for every age in steps of so many seconds, the chance of the first way to end by each coming second.

    Or the chance of what follows that end, which comes by each second as `then` says. Whatever is older than the last
    age is as that.
    """
    first, second = hazards
    stays = [max(0.0, 1.0 - hazard - other) for hazard, other in zip(first, second, strict=True)]
    rows = [_forever(first[-1], stays[-1], then, step)]
    for hazard, stay in zip(first[-2::-1], stays[-2::-1], strict=True):
        earlier = (*[0.0] * step, *rows[-1])
        rows.append(tuple([hazard * now + stay * later for now, later in zip(then, earlier, strict=False)]))
    return rows[::-1]


def _talk_rows(hazards: Sequence[float], then: Row) -> list[Row]:
    """Return the rows of what follows a talk; one that ends within a step may do so in any second of it."""
    padded = (*[0.0] * (TALK_STEP_S - 1), *then)
    within = [sum(padded[second : second + TALK_STEP_S]) / TALK_STEP_S for second in range(HORIZON)]
    return _rows((hazards, [0.0] * len(hazards)), within, TALK_STEP_S)


def _forever(hazard: float, stays: float, then: Sequence[float], step: int) -> Row:
    """Return the row of what ends by one hazard in each of the coming steps, and of what follows by `then`."""
    row: list[float] = []
    for second, now in enumerate(then):
        row.append(hazard * now + (stays * row[second - step] if second >= step else 0.0))
    return tuple(row)
