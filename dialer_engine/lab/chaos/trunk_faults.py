"""The carrier refuses, is silent, or allows half the calls per second: nobody is charged, no limit is passed."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from dialer_engine.lab.chaos.do_not_call import UNHEARD_KEY
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.records import UNTIMED, Wrong
from dialer_engine.lab.chaos.ringing import SLOW_TRUNK
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, Promise
from dialer_engine.lab.place import LabError
from dialer_engine.lab.wire import Wire, most_in_a_second

REFUSES_S = 6.0
SILENT_S = 12.0
HALF_S = 6.0
HALF_PERIODS = 6
"""With a low rate the half of it holds for so many of its periods: a call or two would say nothing."""
LEAST_OF_HALF = 0.6
"""The share of the calls that half the rate allows which must come, or it was not the limit that held them back."""
SETTLES_S = 1.0
"""A call that left before the reload reaches the wire within this time."""
LOADED = "configuration reloaded"
WIRED = Needs(wired=True)
PROMISE = Promise(recovery_s=10.0)
"""A carrier gets a call within 8 s of its recovery, plus what a busy machine takes."""
SILENT = PROMISE.excusing("silent_answers", "rung", Wrong.UNHEARD, Wrong.UNSEEN_ANSWER).leaving(
    *UNTIMED, Wrong.SAID_LATE, SLOW_TRUNK, UNHEARD_KEY
)
"""Who answers or hangs up just then is not heard of, and whom we give up rings on: every word is lost. To the engine a
talk goes on whose end is lost: it takes no key for one that is over.
What the calls of then took until they rang is added to how long those ring that come next."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in any rolling period of so many seconds: what a trunk with `calls_per_second` allows.

    A rate below 1 is one call in each `1 / rate` seconds; no second can hold a part of a call of higher ones.
    """

    calls: int
    seconds: float

    @classmethod
    def of(cls, rate: float) -> Limit:
        """The limit of a rate in calls per second."""
        return cls(max(1, int(rate)), max(1.0, 1.0 / rate))

    @property
    def rate(self) -> float:
        """The calls per second that it comes to."""
        return self.calls / self.seconds

    def passed_by(self, times: Sequence[float]) -> tuple[str, ...]:
        """What is wrong with calls at these moments: more than allowed in some period."""
        most = most_in_a_second(times, self.seconds)
        words = f"{most} calls in {self.seconds:.2f} s, {self.calls} are allowed"
        return (words,) if most > self.calls else ()

    def unused_by(self, times: Sequence[float], seconds: float) -> tuple[str, ...]:
        """What is wrong with so few calls in so many seconds: something else held dialing back."""
        enough = LEAST_OF_HALF * seconds * self.rate
        words = f"only {len(times)} calls in {seconds:.1f} s: the limit was not what held them back"
        return (words,) if len(times) < enough else ()


def halved(rate: float) -> float:
    """Half of the calls per second that a rate allows, which is never as much as the whole by `Limit`."""
    return Limit.of(rate).rate / 2


async def refuse(ground: Ground, words: str) -> Strike:
    """Let the carrier refuse every call with these words for some seconds."""
    wire, began = wire_of(ground), time.time()
    wire.refuses = words
    try:
        await asyncio.sleep(REFUSES_S)
    finally:
        wire.refuses = None
    return _recovered(began, words.split()[0] not in _refusals(wire, began))


async def be_silent(ground: Ground) -> Strike:
    """Let nothing pass between engine and carrier for some seconds."""
    wire, began = wire_of(ground), time.time()
    wire.cut = True
    try:
        await asyncio.sleep(SILENT_S)
    finally:
        wire.cut = False
    return _recovered(began, "cut" not in _refusals(wire, began))


async def halve(ground: Ground) -> Strike:
    """Halve the trunk's calls per second by a reload for some seconds, and give them back."""
    wire, half = wire_of(ground), halved(ground.world.setting.scenario.calls_per_second)
    path, limit = ground.world.config / "dialer.yaml", Limit.of(half)
    whole = path.read_text(encoding="utf-8")
    await _load(ground, re.sub(r"calls_per_second: .*", f"calls_per_second: {half}", whole))
    since, seconds = time.time() + SETTLES_S, max(HALF_S, HALF_PERIODS * limit.seconds)
    await asyncio.sleep(SETTLES_S + seconds)
    times = [invite.at for invite in wire.invites if invite.at >= since]
    await _load(ground, whole)
    now = time.time()
    return Strike(now, now, broken=(*limit.passed_by(times), *limit.unused_by(times, seconds)))


async def _load(ground: Ground, text: str) -> None:
    """Write `dialer.yaml` and have it read."""
    log = ground.world.engine.log

    def loaded() -> int:
        return log.read_text("utf-8", "replace").count(LOADED)

    before = loaded()
    (ground.world.config / "dialer.yaml").write_text(text, encoding="utf-8")
    ground.world.engine.send(signal.SIGHUP)
    if not await ground.until(lambda: loaded() > before, 20.0):
        raise LabError(f"the engine did not read its configuration: {ground.world.engine.last_words()}")


def _recovered(began: float, missed: bool) -> Strike:
    """The strike of a carrier that is well again; what left in the last moment of the fault may arrive after it."""
    now = time.time()
    nothing = ("no call met the fault",) if missed else ()
    return Strike(now, now, broken=nothing, excused=((began - JUST_BEFORE_S, now),))


async def too_many(ground: Ground) -> tuple[str, ...]:
    """Whether any rolling period of the whole run held more calls than the trunk allows, by the kernel's clock."""
    limit = Limit.of(ground.world.setting.scenario.calls_per_second)
    return limit.passed_by([invite.at for invite in wire_of(ground).invites])


def _refusals(wire: Wire, since: float) -> set[str]:
    """In which ways calls failed at the wire since then."""
    return {(invite.refused or "").split(" ")[0] for invite in wire.invites if invite.at >= since}


def wire_of(ground: Ground) -> Wire:
    """The wire of this ground; LabError without one."""
    if ground.wire is None:
        raise LabError("this fault needs a wire between engine and carrier")
    return ground.wire


def wired(
    name: str, does: str, strike: Callable[[Ground], Awaitable[Strike]], promise: Promise = PROMISE
) -> Fault:
    """A fault at the wire, whose calls in every rolling second are counted when all rounds are over."""
    return Fault(name, does, strike, promise, WIRED, after=too_many)


def trunk_faults() -> list[Fault]:
    """The faults of this module."""
    busy, forbidden = "503 Service Unavailable", "403 Forbidden"
    return [
        wired("trunk-503", "the carrier answers 503 for 6 s", lambda ground: refuse(ground, busy)),
        wired("trunk-403", "the carrier answers 403 for 6 s", lambda ground: refuse(ground, forbidden)),
        wired("trunk-silent", "the carrier is silent for 12 s", be_silent, SILENT),
        wired("cps-half", "halve the calls per second for 6 s", halve),
    ]
