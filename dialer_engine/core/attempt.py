"""Life of an attempt: one try to reach one number, one Asterisk channel, one result.

The life
--------
An attempt is *reserved* in the database before anything is sent (P1). Sending the originate makes it
*dialing*; the carrier's 180 or 183 makes it *ringing*; the carrier's 200 makes it *waiting*: a person is on the
line and hears nothing yet. Asterisk's dialplan now offers the channel (`CallBroadcast`) for at most
`max_wait_ms`. The engine claims it only after it has chosen a free agent (*joining*), moves it into the
agent's bridge (*bridged*), and whoever hangs up ends it. If nobody claims, the dialplan itself plays the
drop message (*message*), with or without an engine, so silence never lasts (P4).

The races this forbids
----------------------
* A claim that loses to the dialplan's time-out gives the agent back and does **not** offer the channel
  again: the person is already hearing the message (*unclaimed*).
* A cancel that crosses a 200 OK: the attempt was answered, so it is judged by its times as abandoned or
  hung up, never as cancelled.
* A lost reply to the originate is never sent again (P3): the channel is looked up under its own id, and
  when it is not there the attempt ends as `unknown`, or as `node_lost` when its Asterisk died meanwhile.
* An agent whose phone dies in a conversation leaves a person in silence: that person is moved into another
  agent's bridge (*joining* again), or to the message. The first join counts.
* A talk whose time-out was not switched off in time goes to the message: abandoned, and the agent is free at once.
* Everything that happens after *ended* is ignored; *ended* is the only state without a way out (P6).

The machine is a table: `(phase, event type) -> function`. A pair in `IGNORED` changes nothing on purpose;
every other pair raises `IllegalTransition` and changes nothing. Time comes in with the event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dialer_engine.core.attempt_commands import (
    Claim,
    Command,
    CustomerJoined,
    CustomerLeft,
    Finish,
    FreeAgent,
    HangUp,
    Join,
    LookUp,
    Offer,
    PlayDropMessage,
    Suppress,
)
from dialer_engine.core.attempt_events import (
    AgentChosen,
    AgentHangup,
    AgentLost,
    AgentVanished,
    Answered,
    AudioChecked,
    Cancel,
    ClaimLost,
    Entered,
    Event,
    Gone,
    Joined,
    JoinFailed,
    MessageOver,
    MessageStarted,
    Missed,
    NodeLost,
    Offered,
    OptedOut,
    Refused,
    ReplyLost,
    Ringing,
    Sent,
    Vanished,
)
from dialer_engine.core.attempt_state import Attempt, Phase, Step
from dialer_engine.core.law import CONNECT_WITHIN
from dialer_engine.core.outcome import (
    DERIVED,
    LINE_LOST,
    REQUEST_TERMINATED,
    EndedBy,
    Refusal,
    Result,
    began_by,
    result_of_refusal,
    talked,
)

__all__ = [
    "IGNORED",
    "TABLE",
    "AgentChosen",
    "AgentHangup",
    "AgentLost",
    "AgentVanished",
    "Answered",
    "Attempt",
    "AudioChecked",
    "Cancel",
    "Claim",
    "ClaimLost",
    "Command",
    "CustomerJoined",
    "CustomerLeft",
    "EndedBy",
    "Entered",
    "Event",
    "Finish",
    "FreeAgent",
    "Gone",
    "HangUp",
    "IllegalTransition",
    "Join",
    "JoinFailed",
    "Joined",
    "LookUp",
    "MessageOver",
    "MessageStarted",
    "Missed",
    "NodeLost",
    "Offer",
    "Offered",
    "OptedOut",
    "Phase",
    "PlayDropMessage",
    "Refused",
    "ReplyLost",
    "Ringing",
    "Sent",
    "Step",
    "Suppress",
    "Vanished",
    "step",
]


class IllegalTransition(Exception):
    """An event that cannot happen in this phase; nothing was changed."""

    def __init__(self, phase: Phase, event: Event) -> None:
        super().__init__(f"{type(event).__name__} is illegal in phase {phase.value}")
        self.phase = phase
        self.event = event


# --- transitions --------------------------------------------------------------------------------------


def _end(a: Attempt, event: Event, result: Result, by: EndedBy) -> Step:
    ended = replace(a, phase=Phase.ENDED, ended_at=event.at, result=result, ended_by=by)
    return ended, (Finish(),)


def _sent(a: Attempt, e: Sent) -> Step:
    return replace(a, phase=Phase.DIALING, originated_at=e.at, ring_seconds=e.ring_seconds), ()


def _refused(a: Attempt, e: Refused) -> Step:
    """Nothing left, so it is nobody's attempt: like a trunk that refuses."""
    return _end(replace(a, said=e.why, no_trunk=e.no_trunk), e, Result.TRUNK_FAULT, EndedBy.ENGINE)


