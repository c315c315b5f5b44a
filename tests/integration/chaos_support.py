"""One small world for several faults of a test module, and what must hold after each of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab_support import lab_place

from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.rounds import BACK_S, run_fault
from dialer_engine.lab.chaos.stage import Needs, staged
from dialer_engine.lab.chaos.verdict import Row, Tally, row_of
from dialer_engine.pbx.bundle import Bundle

CALLS = 3
PACE = 0.3
BUSY = 3.0
"""So many times as long as promised a recovery may take on a machine that runs other tests too."""


@asynccontextmanager
async def ground(
    bundle: Bundle, rounds: int, needs: Needs | None = None, pace: float = PACE
) -> AsyncIterator[Ground]:
    """A running world for so many rounds altogether, with what its faults need."""
    with lab_place() as place:
        size = {"calls": CALLS, "rounds": rounds, "seed": 7}
        async with staged(bundle, place, needs or Needs(), lambda text: None, pace=pace, **size) as made:
            yield made


async def struck(ground: Ground, name: str, rounds: int) -> Row:
    """The row of some rounds of one fault, in which every call must be counted."""
    tallies: list[Tally] = []
    fault = catalogue()[name]
    await run_fault(ground, fault, rounds, lambda text: None, tallies)
    row = row_of(name, fault.promise, tallies)
    assert row.rounds == rounds
    assert row.calls > 0
    assert row.recovery_p95_s is not None
    assert row.recovery_p95_s <= min(BUSY * fault.promise.recovery_s, BACK_S - 1), "what counts as not at all"
    return row


def broken(row: Row) -> tuple[list[str], tuple[str, ...]]:
    """The broken promises but for speed, which `struck` looks at, and what stands behind them."""
    names = [name for name in row.broken if name != "recovery_p95_s"]
    return (names, row.evidence) if names else KEPT


KEPT: tuple[list[str], tuple[str, ...]] = ([], ())
