"""`dialer bench floor`: predictive pacing on the real engine, beside what the simulator forecast for it.

The real run passes everything: queue, gate, database, Asterisk, carrier and phones. Every contact is called once
and the run ends when the list is done. Its figures come from the carrier's ledger and the agents' phones; the
engine's call records are compared with them call by call.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dialer_engine.lab.board import View, line
from dialer_engine.lab.crowd import CROWD_CLOCK
from dialer_engine.lab.floor_figures import FloorFigures, Seen, real_figures, spread
from dialer_engine.lab.floor_forecast import MODE, Plan
from dialer_engine.lab.floor_table import RING_OUT_S, WRAP_LAG_S, callees, floor_table
from dialer_engine.lab.people import oracle_for
from dialer_engine.lab.place import Place
from dialer_engine.lab.run import Show, busy, drain, look, records_of
from dialer_engine.lab.scenario import Scenario
from dialer_engine.lab.summary import Summary, summarize
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Bundle

LEARN_CALLS = 40
"""As the campaign file's default, which the simulated mode has too."""
RETRY_S = 20000
CALLS_PER_SECOND = 50.0
POLL_S = 1.0
QUIET_POLLS = 4
SHOW_S = 10.0
STALLED_S = 120.0
SLACK_S = 15.0
ENGINE_END_S = 15.0
WRAP_SLACK_S = 3

Tell = Callable[[str], None]


