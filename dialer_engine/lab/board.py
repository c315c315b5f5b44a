"""What a person sees while a lab runs: a live screen in a terminal, one line a second without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dialer_engine.lab.pairing import Delays

AGENT_COLORS = {
    "ready": "green",
    "in_call": "cyan",
    "wrap": "yellow",
    "paused": "magenta",
    "away": "red",
    "offline": "dim",
}
RECENT = 8
FLIGHT = ("reserved", "dialing", "ringing", "waiting")


@dataclass(frozen=True, slots=True)
class View:
    """One moment: the engine's status, and what carrier and phones measured themselves."""

    seconds: float
    status: Mapping[str, Any]
    carrier_calls: int
    carrier_live: int
    delays: Delays

    @property
    def campaign(self) -> Mapping[str, Any]:
        """The status of the lab's one campaign."""
        campaigns: list[Mapping[str, Any]] = self.status["campaigns"]
        return campaigns[0]


def line(view: View) -> str:
    """The moment in one line of text."""
    campaign = view.campaign
    agents, calls, totals = campaign["agents"], campaign["calls"], campaign["totals"]
    return (
        f"{view.seconds:5.0f} s | agents: {agents['ready']} ready, {agents['in_call']} talking,"
        f" {agents['wrap']} wrap"
        f" | lines: {sum(calls[state] for state in FLIGHT)} up, {calls['ringing']} ringing"
        f" | dialed {totals['attempts']}, answered {totals['answered']}, bridged {totals['bridged']},"
        f" abandoned {totals['abandoned']} | answer to agent {_delay(view.delays)}"
        f" | {_queue(campaign['queue'])}"
    )


def screen(view: View) -> RenderableType:
    """The moment as a whole screen."""
    upper = Columns([_agents(view), _calls(view), _held(view)], padding=(0, 1))
    limits = Text("; ".join(view.campaign["limits"]) or "nothing limits the level", style="dim")
    return Group(_head(view), upper, _recent(view), limits)


def _head(view: View) -> RenderableType:
    engine = view.status["engine"]
    why = "" if engine["dialing"] else f"  not dialing: {engine['why_not']}"
    return Text.assemble(
        ("dialer demo", "bold"),
        f"  {view.seconds:.0f} s   lab clock {engine['clock'][:19].replace('T', ' ')}",
        f"   carrier: {view.carrier_live} lines up, {view.carrier_calls} calls so far",
        (why, "red"),
    )


def _agents(view: View) -> RenderableType:
    table = Table("agent", "state", "s", box=None, padding=(0, 1))
    for agent in view.status["agents"][:12]:
        state = str(agent["state"])
        table.add_row(
            agent["name"], Text(state, style=AGENT_COLORS.get(state, "")), f"{agent['since_s'] or 0:.0f}"
        )
    return Panel(table, title="agents")


def _calls(view: View) -> RenderableType:
    campaign = view.campaign
    table = Table("", "", box=None, show_header=False, padding=(0, 1))
    for state, count in campaign["calls"].items():
        table.add_row(f"now {state}", str(count))
    for result, count in campaign["totals"].items():
        if count or result in ("attempts", "answered", "bridged", "abandoned"):
            table.add_row(result.replace("_", " "), str(count))
    table.add_row("answer to agent", _delay(view.delays))
    return Panel(table, title="calls")


def _held(view: View) -> RenderableType:
    queue = view.campaign["queue"]
    table = Table("", "", box=None, show_header=False, padding=(0, 1))
    for name in ("due", "waiting", "done"):
        table.add_row(name, str(queue[name]))
    for rule, count in sorted(queue["held"].items()):
        table.add_row(f"held: {rule}", str(count))
    return Panel(table, title="contacts")


def _recent(view: View) -> RenderableType:
    table = Table("at", "result", "agent", "answer to agent", "talk", box=None, padding=(0, 1))
    for call in view.status["recent"][:RECENT]:
        delay, talk = call.get("answer_to_agent_ms"), call.get("talk_s")
        table.add_row(
            str(call["at"])[11:19],
            str(call["result"]).replace("_", " "),
            str(call.get("agent") or ""),
            "" if delay is None else f"{delay:.0f} ms",
            "" if talk is None else f"{talk:.1f} s",
        )
    return Panel(table, title="last calls")


def _delay(delays: Delays) -> str:
    if delays.p50 is None:
        return "-"
    return f"p50 {delays.p50:.0f} ms, p99 {delays.p99:.0f} ms"


def _queue(queue: Mapping[str, Any]) -> str:
    held = ", ".join(f"{rule} {count}" for rule, count in sorted(queue["held"].items()))
    return f"due {queue['due']}, done {queue['done']}" + (f", held: {held}" if held else "")
