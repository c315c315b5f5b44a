"""Carries the dispatcher's commands to Asterisk; every outcome comes back as an event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import structlog

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Phase
from dialer_engine.engine.agents import Legs, bridge_of
from dialer_engine.engine.awakening import until_told
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.places import Places
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError, AriRefused

log = structlog.get_logger(__name__)

CONTEXT = "outbound"
TAKES_BACK_S = 1.85
"""The dialplan takes a claimed call back so long after its answer, unless it was joined and kept."""
JOIN_WITHIN_S = 1.0
"""A join and what keeps it have at least this long, also in a busy Asterisk. An engine that dies between what puts the
time-out off and the join leaves silence for so long.

One window stays open. Asterisk reads the commands of a session one by one. An engine that is killed in the few
milliseconds between its reading of the join and of the keep loses the keep: after a reset, or a reply that cannot be
written, Asterisk drops the rest of the session. Then the dialplan takes the talk back into the drop message. With the
keep first the same loss would be the join's, and leave silence without any time-out. See docs/decisions/0017."""
LOOK_AGAIN_S = 1.0
KEEP_AGAIN_S = (0.05, 0.1, 0.2, 0.4, 0.8)
GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
"""The channel is gone, or has left the application and is the dialplan's."""
ON_HANGUP = {"CHANNEL(hangup_handler_push)": f"{CONTEXT},said,1"}
"""Lets the dialplan tell, when the channel ends, what the carrier said last."""


@dataclass(frozen=True, slots=True)
class Leg:
    """How a customer's leg is originated: where to, as whom, for how long, with what message."""

    endpoint: str
    caller_id: str
    ring_seconds: int
    variables: dict[str, str]

    @property
    def number(self) -> str | None:
        """The E.164 number that this leg dials, as the dialplan is told."""
        return self.variables.get("DIALED_NUMBER")


class NotReserved(Exception):
    """A call that the gate did not let through was about to leave: a fault of the program."""


