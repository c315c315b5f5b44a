"""Contacts on show for agents: who looks at what, what the agents press, and what takes a contact away.

The pure machine of `core.preview` decides; this carries it out: the database holds and frees the contact, the
campaign's runner reserves the call, the agent hears a tone. How a preview ended is written like a disposition, so that
no skip is lost while the database is away. A contact's data is kept in memory while it is on show and during the call
that came of it (`partners`); it is never logged, and goes nowhere but to the desk.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from dialer_engine.core import preview as look
from dialer_engine.core import seat as chair
from dialer_engine.core.pacing import CallView
from dialer_engine.core.preview import Preview, PreviewState
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.call import Call, FinishedCall
from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.control import Refused
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.partners import Partners
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.tasks import Tasks
from dialer_engine.store import preview as hold
from dialer_engine.store.errors import StoreError
from dialer_engine.store.line import AWAY
from dialer_engine.store.pool import Pool
from dialer_engine.store.preview import ShownContact, ShowRequest, ShowResult
from dialer_engine.store.preview_ends import PreviewEnd
from dialer_engine.store.reserve import OnShow, ReserveRequest
from dialer_engine.store.suppress import Forbidden

log = structlog.get_logger(__name__)

DIAL_KEY, SKIP_KEY = "#", "9"
MARGIN = timedelta(seconds=15)
"""The database holds a contact so much longer than its agent may look: a press in the last second takes a while."""
CHANGED = "the campaign or its agents were changed"
MOST_IGNORED = 2
"""After so many contacts in a row that an agent let run out, nobody is there: the agent is paused."""


class Dialing(Protocol):
    """What the runner of a campaign does for an agent who dials."""

    async def dial(self, showing: Showing) -> str | None:
        """Reserve the call and send it; returns why not."""


@dataclass(slots=True)
class Showing:
    """One contact before one agent; `since` is monotonic seconds."""

    agent: str
    plan: CampaignPlan
    contact: ShownContact
    preview: Preview
    since: float
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def on_show(self) -> OnShow:
        """What a reservation needs to know."""
        return self.contact.on_show

    @property
    def seconds_left(self) -> float:
        """Seconds until the time to look is over."""
        return max(0.0, self.plan.settings.preview.seconds - (time.monotonic() - self.since))


@dataclass(slots=True)
class Previews:
    """All showings of one floor; only one per agent. `plans` are those of the last `review`."""

    dispatcher: Dispatcher
    pool: Pool
    tasks: Tasks
    clock: GateClock
    lease: str
    put: Callable[[PreviewEnd], None]
    partners: Partners
    tell: Callable[[str, str], None]
    agent_id: Callable[[str], int | None]
    runner_of: Callable[[str], Dialing | None]
    suppressed_since: Callable[[str, int, float], bool]
    on_change: Callable[[str], None] = lambda campaign: None
    showings: dict[str, Showing] = field(default_factory=dict)
    notices: dict[str, str] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    plans: Mapping[str, CampaignPlan] = field(default_factory=dict)

    # --- showing ----------------------------------------------------------------------------------

    def views(self, campaign: str, node: str) -> tuple[CallView, ...]:
        """Return a campaign's contacts on show on a node as the pacing counts them: as calls that have not left."""
        return tuple(
            CallView(one.preview.id, "reserved", one.since, 0.0)
            for one in self.showings.values()
            if one.plan.name == campaign and self.dispatcher.seats[one.agent].node == node
        )

    def without(self, campaign: str, node: str) -> list[str]:
        """Return the ready agents of a campaign on a node who look at nothing, the longest waiting first."""
        seats = [seat for seat in self.dispatcher.seats_of(campaign, node) if seat.state is SeatState.READY]
        free = [seat for seat in seats if seat.agent not in self.showings]
        return [seat.agent for seat in sorted(free, key=lambda seat: (str(seat.since), seat.agent))]

    async def show(self, plan: CampaignPlan, agent: str, request: ReserveRequest) -> ShowResult:
        """Choose a contact through the gate and put it before an agent."""
        agent_id = self.agent_id(agent)
        if agent_id is None:
            return ShowResult(None)
        started = time.monotonic()
        seconds = timedelta(seconds=plan.settings.preview.seconds)
        showing = asyncio.ensure_future(self._show(ShowRequest(request, agent_id, agent, seconds + MARGIN)))
        try:
            result = await asyncio.shield(showing)
        except asyncio.CancelledError:
            # The campaign is halted, but the hold may be committed.
            showing.add_done_callback(self._put_back)
            raise
        if result.contact is not None:
            self._begin(plan, agent, result.contact, started)
        return result

    async def _show(self, request: ShowRequest) -> ShowResult:
        asked = replace(request.asked, lease=self.lease)
        async with self.pool.acquire() as conn:
            return await hold.show(conn, replace(request, asked=asked))

    def _put_back(self, done: asyncio.Future[ShowResult]) -> None:
        if not done.cancelled() and done.exception() is None and (contact := done.result().contact):
            self._end(contact.on_show.preview_id, "withdrawn", "the campaign was halted", None)

    def _begin(self, plan: CampaignPlan, agent: str, contact: ShownContact, started: float) -> None:
        settings, now = plan.settings.preview, time.monotonic()
        preview = Preview(contact.on_show.preview_id, utc_now(), settings.at_end == "dial")
        showing = Showing(agent, plan, contact, preview, now)
        self.showings[agent] = showing
        why = self._unwanted(showing, started)
        if why is not None:
            self._feed(showing, look.Withdrawn(utc_now(), why))
            return
        showing.timer = asyncio.get_running_loop().call_later(settings.seconds, self._time_over, showing)
        self.tell(agent, "shown")
        self.on_change(plan.name)

    def _unwanted(self, showing: Showing, started: float) -> str | None:
        """Return why a contact that was just held may not be shown: things happened meanwhile."""
        seat = self.dispatcher.seats.get(showing.agent)
        if seat is None or seat.state is not SeatState.READY:
            return "the agent is not ready any more"
        if self._changed(showing):
            return CHANGED
        member = showing.plan.member_id
        if any(self.suppressed_since(number, member, started) for number in showing.contact.card.numbers):
            return "the number was suppressed"
        return None

    def _time_over(self, showing: Showing) -> None:
        self._feed(showing, look.TimeOver(utc_now()))
        if showing.preview.state is not PreviewState.EXPIRED:
            return
        self.ignored[showing.agent] += 1
        if self.ignored[showing.agent] >= MOST_IGNORED:
            del self.ignored[showing.agent]
            self.notices[showing.agent] = f"expired: {MOST_IGNORED} in a row ran out, so you are paused"
            self.dispatcher.feed_seat(showing.agent, chair.PauseKey(utc_now()))

    # --- what agents press ------------------------------------------------------------------------

    def key(self, agent: str, digit: str) -> bool:
        """Take a key of the phone; False when it has no meaning here."""
        showing = self.showings.get(agent)
        if showing is None or digit not in (DIAL_KEY, SKIP_KEY):
            return False
        if digit == DIAL_KEY:
            self._press(showing, look.DialPressed(utc_now(), by_key=True))
        else:
            reason = showing.plan.settings.preview.skip_reasons[0]
            self._press(showing, look.SkipPressed(utc_now(), reason, by_key=True))
        return True

    def dial(self, agent: str, preview_id: str) -> None:
        """Dial the contact that the agent sees. Raises Refused when it is another one by now, or none."""
        self._press(self._on_show(agent, preview_id), look.DialPressed(utc_now()))

    def skip(self, agent: str, preview_id: str, reason: str | None) -> None:
        """Skip the contact that the agent sees, for a word of the campaign. Raises Refused."""
        showing = self._on_show(agent, preview_id)
        known = showing.plan.settings.preview.skip_reasons
        if reason is not None and reason not in known:
            raise Refused(f"'{reason}' is no reason of this campaign; use one of: {', '.join(known)}")
        self._press(showing, look.SkipPressed(utc_now(), reason or known[0]))

    def _on_show(self, agent: str, preview_id: str) -> Showing:
        showing = self.showings.get(agent)
        if showing is None or showing.preview.id != preview_id:
            raise Refused("this contact is not on show any more; look at the desk again")
        return showing

    def _press(self, showing: Showing, event: look.DialPressed | look.SkipPressed) -> None:
        self.ignored.pop(showing.agent, None)
        self._feed(showing, event)

    # --- what takes a contact away ----------------------------------------------------------------

    def suppressed(self, what: Forbidden) -> None:
        """A number must no longer be called: its person disappears at once from every desk of that Member (P5)."""
        for showing in list(self.showings.values()):
            theirs = what.member_id in (None, showing.plan.member_id)
            if theirs and what.number in showing.contact.card.numbers:
                self._feed(showing, look.Withdrawn(utc_now(), "the number was suppressed"))

    def withdraw(self, campaign: str, why: str) -> None:
        """Take every contact of a campaign away: it is being halted."""
        for showing in list(self.showings.values()):
            if showing.plan.name == campaign:
                self._feed(showing, look.Withdrawn(utc_now(), why))

    def review(self, plans: Mapping[str, CampaignPlan]) -> None:
        """Take away what agents see of campaigns that they no longer work for, or that no longer preview."""
        self.plans = plans
        for showing in list(self.showings.values()):
            if self._changed(showing):
                self._feed(showing, look.Withdrawn(utc_now(), CHANGED))

    def _changed(self, showing: Showing) -> bool:
        """Whether the campaign is gone or previews no more, or its agent works for another one."""
        plan = self.plans.get(showing.plan.name)
        stays = self.dispatcher.campaign_of(showing.agent) == showing.plan.name
        return plan is None or plan.settings.mode != "preview" or not stays

    def seat_stepped(self, seat: Seat) -> None:
        """An agent who paused, left or got a customer looks at nothing any more."""
        showing = self.showings.get(seat.agent)
        if showing is not None and seat.state is not SeatState.READY:
            self._feed(showing, look.Withdrawn(utc_now(), f"the agent is {seat.state.value}"))
        if seat.state is SeatState.OFF:
            self.ignored.pop(seat.agent, None)
            self.notices.pop(seat.agent, None)

    # --- calls ------------------------------------------------------------------------------------

    def reserved(self, showing: Showing, call: Call) -> bool:
        """The gate allowed the call, which waits for its departure: may it leave? If not, it is ended here."""
        self._feed(showing, look.CallReserved(utc_now(), call.id))
        if showing.preview.state is not PreviewState.DIALED:
            return False
        self.partners.keep(showing.agent, call.id, showing.contact.card)
        if not self.dispatcher.take_seat(call):
            self.dispatcher.cancel(call.id, "the agent left before the call left")
            return False
        return True

    def finished(self, call: FinishedCall) -> None:
        """Tell the agent who dialed a call that came to nothing what became of it."""
        if call.dialed_by is not None and call.attempt.joined_at is None and call.attempt.result is not None:
            self.notices[call.dialed_by] = f"called: {call.attempt.result.value.replace('_', ' ')}"

    async def _ask(self, showing: Showing) -> None:
        why: str | None = "the campaign is not running"
        runner = self.runner_of(showing.plan.name)
        if runner is not None:
            try:
                why = await runner.dial(showing)
            except StoreError as error:
                why = str(error)
            except AWAY as error:
                log.warning("a call could not be reserved for an agent", why=type(error).__name__)
                why = "the database did not answer"
            except Exception:
                log.exception("an agent's dialing failed", campaign=showing.plan.name, agent=showing.agent)
                why = "a fault of the engine, which its log describes"
        if why is not None:
            self._feed(showing, look.CallRefused(utc_now(), why))

    # --- the machine ------------------------------------------------------------------------------

    def _feed(self, showing: Showing, event: look.PreviewEvent) -> None:
        before = showing.preview
        showing.preview, commands = look.step(before, event)
        if showing.preview.state.over and not before.state.over:
            self._over(showing)
        for command in commands:
            self._carry(showing, command)
        if showing.preview is not before:
            self.on_change(showing.plan.name)

    def _over(self, showing: Showing) -> None:
        if self.showings.get(showing.agent) is showing:
            del self.showings[showing.agent]
        if showing.timer is not None:
            showing.timer.cancel()
        preview = showing.preview
        if preview.state is PreviewState.DIALED:
            self.notices.pop(showing.agent, None)
        else:
            self.notices[showing.agent] = f"{preview.state.value}: {preview.reason}"
            log.info(
                "preview ended without a call",
                campaign=showing.plan.name,
                agent=showing.agent,
                preview=preview.id,
                how=preview.state.value,
            )

    def _carry(self, showing: Showing, command: look.PreviewCommand) -> None:
        match command:
            case look.AskGate():
                self.tasks.spawn(self._ask(showing), "dial for an agent")
            case look.StopCall(attempt=attempt, why=why):
                self.dispatcher.cancel(attempt, why)
            case look.GiveBack(later=later):
                self._give_back(showing, later=later)
            case look.TellAgent(what=what):
                self.tell(showing.agent, what)

    def _give_back(self, showing: Showing, *, later: bool) -> None:
        preview = showing.preview
        until = self.clock.now() + showing.plan.settings.preview.skip_retry if later else None
        self._end(preview.id, preview.state.value, preview.reason, until)

    def _end(self, preview_id: str, outcome: str, reason: str | None, until: datetime | None) -> None:
        """End the hold, now or when the database is back."""
        self.put(PreviewEnd(preview_id, outcome, reason, utc_now(), until))