def _missed(a: Attempt, e: Event) -> Step:
    return (a if a.blind else replace(a, blind=True)), ()


def _look_up(a: Attempt, e: Event) -> Step:
    return a, (LookUp(),)


def _ringing(a: Attempt, e: Ringing) -> Step:
    ringing = replace(a, phase=Phase.RINGING)
    if a.ringing_at is not None and not e.alerting:
        return ringing, ()
    return replace(ringing, ringing_at=e.at, early=not e.alerting), ()


def _alerting(a: Attempt, e: Ringing) -> Step:
    """A 183 may come long before a phone rings: the time that it must ring begins with the 180 behind it."""
    if not (a.early and e.alerting):
        return a, ()
    return replace(a, ringing_at=e.at, early=False), ()


def _answered(a: Attempt, e: Event) -> Step:
    return replace(a, phase=Phase.WAITING, answered_at=e.at), ()


def _offered(a: Attempt, e: Event) -> Step:
    """The offer proves the answer, whichever of the two events comes first."""
    waiting = replace(a, phase=Phase.WAITING, answered_at=a.answered_at or e.at)
    return (waiting, ()) if waiting.hanging_up else (waiting, (Offer(),))


def _chosen(a: Attempt, e: AgentChosen) -> Step:
    return replace(a, phase=Phase.JOINING, agent=e.agent), (Claim(e.agent),)


def _claim_lost(a: Attempt, e: Event) -> Step:
    return replace(a, phase=Phase.UNCLAIMED, agent=None), _free(a)


def _free(a: Attempt) -> tuple[Command, ...]:
    return (FreeAgent(a.agent),) if a.agent else ()


def _entered(a: Attempt, e: Event) -> Step:
    return (a, (Join(a.agent),)) if a.agent else (a, (PlayDropMessage(),))


def _join_failed(a: Attempt, e: Event) -> Step:
    return replace(a, phase=Phase.UNCLAIMED, agent=None), (*_free(a), PlayDropMessage())


def _joined(a: Attempt, e: Event) -> Step:
    """An agent who left while the join was on its way leaves an empty bridge: out of it, to the message."""
    if a.agent is None:
        return replace(a, phase=Phase.UNCLAIMED), (PlayDropMessage(),)
    joined = replace(a, phase=Phase.BRIDGED, joined_at=a.joined_at or e.at, talker=a.agent)
    return joined, (CustomerJoined(a.agent),)


def _audio_checked(a: Attempt, e: AudioChecked) -> Step:
    return replace(a, audio=a.audio.with_later(e.audio)), ()


def _joined_too_late(a: Attempt, e: Event) -> Step:
    return a, (PlayDropMessage(),)


def _message(a: Attempt, e: Event) -> Step:
    """The message proves the answer, and that a claim still on its way has lost: the agent is free again."""
    answered = a.answered_at or e.at
    return replace(a, phase=Phase.MESSAGE, answered_at=answered, message_at=e.at, agent=None), _free(a)


def _taken_back(a: Attempt, e: Event) -> Step:
    """The dialplan took a joined person out of the bridge: the agent is alone there. See `outcome.talked`."""
    return replace(a, phase=Phase.MESSAGE, message_at=e.at, agent=None), _left(a)


def _left(a: Attempt) -> tuple[Command, ...]:
    return (CustomerLeft(a.agent),) if a.agent else ()


def _message_over(a: Attempt, e: Event) -> Step:
    return replace(a, hanging_up=EndedBy.ENGINE), ()


def _opted_out(a: Attempt, e: Event) -> Step:
    return a, (Suppress(),)


def _opted_out_of_talk(a: Attempt, e: Event) -> Step:
    """The key works in the message only: its start was missed with a lost link."""
    told, left = _taken_back(a, MessageStarted(began_by(a.joined_at, e.at)))
    return told, (*left, Suppress())


def _cancel(a: Attempt, e: Cancel) -> Step:
    return replace(a, cancel_reason=e.reason, hanging_up=EndedBy.ENGINE), (HangUp(),)


def _cancel_reserved(a: Attempt, e: Cancel) -> Step:
    return _end(replace(a, cancel_reason=e.reason), e, Result.CANCELLED, EndedBy.ENGINE)


def _agent_hangup(a: Attempt, e: Event) -> Step:
    return replace(a, hanging_up=EndedBy.AGENT), (HangUp(),)


def _agent_lost_joining(a: Attempt, e: Event) -> Step:
    return replace(a, agent=None), ()


def _agent_vanished(a: Attempt, e: AgentVanished) -> Step:
    """Nobody is hung up on for a dead phone: another agent goes on, or the message plays."""
    if e.instead is None:
        return replace(a, phase=Phase.UNCLAIMED, agent=None), (PlayDropMessage(),)
    return replace(a, phase=Phase.JOINING, agent=e.instead), (Join(e.instead),)


