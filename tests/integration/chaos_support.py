"""One small world for several faults of a test module, and what must hold after each of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from lab_support import lab_place

from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.ground import Ground, setting_for
from dialer_engine.lab.chaos.rounds import run_fault
from dialer_engine.lab.chaos.verdict import Row
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.world import world
from dialer_engine.pbx.bundle import Bundle

CALLS = 3
PACE = 0.3


@asynccontextmanager
async def ground(
    bundle: Bundle, rounds: int, *, links: bool = False, long: bool = False
) -> AsyncIterator[Ground]:
    """A running world for so many rounds altogether; `links` puts the proxy between engine and Asterisk,
    `long` lets people talk on.
    ."""
    with lab_place() as place:
        setting = replace(setting_for(CALLS, rounds, pace=PACE, long=long), proxied=links)
        async with world(bundle, place, setting, lambda text: None) as lab:
            yield Ground(lab, Dice(7))


async def struck(ground: Ground, name: str, rounds: int) -> Row:
    """The row of some rounds of one fault, in which every call must be counted."""
    rows: list[Row] = []
    await run_fault(ground, catalogue()[name], rounds, lambda text: None, rows)
    assert rows[0].rounds == rounds
    assert rows[0].calls > 0
    return rows[0]


def broken(row: Row) -> tuple[list[str], tuple[str, ...]]:
    """The broken promises but for speed, which a busy machine cannot keep, and what stands behind them."""
    names = [name for name in row.broken if name != "recovery_p95_s"]
    return (names, row.evidence) if names else KEPT


KEPT: tuple[list[str], tuple[str, ...]] = ([], ())
