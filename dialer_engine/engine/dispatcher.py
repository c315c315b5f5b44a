"""The one owner of every live attempt and seat.

All events enter through `feed` and `feed_seat` and are stepped synchronously, in the order they came, so no
locks and no "was it ended while I waited?" checks are needed anywhere. What the pure machines ask for is
either fed back into the other machine here (customer left -> seat, agent left -> attempt) or handed to
`Actions`, which talks to Asterisk and returns every outcome as a new event.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Phase
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.call import Call, FinishedCall
from dialer_engine.engine.clock import utc_now

log = structlog.get_logger(__name__)


UNDECIDED = frozenset({Phase.RESERVED, Phase.DIALING, Phase.RINGING, Phase.WAITING})
"""Nobody was chosen yet for whoever answers."""
NEEDS_AGENT = UNDECIDED | {Phase.JOINING}
"""An agent is needed, or another one if the join fails."""
MOST_SENT = 20_000
"""Of so many calls it is kept that they were sent: several minutes of the busiest floor. Calls wait while the database
is away, so that time does not count."""


class Actions(Protocol):
    """What the dispatcher asks of the world; nothing here blocks, outcomes come back as events."""

    def look_up(self, call: Call) -> None: ...
    def claim(self, call: Call) -> None: ...
    def join(self, call: Call, agent: str) -> None: ...
    def keep(self, call: Call) -> None: ...
    def play_drop_message(self, call: Call) -> None: ...
    def hang_up(self, call: Call) -> None: ...
    def take_opt_outs(self) -> None: ...
    def tell_agent(self, agent: str, what: str) -> None: ...
    def start_wrap(self, agent: str, attempt_id: str) -> None: ...


class Recorder(Protocol):
    """Where every change is written, in order, without being waited for."""

    def attempt_event(self, call: Call, event: life.Event, moved: bool) -> None: ...
    def attempt_found(self, call: Call, phase: Phase, at: datetime) -> None: ...
    def attempt_end(self, call: Call, event: life.Event) -> None: ...
    def opt_out(self, attempt_id: str, call: Call | None, number: str, member: str, at: datetime) -> None: ...
    def disposition(
        self, attempt_id: str, campaign: str, agent: str, code: str | None, at: datetime, call: Call | None
    ) -> None: ...
    def seat_state(self, seat: Seat, campaign: str | None, at: datetime) -> None: ...


class Dispatcher:
    """Steps attempts and seats and keeps people who wait for an agent in order of their answer."""

    def __init__(self, actions: Actions, recorder: Recorder) -> None:
        self.calls: dict[str, Call] = {}
        self.seats: dict[str, Seat] = {}
        self.illegal: Counter[str] = Counter()
        self.on_change: Callable[[str], None] = lambda campaign: None
        self.on_finished: Callable[[FinishedCall], None] = lambda call: None
        self.on_step: Callable[[Call, Phase], None] = lambda call, before: None
        self.on_seat: Callable[[Seat, str | None], None] = lambda seat, campaign: None
        self.on_move: Callable[[Seat, str | None], None] = lambda seat, campaign: None
        self.lend: Callable[[Call], None] = lambda call: None
        self._actions = actions
        self._recorder = recorder
        self._waiting: dict[str, deque[str]] = {}
        self._assigned: Mapping[str, str] = {}
        self._undisposed: dict[str, Call] = {}
        self._talks: dict[str, Call] = {}
        self._disposed_early: dict[str, tuple[str, str | None]] = {}
        self._sent: OrderedDict[str, datetime] = OrderedDict()

    # --- who works for whom -----------------------------------------------------------------------

    def assign(self, assignment: Mapping[str, str]) -> None:
        """Set agent -> campaign for every agent that has one; who is ready takes whoever waits there."""
        before, self._assigned, now = self._assigned, dict(assignment), utc_now()
        for agent, campaign in assignment.items():
            seat = self.seats.get(agent)
            if seat is not None and seat.state is SeatState.READY and campaign != before.get(agent):
                self._recorder.seat_state(seat, campaign, now)
                self.on_move(seat, campaign)
                self._serve_waiting(agent, now)
                self.on_change(campaign)

    def campaign_of(self, agent: str) -> str | None:
        """Return the campaign the agent works for now, None when there is none."""
        return self._assigned.get(agent)

    def campaign_of_attempt(self, attempt_id: str | None) -> str:
        """Return the campaign of a live attempt or of one in wrap, "" when it is not known."""
        call = self._undisposed.get(attempt_id or "")
        return call.campaign if call is not None else ""

    def talk_of(self, agent: str) -> Call | None:
        """Return the call that an agent talks in, or talked in last, also when it was disposed of already."""
        return self._talks.get(agent)

    def seats_of(self, campaign: str, node: str | None = None) -> list[Seat]:
        """Return the seats of all agents assigned to the campaign, on duty or not; of one node or of all."""
        return [
            seat
            for name, seat in self.seats.items()
            if self._assigned.get(name) == campaign and node in (None, seat.node)
        ]

    def calls_of(self, campaign: str, node: str | None = None) -> list[Call]:
        """Return the live calls of the campaign, of one node or of all."""
        return [
            call for call in self.calls.values() if call.campaign == campaign and node in (None, call.node)
        ]

    def calls_to(self, number: str, member_id: int | None) -> list[Call]:
        """Return the live calls to an E.164 number, of one Member or (None) of all.

        One whose campaign is in the settings no more may be any Member's.
        """
        calls = (call for call in self.calls.values() if call.reservation.number == number)
        return [
            call
            for call in calls
            if member_id is None or call.plan is None or call.plan.member_id == member_id
        ]

    def sent_at(self, attempt_id: str) -> datetime | None:
        """Return when one of the last calls was sent, ended or not; None for one that was not, or long ago."""
        return self._sent.get(attempt_id)

    # --- attempts ---------------------------------------------------------------------------------

    def adopt(self, call: Call) -> None:
        """Take a reserved or recovered call into the dispatcher's hands."""
        self.calls[call.id] = call
        self._undisposed[call.id] = call

    def rescue(self, call: Call) -> None:
        """Send an answered person whom nobody has to the drop message; refused where that plays already."""
        self._actions.play_drop_message(call)

    def keep(self, call: Call) -> None:
        """Repeat what keeps a call with its agent: it may have been lost with the link or the engine."""
        self._actions.keep(call)

    def hang_up_again(self, call: Call) -> None:
        """Repeat a hang-up whose outcome was lost with the link."""
        self._actions.hang_up(call)

    def reseat(self, call: Call, agent: str) -> None:
        """Put an agent of an adopted conversation back into it."""
        now = utc_now()
        self.feed_seat(agent, chair.Recalled(now, call.id))
        self.feed_seat(agent, chair.CustomerIn(now, call.id))

    def feed(self, attempt_id: str, event: life.Event) -> None:
        """Step one attempt; an unknown id is an attempt that ended, and is ignored."""
        call = self.calls.get(attempt_id)
        if call is None:
            return
        try:
            after, commands = life.step(call.attempt, event)
        except life.IllegalTransition as error:
            self._refuse(str(error), attempt_id)
            return
        if after is call.attempt and not commands:
            return
        if isinstance(event, life.Sent):
            self._note_sent(attempt_id, event.at)
        self._advance(call, after, event)
        for command in commands:
            self._carry(call, command, event)
        self.on_change(call.campaign)

    def _note_sent(self, attempt_id: str, at: datetime) -> None:
        self._sent[attempt_id] = at
        if len(self._sent) > MOST_SENT:
            self._sent.popitem(last=False)

    def found(self, call: Call, now: life.Attempt, steps: Iterable[tuple[Phase, datetime]]) -> None:
        """Take over where an attempt stands by now, and record the steps to there that no engine saw."""
        call.attempt = now
        for phase, at in steps:
            call.events += 1
            self._recorder.attempt_found(call, phase, at)

    def opted_out(self, attempt_id: str, number: str, member: str, event: life.OptedOut) -> None:
        """Record an opt-out, in whatever phase the attempt counts here, also one that counts as ended; then step it."""
        self._recorder.opt_out(attempt_id, self.calls.get(attempt_id), number, member, event.at)
        self.feed(attempt_id, event)

    def _advance(self, call: Call, after: life.Attempt, event: life.Event) -> None:
        before, moved = call.attempt.phase, after.phase is not call.attempt.phase
        if moved:
            call.phase_since = event.at
        call.attempt = after
        call.events += 1
        if after.phase is Phase.ENDED:
            self._recorder.attempt_end(call, event)
        else:
            self._recorder.attempt_event(call, event, moved)
        if moved or isinstance(event, life.Ringing):
            self.on_step(call, before)
        if after.phase in (Phase.MESSAGE, Phase.UNCLAIMED, Phase.ENDED):
            self._free_dialer(call, event.at)

    def _carry(self, call: Call, command: life.Command, event: life.Event) -> None:
        match command:
            case life.Offer():
                self._offer(call, event.at)
            case life.Claim():
                self._actions.claim(call)
            case life.Join(agent=agent):
                self._actions.join(call, agent)
            case life.CustomerJoined(agent=agent):
                self.feed_seat(agent, chair.CustomerIn(event.at, call.id))
            case life.CustomerLeft(agent=agent):
                self.feed_seat(agent, chair.CustomerOut(event.at, call.id))
            case life.FreeAgent(agent=agent):
                self.feed_seat(agent, chair.Freed(event.at, call.id))
            case life.PlayDropMessage():
                self._actions.play_drop_message(call)
            case life.HangUp():
                self._actions.hang_up(call)
            case life.LookUp():
                self._actions.look_up(call)
            case life.Suppress():
                self._actions.take_opt_outs()
            case life.Finish():
                self._finish(call)

    def take_seat(self, call: Call) -> bool:
        """Keep the agent who dialed a call for it; False when that agent is not free for it any more, or elsewhere."""
        seat = self.seats.get(call.agent or "")
        if seat is None or seat.state is not SeatState.READY or seat.node != call.node:
            return False
        self.feed_seat(seat.agent, chair.Reserved(utc_now(), call.id))
        return True

    def dialer(self, call: Call) -> str | None:
        """Return the agent who dialed the call and still waits for it."""
        seat = self.seats.get(call.agent or "")
        waits = seat is not None and seat.state is SeatState.RESERVED and seat.attempt == call.id
        return call.agent if waits else None

    def _free_dialer(self, call: Call, at: datetime) -> None:
        if agent := self.dialer(call):
            self.feed_seat(agent, chair.Freed(at, call.id))

    def _offer(self, call: Call, at: datetime) -> None:
        agent = self.dialer(call)
        if agent is not None and not self.seats[agent].on_hold:
            self.feed(call.id, life.AgentChosen(at, agent))
            return
        self._free_dialer(call, at)  # whose phone is on hold hears nobody
        if self._longest_ready(call) is None:
            self.lend(call)
        seat = self._longest_ready(call)
        if seat is None:
            self._waiting.setdefault(call.campaign, deque()).append(call.id)
        else:
            self._match(call, seat.agent, at)

    def _match(self, call: Call, agent: str, at: datetime) -> None:
        self.feed_seat(agent, chair.Reserved(at, call.id))
        self.feed(call.id, life.AgentChosen(at, agent))

    def _longest_ready(self, call: Call) -> Seat | None:
        """Return who may take the call: a customer and the agent meet on the node that has the customer."""
        ready = [s for s in self.seats_of(call.campaign, call.node) if s.state is SeatState.READY and s.since]
        return min(ready, key=lambda s: (s.since, s.agent), default=None)

    def _finish(self, call: Call) -> None:
        del self.calls[call.id]
        queue = self._waiting.get(call.campaign)
        if queue and call.id in queue:
            queue.remove(call.id)
        finished = FinishedCall(
            call.id,
            call.campaign,
            call.reservation.trunk,
            call.attempt,
            call.reservation.contact_id,
            call.agent,
            call.node,
        )
        if call.attempt.joined_at is None:
            self._undisposed.pop(call.id, None)
        early = self._disposed_early.pop(call.id, None)
        if early is not None and not self._in_wrap(call):
            self.dispose(call.id, *early, call.attempt.ended_at or utc_now())
        self.on_finished(finished)

    def _in_wrap(self, call: Call) -> bool:
        """Whether the call's last agent talked to the customer and has the disposition still to give."""
        seat = self.seats.get(call.attempt.agent or "")
        return seat is not None and seat.state is SeatState.WRAP and seat.attempt == call.id

    # --- seats ------------------------------------------------------------------------------------

    def feed_seat(self, agent: str, event: chair.SeatEvent) -> None:
        """Step one seat; a seat that was never seen begins off duty."""
        before = self.seats.get(agent) or Seat(agent)
        try:
            after, commands = chair.step(before, event)
        except chair.IllegalSeatEvent as error:
            self._refuse(str(error), agent)
            return
        self.seats[agent] = after
        if after.state is SeatState.IN_CALL and after.attempt in self.calls:
            self._talks[agent] = self.calls[after.attempt]
        told = self.campaign_of_attempt(after.attempt) or self.campaign_of(agent)
        if (after.state, after.pause_follows) != (before.state, before.pause_follows):
            self._recorder.seat_state(after, told, event.at)
        if after.state is not before.state:
            self.on_seat(after, told)
        for command in commands:
            self._carry_seat(agent, command, event.at)
        if (campaign := self.campaign_of(agent)) and after is not before:
            self.on_change(campaign)

    def _carry_seat(self, agent: str, command: chair.SeatCommand, at: datetime) -> None:
        match command:
            case chair.BecameReady():
                self._serve_waiting(agent, at)
            case chair.EndCall(attempt=attempt_id):
                self.feed(attempt_id, life.AgentHangup(at))
            case chair.CustomerAlone(attempt=attempt_id, vanished=vanished):
                self.left_alone(attempt_id, at, vanished=vanished)
            case chair.StartWrap(attempt=attempt_id):
                self._actions.start_wrap(agent, attempt_id)
            case chair.Dispose(attempt=attempt_id, code=code):
                self.dispose(attempt_id, agent, code, at)
            case chair.Correct(attempt=attempt_id, code=code):
                self._correct(attempt_id, agent, code, at)
            case chair.Tell(what=what):
                self._actions.tell_agent(agent, what)

    def left_alone(self, attempt_id: str, at: datetime, *, vanished: bool) -> None:
        """The agent's leg is gone: end the call, or, when the phone died, let another agent or the message go on."""
        call = self.calls.get(attempt_id)
        if call is not None and call.phase in UNDECIDED:
            # Dialed by hand, and its agent left: another one or the message goes on, if anybody answers.
            if call.phase is Phase.RESERVED:
                self.cancel(attempt_id, "the agent left before the call left")
            return
        talking = call is not None and call.phase is Phase.BRIDGED and call.attempt.hanging_up is None
        if call is None or not vanished or not talking:
            self.feed(attempt_id, life.AgentLost(at))
            return
        if self._longest_ready(call) is None:
            self.lend(call)
        seat = self._longest_ready(call)
        if seat is not None:
            self.feed_seat(seat.agent, chair.Reserved(at, attempt_id))
        self.feed(attempt_id, life.AgentVanished(at, seat.agent if seat else None))

    def dispose(self, attempt_id: str, agent: str, code: str | None, at: datetime) -> None:
        """Record a disposition after the attempt's end, which it may overrule; the last agent's counts.

        That is the last one who talked: another agent who was to go on and was never joined gives none.
        """
        if attempt_id in self.calls:
            self._disposed_early[attempt_id] = (agent, code)
            return
        campaign, ended = self.campaign_of_attempt(attempt_id), self._undisposed.pop(attempt_id, None)
        self._recorder.disposition(attempt_id, campaign, agent, code, at, ended)

    def _correct(self, attempt_id: str, agent: str, code: str, at: datetime) -> None:
        """Record a further disposition of an agent's last talk, at once also while another agent talks on in it.

        Where the agent's first one still waits for the attempt's end this one counts then, too: the newest is what
        the talk is called.
        """
        if attempt_id in self._disposed_early:
            self._disposed_early[attempt_id] = (agent, code)
        call = self._talks.get(agent)
        self._recorder.disposition(attempt_id, call.campaign if call else "", agent, code, at, call)

    def _serve_waiting(self, agent: str, at: datetime) -> None:
        """Give a ready agent the person of the campaign, on the agent's node, who has waited longest."""
        queue, node = self._waiting.get(self.campaign_of(agent) or "", deque()), self.seats[agent].node
        for attempt_id in list(queue):
            call = self.calls.get(attempt_id)
            waits = call is not None and call.phase is Phase.WAITING and call.attempt.hanging_up is None
            if call is None or not waits:
                queue.remove(attempt_id)
            elif call.node == node:
                queue.remove(attempt_id)
                self._match(call, agent, at)
                return

    def _refuse(self, why: str, subject: str) -> None:
        self.illegal[why] += 1
        log.warning("event refused by the state machine", why=why, subject=subject)

    # --- from outside -----------------------------------------------------------------------------

    def cancel(self, attempt_id: str, reason: str) -> None:
        """Ask for the end of a call that nobody answered yet; without effect on an answered one."""
        call = self.calls.get(attempt_id)
        if call is not None and call.phase in (Phase.RESERVED, Phase.DIALING, Phase.RINGING):
            self.feed(attempt_id, life.Cancel(utc_now(), reason))
