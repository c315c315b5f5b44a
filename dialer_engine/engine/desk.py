"""What an agent of the floor sees and does at a desk: the contact on show or on the line, the digits for its end.

A desk's document is asked for with the version that is known already, and answered when there is another one. Only here
does a contact's data leave the engine: over the control socket, which nobody but the engine's own user can open.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dialer_engine.core.attempt import Phase
from dialer_engine.core.seat import DO_NOT_CALL_WITHIN, Seat, SeatState
from dialer_engine.engine.agents import DISPOSING
from dialer_engine.engine.call import Call
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.control import Refused
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.partners import Partners
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.previews import Previews, Showing
from dialer_engine.engine.tasks import wait_at_most
from dialer_engine.store.cards import Card

LONGEST_WAIT_S = 10.0
AGAIN_S = 1.0
"""Why nothing comes changes without anybody's step, so it is looked at again after so long."""
NO_WORDS = "no disposition"
"""What a talk is called about which nobody says anything, in a campaign without a default."""
DIGITS = DISPOSING | {"0", "*"}
"""Keys that a desk presses like the phone; a contact is dialed and skipped by its id instead."""
NOT_TAKEN = (
    "{} was not taken and nothing was noted: the campaign's digits count in the wrap-up, and a do-not-call for "
    f"{DO_NOT_CALL_WITHIN.total_seconds():.0f} s after the talk, unless a contact is on show or the next call begins"
)
"""What a desk is told of a digit that says how a talk ended, when it does not say so now."""


