"""What a campaign's runner needs of the engine around it: may it dial, by which rules, and how to send."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dialer_engine.core.gate import GateContext
from dialer_engine.engine.actions import AsteriskActions, Leg
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.plan import CampaignPlan, gate_context
from dialer_engine.pbx.allow_list import AllowList
from dialer_engine.settings.load import Config
from dialer_engine.store.pool import Pool
from dialer_engine.store.reserve import ReserveRequest, ReserveResult, reserve
from dialer_engine.store.suppress import Forbidden

REMEMBER_S = 60.0


@dataclass(slots=True)
class Blockers:
    """Reasons why no call may be placed; calls may when all are False (P8). `overload` is one in words.

    `waits_for`: what a draining engine waits for before it ends, in words. `behind`: it may not know what has happened
    to its calls, see `awakening`; then none is ended for want of an agent either.
    """

    draining: bool = False
    waits_for: str = ""
    database_away: bool = False
    database_unchecked: bool = False
    records_unsafe: bool = False
    asterisk_away: bool = True
    overload: str | None = None
    lease_holds: Callable[[], bool] = field(default=lambda: True)
    clock_steady: Callable[[], bool] = field(default=lambda: True)
    behind: Callable[[], bool] = field(default=lambda: False)
    on_change: Callable[[], None] = field(default=lambda: None)

    def set(self, **changes: bool | str | None) -> None:
        """Change some reasons and tell whoever waits for it."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.on_change()

    def why_not(self) -> str | None:
        """Return the first reason in words, None when calls may be placed."""
        if self.draining:
            words = "the engine is draining: no new calls"
            return f"{words}; it waits for {self.waits_for}" if self.waits_for else words
        if self.database_away and self.records_unsafe:
            return "the database is away and the disk takes no records: no new calls until one of them does"
        if self.database_away:
            return "the database is away: no new calls until it is back"
        if self.database_unchecked:
            return "the database is compared with the journal of do-not-call changes: no new calls until that is done"
        if self.records_unsafe:
            return "the disk takes no records: no new calls until it has room"
        if self.asterisk_away:
            return "Asterisk is not connected: no new calls until it is"
        if not self.lease_holds():
            return "the lease was not renewed in time, another engine may own it: no new calls until it is"
        if not self.clock_steady():
            return (
                "the clock was stepped: no new calls until somebody has checked it and says `dialer reload`"
            )
        if self.overload is not None:
            return f"overload: {self.overload}: no new calls until that is over"
        return None


@dataclass(slots=True)
class EngineSurroundings:
    """The runner's view of the engine; `config` is replaced by a reload."""

    config: Config
    clock: GateClock
    pool: Pool
    actions: AsteriskActions
    blockers: Blockers
    lease: str
    _suppressed: dict[Forbidden, float] = field(default_factory=dict)
    _allowed: tuple[tuple[int, frozenset[str]], AllowList] | None = None

    def why_not(self) -> str | None:
        """Return why no call may be placed now, None when calls may."""
        return self.blockers.why_not()

    def behind(self) -> bool:
        """Return whether another engine may have taken over while this process did not run, or has."""
        return self.blockers.behind()

    def gate(self, plan: CampaignPlan) -> GateContext:
        """Return the gate's context for this moment."""
        return gate_context(self.config, plan.settings, plan.limits, self.clock.now())

    def allowed(self, plan: CampaignPlan) -> AllowList:
        """Return the numbers that may leave for a campaign, whatever the gate said."""
        key = (id(self.config), frozenset(plan.settings.territories))
        if self._allowed is None or self._allowed[0] != key:
            lab = self.config.settings.lab is not None
            self._allowed = (key, AllowList(self.config.plan, key[1], lab=lab))
        return self._allowed[1]

    def remember_suppressed(self, what: Forbidden) -> None:
        """A number was suppressed now: a reservation that was committed just before must not leave."""
        now = time.monotonic()
        self._suppressed = {each: at for each, at in self._suppressed.items() if now - at < REMEMBER_S}
        self._suppressed[what] = now

    def suppressed_since(self, number: str, member_id: int, moment: float) -> bool:
        """Return whether the number was suppressed for a Member after a moment (monotonic seconds)."""
        scopes = (Forbidden(number, member_id), Forbidden(number, None))
        return any(self._suppressed.get(scope, -1.0) >= moment for scope in scopes)

    async def reserve(self, request: ReserveRequest) -> ReserveResult:
        """Reserve through the gate, one transaction."""
        async with self.pool.acquire() as conn:
            return await reserve(conn, replace(request, lease=self.lease))

    def send(self, call: Call, leg: Leg) -> None:
        """Send the originate of a reserved call now."""
        self.actions.originate(call, leg)