def _vanished(a: Attempt, e: Event) -> Step:
    """How it ended is not known, but what happened before is: a talk was a talk, an answer without one was not."""
    result = Result.UNKNOWN
    if a.answered_at is not None:
        result = Result.BRIDGED if talked(a.joined_at, a.message_at) else Result.ABANDONED
    return _end_unseen(a, e, result)


def _node_lost(a: Attempt, e: Event) -> Step:
    """Whoever talked was cut off, and whoever rang may have heard it: the record says so."""
    return _end_unseen(a, e, Result.NODE_LOST)


def _end_unseen(a: Attempt, e: Event, result: Result) -> Step:
    ended, commands = _end(a, e, result, EndedBy.UNKNOWN)
    return ended, (*(_left(a) if a.phase is Phase.BRIDGED else _free(a)), *commands)


def _gone_unanswered(a: Attempt, e: Gone) -> Step:
    heard = replace(a, cause=e.cause, said=e.said, ended_at=e.at)
    coded = replace(heard, sip_code=None if heard.silent else _carriers_code(a, e))
    result = result_of_refusal(_refusal(coded, e))
    fault = result is Result.TRUNK_FAULT and not coded.silent
    if a.cancel_reason is not None and not fault:
        return _end(coded, e, Result.CANCELLED, EndedBy.ENGINE)
    ours = _timed_out(a, e) and coded.sip_code in (None, REQUEST_TERMINATED)
    return _end(coded, e, result, EndedBy.ENGINE if ours else EndedBy.CARRIER)


def _carriers_code(a: Attempt, e: Gone) -> int | None:
    """Return the SIP code if it is the carrier's: Asterisk calls our own ring time 480, and silence 408."""
    if e.said is None:
        return None if _timed_out(a, e) else e.sip_code
    return e.sip_code if e.said.startswith(f"SIP {e.sip_code}") else None


def _refusal(a: Attempt, e: Gone) -> Refusal:
    after = (e.at - a.originated_at).total_seconds() if a.originated_at else 0.0
    rang = a.ringing_at is not None or a.phase is Phase.RINGING
    doubt = rang or (a.blind and not a.silent)
    meaning = e.meaning if a.sip_code is not None else None
    return Refusal(e.cause, a.sip_code, doubt, meaning, a.silent, after)


def _timed_out(a: Attempt, e: Event) -> bool:
    """Whether our own ring time was over: then nobody but us ended the call."""
    if a.originated_at is None or a.ring_seconds is None:
        return False
    return e.at - a.originated_at >= timedelta(seconds=a.ring_seconds)


def _gone_waiting(a: Attempt, e: Gone) -> Step:
    coded = replace(a, cause=e.cause, sip_code=_code_within(e))
    waited = e.at - (a.answered_at or e.at)
    ours = a.hanging_up is EndedBy.ENGINE
    abandoned = a.message_at is not None or waited >= CONNECT_WITHIN or ours
    result = Result.ABANDONED if abandoned else Result.HUNG_UP
    if talked(a.joined_at, a.message_at):
        result = Result.BRIDGED
    ended, commands = _end(coded, e, result, EndedBy.ENGINE if ours else _far_end(e))
    return ended, (*_free(a), *commands)


def _far_end(e: Gone) -> EndedBy:
    """Who of the far side ended an answered call: the person by a BYE, or a carrier that vanished or lost the call."""
    lost = e.cause in LINE_LOST or (_code_within(e) or 0) >= 400
    return EndedBy.CARRIER if lost else EndedBy.CUSTOMER


def _code_within(e: Gone) -> int | None:
    """Return the SIP code with which a request of ours in an answered call failed, such as a session timer's.

    What Asterisk makes of the Q.850 cause in the Reason of a BYE is none, unless the carrier said it too. An error to
    an UPDATE looks the same, and passes for that: people hang up more often than carriers refuse a refresh.
    """
    said = (e.said or "").startswith(f"SIP {e.sip_code}")
    return e.sip_code if said or DERIVED.get(e.cause or 0) != e.sip_code else None


def _gone_bridged(a: Attempt, e: Gone) -> Step:
    coded = replace(a, cause=e.cause, sip_code=_code_within(e))
    ended, commands = _end(coded, e, Result.BRIDGED, a.hanging_up or _far_end(e))
    return ended, (*_left(a), *commands)


Handler = Callable[[Attempt, Any], Step]

