"""`dialer status` and `dialer reload`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dialer_engine.cli.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    carry_out,
    engine,
    print_json,
)
from dialer_engine.cli.terminal import new_console, say

REFRESH_S = 0.5


def status(
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it until Ctrl-C.")] = False,
) -> None:
    """Show what the running engine does: calls, agents, trunks, queues, and what limits it."""
    client = engine(config)
    document = carry_out(client.status())
    if json:
        print_json(document)
        return
    if not watch:
        new_console().print(render(document))
        return
    try:
        with Live(render(document), console=new_console(), refresh_per_second=4) as live:
            while True:
                time.sleep(REFRESH_S)
                live.update(render(carry_out(client.status())))
    except KeyboardInterrupt:
        return


def render(document: dict[str, Any]) -> Group:
    """Return the status document as tables."""
    return Group(
        _headline(document["engine"]),
        *_strangers(document.get("strangers")),
        *_nodes(document.get("nodes") or []),
        _campaigns(document["campaigns"]),
        *(_queue(campaign) for campaign in document["campaigns"]),
        *(_abandonment(campaign) for campaign in document["campaigns"] if campaign.get("abandonment")),
        _agents(document["agents"]),
        _trunks(document["trunks"]),
        *(_trunk_health(trunk) for trunk in document["trunks"]),
        _recent(document["recent"]),
    )


def _headline(engine: dict[str, Any]) -> Text:
    words = f"engine {engine['state']} (pid {engine['pid']}), gate's clock {engine['clock'][:19]}"
    text = Text(words, style="bold")
    if engine["why_not"]:
        text.append(f"\nno calls: {engine['why_not']}", style="bold red")
    if overload := engine.get("overload"):
        text.append(f"\n{overload_in_words(overload)}", style="" if overload["level"] == "full" else "yellow")
    if engine.get("held"):
        text.append(f"\n{engine['held']} record(s) on the disk until the database takes them", style="yellow")
    return text


def _nodes(nodes: list[dict[str, Any]]) -> list[Table]:
    """Return the nodes, when there are several or the only one is away."""
    if len(nodes) == 1 and nodes[0]["up"]:
        return []
    table = Table(title="Nodes", title_justify="left")
    for column in ("node", "dials", "ARI", "AMI", "agents", "calls"):
        table.add_column(column)
    for one in nodes:
        words = (_yes(one["up"]), _yes(one["ari"]), _yes(one["ami"]), str(one["agents"]), str(one["calls"]))
        table.add_row(one["name"], *words, style="" if one["up"] else "bold red")
    return [table]


def _strangers(found: dict[str, Any] | None) -> list[Text]:
    """Return who was refused over SIP within the last minute, when anybody was."""
    if not found or not found["refused_last_minute"]:
        return []
    most = ", ".join(f"{one['address']} {one['count']:,}" for one in found["most"])
    return [
        Text(
            f"refused over SIP in the last minute: {found['refused_last_minute']:,} requests of {found['sources']} "
            f"source(s), most from {most}",
            style="yellow",
        )
    ]


def overload_in_words(overload: dict[str, Any]) -> str:
    """Return the brake and what it measured last."""
    measured = overload["measured"]
    shown = (
        _share("task processors full", measured["depth"]),
        _late("events late", measured["event_late_s"]),
        _late("Asterisk answers in", measured["answer_s"]),
        _late("event loop late", measured["loop_late_s"]),
        _share("CPUs busy", measured["cpu"]),
    )
    figures = ", ".join(one for one in shown if one)
    if overload["level"] == "full":
        return f"load: {figures or 'not measured yet'}"
    rate = overload["calls_per_second"]
    limit = f", {rate:.3g} calls/s at most" if rate else ""
    since = f"for {overload['since_s']:.0f} s"
    return f"overload: new calls are {overload['level']} {since}{limit}: {overload['reason']} ({figures})"


def _share(words: str, value: float | None) -> str:
    return "" if value is None else f"{words} {value:.0%}"


def _late(words: str, value: float | None) -> str:
    return "" if value is None else f"{words} {value * 1000:.0f} ms"


def _campaigns(campaigns: list[dict[str, Any]]) -> Table:
    table = Table(title="Campaigns", title_justify="left", expand=True)
    for column in ("campaign", "state", "mode", "agents", "lines", "attempts", "answered", "bridged"):
        table.add_column(column)
    for column in ("abandoned", "answer to agent ms p50/p99/max"):
        table.add_column(column)
    for one in campaigns:
        totals, delay, calls, agents = (
            one["totals"],
            one["answer_to_agent_ms"],
            one["calls"],
            one["agents"],
        )
        table.add_row(
            one["name"],
            one["state"],
            _mode(one),
            _parts(agents, ("ready", "in_call", "wrap", "paused", *(["away"] if agents.get("away") else []))),
            _parts(calls, ("dialing", "ringing", "waiting")),
            str(totals["attempts"]),
            str(totals["answered"]),
            str(totals["bridged"]),
            str(totals["abandoned"]),
            "/".join(_ms(delay[key]) for key in ("p50", "p99", "max")),
        )
    return table


def _mode(campaign: dict[str, Any]) -> str:
    lines = f" x{campaign['lines_per_agent']:g}" if campaign["mode"] == "power" else ""
    return f"{campaign['mode']}{lines}"


def _abandonment(campaign: dict[str, Any]) -> Text:
    """Return how many abandoned calls the law leaves, by country, in the present period."""
    parts = [
        f"{country} {one['abandoned']} of {one['allowed']} abandoned calls since {one['since']}, "
        f"{one['live']} live answers, {one['at_risk']} lines at risk"
        for country, one in campaign["abandonment"].items()
    ]
    used_up = any(one["left"] <= 0 for one in campaign["abandonment"].values())
    return Text(f"{campaign['name']}: {'; '.join(parts)}", style="yellow" if used_up else "")


def _parts(counts: dict[str, int], shown: tuple[str, ...]) -> str:
    return "  ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in shown)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _queue(campaign: dict[str, Any]) -> Text:
    queue = campaign["queue"]
    held = ", ".join(f"{rule} {count}" for rule, count in sorted((queue["held"] or {}).items())) or "none"
    words = (
        f"{campaign['name']}: due {queue['due']}, waiting {queue['waiting']}, done {queue['done']}; "
        f"held back by: {held}"
    )
    limits = "; ".join(campaign["limits"])
    return Text(f"{words}\n  now limited by: {limits}" if limits else words)


def _agents(agents: list[dict[str, Any]]) -> Table:
    table = Table(title="Agents", title_justify="left")
    for column in ("agent", "state", "for s", "campaign", "node", "phone"):
        table.add_column(column)
    for one in agents:
        since = "-" if one["since_s"] is None else f"{one['since_s']:.0f}"
        words = (
            one["name"],
            _agent_state(one),
            since,
            one["campaign"] or "-",
            one.get("node") or "-",
            one["phone"],
        )
        table.add_row(*words)
    return table


def _agent_state(one: dict[str, Any]) -> str:
    """Return what an agent does; of a phone on hold nobody hears anything."""
    if one.get("looking") and one["state"] != "away":
        return "looks at a contact"
    return f"{one['state']}, on hold" if one.get("on_hold") and one["state"] != "away" else str(one["state"])


def _trunks(trunks: list[dict[str, Any]]) -> Table:
    table = Table(title="Trunks", title_justify="left")
    for column in ("trunk", "calls", "of", "calls/s", "registered", "reachable", "breaker"):
        table.add_column(column)
    for one in trunks:
        table.add_row(
            one["name"],
            str(one["active"]),
            str(one["max_channels"]),
            f"{one['calls_per_second']:g}",
            _seen(one, "registered"),
            _seen(one, "reachable"),
            one["breaker"]["state"].replace("_", " "),
        )
    return table


def _trunk_health(trunk: dict[str, Any]) -> Text:
    """Return one trunk's last hour in words, and its breaker while that keeps calls from it."""
    health, breaker = trunk["last_hour"], trunk["breaker"]
    delay = health["post_dial_delay_ms_p50"]
    codes = ", ".join(f"{code} x{count}" for code, count in list(health["codes"].items())[:6]) or "none"
    text = Text(
        f"{trunk['name']}, last hour: {health['calls']} calls, answered {_percent(health['answer_seizure_ratio'])}, "
        f"of these under 6 s {_percent(health['short_share'])}, "
        f"rings after {'-' if delay is None else f'{delay / 1000:.1f} s'}; codes {codes}"
    )
    if health["no_audio_from_carrier"] or health["no_audio_to_carrier"]:
        text.append(
            f"\n  talks without audio: {health['no_audio_from_carrier']} from the carrier, "
            f"{health['no_audio_to_carrier']} to it",
            style="yellow",
        )
    if lacking := [node for node, seen in trunk.get("nodes", {}).items() if seen.get("known") is False]:
        text.append(
            f"\n  no channel from Asterisk at {', '.join(lacking)}: calls there wait, but for a try now and then",
            style="bold red",
        )
    if breaker["state"] != "closed":
        text.append(
            f"\n  at fault for {breaker['since_s']:.0f} s (last {breaker['last_code']}), "
            f"next try in {breaker['next_try_s']:.0f} s",
            style="bold red",
        )
    return text


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _seen(trunk: dict[str, Any], what: str) -> str:
    """Return what all nodes see, or what each does when they differ."""
    seen = {node: reach[what] for node, reach in trunk.get("nodes", {}).items()}
    if len(set(seen.values())) <= 1:
        return _yes(trunk[what])
    return ", ".join(f"{node} {_yes(value)}" for node, value in seen.items())


def _yes(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "NO"


def _recent(recent: list[dict[str, Any]]) -> Table:
    table = Table(title="Last calls", title_justify="left")
    for column in ("ended", "campaign", "result", "agent", "answer to agent ms", "talk s"):
        table.add_column(column)
    for one in recent[:8]:
        delay = _ms(one["answer_to_agent_ms"])
        table.add_row(
            one["at"][11:19],
            one["campaign"],
            one["result"],
            one["agent"] or "-",
            delay,
            f"{one['talk_s']:.0f}",
        )
    return table


def reload(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Let the running engine read its configuration again: all of it, or nothing with the errors."""
    answer = carry_out(engine(config).post("/reload"))
    for line in answer["changes"] or ["nothing has changed"]:
        say(line)
    for line in answer.get("warnings", ()):
        say(f"WARNING: {line}", err=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("status", help="Show what the running engine does.")(status)
    app.command("reload", help="Let the running engine read its configuration again.")(reload)