@dataclass(slots=True)
class Desks:
    """The desks of all agents of one floor."""

    dispatcher: Dispatcher
    campaigns: Campaigns
    previews: Previews
    partners: Partners
    clock: GateClock
    press: Callable[[str, str], bool]
    _moved: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def changed(self, campaign: str) -> None:
        """Something changed for a campaign: answer whoever waits for it."""
        event = self._moved.pop(campaign, None)
        if event is not None:
            event.set()

    def changed_for(self, agent: str) -> None:
        """Something changed on one agent's desk."""
        self.changed(self.dispatcher.campaign_of(agent) or "")

    async def look(self, agent: str, known: str | None, wait_s: float = LONGEST_WAIT_S) -> dict[str, Any]:
        """Return the desk's document once its version is not the known one, or after a while. Raises Refused."""
        end = asyncio.get_running_loop().time() + min(wait_s, LONGEST_WAIT_S)
        while True:
            moved = self._moved[self.dispatcher.campaign_of(agent) or ""]
            document = self.document(agent)
            left = end - asyncio.get_running_loop().time()
            if document["version"] != known or left <= 0:
                return document
            await wait_at_most(moved, min(left, AGAIN_S))

    def act(self, agent: str, action: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out `dial`, `skip` or `key`; returns nothing of interest. Raises Refused with the reason."""
        self._known(agent)
        if action == "key":
            digit = str(wish.get("digit"))
            if digit not in DIGITS:
                raise Refused(f"'{digit}' is no key of the desk; keys are {' '.join(sorted(DIGITS))}")
            if not self.press(agent, digit):
                raise Refused(NOT_TAKEN.format(digit))
        elif action == "dial":
            self.previews.dial(agent, str(wish.get("preview")))
        else:
            reason = wish.get("reason")
            self.previews.skip(agent, str(wish.get("preview")), None if reason is None else str(reason))
        return {"agent": agent}

    def _known(self, agent: str) -> None:
        if agent not in self.campaigns.agents:
            raise Refused(f"there is no agent '{agent}'; dialer agent ls lists them")

    # --- the document -----------------------------------------------------------------------------

    def document(self, agent: str) -> dict[str, Any]:
        """Return what is on the desk; `version` names everything but clock times. Raises Refused."""
        self._known(agent)
        seat = self.dispatcher.seats.get(agent) or Seat(agent)
        call = self.dispatcher.calls.get(seat.attempt or "")
        plan = self._plan(seat)
        showing = self.previews.showings.get(agent)
        card = showing.contact.card if showing else self.partners.of(seat)
        since = _since(seat, call)
        document: dict[str, Any] = {
            "agent": agent,
            "state": _state(seat, showing, call.phase if call else None),
            "campaign": plan.name if plan else None,
            "mode": plan.settings.mode if plan else None,
            "campaign_state": self.campaigns.states.get(plan.name, "draft") if plan else None,
            "waits_for": self._waits_for(seat, plan),
            "pause_wanted": seat.pause_wanted,
            "on_hold": seat.on_hold,
            "notice": self.previews.notices.get(agent),
            "preview": showing.preview.id if showing else None,
            "attempt": seat.attempt,
            "since": since.isoformat() if since else None,
            "number": card.number if card else call.reservation.number if call else None,
            "contact": _contact(card),
            "script": _script(call, plan),
            **_choices(plan),
        }
        document["version"] = _version(document)
        return document | self._times(since, _seconds_left(seat, showing, plan), card)

    def _plan(self, seat: Seat) -> CampaignPlan | None:
        """Return the campaign of the call or wrap-up, else the one that the agent works for."""
        call = self.dispatcher.talk_of(seat.agent)
        of_talk = self.dispatcher.campaign_of_attempt(seat.attempt)
        plan = self.campaigns.plans.get(of_talk or self.dispatcher.campaign_of(seat.agent) or "")
        if plan is None and call is not None and call.id == seat.attempt:
            return call.plan  # a reload took the campaign away; the digits of the talk still count
        return plan

    def _waits_for(self, seat: Seat, plan: CampaignPlan | None) -> str | None:
        """Return why a ready agent is shown nothing, None when the next contact comes at once."""
        runner = self.campaigns.runners.get(plan.name) if plan else None
        return runner.waits_for if runner is not None and seat.state is SeatState.READY else None

    def _times(self, since: datetime | None, left: float | None, card: Card | None) -> dict[str, Any]:
        """Return what changes by itself: it makes no new version."""
        local = self._local_time(card.zone) if card else None
        return {
            "seconds": round(max(0.0, (utc_now() - since).total_seconds()), 1) if since else None,
            "seconds_left": None if left is None else round(left, 1),
            "local_time": local.isoformat(timespec="seconds") if local else None,
        }

    def _local_time(self, zone: str) -> datetime | None:
        try:
            return self.clock.now().astimezone(ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError):
            return None


def _state(seat: Seat, showing: Showing | None, phase: Phase | None) -> str:
    """Return what the agent is doing, in one word."""
    if showing is not None:
        return "looking" if showing.preview.state.value == "shown" else "asking"
    if seat.state is SeatState.RESERVED:
        return {Phase.RINGING: "ringing", Phase.RESERVED: "dialing", Phase.DIALING: "dialing"}.get(
            phase or Phase.JOINING, "answered"
        )
    return seat.state.value


def _since(seat: Seat, call: Call | None) -> datetime | None:
    """Return when the state began (UTC); a talk began when it did, whichever engine connected it."""
    talks = seat.state is SeatState.IN_CALL and call is not None
    return (call.attempt.joined_at if talks and call else None) or seat.since


def _seconds_left(seat: Seat, showing: Showing | None, plan: CampaignPlan | None) -> float | None:
    """Return the seconds until the time to look, or the wrap-up, is over."""
    if showing is not None:
        return showing.seconds_left
    if seat.state is not SeatState.WRAP or seat.since is None or plan is None:
        return None
    return max(0.0, plan.settings.wrap_seconds - (utc_now() - seat.since).total_seconds())


def _contact(card: Card | None) -> dict[str, Any] | None:
    if card is None:
        return None
    return {
        "number": card.number,
        "numbers": list(card.numbers),
        "member": card.member,
        "list": card.list,
        "zone": card.zone,
        **dict(card.fields),
        "extra": dict(card.extra),
        "history": [asdict(tried) | {"at": tried.at.isoformat()} for tried in card.history],
    }


def _script(call: Call | None, plan: CampaignPlan | None) -> str | None:
    """Return the script of the call until its end, because its record names that one; else the newest."""
    plan = (call.plan if call else None) or plan
    return plan.script if plan else None


def _choices(plan: CampaignPlan | None) -> dict[str, Any]:
    if plan is None:
        return {"dispositions": [], "default": NO_WORDS, "skip_reasons": []}
    digits = sorted(plan.settings.dispositions.items())
    default = plan.disposition(None)
    return {
        "dispositions": [{"digit": digit, "code": one.code, "label": one.label} for digit, one in digits],
        "default": default.label if default else NO_WORDS,
        "skip_reasons": list(plan.settings.preview.skip_reasons),
    }


def _version(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