TABLE: dict[tuple[Phase, type[Event]], Handler] = {
    (Phase.RESERVED, Sent): _sent,
    (Phase.RESERVED, Cancel): _cancel_reserved,
    (Phase.RESERVED, Vanished): _vanished,
    (Phase.DIALING, Refused): _refused,
    (Phase.DIALING, ReplyLost): _look_up,
    (Phase.DIALING, Ringing): _ringing,
    (Phase.DIALING, Answered): _answered,
    (Phase.DIALING, Offered): _offered,
    (Phase.DIALING, MessageStarted): _message,
    (Phase.DIALING, Cancel): _cancel,
    (Phase.DIALING, Gone): _gone_unanswered,
    (Phase.DIALING, Vanished): _vanished,
    (Phase.DIALING, Missed): _missed,
    (Phase.RINGING, Ringing): _alerting,
    (Phase.RINGING, Answered): _answered,
    (Phase.RINGING, Offered): _offered,
    (Phase.RINGING, MessageStarted): _message,
    (Phase.RINGING, Cancel): _cancel,
    (Phase.RINGING, Gone): _gone_unanswered,
    (Phase.RINGING, Vanished): _vanished,
    (Phase.WAITING, Offered): _offered,
    (Phase.WAITING, AgentChosen): _chosen,
    (Phase.WAITING, MessageStarted): _message,
    (Phase.WAITING, Cancel): _cancel,
    (Phase.WAITING, Gone): _gone_waiting,
    (Phase.WAITING, Vanished): _vanished,
    (Phase.JOINING, ClaimLost): _claim_lost,
    (Phase.JOINING, Entered): _entered,
    (Phase.JOINING, JoinFailed): _join_failed,
    (Phase.JOINING, Joined): _joined,
    (Phase.JOINING, MessageStarted): _message,
    (Phase.JOINING, AgentLost): _agent_lost_joining,
    (Phase.JOINING, Gone): _gone_waiting,
    (Phase.JOINING, Vanished): _vanished,
    (Phase.UNCLAIMED, MessageStarted): _message,
    (Phase.UNCLAIMED, Entered): _entered,
    (Phase.UNCLAIMED, Joined): _joined_too_late,
    (Phase.UNCLAIMED, MessageOver): _message_over,
    (Phase.UNCLAIMED, OptedOut): _opted_out,
    (Phase.UNCLAIMED, Gone): _gone_waiting,
    (Phase.UNCLAIMED, Vanished): _vanished,
    (Phase.MESSAGE, MessageOver): _message_over,
    (Phase.MESSAGE, OptedOut): _opted_out,
    (Phase.MESSAGE, Gone): _gone_waiting,
    (Phase.MESSAGE, Vanished): _vanished,
    (Phase.BRIDGED, AudioChecked): _audio_checked,
    (Phase.BRIDGED, AgentHangup): _agent_hangup,
    (Phase.BRIDGED, AgentLost): _agent_hangup,
    (Phase.BRIDGED, AgentVanished): _agent_vanished,
    (Phase.BRIDGED, MessageStarted): _taken_back,
    (Phase.BRIDGED, OptedOut): _opted_out_of_talk,
    (Phase.BRIDGED, Gone): _gone_bridged,
    (Phase.BRIDGED, Vanished): _vanished,
    **{(phase, NodeLost): _node_lost for phase in Phase if phase not in (Phase.RESERVED, Phase.ENDED)},
}
"""What each event does in each phase."""

_ANSWERED = (Phase.UNCLAIMED, Phase.MESSAGE, Phase.BRIDGED)
_LATE: tuple[tuple[Phase, type[Event]], ...] = tuple(
    (phase, event)
    for phase in (Phase.RINGING, Phase.WAITING, Phase.JOINING, Phase.UNCLAIMED, Phase.MESSAGE, Phase.BRIDGED)
    for event in (Ringing, ReplyLost, Answered)
    if (phase, event) not in TABLE
)
IGNORED: frozenset[tuple[Phase, type[Event]]] = frozenset(
    (
        *_LATE,
        *((phase, Missed) for phase in Phase if phase is not Phase.DIALING),
        *((phase, MessageOver) for phase in Phase if phase not in (Phase.UNCLAIMED, Phase.MESSAGE)),
        *((phase, AudioChecked) for phase in Phase if phase is not Phase.BRIDGED),
        (Phase.JOINING, Cancel),
        *((phase, event) for phase in _ANSWERED for event in (Cancel, ClaimLost, JoinFailed)),
        (Phase.UNCLAIMED, AgentLost),
        (Phase.MESSAGE, AgentLost),
        (Phase.MESSAGE, MessageStarted),
    )
)
"""Pairs that are expected and change nothing: late news, and a cancel that came after the answer."""


def step(attempt: Attempt, event: Event) -> Step:
    """Return the attempt after the event and the commands to carry out.

    Raises IllegalTransition, with nothing changed, for a pair that is neither in TABLE nor IGNORED.
    """
    handler = TABLE.get((attempt.phase, type(event)))
    if handler is not None:
        return handler(attempt, event)
    if attempt.phase is Phase.ENDED or (attempt.phase, type(event)) in IGNORED:
        return attempt, ()
    raise IllegalTransition(attempt.phase, event)
