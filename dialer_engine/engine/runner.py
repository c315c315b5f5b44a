"""Runs one campaign: asks the pacing how many calls to place, reserves them through the gate, sends them.

There is no polling interval: an agent who becomes ready, a call that ends or a departure that opens wakes
the runner at once. A pass once a second is the safety net and lets time-dependent rules come true. On several nodes
every pass decides for each node by itself: a customer and an agent meet on one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.gate import GateContext
from dialer_engine.core.pacing import Decision, Pacer, Snapshot, make_pacer
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.actions import Leg
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.pacers import Pacers
from dialer_engine.engine.pacing_view import OPEN, Dialable, snapshot
from dialer_engine.engine.places import Places
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.previews import Previews, Showing
from dialer_engine.engine.stalls import Stalls
from dialer_engine.engine.tasks import wait_at_most
from dialer_engine.engine.trunks import TrunkLine, Trunks
from dialer_engine.pbx.allow_list import AllowList, NumberRefused
from dialer_engine.store.reserve import SPARE, Reservation, ReserveRequest, ReserveResult

log = structlog.get_logger(__name__)

BATCH = 50
SAFETY_NET_S = 1.0
COALESCE_S = 0.005
RETRY_AFTER_ERROR_S = 1.0
ANSWER_HOLDS_S = 5.0
"""An empty reservation tells for so long that there is nothing to dial: while an agent is ready and calls may leave,
one is made every second."""
LATE_S = 8.0
"""A reservation whose reply takes longer is given back: it may have been ended as forgotten meanwhile."""
STALE_S = 30.0
"""A reserved call that could not leave for this many seconds does not leave: the gate looked 60 s ahead."""
DIAL_WAIT_S = 5.0
"""An agent who dials waits so long for a departure: a trunk's calls per second may be used up for a moment."""
CANCEL_EVERY_S = 0.003
"""Lines without an agent are cancelled so far apart that no hang-up waits for others: answers are seen in time."""
SETUP_S, LONGEST_SETUP_S = 5, 10
"""Seconds that a call is given from leaving until the phone rings, on a fast trunk and on the slowest; the carrier's
time is not ringing time."""


class Surroundings(Protocol):
    """What a runner needs of the daemon around it."""

    def why_not(self) -> str | None:
        """Return why no call may be placed now (database away, draining ...), None when calls may."""

    def behind(self) -> bool:
        """Return whether another engine may have taken over while this process did not run, or has."""

    def gate(self, plan: CampaignPlan) -> GateContext:
        """Return the gate's context for this moment."""

    def allowed(self, plan: CampaignPlan) -> AllowList:
        """Return the numbers that may leave for the campaign."""

    def suppressed_since(self, number: str, member_id: int, moment: float) -> bool:
        """Return whether the number was suppressed for a Member after a moment (monotonic seconds)."""

    async def reserve(self, request: ReserveRequest) -> ReserveResult:
        """Reserve in the database, on the runner's own connection."""

    def send(self, call: Call, leg: Leg) -> None:
        """Send the originate of a reserved call now."""


