"""What the pacing of a campaign sees: the moment as a snapshot, and what happens as events.

Both read the dispatcher's calls and seats; neither changes anything. Wall-clock moments of calls and seats become
monotonic seconds, because no clock correction may make a phone ring backwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

from dialer_engine.core.attempt import Phase
from dialer_engine.core.pacing import (
    AgentState,
    AgentView,
    CallState,
    CallView,
    Goals,
    PacingEvent,
    Snapshot,
)
from dialer_engine.core.pacing.measured import SeenCall
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.trunks import TrunkLine
from dialer_engine.settings.campaign import Pacing

CALL_STATES: dict[Phase, CallState] = {
    Phase.RESERVED: "reserved",
    Phase.DIALING: "dialing",
    Phase.RINGING: "ringing",
    Phase.WAITING: "waiting",
    Phase.JOINING: "waiting",
    Phase.UNCLAIMED: "message",
    Phase.MESSAGE: "message",
    Phase.BRIDGED: "bridged",
}

AGENT_STATES: dict[SeatState, AgentState] = {
    SeatState.READY: "ready",
    SeatState.RESERVED: "reserved",
    SeatState.IN_CALL: "in_call",
    SeatState.WRAP: "wrap",
    SeatState.PAUSED: "paused",
}

ANSWERED = frozenset({Phase.WAITING, Phase.JOINING, Phase.UNCLAIMED, Phase.MESSAGE})
RegionOf = Callable[[str], str]
"""From an area code to its region, "" for one in no table."""
NEWEST = 5
"""Calls that must agree for the next one to be taken to be like them."""
OPEN = frozenset({Phase.RESERVED, Phase.DIALING, Phase.RINGING})


@dataclass(frozen=True, slots=True)
class Dialable:
    """What may be dialed now: the trunk that takes the next call (None: no trunk can), contacts due, and if at all."""

    line: TrunkLine | None
    queue_due: int | None
    open: bool


def snapshot(
    plan: CampaignPlan, node: str, dispatcher: Dispatcher, ledgers: Ledgers, dialable: Dialable
) -> Snapshot:
    """Return the campaign on one node at this moment, as the pacing sees it."""
    now, wall = time.monotonic(), utc_now()
    line, settings, left = dialable.line, plan.settings, ledgers.budget(plan.name, node)
    seats, calls = dispatcher.seats_of(plan.name, node), list(dispatcher.calls_of(plan.name, node))
    return Snapshot(
        now=now,
        agents=_agents(seats, now, wall),
        calls=_calls(calls, dispatcher, ledgers, now, wall),
        lines_per_agent=settings.lines_per_agent,
        channels_free=line.channels_free() if line else 0,
        rate_tokens=line.departures(now) if line else 0,
        no_trunk=_no_trunk(line, now),
        queue_due=dialable.queue_due,
        cancel_before_15s=settings.cancel_before_15s,
        open=dialable.open,
        budget=left.lines_at_risk,
        ending=ledgers.ending(plan.name, node),
        ledger=ledgers.view(plan.name, left.main),
        goals=goals(settings.pacing),
        segments=segments_to_come(calls, ledgers.region_of),
    )


def _no_trunk(line: TrunkLine | None, now: float) -> str:
    if line is None:
        return "no trunk can be used"
    return "trunks at fault are left alone" if line.breaker.allows(now) == 0 else ""


def goals(pacing: Pacing) -> Goals:
    """Return what a campaign file asks of the pacing."""
    return Goals(
        target=pacing.abandon_target / 100.0,
        wait_s=pacing.agent_wait_seconds,
        max_lines_per_agent=pacing.max_lines_per_agent,
        min_agents=pacing.min_agents,
        learn_calls=pacing.learn_calls,
        guard=pacing.guard,
    )


def _agents(seats: Iterable[Seat], now: float, wall: datetime) -> tuple[AgentView, ...]:
    return tuple(
        AgentView(seat.agent, AGENT_STATES[seat.state], _monotonic(seat.since, now, wall), _leaves(seat))
        for seat in seats
        if seat.state is not SeatState.OFF
    )


def _leaves(seat: Seat) -> bool:
    """Whether an agent at work is to be paused after it; a hold in a talk is mostly over before that is."""
    return seat.pause_wanted or (seat.on_hold and seat.state is SeatState.WRAP)


def _calls(
    calls: Iterable[Call], dispatcher: Dispatcher, ledgers: Ledgers, now: float, wall: datetime
) -> tuple[CallView, ...]:
    return tuple(
        CallView(
            call.id,
            CALL_STATES[call.phase],
            _monotonic(call.phase_since, now, wall),
            call.rang_for(wall),
            0.0 if call.phase is Phase.RESERVED else _monotonic(call.attempt.originated_at, now, wall),
            segments_of(call, ledgers.region_of),
            dispatcher.dialer(call) or "",
            call.ring_min_s,
        )
        for call in calls
        if call.attempt.hanging_up is None
    )


def segments_of(call: Call, region_of: RegionOf) -> tuple[str, ...]:
    """Return what a call is like: its area code's region, its list, and whether its contact was tried before."""
    to = call.reservation
    return _segments(region_of(to.number[2:5]), to.list_id, again=to.tries > 0)


def segments_seen(seen: SeenCall, region_of: RegionOf) -> tuple[str, ...]:
    """Return what an earlier call was like."""
    return _segments(region_of(seen.npa), seen.list_id, again=seen.again)


def _segments(region: str, list_id: int, *, again: bool) -> tuple[str, ...]:
    return (region, str(list_id), "again" if again else "first") if list_id else (region, "", "")


def segments_to_come(calls: Iterable[Call], region_of: RegionOf) -> tuple[str, ...]:
    """Return what the next calls will most likely be like: in what the newest ones agree, "" in the rest.

    A list is dialed from its beginning to its end, so a list that fills the newest calls goes on; where lists or
    regions are mixed nothing is said of the next call.
    """
    newest = nlargest(NEWEST, calls, key=lambda call: call.reservation.reserved_at)
    if len(newest) < NEWEST:
        return ()
    alike = zip(*(segments_of(call, region_of) for call in newest), strict=True)
    return tuple(names[0] if len(set(names)) == 1 else "" for names in alike)


def call_event(call: Call, before: Phase, ledgers: Ledgers) -> PacingEvent | None:
    """Return what a step of an attempt means to the pacing, None when it means nothing."""
    now, phase = time.monotonic(), call.phase
    if phase is Phase.DIALING and before is Phase.RESERVED:
        return PacingEvent("placed", now, call=call.id, segments=segments_of(call, ledgers.region_of))
    if phase is Phase.RINGING:
        return PacingEvent("ringing", now, call=call.id)
    if phase in ANSWERED and before in OPEN:
        return PacingEvent("answered", now, call=call.id)
    if phase is Phase.BRIDGED:
        return PacingEvent("bridged", now, call=call.id, agent=call.attempt.agent)
    if phase is Phase.ENDED:
        return PacingEvent("ended", now, call=call.id, result=str(call.attempt.result))
    return None


def agent_event(seat: Seat) -> PacingEvent:
    """Return what a seat's new state means to the pacing."""
    state = AGENT_STATES.get(seat.state, "off")
    return PacingEvent("agent", time.monotonic(), agent=seat.agent, result=state)


def _monotonic(moment: datetime | None, now: float, wall: datetime) -> float:
    """Return a wall-clock moment on the monotonic scale, in seconds."""
    return now if moment is None else now - (wall - moment).total_seconds()
