"""`dialer demo`: a campaign from the list to the call records, with nobody called, shown while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import Pace, life_like
from dialer_engine.lab.board import View, line, screen
from dialer_engine.lab.desks import Habits, at_desks
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.people import make_people
from dialer_engine.lab.place import take_place
from dialer_engine.lab.report import report
from dialer_engine.lab.run import Show, export, run_campaign
from dialer_engine.lab.scenario import Scenario
from dialer_engine.lab.summary import Summary
from dialer_engine.lab.world import Setting, World, world
from dialer_engine.pbx.bundle import Progress, install_bundle
from dialer_engine.settings.home import home, prepare_home, service_user

PACE = Pace(ring=0.6, talk=0.35)
LINE_S = 1.0
RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person at the keyboard asked for; `seconds` is the longest time to dial.

    `looks_s` is how long agents look at a contact in mode preview.
    """

    agents: int = 5
    contacts: int = 300
    lines: float = 3.0
    mode: str = "power"
    seconds: float = 600.0
    keep: bool = False
    seed: int = 1
    pace: Pace = PACE
    looks_s: tuple[float, float] = (0.5, 2.5)


async def demo(wishes: Wishes, console: Console) -> Summary:
    """Run the demo, show it on `console`, and return what it came to."""
    started_at = time.time()
    root, user = home(), service_user()
    prepare_home(root, user)
    bundle = await asyncio.to_thread(install_bundle, root, _progress(console))
    with take_place(root / "lab", user) as place:
        async with world(bundle, place, _setting(wishes), _teller(console)) as lab:
            async with _people_at_desks(lab, wishes):
                with _showing(console) as show:
                    summary = await run_campaign(lab, wishes.seconds, show, started_at)
            results = await _save(lab, summary, root / "lab" / RESULTS)
        kept = place.directory if wishes.keep else None
        console.print(report(summary, results, kept), highlight=False, soft_wrap=True)
        if not wishes.keep:
            await asyncio.to_thread(shutil.rmtree, place.directory)
    return summary


def _setting(wishes: Wishes) -> Setting:
    scenario = Scenario(agents=wishes.agents, lines=wishes.lines, mode=wishes.mode)
    people = make_people(wishes.contacts, wishes.seed)
    return Setting(scenario, life_like(wishes.pace), people, Manners(), wishes.seed)


def _people_at_desks(lab: World, wishes: Wishes) -> contextlib.AbstractAsyncContextManager[None]:
    """Return agents at their desks, when the mode is one in which agents dial."""
    if wishes.mode != "preview":
        return contextlib.nullcontext()
    return at_desks(
        lab.engine.control, lab.setting.scenario.agent_names, Dice(wishes.seed), Habits(wishes.looks_s)
    )


def _teller(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(f"- {text}", highlight=False)


def _progress(console: Console) -> Progress:
    last = ""

    def tell(text: str, share: float | None) -> None:
        nonlocal last
        shown = text if share is None else f"{text} {share:.0%}"
        if shown != last:
            last = shown
            console.print(f"- {shown}", highlight=False)

    return tell


@contextlib.contextmanager
def _showing(console: Console) -> Iterator[Show]:
    """Show moments as a live screen in a terminal, else as a line about once a second."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda view: live.update(screen(view))
        return
    last = -LINE_S

    def show(view: View) -> None:
        nonlocal last
        if view.seconds - last >= LINE_S:
            last = view.seconds
            console.print(line(view), highlight=False, soft_wrap=True)

    yield show


async def _save(lab: World, summary: Summary, root: Path) -> Path:
    """Keep the call records, the carrier's ledger and the summary; the rest of the lab goes."""
    target = root / time.strftime("%Y%m%d-%H%M%S")
    target.mkdir(mode=0o755, parents=True, exist_ok=True)
    (target / "cdrs.csv").write_text(await export(lab, "csv") + "\n", encoding="utf-8")
    (target / "summary.json").write_text(json.dumps(summary.as_json(), indent=1) + "\n", encoding="utf-8")
    await asyncio.to_thread(shutil.copyfile, lab.ledger.path, target / "carrier-ledger.txt")
    return target
