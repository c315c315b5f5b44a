"""The figures of a comparison: means over runs with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import fmean, stdev

from dialer_engine.lab.pacing.tally import Day, Tally

_T = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
)
_T_MORE = ((20, 2.086), (30, 2.042), (60, 2.000))


def t_quantile(degrees: int) -> float:
    """Return Student's t of a two-sided 95 % interval; between the table's rows the wider one."""
    if degrees < 1:
        raise ValueError("an interval needs two values")
    if degrees <= len(_T):
        return _T[degrees - 1]
    rows = [t for limit, t in ((len(_T), _T[-1]), *_T_MORE) if limit <= degrees]
    return rows[-1]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and half the width of its 95 % interval (None: one run only)."""

    mean: float
    half: float | None

    @property
    def upper(self) -> float:
        """The upper end of the interval; the mean itself when there is one run only."""
        return self.mean + (self.half or 0.0)

    def text(self, digits: int = 1) -> str:
        """Return the estimate for a table."""
        half = "" if self.half is None else f" ±{self.half:.{digits}f}"
        return f"{self.mean:.{digits}f}{half}"


def estimate(values: Iterable[float]) -> Estimate:
    """Return the mean of one value per run with its interval."""
    runs = list(values)
    if len(runs) < 2:
        return Estimate(fmean(runs), None)
    return Estimate(fmean(runs), t_quantile(len(runs) - 1) * stdev(runs) / sqrt(len(runs)))


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run in figures: shares in percent, waits in seconds, calls per agent and hour."""

    utilisation: float
    abandoned: float
    worst_day: float
    agent_wait: float
    agent_wait_p90: float
    people_wait: float
    people_wait_p99: float
    calls_per_hour: float
    attempts_per_hour: float
    machines: float
    attempts: int
    answers: int
    lost: int
    cancelled: int
    rung_short: int
    refused: int
    over: int
    abandoned_by_day: tuple[float, ...]
    abandoned_by_half_hour: tuple[tuple[float, ...], ...]
    utilisation_by_half_hour: tuple[tuple[float, ...], ...]
    decide_us: float
    decide_longest_ms: float
    cpu_s: float


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def run_figures(tally: Tally) -> RunFigures:
    """Return the figures of one run; its worst day is that of the days after the first, if there are any."""
    days = tally.days

    def total(of: Callable[[Day], float]) -> float:
        return sum(of(day) for day in days)

    staffed, answers, lost = (
        total(lambda d: d.staffed_s),
        total(lambda d: d.answers),
        total(lambda d: d.abandoned),
    )
    by_day = tuple(_percent(day.abandoned, day.answers) for day in days)
    lost_slots = tuple(tuple(_percent(s.abandoned, s.answers) for s in day.slots) for day in days)
    talk_slots = tuple(tuple(_percent(s.talk_s, s.staffed_s) for s in day.slots) for day in days)
    hours = staffed / 3600.0 or 1.0
    return RunFigures(
        utilisation=_percent(total(lambda d: d.talk_s), staffed),
        abandoned=_percent(lost, answers),
        worst_day=max(by_day[1:] or by_day),
        agent_wait=fmean(tally.agent_waits) if tally.agent_waits else 0.0,
        agent_wait_p90=_quantile(tally.agent_waits, 0.9),
        people_wait=fmean(tally.people_waits) if tally.people_waits else 0.0,
        people_wait_p99=_quantile(tally.people_waits, 0.99),
        calls_per_hour=(answers - lost) / hours,
        attempts_per_hour=total(lambda d: d.attempts) / hours,
        machines=_percent(total(lambda d: d.machine_s), staffed),
        attempts=int(total(lambda d: d.attempts)),
        answers=int(answers),
        lost=int(lost),
        cancelled=int(total(lambda d: d.cancelled)),
        rung_short=int(total(lambda d: d.rung_short)),
        refused=int(total(lambda d: d.refused)),
        over=tally.over,
        abandoned_by_day=by_day,
        abandoned_by_half_hour=lost_slots,
        utilisation_by_half_hour=talk_slots,
        decide_us=1e6 * tally.deciding_s / max(1, tally.decisions),
        decide_longest_ms=1e3 * tally.longest_s,
        cpu_s=tally.cpu_s,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One policy in one cell: all its runs that have ended."""

    policy: str
    runs: tuple[RunFigures, ...]

    def of(self, figure: str) -> Estimate:
        """Return the estimate of one of the figures by its name."""
        return estimate(getattr(run, figure) for run in self.runs)

    def as_json(self) -> dict[str, object]:
        """The figures by name, with every run."""
        names = (
            "utilisation",
            "abandoned",
            "worst_day",
            "agent_wait",
            "agent_wait_p90",
            "people_wait",
            "calls_per_hour",
            "attempts_per_hour",
            "machines",
        )
        means = {name: asdict(self.of(name)) for name in names}
        return {"policy": self.policy, **means, "runs": [asdict(run) for run in self.runs]}


def share_of_way(row: Row, rows: Iterable[Row]) -> float | None:
    """Return how much of the way from progressive to the oracle a policy goes, in percent; None without both."""
    means = {other.policy: other.of("utilisation").mean for other in rows}
    low, high = means.get("progressive"), means.get("oracle")
    if low is None or high is None or high <= low:
        return None
    return 100.0 * (row.of("utilisation").mean - low) / (high - low)
