"""An agent's desk as text: who is on show or on the line, what was tried before, what to say, which keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

STATES: Mapping[str, str] = {
    "off": "not on duty: dial 100 with your phone",
    "ready": "ready: waiting for the next contact",
    "looking": "look, then dial or skip",
    "asking": "dialing: asking whether this call is allowed now",
    "dialing": "dialing",
    "ringing": "ringing",
    "answered": "answered",
    "in_call": "in a call",
    "wrap": "the call is over: how did it end?",
    "paused": "paused",
}
TIMED = frozenset({"ringing", "in_call", "paused", "ready"})
"""States of which an agent wants to know how long they last already."""
PROMINENT = frozenset({"name", "number"})
TALLEST_SCRIPT = 20


@dataclass(frozen=True, slots=True)
class Moment:
    """What moves on the screen: seconds in the state, seconds left to look or to wrap up, seconds without the engine.

    `said` is the answer to the last key; `choosing`: the next key is a reason to skip.
    """

    seconds: float | None = None
    left: float | None = None
    away: float = 0.0
    said: str = ""
    choosing: bool = False


def screen(desk: Mapping[str, Any], moment: Moment) -> RenderableType:
    """Return the desk for a terminal: what the agent does and may press stands above all that may be long."""
    parts: list[RenderableType] = [
        _headline(desk, moment),
        Text(keys(desk, moment.choosing), style="bold cyan"),
    ]
    if moment.said:
        parts.append(Text(moment.said, style="bold red"))
    if desk["notice"]:
        parts.append(Text(f"last contact {desk['notice']}", style="yellow"))
    parts.append(Text())
    if desk["contact"]:
        parts += [_contact(desk), *_history(desk["contact"]["history"])]
    elif desk["number"]:
        parts.append(Text(f"{desk['number']}: who this is cannot be read from the database now"))
    if desk["script"] and desk["number"]:
        lines = str(desk["script"]).strip().splitlines()[:TALLEST_SCRIPT]
        parts.append(Panel(Text("\n".join(lines)), title="Script", title_align="left"))
    return Group(*parts)


def _headline(desk: Mapping[str, Any], moment: Moment) -> Text:
    text = Text(f"{desk['agent']} at {desk['campaign'] or 'no campaign'}: ", style="bold")
    if moment.away:
        text.append(f"no word from the engine for {clock(moment.away)}; a talk goes on", style="bold red")
        return text
    text.append(in_words(desk), style="bold green" if desk["state"] in ("looking", "in_call") else "bold")
    if desk["state"] in TIMED and moment.seconds is not None:
        text.append(f"  {clock(moment.seconds)}", style="bold")
    if moment.left is not None:
        text.append(f"  {moment.left:.0f} s left", style="bold red" if moment.left < 10 else "bold")
    if desk["pause_wanted"]:
        text.append("  then pause", style="bold yellow")
    return text


def clock(seconds: float) -> str:
    """Return a length of time as minutes and seconds, with hours when there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def in_words(desk: Mapping[str, Any]) -> str:
    """Return what the agent is doing, and why nothing comes when nothing can."""
    words = STATES.get(desk["state"], str(desk["state"]))
    if desk["state"] == "wrap":
        return f"{words} (else: {desk['default']})"
    if desk["state"] == "paused" and desk.get("on_hold"):
        return f"{words}: the phone has the call on hold"
    if desk["state"] != "ready":
        return words
    if desk["campaign_state"] != "running":
        return f"ready, but the campaign is {desk['campaign_state'] or 'not there'}"
    if desk["waits_for"]:
        return f"ready, but {desk['waits_for']}"
    return words if desk["mode"] == "preview" else f"ready: the engine dials in mode {desk['mode']}"


def _contact(desk: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts(desk):
        table.add_row(Text(name, style="dim"), Text(value, style="bold" if name in PROMINENT else ""))
    return table


def facts(desk: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of the contact, line by line."""
    contact = desk["contact"]
    names = (contact.get("first_name"), contact.get("last_name"))
    yield "name", " ".join(str(name) for name in names if name) or "-"
    others = [number for number in contact["numbers"] if number != contact["number"]]
    yield "number", contact["number"] + (f"  (also {', '.join(others)})" if others else "")
    yield "local time", f"{str(desk['local_time'] or '?')[11:16]} in {contact['zone']}"
    yield "list", f"{contact['list']}, of {contact['member']}"
    place = [contact.get(key) for key in ("street", "city", "state", "postal_code", "country")]
    yield "address", ", ".join(str(part) for part in place if part) or "-"
    for key in ("company", "email", "external_id"):
        if contact.get(key):
            yield key.replace("_", " "), str(contact[key])
    for key, value in contact["extra"].items():
        yield str(key), str(value)


def _history(history: list[dict[str, Any]]) -> Iterator[RenderableType]:
    if not history:
        yield Text("never tried before", style="dim")
        return
    table = Table(title="Tried before", title_justify="left")
    for column in ("when (UTC)", "campaign", "number", "result", "agent", "disposition", "note"):
        table.add_column(column)
    for one in history:
        row = (one["campaign"], one["number"], one["result"], one["agent"], one["disposition"], one["note"])
        table.add_row(str(one["at"])[:16].replace("T", " "), *(str(each or "-") for each in row))
    yield table


def keys(desk: Mapping[str, Any], choosing: bool = False) -> str:
    """Return the keys that have a meaning now."""
    state = desk["state"]
    if choosing:
        listed = "  ".join(f"{n} {word}" for n, word in enumerate(desk["skip_reasons"], 1))
        return f"skip, because:  {listed}   Enter {desk['skip_reasons'][0]}   other keys: back"
    pause = "p back to work" if state == "paused" else "p no pause" if desk["pause_wanted"] else "p pause"
    if state == "looking":
        return f"Enter or d dial   s skip   {pause}   q leave the desk"
    if state == "in_call":
        return f"* end the call   {pause} afterwards   q leave the desk"
    if state == "wrap":
        digits = "  ".join(f"{one['digit']} {one['label']}" for one in desk["dispositions"])
        return f"{digits}   {pause} afterwards   q leave the desk"
    return f"{pause}   q leave the desk"


def lines(desk: Mapping[str, Any]) -> Iterator[str]:
    """Yield the desk line by line, for what is no terminal; a person is described in full when on show."""
    yield f"{desk['agent']}: {in_words(desk)}"
    if desk["notice"]:
        yield f"  last contact {desk['notice']}"
    if desk["contact"] and desk["state"] == "looking":
        yield from (f"  {name}: {value}" for name, value in facts(desk))
        for one in desk["contact"]["history"]:
            words = (one["at"], one["result"], one["agent"], one["disposition"], one["note"])
            yield "  tried " + " ".join(str(word) for word in words if word)
    elif desk["contact"]:
        yield from (f"  {name}: {value}" for name, value in facts(desk) if name in PROMINENT)
    elif desk["number"]:
        yield f"  number: {desk['number']}"
