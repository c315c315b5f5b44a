"""`dialer chaos`: each fault in a world of its own, so that one cannot spoil the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from dialer_engine.lab.chaos.fault import Fault
from dialer_engine.lab.chaos.ground import Ground, setting_for
from dialer_engine.lab.chaos.rounds import Tell, run_fault
from dialer_engine.lab.chaos.verdict import Row
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.place import take_place
from dialer_engine.lab.world import world
from dialer_engine.pbx.bundle import install_bundle
from dialer_engine.settings.home import home, prepare_home, service_user


async def run_suite(
    faults: Sequence[Fault], rounds: int, calls: int, seed: int, tell: Tell, rows: list[Row]
) -> None:
    """Run `rounds` rounds of every fault with `calls` calls up, and add each fault's row to `rows`."""
    root, user = home(), service_user()
    prepare_home(root, user)
    bundle = await asyncio.to_thread(install_bundle, root)
    for fault in faults:
        tell(f"{fault.name}: {fault.does}")
        with take_place(root / "lab", user) as place:
            setting = replace(setting_for(calls, rounds, seed, long=fault.long), proxied=fault.links)
            async with world(bundle, place, setting, tell) as lab:
                await run_fault(Ground(lab, Dice(seed)), fault, rounds, tell, rows)
