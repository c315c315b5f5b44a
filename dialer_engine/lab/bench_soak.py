"""`dialer bench soak`: does anything grow with the number of calls?

A campaign with predictive pacing dials a long list at a simulated carrier: people who talk, hang up early or press 9,
machines, busy and failing numbers, abandoned calls. Memory, descriptors and tasks of the engine are read all the time;
channels and bridges of its Asterisk before the first call and after the last. What a call leaves behind shows as a
slope, or as a difference between the two ends.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import linear_regression
from typing import Any

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Behaviour, Kind, Table
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.people import Person
from dialer_engine.lab.place import LabError, Place
from dialer_engine.lab.run import export
from dialer_engine.lab.scenario import CAMPAIGN, Scenario
from dialer_engine.lab.usage import descriptors, rss_mb
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Bundle

STEP_S = 5.0
WARM_UP = 0.25
"""The first quarter of the calls fills caches and pools: it says nothing about growth."""
SLACK = 5
"""Tasks and descriptors that come and go by themselves, such as a question to Asterisk; what leaks comes by dozens."""
STILL_S = 60.0
SETTLE_S = 90.0
KINDS = (
    *((Kind.ANSWER_HANGUP, 1.0),) * 9,
    *((Kind.BUSY, 0.0),) * 5,
    *((Kind.HUMAN, 0.5), (Kind.MACHINE, 1.0), (Kind.IMPATIENT, 1.0), (Kind.OPT_OUT, 1.0)),
    *((Kind.NOT_IN_SERVICE, 0.0), (Kind.CONGESTION, 0.0)),
)
"""Mostly short talks: the phones are silent here, and people who wait for a word take eight seconds."""
PEOPLE: Table = tuple(
    Behaviour(kind, 0.2 + 0.02 * (n % 20), talk_s)
    for n in range(100)
    for kind, talk_s in (KINDS[n % len(KINDS)],)
)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """The engine at one moment: calls at the carrier so far, memory in MB, open descriptors, tasks of its loop."""

    at: float
    calls: int
    rss_mb: float
    descriptors: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Still:
    """The system with nobody on the line: the engine, and Asterisk's channels and bridges and its memory in MB."""

    engine: Sample
    channels: int
    bridges: int
    asterisk_mb: float


