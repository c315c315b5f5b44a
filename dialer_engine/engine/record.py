"""Turns the dispatcher's changes into the records that the writer writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta

import structlog

from dialer_engine.core import attempt as life
from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.core.outcome import Result, never_left
from dialer_engine.core.seat import Seat
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.registry import Agent
from dialer_engine.engine.writer import Writer
from dialer_engine.settings.campaign import NO_DISPOSITION
from dialer_engine.store.agents import StateChange
from dialer_engine.store.attempts import AttemptEnd, AttemptEvent, Disposed
from dialer_engine.store.opt_outs import OptOutGiven

log = structlog.get_logger(__name__)

UNSENT_RETRY = timedelta(minutes=1)
"""After which a contact is due again whose call never left: whatever stopped it may last."""


class Records:
    """The dispatcher's recorder; `plans` and `agents` are replaced by a reload."""

    def __init__(self, writer: Writer, clock: GateClock) -> None:
        self.plans: Mapping[str, CampaignPlan] = {}
        self.agents: Mapping[str, Agent] = {}
        self._writer = writer
        self._clock = clock
        self.on_end: Callable[[Call], None] = lambda call: None
        self.fault_delay: Callable[[Call], timedelta] = lambda call: timedelta(0)
        self.on_disposition: Callable[[str, bool], None] = lambda attempt_id, person: None

    # --- attempts ---------------------------------------------------------------------------------

    def attempt_event(self, call: Call, event: life.Event, moved: bool) -> None:
        """Record one step of an attempt; a step into another phase is called like the phase."""
        kind = call.phase.value if moved else type(event).__name__.lower()
        self._writer.put(AttemptEvent(call.id, call.events, kind, event.at, self._data(call, event)))

    def attempt_found(self, call: Call, phase: life.Phase, at: datetime) -> None:
        """Record a step that no engine saw: when at the latest it was, by what is there now."""
        self._writer.put(AttemptEvent(call.id, call.events, phase.value, at, self._agent(call)))

    def _data(self, call: Call, event: life.Event) -> dict[str, str]:
        """Return the event's own fields as text, and the agent's id once there is one."""
        own = (field.name for field in fields(event) if field.name != "at")
        data = {name: str(value) for name in own if (value := getattr(event, name)) is not None}
        return data | self._agent(call)

    def _agent(self, call: Call) -> dict[str, str]:
        agent = self.agents.get(call.attempt.agent or "")
        return {"agent_id": str(agent.id)} if agent else {}

    def attempt_end(self, call: Call, event: life.Event) -> None:
        """Record the last step, the CDR and what the queue does with the contact next."""
        self.on_end(call)
        a, plan = call.attempt, call.plan or self.plans.get(call.campaign)
        result = a.result or Result.UNKNOWN
        delay = plan.retry_delay(result.value) if plan else None
        unsent = never_left(result, a.originated_at)
        if result is Result.TRUNK_FAULT:
            delay = self.fault_delay(call)
        elif unsent:
            delay = UNSENT_RETRY
        talker = self.agents.get(a.talker or "")
        self._writer.put(
            AttemptEnd(
                attempt_id=call.id,
                event_number=call.events,
                result=result.value,
                ended_at=a.ended_at or event.at,
                ended_by=(a.ended_by or life.EndedBy.UNKNOWN).value,
                originated_at=a.originated_at,
                ringing_at=a.ringing_at,
                answered_at=a.answered_at,
                message_at=a.message_at,
                joined_at=a.joined_at,
                cause=a.cause,
                cause_text=a.cancel_reason or _words(a),
                sip_code=a.sip_code,
                agent_id=talker.id if talker else None,
                prompt_version=plan.prompt.version if plan and a.message_at else None,
                caller_id_name=plan.settings.caller_id_name if plan else None,
                used_prerecorded=a.message_at is not None,
                retry_at=None if delay is None else self._clock.now() + delay,
                # It is the gate that keeps a call of unknown outcome from being tried again: the contact is held, with
                # the reason, and comes back when somebody sets a delay.
                final=delay is None and result is not Result.UNKNOWN,
                audio=a.audio.value if a.joined_at else None,
                counted=not unsent and (result is not Result.TRUNK_FAULT or a.silent),
                number=call.reservation.number,
                campaign=call.campaign,
                member=plan.settings.member if plan else None,
            )
        )

    def opt_out(self, attempt_id: str, call: Call | None, number: str, member: str, at: datetime) -> None:
        """Record that the called person pressed the opt-out key; what Asterisk said of it counts without the call.

        The script's file may be missing, or on a machine that nobody collects from.
        """
        plan = (call.plan or self.plans.get(call.campaign)) if call else None
        number = call.reservation.number if call else number
        if not is_e164_nanp(number):
            log.error("an opt-out of a call that is not known names no number", attempt=attempt_id)
            return
        self._writer.put(OptOutGiven(attempt_id, number, plan.settings.member if plan else member, at))

    # --- agents -----------------------------------------------------------------------------------

    def disposition(
        self,
        attempt_id: str,
        campaign: str,
        agent: str,
        code: str | None,
        at: datetime,
        call: Call | None = None,
    ) -> None:
        """Record how the conversation ended in business terms; None is the campaign's default.

        Of a campaign that a reload took away meanwhile, the dispositions count that the call began with.
        """
        plan = self.plans.get(campaign) or (call.plan if call else None)
        meaning = plan.disposition(code) if plan else None
        disposed = Disposed(
            attempt_id=attempt_id,
            code=meaning.code if meaning else NO_DISPOSITION,
            label=meaning.label if meaning else "no disposition",
            by="default" if code is None else "agent",
            at=at,
            now=self._clock.now(),
            final=meaning.final if meaning else True,
            suppress=meaning.suppress if meaning else False,
            retry=meaning.retry if meaning else None,
            person=meaning.person if meaning else True,
            number=call.reservation.number if call else None,
            member=plan.settings.member if plan else None,
        )
        self._writer.put(disposed)
        self.on_disposition(attempt_id, disposed.person)

    def seat_state(self, seat: Seat, campaign: str | None, at: datetime) -> None:
        """Record a change of what an agent is doing or wants; coming on and going off duty is a session."""
        agent, plan = self.agents.get(seat.agent), self.plans.get(campaign or "")
        if agent is None:
            return
        campaign_id = plan.campaign_id if plan else None
        self._writer.put(
            StateChange(
                agent.id, seat.state.value, at, seat.node, campaign_id, seat.attempt, seat.pause_follows
            )
        )


def _words(a: life.Attempt) -> str | None:
    """Return what the carrier said last, or that it said nothing, or nothing more."""
    if not a.silent:
        return a.said or None
    return f"no response after {a.said}" if a.said else "no response"
