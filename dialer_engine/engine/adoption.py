"""Takes over what an earlier engine left: calls where they stand, talks with their agents, and what nobody holds.

A talk goes on only with an agent whose leg is on the call's own node and waits there for nothing else. An agent who
went on elsewhere meanwhile, whose new leg is not in its bridge yet, or who has another customer by now is not the one
who talks: the customer is alone, another agent goes on or the message plays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.audio import Audio
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.agents import Legs
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.recovery import Seen, end_of, resume
from dialer_engine.engine.trunks import Trunks
from dialer_engine.store.attempts import LiveAttempt
from dialer_engine.store.reserve import Reservation

WAITS = frozenset({SeatState.READY, SeatState.PAUSED})
"""What a seat is, right after its leg was found, that may have a talk."""


@dataclass(slots=True)
class Adoption:
    """Puts attempts that the database has live into the dispatcher's hands.

    `told` ends one whose end Asterisk told before, and says whether it did.
    """

    dispatcher: Dispatcher
    legs: Legs
    trunks: Trunks
    plan_of: Callable[[str], CampaignPlan | None]
    ring_window_of: Callable[[str], tuple[int, int] | None]
    told: Callable[[Call], bool] = lambda call: False
    _alone: list[str] = field(default_factory=list)

    def adopt_all(self, live: Iterable[LiveAttempt], seen: Seen) -> list[bool]:
        """Take over attempts of an earlier engine; returns whether each goes on.

        Those whose channel is there come first: an agent may talk by now while an earlier talk has no end on record.
        """
        there_first = sorted(live, key=lambda attempt: attempt.attempt_id not in seen.channels)
        return [self.adopt(attempt, seen) for attempt in there_first]

    def adopt(self, live: LiveAttempt, seen: Seen) -> bool:
        """Take over an attempt of an earlier engine; False when it has ended: as was told, or else as unknown.

        A talk that is not with its agent any more has the default disposition: nobody else will give one.
        """
        call = self._hold(live)
        if self.told(call):
            return False
        resumed = resume(call, seen)
        attempt = resumed or call.attempt
        talked = attempt.phase is Phase.BRIDGED
        together = talked and attempt.agent is not None and self._is_with(attempt.agent, call.node)
        if together and attempt.agent is not None:
            self.dispatcher.reseat(call, attempt.agent)
        if resumed is None:
            self.dispatcher.feed(call.id, end_of(call.attempt, seen, utc_now()))
        else:
            self._resume(call, resumed, alone=talked and not together)
        if attempt.joined_at is not None and not together:
            self.dispatcher.dispose(call.id, attempt.talker or "", None, utc_now())
        return resumed is not None

    def _is_with(self, agent: str, node: str) -> bool:
        """Whether an agent's leg is on a node, in its bridge, and nothing else is going on there."""
        leg, seat = self.legs.by_agent.get(agent, ""), self.dispatcher.seats.get(agent)
        return self.legs.node_of.get(leg) == node and seat is not None and seat.state in WAITS

    def _resume(self, call: Call, resumed: Attempt, *, alone: bool) -> None:
        self.dispatcher.found(call, resumed, unseen(call.attempt, resumed, utc_now()))
        if resumed.phase is Phase.BRIDGED:
            self.dispatcher.keep(call)
        if alone:
            self._alone.append(call.id)
        elif resumed.phase is Phase.UNCLAIMED:
            self.dispatcher.rescue(call)
        elif resumed.phase in (Phase.DIALING, Phase.RINGING):
            self.dispatcher.take_seat(call)

    def care_for_lonely(self) -> None:
        """Customers whose agents left meanwhile: others go on, once it is known who is free; or the message."""
        lonely, self._alone = self._alone, []
        for attempt_id in lonely:
            self.dispatcher.left_alone(attempt_id, utc_now(), vanished=True)

    def end_forgotten(self, live: Iterable[LiveAttempt]) -> int:
        """End attempts of ours that the database has live but nobody holds: they would lock their numbers.

        One that it knows as reserved only never left, unless this engine did send it: a failover may have lost that.
        """
        forgotten = [attempt for attempt in live if attempt.attempt_id not in self.dispatcher.calls]
        for attempt in forgotten:
            call, now = self._hold(attempt), utc_now()
            unsent = attempt.state == Phase.RESERVED
            if unsent and (at := self.dispatcher.sent_at(attempt.attempt_id)):
                sent, unsent = replace(call.attempt, phase=Phase.DIALING, originated_at=at), False
                self.dispatcher.found(call, sent, [(Phase.DIALING, at)])
            event = life.Cancel(now, "the call never left") if unsent else life.Vanished(now)
            self.dispatcher.feed(attempt.attempt_id, event)
        return len(forgotten)

    def _hold(self, live: LiveAttempt) -> Call:
        """Take an attempt into the dispatcher's hands as the database knows it."""
        plan = self.plan_of(live.campaign)
        attempt = attempt_of(live, plan.settings.ring_seconds if plan else None)
        call = Call(
            reservation_of(live, self.ring_window_of(live.number)),
            live.campaign,
            attempt,
            live.reserved_at,
            plan,
            live.last_event,
            live.dialed_by,
        )
        line = self.trunks.lines.get(live.trunk)
        if line is not None:
            line.active += 1
        self.dispatcher.adopt(call)
        return call