@dataclass(slots=True)
class SoakResult:
    """What was seen; `as_json` says what grew."""

    before: Still
    after: Still
    calls: int
    records: int
    seconds: float
    samples: list[Sample] = field(default_factory=list)

    @property
    def warm(self) -> list[Sample]:
        """The samples after the warm-up."""
        return [each for each in self.samples if each.calls >= WARM_UP * self.calls]

    def slope(self, what: Callable[[Sample], float], over: Callable[[Sample], float]) -> float:
        """Return how much one thing grew per unit of another after the warm-up; 0 with too few samples."""
        warm = self.warm
        if len(warm) < 3 or len({over(each) for each in warm}) < 2:
            return 0.0
        return linear_regression([over(each) for each in warm], [what(each) for each in warm]).slope

    @property
    def leaks(self) -> list[str]:
        """What is there after the last call and was not before the first, in words."""
        found = [
            f"{after - before} {name} more than before the first call"
            for name, before, after in (
                ("channels", self.before.channels, self.after.channels),
                ("bridges", self.before.bridges, self.after.bridges),
            )
            if after > before
        ]
        start = self.warm[0] if self.warm else self.before.engine
        for name, least, last in (
            ("tasks", min(start.tasks, self.before.engine.tasks), self.after.engine.tasks),
            ("descriptors", start.descriptors, self.after.engine.descriptors),
        ):
            if last > least + SLACK:
                found.append(f"{last - least} {name} more than after the warm-up")
        if self.records != self.calls:
            found.append(f"{self.calls} calls at the carrier, {self.records} records")
        return found

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that checks expect."""
        return {
            "calls": self.calls,
            "records": self.records,
            "seconds": round(self.seconds, 1),
            "calls_per_second": round(self.calls / self.seconds, 1) if self.seconds else 0.0,
            "rss_mb_per_hour": round(3600 * self.slope(lambda s: s.rss_mb, lambda s: s.at), 2),
            "rss_kb_per_call": round(1000 * self.slope(lambda s: s.rss_mb, lambda s: s.calls), 3),
            "leaks": self.leaks,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "samples": [asdict(each) for each in self.samples],
        }


async def bench_soak(bundle: Bundle, place: Place, attempts: int, agents: int, tell: Tell) -> SoakResult:
    """Dial `attempts` contacts once each. Raises LabError when the list is not done for a long time."""
    scenario = Scenario(
        agents=agents,
        mode="predictive",
        wrap_seconds=0,
        calls_per_second=100.0,
        max_channels=8 * agents,
        clock=CROWD_CLOCK,
        retry_s=24 * 3600,
        cap=1,
    )
    setting = Setting(
        scenario, PEOPLE, _shuffled(make_crowd(attempts)), Manners(ends_share=0.1, digits=""), deaf=True
    )
    async with world(bundle, place, setting, tell) as lab:
        before = await _still(lab)
        await lab.begin()
        begun = time.monotonic()
        samples = await _watch(lab, attempts, tell)
        seconds = time.monotonic() - begun
        await lab.engine.control.post(f"/campaigns/{CAMPAIGN}/stop")
        await _until_still(lab)
        after = await _still(lab)
        lab.ledger.read()
        records = [json.loads(line) for line in (await export(lab)).splitlines() if line.startswith("{")]
        sent = sum(record["originated_at"] is not None for record in records)
        return SoakResult(before, after, lab.ledger.count, sent, seconds, samples)


def _shuffled(people: list[Person]) -> list[Person]:
    """The people in no order: a crowd comes by last digits, so hundreds who do the same would follow each other."""
    random.Random(1).shuffle(people)  # noqa: S311
    return people


async def _watch(lab: World, attempts: int, tell: Tell) -> list[Sample]:
    """Sample until every contact was called; some the law's budget holds back are left out at the end."""
    samples: list[Sample] = []
    nothing_left = 0
    grew = said = time.monotonic()
    while True:
        await asyncio.sleep(STEP_S)
        sample = await _sample(lab)
        if samples and sample.calls > samples[-1].calls:
            grew = time.monotonic()
        samples.append(sample)
        nothing_left = nothing_left + 1 if await _nobody_left(lab) else 0
        if time.monotonic() - said >= 6 * STEP_S:
            said = time.monotonic()
            tell(f"{sample.calls:,} of {attempts:,} calls; engine {sample.rss_mb:g} MB, {sample.tasks} tasks")
        if sample.calls >= attempts or nothing_left == 2 or time.monotonic() - grew > STILL_S:
            return samples


async def _nobody_left(lab: World) -> bool:
    """Whether no call is up and no contact is due."""
    [campaign] = (await lab.engine.control.status())["campaigns"]
    return not any(campaign["calls"].values()) and not campaign["queue"]["due"]


async def _sample(lab: World) -> Sample:
    status = await lab.engine.control.status()
    lab.ledger.read()
    pid = int(status["engine"]["pid"])
    tasks = int(status["engine"]["tasks"])
    return Sample(time.monotonic(), lab.ledger.count, rss_mb(pid), descriptors(pid), tasks)


async def _until_still(lab: World) -> None:
    """Wait until nobody is on the line and everything is written."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        status = await lab.engine.control.status()
        lab.ledger.read()
        flying = any(sum(each["calls"].values()) for each in status["campaigns"])
        if not flying and not lab.ledger.live and not status["engine"]["unwritten"]:
            return
        await asyncio.sleep(0.5)
    raise LabError(f"calls are still up {SETTLE_S:g} s after the last was dialed; see {lab.place.log}")


async def _still(lab: World) -> Still:
    """Look at the system once it has been quiet for some seconds; the least of several looks counts."""
    looks: list[Still] = []
    for _ in range(5):
        await asyncio.sleep(1.0)
        sample = await _sample(lab)
        channels = await asyncio.to_thread(lab.main_node.console, "core show channels count")
        bridges = await asyncio.to_thread(lab.main_node.console, "bridge show all")
        memory = rss_mb(lab.main_node.pid or 0)
        looks.append(Still(sample, _first_number(channels), len(_bridges(bridges)), memory))
    return min(
        looks, key=lambda look: (look.channels, look.bridges, look.engine.tasks, look.engine.descriptors)
    )


def _first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    if found is None:
        raise LabError(f"Asterisk's console says {text!r} where the number of channels should be")
    return int(found.group())


def _bridges(text: str) -> Sequence[str]:
    """The lines of bridges below the title line of `bridge show all`."""
    return [line for line in text.splitlines()[1:] if line.strip()]