@dataclass(slots=True)
class Findings:
    """What is known so far: the simulated runs, then the real one and its comparison with the records."""

    plan: Plan
    forecast: list[FloorFigures] = field(default_factory=list)
    real: FloorFigures | None = None
    summary: Summary | None = None
    unsent: int = 0
    late_audio_ticks: int = 0
    calibration: list[dict[str, Any]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the real run came to its end: every contact was called, or the engine ended it unsent."""
        return self.summary is not None and self.summary.attempts + self.unsent == self.plan.attempts

    @property
    def clean(self) -> bool:
        """Whether it did, and carrier, phones and records agree."""
        return self.complete and self.summary is not None and self.summary.clean

    def as_json(self) -> dict[str, Any]:
        """The plan, the real figures, each simulated run, and the range of every figure over them."""
        names = [each.name for each in fields(FloorFigures)]
        ranges = {name: asdict(spread(name, self.forecast)) for name in names} if self.forecast else {}
        return {
            **asdict(self.plan),
            "ring_out_s": RING_OUT_S,
            "complete": self.complete,
            "real": asdict(self.real) if self.real else None,
            "forecast": {"ranges": ranges, "runs": [asdict(run) for run in self.forecast]},
            "records": self.summary.as_json() if self.summary else None,
            "unsent": self.unsent,
            "late_audio_ticks": self.late_audio_ticks,
            "calibration": self.calibration,
        }


def scenario(plan: Plan) -> Scenario:
    """Return the engine's campaign: what the simulator is given too, in the engine's words."""
    _, longest = plan.habits.wrap_between
    return Scenario(
        agents=plan.agents,
        mode=MODE,
        wrap_seconds=round(longest) + WRAP_SLACK_S,
        ring_seconds=RING_OUT_S,
        retry_s=RETRY_S,
        cap=1,
        learn_calls=LEARN_CALLS,
        calls_per_second=CALLS_PER_SECOND,
        max_channels=plan.channels,
        clock=CROWD_CLOCK,
    )


async def run_floor(bundle: Bundle, place: Place, tell: Tell, found: Findings) -> Findings:
    """Call the whole list and put what was seen into `found`, also when it is interrupted."""
    plan = found.plan
    table, people = floor_table(plan.habits), callees(plan.attempts, plan.seed)
    setting = Setting(scenario(plan), table, people, plan.habits.manners, plan.seed)
    longest = max(row.talk_s for row in table) + RING_OUT_S + SLACK_S
    async with world(bundle, place, setting, tell) as lab:
        started_at = time.time()
        show = every(SHOW_S, tell)
        try:
            await dial(lab, show, started_at)
            tell("no new calls; waiting for those in progress")
            await drain(lab, show, started_at, longest)
            await compare(lab, started_at, found)
            found.calibration = await calibration(lab)
        finally:
            judge(lab, started_at, found)
    return found


async def dial(lab: World, show: Show, started_at: float) -> None:
    """Start the campaign and wait until its list is done, or no call comes any more."""
    await lab.begin()
    count, since, quiet = 0, time.monotonic(), 0
    while quiet < QUIET_POLLS:
        view = await look(lab, started_at)
        show(view)
        if view.carrier_calls > count:
            count, since = view.carrier_calls, time.monotonic()
        elif time.monotonic() - since > STALLED_S:
            lab.tell(f"no call for {STALLED_S:g} s")
            return
        quiet = 0 if busy(view) or not count else quiet + 1
        await asyncio.sleep(POLL_S)


async def compare(lab: World, started_at: float, found: Findings) -> None:
    """Compare the engine's records with what carrier and phones saw; attempts that never left are counted."""
    records = await records_of(lab)
    lab.ledger.read()
    sent = [record for record in records if record.originated_at is not None]
    found.unsent = len(records) - len(sent)
    oracle = oracle_for(lab.setting.people, lab.setting.scenario.cap)
    found.summary = summarize(lab.ledger.calls, lab.phones.heard, sent, oracle, started_at)


async def calibration(lab: World) -> list[dict[str, Any]]:
    """Let the engine end, which writes its last minute, and read how often its forecasts came true."""
    await lab.engine.stop(ENGINE_END_S)
    span = ("--from", "2020-01-01", "--to", "2100-01-01")
    text = await lab.engine.run("report", "pacing", *span, "--json", "--config", str(lab.config))
    bins: list[dict[str, Any]] = json.loads(text[text.index("{") :])["calibration"]
    return bins


def judge(lab: World, started_at: float, found: Findings) -> None:
    """Count what carrier and phones have seen since the campaign started."""
    lab.ledger.read()
    plan = found.plan
    wrap_s = plan.habits.wrap_s + WRAP_LAG_S
    seen = Seen(lab.ledger.calls, lab.phones.heard, found.unsent, plan.agents, started_at, wrap_s)
    found.real = real_figures(seen)
    found.late_audio_ticks = lab.phones.audio.late_ticks


def every(seconds: float, tell: Tell) -> Show:
    """Tell of the present moment at most once in so many seconds."""
    last = float("-inf")

    def show(view: View) -> None:
        nonlocal last
        if view.seconds - last >= seconds:
            last = view.seconds
            limits = "; ".join(view.campaign["limits"])
            tell(f"{line(view)} | {limits}")

    return show


ROWS = (
    ("talk, % of agents' time", "utilisation", 1),
    ("abandoned, % of live answers", "abandoned_percent", 2),
    ("abandoned calls", "abandoned", 0),
    ("live answers", "answers", 0),
    ("answered, % of attempts", "answer_percent", 1),
    ("agent free per conversation, s", "idle_s", 1),
    ("answer to agent, p99, ms", "wait_ms", 0),
    ("attempts per agent and hour", "dials", 0),
    ("conversations per agent and hour", "talks", 0),
    ("attempts", "attempts", 0),
    ("  ended by us before the time-out", "cancelled", 0),
    ("  of them rung under 15 s or never", "short", 0),
    ("seconds from start to last call", "seconds", 0),
)
WIDTHS = (36, 10, 10, 18)


def table_lines(found: Findings) -> Iterable[str]:
    """Yield the comparison as a table: each figure of the real run beside the simulated ones.

    A figure of a complete run that lies beyond all simulated ones is marked.
    """
    runs = len(found.forecast)
    yield _line("", "real", "forecast", f"{runs} simulated runs", "")
    for label, name, digits in ROWS:
        yield _row(found, label, name, digits)


def _row(found: Findings, label: str, name: str, digits: int) -> str:
    real = None if found.real is None else float(getattr(found.real, name))
    own = "-" if real is None else f"{real:.{digits}f}"
    if not found.forecast:
        return _line(label, own, "-", "-", "")
    over = spread(name, found.forecast)
    inside = "" if real is None or not found.complete or over.holds(real) else "  outside"
    reach = f"{over.least:.{digits}f} to {over.most:.{digits}f}"
    return _line(label, own, f"{over.mean:.{digits}f}", reach, inside)


def _line(label: str, real: str, mean: str, reach: str, inside: str) -> str:
    first, second, third, fourth = WIDTHS
    return f"{label:<{first}}{real:>{second}}{mean:>{third}}{reach:>{fourth}}{inside}"


def verdict(found: Findings) -> Iterable[str]:
    """Yield what carrier, phones and records say of each other, in words."""
    if found.summary is None:
        return
    said = found.summary
    yield (
        f"carrier: {said.attempts} calls, engine: {said.cdrs} records of them and {found.unsent} of attempts"
        f" that never left; {said.double_dials} double,"
        f" {said.outside_gate} outside the gate, {said.silent_over_2s} silent over 2 s;"
        f" late audio ticks {found.late_audio_ticks}"
    )
    for difference in said.differences[:10]:
        yield f"  {difference}"
    yield f"{len(said.differences)} differences between the records and what carrier and phones saw"


def calibration_lines(found: Findings) -> Iterable[str]:
    """Yield what became of the answers, by the risk that the engine gave their lines when it placed them."""
    if found.calibration:
        yield "risk given to a line      answers   abandoned: expected   counted"
    for each in found.calibration:
        reach = f"{100 * each['from']:g} to {100 * each['to']:g} %"
        yield f"{reach:<24}{each['answers']:>9}{each['predicted']:>22.2f}{each['abandoned']:>10}"