def unseen(before: Attempt, now: Attempt, at: datetime) -> list[tuple[Phase, datetime]]:
    """Return what happened to an attempt while no engine looked, each with when at the latest, in its order.

    It is written down at once: the engine that takes over may end before anything else happens to the call, and without
    an answer on record nobody would know that somebody had answered. So it is with another agent who was found, `at`
    (UTC), in a talk: on record would be the one before.
    """
    rings = now.ringing_at if before.early and not now.early else None
    times = (
        (Phase.DIALING, before.originated_at, now.originated_at),
        (Phase.RINGING, None, rings),
        (Phase.WAITING, before.answered_at, now.answered_at),
        (Phase.BRIDGED, before.joined_at, now.joined_at),
        (Phase.MESSAGE, before.message_at, now.message_at),
    )
    steps = [(phase, by) for phase, known, by in times if known is None and by is not None]
    another = before.joined_at is not None and before.talker != now.talker
    return [*steps, (Phase.BRIDGED, at)] if another else steps


def reservation_of(live: LiveAttempt, ring_window: tuple[int, int] | None) -> Reservation:
    """Return the reservation of an attempt as the database knows it."""
    return Reservation(
        attempt_id=live.attempt_id,
        contact_id=live.contact_id,
        number_id=live.number_id,
        number=live.number,
        caller_id=live.caller_id,
        trunk=live.trunk,
        node=live.node,
        reserved_at=live.reserved_at,
        local_time=live.local_time,
        ring_window=ring_window,
    )


def attempt_of(live: LiveAttempt, ring_seconds: int | None) -> Attempt:
    """Return the pure attempt as the database last knew it.

    Who answered while no engine looked has no time of that on record when the next one ends as well. The talk or the
    message that the call had says that there was an answer, and when at the latest. The agent on record is the last who
    talked; who else was chosen only Asterisk knows, when the person is with that agent by now.
    """
    phase = Phase(live.state)
    heard = [at for at in (live.joined_at, live.message_at) if at is not None]
    return Attempt(
        id=live.attempt_id,
        phase=phase,
        originated_at=live.originated_at,
        ring_seconds=ring_seconds,
        ringing_at=live.ringing_at,
        early=live.early,
        answered_at=live.answered_at or min(heard, default=None),
        message_at=live.message_at,
        joined_at=live.joined_at,
        agent=live.agent if phase is Phase.BRIDGED else None,
        talker=live.agent,
        audio=Audio(live.audio or Audio.UNKNOWN),
    )
