"""How a simulated agent behaves: talks to a customer, sometimes ends the call, then gives a disposition.

The agent knows nothing of the engine but what its phone lets it hear, as a person would.
"""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from dialer_engine.lab.audiosocket import Connection
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ears import Ear, Heard
from dialer_engine.lab.tones import AGENT_VOICE, SILENCE

Press = Callable[[str, str], None]
DO_NOT_CALL = "3"
"""The key that the lab's campaign has for it."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How agents behave: share of calls ended with `*` after so many seconds; seconds until a disposition.

    A share of their talks is followed by a do-not-call, so many seconds after they heard the last of it: within the
    wrap-up. The other `digits` are for the rest.
    """

    ends_share: float = 0.3
    ends_after_s: tuple[float, float] = (3.0, 9.0)
    disposes_after_s: tuple[float, float] = (0.5, 2.0)
    digits: str = "1123"
    forbids_share: float = 0.0
    forbids_after_s: tuple[float, float] = (0.1, 0.4)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key that an agent's phone sent between two talks (seconds since 1970), with what was heard of the last one."""

    agent: str
    digit: str
    at: float
    about: Heard


class SimAgent:
    """One agent at one phone; `press(leg, digit)` presses a key on it.

    `heard_since` is the wall-clock second at which the newest customer was first heard. `forbids_share` is that of the
    agent's manners, until somebody sets another one.
    """

    def __init__(self, name: str, manners: Manners, dice: Dice, press: Press) -> None:
        self.name = name
        self.leg = str(uuid.uuid4())
        self.heard_calls: list[Heard] = []
        self.on_duty = False
        self.lost_legs = 0
        self.heard_since = 0.0
        self.leaving = False
        self.forbids_share = manners.forbids_share
        self._manners = manners
        self._dice = dice
        self._press = press
        self._ear = Ear(name, self._customer_came, self._customer_left)
        self._next: asyncio.TimerHandle | None = None
        self._connection: Connection | None = None

    @property
    def hearing(self) -> bool:
        """Whether a customer is being heard now."""
        return self._ear.hearing

    @property
    def talked_with(self) -> Heard | None:
        """The customer whose talk ended last; None while somebody is heard, or before the first one."""
        return self.heard_calls[-1] if self.heard_calls and not self.hearing else None

    def after(self, moment: float) -> tuple[float, float]:
        """Since when this agent was free, at a moment or at the end of the talk of then, and when the next one began.

        Wall-clock seconds; infinity for what has not come yet.
        """
        following = math.inf
        now = [(self.heard_since, math.inf)] if self.hearing else []
        for first, last in (*now, *((heard.first, heard.last) for heard in reversed(self.heard_calls))):
            if first < moment:
                return max(moment, last), following
            following = first
        return moment, following

    def opened(self, connection: Connection) -> None:
        """The phone is in a call with the engine: the agent is on duty."""
        self._connection = connection
        self.on_duty = True

    def heard(self, at: float, audio: bytes) -> None:
        """Listen to a frame."""
        self._ear.frame(at, audio)

    def closed(self) -> None:
        """The phone's call ended."""
        self._connection, self.on_duty = None, False
        self.lost_legs += not self.leaving
        self._ear.finish()
        self._cancel()

    def next_frame(self) -> bytes:
        """Speak while a customer is there, else send silence, as a softphone does."""
        self._ear.tick(time.time())
        return AGENT_VOICE if self._ear.hearing else SILENCE

    def leave(self) -> None:
        """Hang up the phone: the shift is over."""
        self.leaving = True
        self.hang_up()

    def hang_up(self) -> None:
        """Hang up the phone."""
        if self._connection is not None:
            self._connection.hang_up()

    def new_leg(self) -> str:
        """A new id for the next time on duty."""
        self.leg = str(uuid.uuid4())
        return self.leg

    def _customer_came(self, at: float) -> None:
        self._cancel()
        self.heard_since = at
        call = len(self.heard_calls)
        if self._dice.fraction(self.name, call, "ends") < self._manners.ends_share:
            self._later(self._manners.ends_after_s, "*", call)

    def _customer_left(self, heard: Heard) -> None:
        self._cancel()
        self.heard_calls.append(heard)
        call = len(self.heard_calls)
        if self._dice.fraction(self.name, call, "forbids") < self.forbids_share:
            self._later(self._manners.forbids_after_s, DO_NOT_CALL, call)
        elif self._manners.digits:
            digit = self._dice.pick(self._manners.digits, self.name, call, "digit")
            self._later(self._manners.disposes_after_s, digit, call)

    def _later(self, seconds: tuple[float, float], digit: str, call: int) -> None:
        delay = self._dice.between(*seconds, self.name, call, digit)
        loop = asyncio.get_running_loop()
        self._next = loop.call_later(delay, self._press, self.leg, digit)

    def _cancel(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
