"""The carrier refuses, is silent, or allows half the calls per second: nobody is charged, no limit is passed."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.records import Wrong
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, Promise
from dialer_engine.lab.place import LabError
from dialer_engine.lab.wire import Wire, most_in_a_second

REFUSES_S = 6.0
SILENT_S = 12.0
HALF_S = 6.0
LOADED = "configuration reloaded"
WIRED = Needs(wired=True)
PROMISE = Promise(recovery_s=10.0)
"""A carrier gets a call within 8 s of its recovery, plus what a busy machine takes."""
SILENT = PROMISE.excusing("silent_answers", Wrong.UNHEARD)
"""Who answers just then is not heard of: the carrier's word is lost."""


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
    wire, rate = wire_of(ground), ground.world.setting.scenario.calls_per_second
    path = ground.world.config / "dialer.yaml"
    whole = path.read_text(encoding="utf-8")
    half = re.sub(r"calls_per_second: .*", f"calls_per_second: {rate / 2}", whole)
    await _load(ground, half)
    since = time.time() + 1.0
    await asyncio.sleep(1.0 + HALF_S)
    times = [invite.at for invite in wire.invites if invite.at >= since]
    await _load(ground, whole)
    now, most = time.time(), most_in_a_second(times)
    allowed = max(1, int(rate / 2))
    broken = [f"{most} calls in a second, {allowed} are allowed"] if most > allowed else []
    if len(times) < allowed * HALF_S / 3:
        broken.append(f"only {len(times)} calls in {HALF_S:g} s: the limit was not what held them back")
    return Strike(now, now, broken=tuple(broken))


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
    """Whether any rolling second of the whole run held more calls than the trunk allows, by the kernel's clock."""
    most = most_in_a_second([invite.at for invite in wire_of(ground).invites])
    allowed = max(1, int(ground.world.setting.scenario.calls_per_second))
    return (f"{most} calls in a second, {allowed} are allowed",) if most > allowed else ()


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
