"""`dialer chaos`: each fault in worlds of its own, so that one cannot spoil the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dialer_engine.lab.chaos.fault import Fault
from dialer_engine.lab.chaos.ground import rounds_in_a_world
from dialer_engine.lab.chaos.rounds import Tell, run_fault
from dialer_engine.lab.chaos.stage import staged
from dialer_engine.lab.chaos.verdict import Row, Tally, row_of
from dialer_engine.lab.place import take_place
from dialer_engine.lab.small_disk import need_root
from dialer_engine.pbx.bundle import install_bundle
from dialer_engine.settings.home import home, prepare_home, service_user


async def run_suite(
    faults: Sequence[Fault], rounds: int, calls: int, seed: int, tell: Tell, rows: list[Row]
) -> None:
    """Run `rounds` rounds of every fault with `calls` calls up, and add each fault's row to `rows`.

    A fault gets another world when its numbers run out, and its row when it ends or is interrupted. When a world does
    not go on after a fault came, that stands in the row, and the next world begins.
    Raises LabError, before anything is started, when one of the faults needs root and this is not.
    """
    for fault in faults:
        if fault.needs.small_disk is not None:
            need_root(fault.name)
    root, user = home(), service_user()
    prepare_home(root, user)
    bundle = await asyncio.to_thread(install_bundle, root)
    for fault in faults:
        tell(f"{fault.name}: {fault.does}")
        tallies: list[Tally] = []
        try:
            most = rounds_in_a_world(calls, fault.needs.people, edges=fault.needs.edges)
            for turn, some in enumerate(_worlds(rounds, most)):
                with take_place(root / "lab", user) as place:
                    size = {"calls": calls, "rounds": some, "seed": seed + turn}
                    async with staged(bundle, place, fault.needs, tell, **size) as ground:
                        await run_fault(ground, fault, some, tell, tallies)
        finally:
            if tallies:
                rows.append(row_of(fault.name, fault.promise, tallies))


def _worlds(rounds: int, most: int) -> list[int]:
    """The rounds of each world: no more than it has fictional numbers for, and about as many in each."""
    worlds = -(-rounds // most)
    return [rounds // worlds + (turn < rounds % worlds) for turn in range(worlds)]