@dataclass(slots=True)
class Runner:
    """One running campaign; `plan` is replaced by a reload."""

    plan: CampaignPlan
    dispatcher: Dispatcher
    trunks: Trunks
    around: Surroundings
    places: Places
    epoch: int
    ledgers: Ledgers
    pacers: Pacers
    previews: Previews
    limits: tuple[str, ...] = ()
    stalls: Stalls = field(init=False)
    held: Counter[str] = field(default_factory=Counter)
    exhausted: bool = False
    _nobody_due: bool = False
    _empty_until: float = 0.0
    _dry_since: float | None = None
    _answered: float | None = None
    _spare: int = SPARE
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.stalls = Stalls(self.places)

    def wake(self) -> None:
        """Something changed: decide again at once."""
        self._wake.set()

    async def run(self) -> None:
        """Dial until cancelled; a failing pass is logged and tried again after a second."""
        while True:
            if not await self._tried(self._pass()):
                await self._sleep(self._departure_in)

    async def wind_up(self) -> None:
        """The campaign is halted and its agents may work elsewhere: end lines without one while any may be answered."""
        while self._may_be_answered():
            if not await self._tried(self._settle()):
                await self._sleep()

    async def _tried(self, doing: Awaitable[bool]) -> bool:
        """Await a pass; returns whether the next one is to come at once, also, after a second, when it failed."""
        try:
            return await doing
        except Exception:
            log.exception("pass of a campaign failed", campaign=self.plan.name)
            await asyncio.sleep(RETRY_AFTER_ERROR_S)
            return True

    async def _sleep(self, at_most: Callable[[], float] = lambda: SAFETY_NET_S) -> None:
        """Sleep until something changes; many changes of one moment make one pass."""
        await asyncio.sleep(COALESCE_S)
        wait = min(SAFETY_NET_S, max(0.001, at_most()))
        await wait_at_most(self._wake, wait)
        self._wake.clear()

    def _departure_in(self) -> float:
        names, now = self.plan.settings.trunks, time.monotonic()
        opens = min(self.trunks.opens_in(names, now, node) for node in self._pools())
        return opens if opens > 0 else SAFETY_NET_S

    # --- deciding ---------------------------------------------------------------------------------

    async def _pass(self) -> bool:
        """Decide and act once on every node; returns whether to decide again at once."""
        again = False
        limits: dict[str, tuple[str, ...]] = {}
        for node in self._pools():
            decision = await self._decide(node, self.pacers.of(self.plan, node))
            limits[node] = tuple(decision.reasons)
            self.limits = self._limits(limits)
            again = await self._carry_out(node, decision) or again
        return again

    async def _decide(self, node: str, pacer: Pacer) -> Decision:
        """Decide on a node; after a stall that would end lines, once more when what was said meanwhile is read."""
        decision = pacer.decide(self.snapshot(node))
        if not self.stalls.since_last(node) or not decision.cancel or self.around.behind():
            return decision
        caught_up = await self.stalls.caught_up(node)
        return pacer.decide(self.snapshot(node)) if caught_up else replace(decision, cancel=())

    def _pools(self) -> list[str]:
        """Return the nodes where the campaign has agents or lines; without any the first that is up.

        Departures may be scarce: the node whose agent has waited longest chooses first.
        """
        up = [name for name, place in self.places.items() if place.up] or list(self.places)[:1]
        working = [node for node in up if self._works_on(node)]
        return sorted(working, key=self._waits_since) if working else up[:1]

    def _waits_since(self, node: str) -> float:
        """Return since when the longest waiting agent of a node has been ready (seconds since 1970)."""
        seats = self.dispatcher.seats_of(self.plan.name, node)
        ready = (seat.since.timestamp() for seat in seats if seat.state is SeatState.READY and seat.since)
        return min(ready, default=math.inf)

    def _works_on(self, node: str) -> bool:
        name = self.plan.name
        on_duty = any(seat.state is not SeatState.OFF for seat in self.dispatcher.seats_of(name, node))
        return on_duty or bool(self.dispatcher.calls_of(name, node))

    def _limits(self, decided: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Return what bounds the campaign now, in words; of several nodes each with its name."""
        why_not = self.around.why_not()
        if why_not:
            return (why_not,)
        if len(decided) == 1:
            return (*self._trunks_down(*decided), *next(iter(decided.values())))
        return (
            *self._trunks_down(*decided),
            *(f"{node}: {why}" for node, each in decided.items() for why in each),
        )

    @property
    def waits_for(self) -> str | None:
        """Why agents of a preview campaign are shown nothing, in words that hold for a while; None: the next comes."""
        if why_not := self.around.why_not():
            return why_not
        if self.exhausted:
            return "the list is done"
        return "nobody on the list may be called now" if self._nobody_due else None

    def snapshot(self, node: str) -> Snapshot:
        """Return the campaign on a node at this moment, as the pacing sees it."""
        now = time.monotonic()
        line = self.trunks.nearest(self.plan.settings.trunks, now, node)
        due = 0 if now < self._empty_until else None
        dialable = Dialable(line, due, self._why_not(node) is None)
        seen = snapshot(self.plan, node, self.dispatcher, self.ledgers, dialable)
        return replace(seen, calls=(*seen.calls, *self.previews.views(self.plan.name, node)))

    def _why_not(self, node: str) -> str | None:
        """Return why no call may leave from a node now, None when calls may."""
        return self.around.why_not() or (None if self.places[node].up else f"node {node} is not connected")

    # --- acting -----------------------------------------------------------------------------------

    async def _carry_out(self, node: str, decision: Decision) -> bool:
        """Cancel and place on a node; returns whether to decide again at once."""
        self.ledgers.covered[self.plan.name, node] = decision.covered or 0
        if await self._end_lines(node, decision):
            return True
        now = time.monotonic()
        line = self.trunks.first_free(self.plan.settings.trunks, now, node)
        if decision.place <= 0 or line is None or self._why_not(node):
            return False
        context = self.around.gate(self.plan)
        if self.plan.settings.mode == "preview":
            await self._show(node, decision.place, line, context)
            return False
        # The decision was about the trunk that was nearest then; this one may take fewer. The next pass sees the rest.
        limit = min(decision.place, BATCH, line.channels_free(), line.departures(now))
        self._answered = None
        result = await self._reserve(node, limit, line, context)
        self.held.update(result.held)
        self._spare = result.spare
        self.exhausted = result.exhausted
        self.asked(time.monotonic(), found=bool(result.reserved))
        if not result.reserved:
            self._empty_until = time.monotonic() + _seconds_until_due(result.next_due, context.now)
        return bool(result.reserved)

    async def _end_lines(self, node: str, decision: Decision) -> bool:
        """Cancel lines one by one, while it is known how they stand; returns whether to decide again at once.

        So it is after a stall, and when an agent became ready meanwhile, for whom others may be left.
        """
        ready = self._ready(node)
        for attempt_id in decision.cancel:
            if self.around.behind() or not self.places[node].up:
                return False
            if self.stalls.since_last(node):
                return True
            self.dispatcher.cancel(attempt_id, "no agent is free")
            await asyncio.sleep(CANCEL_EVERY_S)
            if self._ready(node) > ready:
                return True
        return False

    def _ready(self, node: str) -> int:
        seats = self.dispatcher.seats_of(self.plan.name, node)
        return sum(seat.state is SeatState.READY for seat in seats)

    async def _show(self, node: str, count: int, line: TrunkLine, context: GateContext) -> None:
        """Put contacts before agents of a node who have none; the agents dial, or do not."""
        for agent in self.previews.without(self.plan.name, node)[:count]:
            self._answered = None
            result = await self.previews.show(self.plan, agent, self._request(node, 1, line, context))
            self.held.update(result.held)
            self.exhausted, self._nobody_due = result.exhausted, result.contact is None
            self.asked(time.monotonic(), found=result.contact is not None)
            if result.contact is None:
                self._empty_until = time.monotonic() + _seconds_until_due(result.next_due, context.now)
                return

    def asked(self, now: float, *, found: bool) -> None:
        """Note whether the database had somebody to dial (monotonic seconds)."""
        self._answered = now
        if found or self._busy():
            self._dry_since = None
        elif self._dry_since is None:
            self._dry_since = now

    def dry_for(self, now: float) -> float:
        """Return for how many seconds there has been nothing to dial: no call was up, and nobody was found.

        0 while that is not known: it is being asked, or nobody asks, as no agent is ready or no call may leave.
        """
        known = self._answered is not None and now - self._answered <= ANSWER_HOLDS_S
        return now - self._dry_since if known and self._dry_since is not None and not self._busy() else 0.0

    def _busy(self) -> bool:
        name, previews = self.plan.name, self.plan.settings.mode == "preview"
        shown = previews and any(self.previews.views(name, node) for node in self.places)
        return shown or bool(self.dispatcher.calls_of(name))

    def may_dial(self, node: str) -> bool:
        """Return whether calls may leave from a node, as far as engine, node and trunks are concerned."""
        return self._why_not(node) is None and self.trunks.can_open(self.plan.settings.trunks, node)

    async def dial(self, showing: Showing) -> str | None:
        """Call the contact that an agent looked at, if the gate allows it now; returns why not."""
        node = self.dispatcher.seats[showing.agent].node
        line = await self._departure(node)
        why_not = self._why_not(node)
        if why_not or line is None:
            return why_not or "; ".join(self._trunks_down(node)) or self._why_full(node)
        result = await self._reserve(node, 1, line, self.around.gate(self.plan), showing)
        self.held.update(result.held)
        return result.why_not

    async def _departure(self, node: str) -> TrunkLine | None:
        """Return a trunk that takes a call, after a moment's wait if need be."""
        names, end = self.plan.settings.trunks, time.monotonic() + DIAL_WAIT_S
        while (line := self.trunks.first_free(names, time.monotonic(), node)) is None:
            if time.monotonic() > end or not self.trunks.can_open(names, node):
                return None
            await asyncio.sleep(min(0.25, max(0.01, self.trunks.opens_in(names, time.monotonic(), node))))
        return line

    def _trunks_down(self, *nodes: str) -> tuple[str, ...]:
        names = self.plan.settings.trunks
        slowed = (self.trunks.pace.reason,) if self.trunks.pace.reason else ()
        resting = self.trunks.resting(names, time.monotonic())
        return (*slowed, *self.trunks.down(names, nodes), *resting)

    def _why_full(self, node: str) -> str:
        waits = self.trunks.can_open(self.plan.settings.trunks, node)
        return "the trunk's calls per second are used up" if waits else "no trunk has a free channel"

    async def _reserve(
        self, node: str, limit: int, line: TrunkLine, context: GateContext, showing: Showing | None = None
    ) -> ReserveResult:
        """Reserve and send; meanwhile the other pools of the same offer count these lines as placed."""
        plan = self.plan  # a reload may come before the calls leave: they go by what their records will say
        promised, pool = self.ledgers.promised, (plan.name, node)
        request = self._request(node, limit, line, context, showing)
        promised[pool] = promised.get(pool, 0) + limit
        line.active += limit
        started = time.monotonic()
        line.breaker.probe(started)
        reserving = asyncio.ensure_future(self.around.reserve(request))
        try:
            result = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            # The campaign is halted, but the reservation may be committed: its attempts must end, not linger.
            reserving.add_done_callback(lambda done: self._give_back(done, line, plan))
            raise
        finally:
            promised[pool] -= limit
            line.active -= limit
        for reservation in result.reserved:
            self._depart(reservation, line, plan, started, showing)
        if not result.reserved:
            line.breaker.no_probe(time.monotonic())
        return result

    def _give_back(self, done: asyncio.Future[ReserveResult], line: TrunkLine, plan: CampaignPlan) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        for reservation in done.result().reserved:
            call = self._hold(reservation, line, plan)
            self.dispatcher.cancel(call.id, "campaign was halted before the call left")

    def _hold(
        self, reservation: Reservation, line: TrunkLine, plan: CampaignPlan, agent: str | None = None
    ) -> Call:
        attempt = Attempt(reservation.attempt_id)
        call = Call(reservation, plan.name, attempt, utc_now(), plan, agent=agent)
        self.dispatcher.adopt(call)
        line.active += 1
        return call

    def _request(
        self, node: str, limit: int, line: TrunkLine, context: GateContext, showing: Showing | None = None
    ) -> ReserveRequest:
        return ReserveRequest(
            campaign_id=self.plan.campaign_id,
            member_id=self.plan.member_id,
            limit=limit,
            now=context.now,
            wall=utc_now(),
            node=node,
            trunk=line.name,
            caller_ids=tuple(self.plan.settings.caller_ids),
            epoch=self.epoch,
            context=context,
            budget=self.ledgers.budget(self.plan.name, node),
            spare=self._spare,
            shown=showing.on_show if showing else None,
            held_under=self.plan.held_under(context.now) if self.plan.held_under is not None else None,
            record_version=self.plan.record_version,
        )

    def _depart(
        self,
        reservation: Reservation,
        line: TrunkLine,
        plan: CampaignPlan,
        started: float,
        showing: Showing | None,
    ) -> None:
        """Take the reserved call in hand and send it at its own departure moment."""
        call = self._hold(reservation, line, plan, showing.agent if showing else None)
        if showing is not None and not self.previews.reserved(showing, call):
            return
        if time.monotonic() - started > LATE_S:
            self.dispatcher.cancel(call.id, "the reply to its reservation came late")
            return
        if self.around.suppressed_since(reservation.number, plan.member_id, started):
            self.dispatcher.cancel(call.id, "number was suppressed")
            return
        try:
            leg = self._leg(reservation, line, plan)
        except NumberRefused as error:
            log.critical("the gate allowed a number that may not leave", attempt=call.id, why=str(error))
            self.dispatcher.cancel(call.id, str(error))
            return
        line.queue.add(call.id, lambda: self._send(call, leg, started))

    def _send(self, call: Call, leg: Leg, started: float) -> bool:
        """Send the call, or cancel it when it may not leave any more; returns whether it left."""
        stale = time.monotonic() - started > STALE_S
        if call.phase is Phase.RESERVED and self._why_not(call.node) is None and not stale:
            self.around.send(call, leg)
            return True
        self.dispatcher.cancel(call.id, "dialing stopped before the call left")
        return False

    def _leg(self, reservation: Reservation, line: TrunkLine, plan: CampaignPlan) -> Leg:
        settings = plan.settings
        name = settings.caller_id_name
        number = reservation.caller_id
        return Leg(
            endpoint=self.around.allowed(self.plan).endpoint(line.name, line.settings, reservation.number),
            caller_id=f'"{name}" <{number}>' if name else number,
            ring_seconds=ring_time(
                settings.ring_seconds, reservation.ring_window, line.health.setup_s(time.monotonic())
            ),
            variables={
                "MAX_WAIT_MS": str(settings.max_wait_ms),
                # No Path per call: it enters the path's parts anew into Python's table of names, which grows by that.
                "DROP_PROMPT": f"{self.places[reservation.node].sounds}/{plan.prompt.path}",
                "DIALED_NUMBER": reservation.number,
                "MEMBER_ID": str(plan.member_id),
            },
        )

    def _may_be_answered(self) -> bool:
        calls = self.dispatcher.calls_of(self.plan.name)
        return any(call.phase in OPEN and call.attempt.hanging_up is None for call in calls)

    async def _settle(self) -> bool:
        """End lines of a halted campaign that lack an agent, on every node that is up; nothing else is decided."""
        by_hand, again = self.plan.settings.mode == "preview", False
        for node, place in self.places.items():
            self.ledgers.covered.pop((self.plan.name, node), None)
            if place.up:
                pacer = make_pacer("preview" if by_hand else "progressive")
                again = await self._end_lines(node, await self._decide(node, pacer)) or again
        return again

    def cancel_departures(self) -> None:
        """Cancel what was reserved but has not left: the campaign is being paused or stopped."""
        self.previews.withdraw(self.plan.name, "the campaign was paused")
        for call in self.dispatcher.calls_of(self.plan.name):
            if call.phase is Phase.RESERVED:
                self.dispatcher.cancel(call.id, "campaign was paused before the call left")


def ring_time(wanted: int, window: tuple[int, int] | None, setup_s: float = 0.0) -> int:
    """Return the seconds from the sending until a call that nobody answers is ended.

    At least the law's shortest ring and the time until the phone rings, at most the law's longest ring.
    `setup_s` is what nearly all calls of the trunk took until then.
    """
    if window is None:
        return wanted
    least, most = window
    setup = min(max(SETUP_S, math.ceil(setup_s)), LONGEST_SETUP_S)
    return min(max(wanted, least + setup), max(most, least))


def _seconds_until_due(next_due: datetime | None, now: datetime) -> float:
    """Return how long to leave an empty queue alone: until the next contact is due, at most a second."""
    if next_due is None:
        return SAFETY_NET_S
    return min(SAFETY_NET_S, max(0.05, (next_due - now).total_seconds()))
