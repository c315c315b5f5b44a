"""What an agent of the floor sees and does at a desk: the contact on show, the call, the digits for its end.

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
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.control import Refused
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.previews import Previews, Showing
from dialer_engine.engine.tasks import wait_at_most

LONGEST_WAIT_S = 10.0
DIGITS = frozenset("12345678") | {"0", "*"}
"""Keys that a desk presses like the phone; a contact is dialed and skipped by its id instead."""


@dataclass(slots=True)
class Desks:
    """The desks of all agents of one floor."""

    dispatcher: Dispatcher
    campaigns: Campaigns
    previews: Previews
    clock: GateClock
    press: Callable[[str, str], None]
    _moved: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def changed(self, campaign: str) -> None:
        """Something changed for a campaign: answer whoever waits for it."""
        event = self._moved.pop(campaign, None)
        if event is not None:
            event.set()

    async def look(self, agent: str, known: str | None, wait_s: float = LONGEST_WAIT_S) -> dict[str, Any]:
        """Return the desk's document once its version is not the known one, or after a while. Raises Refused."""
        end = asyncio.get_running_loop().time() + min(wait_s, LONGEST_WAIT_S)
        while True:
            moved = self._moved[self.dispatcher.campaign_of(agent) or ""]
            document = self.document(agent)
            left = end - asyncio.get_running_loop().time()
            if document["version"] != known or left <= 0:
                return document
            await wait_at_most(moved, left)

    def act(self, agent: str, action: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out `dial`, `skip` or `key`; returns nothing of interest. Raises Refused with the reason."""
        self._known(agent)
        if action == "key":
            digit = str(wish.get("digit"))
            if digit not in DIGITS:
                raise Refused(f"'{digit}' is no key of the desk; keys are {' '.join(sorted(DIGITS))}")
            self.press(agent, digit)
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
        plan = self.campaigns.plans.get(self.dispatcher.campaign_of(agent) or "")
        showing = self.previews.showings.get(agent)
        dialed = self.previews.dialed.get(agent)
        call = self.dispatcher.calls.get(seat.attempt or "")
        document: dict[str, Any] = {
            "agent": agent,
            "state": _state(seat, showing, call.phase if call else None),
            "campaign": plan.name if plan else None,
            "mode": plan.settings.mode if plan else None,
            "campaign_state": self.campaigns.states.get(plan.name, "draft") if plan else None,
            "notice": self.previews.notices.get(agent),
            "preview": showing.preview.id if showing else None,
            "attempt": seat.attempt,
            "since": seat.since.isoformat() if seat.since else None,
            "contact": _contact(showing or dialed),
            **_choices(plan),
        }
        document["version"] = _version(document)
        return document | self._times(showing, dialed)

    def _times(self, showing: Showing | None, dialed: Showing | None) -> dict[str, Any]:
        """Return what changes by itself: it makes no new version."""
        shown = showing or dialed
        local = self._local_time(shown.contact.zone) if shown else None
        left = round(showing.seconds_left, 1) if showing else None
        return {"seconds_left": left, "local_time": local.isoformat(timespec="seconds") if local else None}

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


def _contact(showing: Showing | None) -> dict[str, Any] | None:
    if showing is None:
        return None
    contact = showing.contact
    return {
        "number": contact.on_show.number,
        "numbers": list(contact.numbers),
        "member": contact.member,
        "list": contact.list,
        "zone": contact.zone,
        **dict(contact.fields),
        "extra": dict(contact.extra),
        "history": [asdict(tried) | {"at": tried.at.isoformat()} for tried in contact.history],
    }


def _choices(plan: CampaignPlan | None) -> dict[str, Any]:
    if plan is None:
        return {"script": None, "dispositions": [], "skip_reasons": []}
    digits = sorted(plan.settings.dispositions.items())
    return {
        "script": plan.script,
        "dispositions": [{"digit": digit, "code": one.code, "label": one.label} for digit, one in digits],
        "skip_reasons": list(plan.settings.preview.skip_reasons),
    }


def _version(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