@dataclass(slots=True)
class AsteriskActions:
    """The world's side of the dispatcher; every call is asked for on its own node."""

    places: Places
    legs: Legs
    tasks: Tasks
    on_opt_out: Callable[[], None] = lambda: None
    on_doubt: Callable[[str], None] = lambda node: None
    may_send: Callable[[], bool] = lambda: True
    behind: Callable[[], bool] = lambda: False
    dispatcher: Dispatcher | None = None
    _doubted: set[str] = field(default_factory=set)

    def _commands(self, call: Call) -> Commands:
        return self.places[call.node].commands

    def _feed(self, call: Call, event: life.Event) -> None:
        if self.dispatcher is not None:
            self.dispatcher.feed(call.id, event)

    def originate(self, call: Call, leg: Leg) -> None:
        """Send the originate now; the attempt row is already committed (P1).

        The only way to a call: it takes a reservation, which only the gate's transaction makes. Raises
        NotReserved for a call that left before, or a leg to another number than the one that was checked.
        """
        if call.phase is not Phase.RESERVED or leg.number != call.reservation.number:
            raise NotReserved(f"attempt {call.id} is {call.phase.value}, or its leg goes elsewhere")
        self._feed(call, life.Sent(utc_now(), leg.ring_seconds))
        self.tasks.spawn(self._originate(call, leg), "originate")

    async def _originate(self, call: Call, leg: Leg) -> None:
        if not self.may_send():
            # Frozen between the decision and the sending: by now another engine may own the node.
            self._feed(call, life.Refused(utc_now(), "the lease ran out before the call left"))
            return
        try:
            await self._commands(call).originate(
                call.id,
                leg.endpoint,
                context=CONTEXT,
                extension="answered",
                caller_id=leg.caller_id,
                timeout_s=leg.ring_seconds,
                variables={**leg.variables, **ON_HANGUP},
            )
        except AriRefused as error:
            if error.status == HTTPStatus.CONFLICT:
                await self._conflict(call, error)
            else:
                # Asterisk 22.10 answers 500 when it makes no channel, as for a trunk that it does not know.
                lacks = error.status == HTTPStatus.INTERNAL_SERVER_ERROR
                self._feed(call, life.Refused(utc_now(), str(error), no_trunk=lacks))
        except AriError:
            self._feed(call, life.ReplyLost(utc_now()))

    async def _conflict(self, call: Call, error: AriRefused) -> None:
        """409 says that the id is taken, but it is also what a connection gives for no channel after such a case.

        Either way it sends no INVITE, and the id was never sent before: without a channel nobody was called. That
        stays so when this look fails, and a comparison has the next one.
        """
        if call.phase is not Phase.DIALING:
            return
        call.conflict = f"no channel was made, perhaps the node has no such trunk: {error}"
        await self._look_up(call)

    def look_up(self, call: Call) -> None:
        """Ask for the channel under the attempt's id; its absence ends the attempt, mostly as unknown (P3)."""
        self.tasks.spawn(self._look_up(call), "look up a channel")

    async def _look_up(self, call: Call) -> None:
        try:
            channel = await self._commands(call).channel(call.id)
        except AriError as error:
            log.warning("channel could not be looked up; a comparison decides", why=str(error))
            await self._doubt_soon(call.node)
            return
        if channel is None:
            await until_told(self.behind)
            self._feed(call, self._absent(call))

    def _absent(self, call: Call) -> life.Event:
        """Return what it means that a call has no channel: nobody saw its end, unless Asterisk never made one."""
        unheard = call.phase is Phase.DIALING and not call.attempt.blind
        if call.conflict and unheard:
            return life.Refused(utc_now(), call.conflict, no_trunk=True)
        return life.Vanished(utc_now())

    async def _doubt_soon(self, node: str) -> None:
        """Have a node compared after a pause: a comparison asks again for what was refused, and that without end."""
        if node in self._doubted:
            return
        self._doubted.add(node)
        await asyncio.sleep(LOOK_AGAIN_S)
        self._doubted.discard(node)
        self.on_doubt(node)

    def claim(self, call: Call) -> None:
        """Claim the offered channel for the agent that was chosen."""
        self.tasks.spawn(self._claim(call), "claim")

    async def _claim(self, call: Call) -> None:
        try:
            await self._commands(call).claim(call.id)
        except AriError as error:
            log.info("claim lost", attempt=call.id, why=str(error))
            self._feed(call, life.ClaimLost(utc_now()))

    def join(self, call: Call, agent: str) -> None:
        """Move the customer into the agent's bridge."""
        self.tasks.spawn(self._join(call, agent), "join")

    async def _join(self, call: Call, agent: str) -> None:
        # All leave together: an engine that died between them would leave a talk to the time-out. Asterisk carries
        # them out one after the other, so a time-out that ran out between join and keep would end a talk that has
        # just begun. Whoever has waited gets it put off first; right after the answer that would only cost time.
        commands = self._commands(call)
        if _is_late(call):
            self.tasks.spawn(self._put_off(call), "put a time-out off")
        adding = asyncio.create_task(commands.bridge_add(bridge_of(agent), call.id), name="add to a bridge")
        self.keep(call)
        try:
            await adding
        except AriRefused as error:
            log.warning("customer could not be bridged", attempt=call.id, agent=agent, why=str(error))
            self._feed(call, life.JoinFailed(utc_now()))
        except AriError as error:
            # It may have been done: a comparison tells, and nobody else gets this agent meanwhile.
            log.warning("outcome of a join is not known", attempt=call.id, agent=agent, why=str(error))
            self.on_doubt(call.node)

    def keep(self, call: Call) -> None:
        """Switch off the time-out by which the dialplan takes a claimed call back."""
        self.tasks.spawn(self._keep(call), "keep a joined call")

    async def _keep(self, call: Call) -> None:
        """Try until the dialplan has had its chance: a talk that is not kept ends in the drop message."""
        for pause in KEEP_AGAIN_S:
            try:
                await self._commands(call).keep(call.id)
                return
            except AriError as error:
                if _is_gone(error):
                    log.debug("call was gone before it was kept", attempt=call.id, why=str(error))
                    return
                log.warning("time-out of a joined call not switched off", attempt=call.id, why=str(error))
            await asyncio.sleep(pause)
            if call.phase not in (Phase.JOINING, Phase.BRIDGED):
                return

    async def _put_off(self, call: Call) -> None:
        try:
            await self._commands(call).put_off(call.id, JOIN_WITHIN_S)
        except AriError as error:
            log.info("time-out of a claimed call not put off", attempt=call.id, why=str(error))

    def play_drop_message(self, call: Call) -> None:
        """Send the channel on to the dialplan's drop message."""
        going = self._commands(call).continue_at(call.id, CONTEXT, extension="drop")
        self.tasks.spawn(self._insist(going, call), "drop message")

    def hang_up(self, call: Call) -> None:
        """Hang the channel up; its end comes back as an ordinary event."""
        self.tasks.spawn(self._insist(self._commands(call).hangup(call.id), call), "hang up")

    async def _insist(self, doing: Awaitable[None], call: Call) -> None:
        """A comparison asks again for what may not have been done: nobody else ends this person's silence."""
        try:
            await doing
        except AriError as error:
            if _is_gone(error):
                log.info("channel was gone already", attempt=call.id, why=str(error))
                return
            log.warning(
                "message or hang-up may not have begun; a comparison decides", attempt=call.id, why=str(error)
            )
            await self._doubt_soon(call.node)

    def take_opt_outs(self) -> None:
        """Take the opt-out journal in at once."""
        self.on_opt_out()

    def tell_agent(self, agent: str, what: str) -> None:
        """Let an agent hear a short sound."""
        self.legs.tell(agent, what)

    def start_wrap(self, agent: str, attempt_id: str) -> None:
        """Start an agent's wrap time."""
        self.legs.start_wrap(agent, attempt_id)


def _is_gone(error: AriError) -> bool:
    return isinstance(error, AriRefused) and error.status in GONE


def _is_late(call: Call) -> bool:
    """Whether the dialplan may take a call back while it is being joined; a later join of a talk has no time-out.

    The answer's time is the node's: one whose clock is ahead by most of a second has nothing put off.
    """
    answered = call.attempt.answered_at
    if answered is None or call.attempt.joined_at is not None:
        return False
    return (utc_now() - answered).total_seconds() > TAKES_BACK_S - JOIN_WITHIN_S
