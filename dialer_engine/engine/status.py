"""The status document that the commands and the live screen show."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from dialer_engine.core.breaker import Breaker
from dialer_engine.core.pacing import CallState
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.agents import Legs
from dialer_engine.engine.board import Board
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.floor import Floor
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.pacing_view import CALL_STATES
from dialer_engine.engine.phones import AT_HAND
from dialer_engine.engine.station import Station
from dialer_engine.engine.trunks import TrunkLine, Trunks

_AGENT_STATES = ("ready", "in_call", "wrap", "paused", "away", "offline")
_CALLS: tuple[CallState, ...] = ("reserved", "dialing", "ringing", "waiting", "bridged", "message")


def campaigns_status(
    campaigns: Campaigns,
    dispatcher: Dispatcher,
    board: Board,
    queues: Mapping[str, Mapping[str, Any]],
    ledgers: Ledgers,
    away: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return one entry per campaign: agents and calls by state, totals, delays, queue, what limits it."""
    return [
        _campaign(name, campaigns, dispatcher, board, queues, away) | {"abandonment": ledgers.status(name)}
        for name in sorted(campaigns.plans)
    ]


def _campaign(
    name: str,
    campaigns: Campaigns,
    dispatcher: Dispatcher,
    board: Board,
    queues: Mapping[str, Mapping[str, Any]],
    away: Collection[str],
) -> dict[str, Any]:
    plan, runner, tally = campaigns.plans[name], campaigns.runners.get(name), board.tallies[name]
    return {
        "name": name,
        "member": plan.settings.member,
        "state": campaigns.states.get(name, "draft"),
        "mode": plan.settings.mode,
        "lines_per_agent": plan.settings.lines_per_agent,
        "agents": _agent_counts(dispatcher, name, campaigns, away),
        "calls": _call_counts(dispatcher, name),
        "totals": tally.totals(),
        "answer_to_agent_ms": tally.answer_to_agent(),
        "queue": dict(queues.get(name, {"due": 0, "waiting": 0, "done": 0, "held": {}})),
        "limits": list(runner.limits) if runner else _why_halted(campaigns, name),
        "held_since_start": dict(runner.held) if runner else {},
    }


def _why_halted(campaigns: Campaigns, name: str) -> list[str]:
    why = campaigns.why_halted.get(name)
    return [] if why is None else [why]


def _agent_counts(
    dispatcher: Dispatcher, campaign: str, campaigns: Campaigns, away: Collection[str]
) -> dict[str, int]:
    assigned = [agent for agent in campaigns.agents if dispatcher.campaign_of(agent) == campaign]
    counted = Counter(_shown(dispatcher.seats.get(agent), away) for agent in assigned)
    return {state: counted[state] for state in _AGENT_STATES}


def _shown(seat: Seat | None, away: Collection[str]) -> str:
    """Return the state of an agent in a word; of those on a node that is away nobody knows what they do."""
    if seat is None or seat.state is SeatState.OFF:
        return "offline"
    if seat.node in away:
        return "away"
    return "in_call" if seat.state is SeatState.RESERVED else seat.state.value


def _call_counts(dispatcher: Dispatcher, campaign: str) -> dict[str, int]:
    counted = Counter(CALL_STATES[call.phase] for call in dispatcher.calls_of(campaign))
    return {state: counted[state] for state in _CALLS}


def agents_status(
    campaigns: Campaigns,
    dispatcher: Dispatcher,
    legs: Legs,
    phones: Mapping[str, str],
    now: datetime,
    looking: Collection[str] = (),
    away: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return one entry per agent: state, since how many seconds, campaign, attempt, node, phone, looking, on_hold.

    `away` names the nodes that are not connected: their agents are neither ready nor known to be gone.
    """
    return [
        {
            "name": agent,
            "state": _shown(seat := dispatcher.seats.get(agent), away),
            "since_s": round((now - seat.since).total_seconds(), 1) if seat and seat.since else None,
            "campaign": dispatcher.campaign_of(agent),
            "attempt": seat.attempt if seat else None,
            "node": legs.node_of.get(legs.by_agent.get(agent, "")),
            "phone": phones.get(agent, "unknown"),
            "looking": agent in looking,
            "on_hold": seat is not None and seat.on_hold,
        }
        for agent in sorted(campaigns.agents)
    ]


def nodes_status(
    stations: Iterable[Station], floor: Floor, journals: Mapping[str, Path]
) -> list[dict[str, Any]]:
    """Return one entry per node: its links, whether calls may leave there, calls and agents on it, its journal."""
    calls = Counter(call.node for call in floor.dispatcher.calls.values())
    legs = Counter(floor.legs.node_of.values())
    return [
        station.status(calls[station.name], legs[station.name], journals[station.name])
        for station in stations
    ]


def devices(stations: Iterable[Station]) -> dict[str, str]:
    """Return the state of every agent's phone: what the node says that sees it best."""
    found: dict[str, str] = {}
    for station in stations:
        for agent, state in station.phones.devices.items():
            if found.get(agent) not in AT_HAND:
                found[agent] = state
    return found


def trunks_status(trunks: Trunks) -> list[dict[str, Any]]:
    """Return one entry per trunk: calls up, limits, what each node sees, breaker, the last hour's health, results."""
    now = time.monotonic()
    return [_trunk(line, now) for line in trunks.lines.values()]


def _trunk(line: TrunkLine, now: float) -> dict[str, Any]:
    return {
        "name": line.name,
        "active": line.active,
        "max_channels": line.settings.max_channels,
        "calls_per_second": line.settings.calls_per_second,
        "registered": line.registered,
        "reachable": line.reachable,
        "nodes": {node: asdict(reach) for node, reach in sorted(line.reach.items())},
        "results": dict(line.results),
        "account": line.settings.account,
        "breaker": _breaker(line.breaker, now),
        "last_hour": asdict(line.health.report(now)),
    }


def _breaker(breaker: Breaker, now: float) -> dict[str, Any]:
    """Return whether calls may go out, for how many seconds it has been so, and the last fault's code."""
    since = breaker.opened_at if breaker.opened_at is not None else breaker.closed_at
    return {
        "state": breaker.state.value,
        "since_s": None if since is None else round(now - since, 1),
        "last_code": breaker.last_code,
        "next_try_s": None if breaker.opened_at is None else round(breaker.opens_in(now), 1),
        "opened": breaker.opened,
    }
