"""The abandonment ledgers of all campaigns in memory: read at the start, kept up with every end.

Campaigns of one seller and offer share a budget, because the law sees one campaign in them: those of the configuration
and those that were renamed or taken out of it, whose calls the law goes on counting. On several nodes a campaign
has a pool on each: a line of one node cannot go to an agent of another, so what is at risk is counted by pool. The
numbers are those of `store.ledger`; what happens while the engine runs is counted here at once, so that pacing
never waits for the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple

from dialer_engine.core.attempt import EndedBy, Phase
from dialer_engine.core.budget import Budget, Exposure, budget
from dialer_engine.core.gate import RuleBook
from dialer_engine.core.ledger import (
    LIMITS,
    AbandonLimit,
    CallTimes,
    Counts,
    Ledger,
    allowed,
    counts_of,
    limits_in_force,
)
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.core.pacing import LedgerView
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.store.ledger import (
    LOOK_BACK,
    LegalCampaign,
    campaign_ids,
    doubtful,
    legal_campaigns,
    load_ledger,
)
from dialer_engine.store.pool import Connection

UNANSWERED = frozenset({Phase.RESERVED, Phase.DIALING, Phase.RINGING})
FLYING = UNANSWERED | {Phase.WAITING, Phase.JOINING}
MESSAGE = frozenset({Phase.UNCLAIMED, Phase.MESSAGE})
FREE = frozenset({SeatState.READY, SeatState.RESERVED})
PoolName = tuple[str, str]
"""A campaign and a node: the agents and the lines that can meet."""
HOME = "US"
"""The country of an area code that is in no table."""


class Grouping(NamedTuple):
    """Which campaigns of the configuration and of the database add up to one in law."""

    plans: Mapping[str, CampaignPlan]
    legal: Mapping[int, LegalCampaign]
    ids: Mapping[str, int]


class Ledgers:
    """Every campaign's ledger, and the ledger of each legal campaign they add up to."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        plan: NumberPlan,
        nodes: Sequence[str],
        now: Callable[[], datetime] = utc_now,
        rules: RuleBook | None = None,
        up: Callable[[str], bool] = lambda node: True,
    ) -> None:
        self.rules = rules
        self._up = up
        self._now = now
        self._limits: tuple[object, Mapping[str, AbandonLimit]] = (None, LIMITS)
        self.nodes = nodes
        self.promised: dict[PoolName, int] = {}
        self.covered: dict[PoolName, int] = {}
        self._dispatcher = dispatcher
        self._plan = plan
        self._own: dict[int, Ledger] = {}
        self._legal: Mapping[int, LegalCampaign] = {}
        self._together: dict[LegalCampaign, Ledger] = {}
        self._plans: Mapping[str, CampaignPlan] = {}
        self._ids: Mapping[str, int] = {}
        self._open: dict[str, tuple[int, str, date]] = {}
        self._early: dict[str, bool] = {}

    # --- reading ----------------------------------------------------------------------------------

    async def load(self, conn: Connection, plans: Mapping[str, CampaignPlan]) -> Grouping:
        """Read the ledgers of campaigns not known yet; return how all are to be put together by seller and offer.

        That is for `begin`, once what was read is committed: until then the grouping stays as it is. A campaign that is
        in no configuration any more is read when it is one with a configured one in law.
        """
        since = self._now() - LOOK_BACK
        legal, ids = await legal_campaigns(conn), await campaign_ids(conn)
        wanted = {legal[plan.campaign_id] for plan in plans.values()}
        for campaign_id in sorted(
            each for each, its in legal.items() if its in wanted and each not in self._own
        ):
            ledger = await load_ledger(conn, campaign_id, self.country_of, since)
            for call in await doubtful(conn, campaign_id, self.country_of, since):
                self._open[call.attempt_id] = (campaign_id, call.country, call.day)
            self._own[campaign_id] = ledger
        return Grouping(plans, legal, ids)

    def begin(
        self,
        plans: Mapping[str, CampaignPlan],
        legal: Mapping[int, LegalCampaign],
        ids: Mapping[str, int] | None = None,
    ) -> None:
        """Put the campaigns together by seller and offer; a new one begins with nothing counted.

        `ids` names campaigns without a plan, whose calls may still be up.
        """
        self._legal = legal
        self._plans = {**self._plans, **plans}
        self._ids = {**self._ids, **(ids or {}), **{name: plan.campaign_id for name, plan in plans.items()}}
        self._together = {}
        for plan in plans.values():
            self._own.setdefault(plan.campaign_id, Ledger())
        for campaign_id, own in self._own.items():
            if campaign_id in legal:  # one that a refused reload made is not in the database
                self._together.setdefault(legal[campaign_id], Ledger()).take(own)

    def country_of(self, npa: str) -> str:
        """Return the country of an area code."""
        area = self._plan.areas.get(npa)
        return area.country if area is not None else HOME

    def region_of(self, npa: str) -> str:
        """Return the first region of an area code, "" for one in no table."""
        area = self._plan.areas.get(npa)
        return area.regions[0] if area is not None else ""

    # --- counting ---------------------------------------------------------------------------------

    def ended(self, call: Call) -> None:
        """Count an ended attempt."""
        campaign_id = self._ids.get(call.campaign)
        a = call.attempt
        if campaign_id is None or a.ended_at is None:
            return
        times = CallTimes(
            a.originated_at,
            a.ringing_at,
            a.answered_at,
            a.message_at,
            a.joined_at,
            a.ended_at,
            unknown=a.result is not None and a.result.lost,
            ended_by_us=a.ended_by is EndedBy.ENGINE,
        )
        day = (a.answered_at or a.originated_at or call.reservation.reserved_at).date()
        country = self.country_of(call.reservation.number[2:5])
        counts = counts_of(times)
        self._add(campaign_id, country, day, counts)
        if counts.doubtful:
            self._open[call.id] = (campaign_id, country, day)
            if call.id in self._early:
                self.disposed(call.id, person=self._early.pop(call.id))
        self._early.pop(call.id, None)

    def disposed(self, attempt_id: str, *, person: bool) -> None:
        """An agent (or the default) said whether a person was there: a live answer is certain now."""
        where = self._open.pop(attempt_id, None)
        if where is None:
            if attempt_id in self._dispatcher.calls:
                self._early[attempt_id] = person
        elif person:
            self._add(*where, Counts(connected=1, doubtful=-1))

    def _add(self, campaign_id: int, country: str, day: date, counts: Counts) -> None:
        """Count something; a campaign's first call, wherever it went, begins the periods of all its countries."""
        legal = self._legal.get(campaign_id)
        for ledger in (self._own.get(campaign_id), self._together.get(legal) if legal else None):
            if ledger is not None:
                for each in ledger.limits:
                    ledger.began(each, day)
                ledger.add(country, day, counts)

    # --- the budget -------------------------------------------------------------------------------

    def budget(self, campaign: str, node: str) -> Budget:
        """Return what the law leaves a campaign's pool on a node at this moment."""
        legal, own = self._legal[self._plans[campaign].campaign_id], (campaign, node)
        pools = ((name, each) for name in self._siblings(legal) for each in self.nodes)
        others = (self.exposure(*pool) for pool in pools if pool != own)
        return budget(self.together(campaign), self._now(), self.exposure(*own), others)

    def together(self, campaign: str) -> Ledger:
        """Return the ledger of the legal campaign that a campaign is part of, with the limits of this day.

        A campaign's own limit can only tighten the law's.
        """
        plan = self._plans[campaign]
        ledger = self._together[self._legal[plan.campaign_id]]
        ledger.limits = _tightened(self._limits_now(), plan.settings.pacing.abandon_limit)
        return ledger

    def view(self, campaign: str, country: str) -> LedgerView:
        """Return the counts behind what a country leaves to a campaign."""
        ledger = self.together(campaign)
        counts = ledger.counts(country, self._now().date())
        share = float(ledger.limits[country].share)
        return LedgerView(counts.live, counts.counted_abandoned, share)

    def _limits_now(self) -> Mapping[str, AbandonLimit]:
        day = self._now().date()
        if self.rules is not None and self._limits[0] != (day, id(self.rules)):
            self._limits = ((day, id(self.rules)), limits_in_force(self.rules, day))
        return self._limits[1]

    def _siblings(self, legal: LegalCampaign) -> Iterable[str]:
        """Return the campaigns of one seller and offer that may have lines up."""
        return (name for name, each in self._ids.items() if self._legal.get(each) == legal)

    def exposure(self, campaign: str, node: str) -> Exposure:
        """Return a pool's lines by country and the agents who can take them; on a node that is away nobody can."""
        flying: Counter[str] = Counter()
        lost: Counter[str] = Counter()
        for call in self._dispatcher.calls_of(campaign, node):
            country = self.country_of(call.reservation.number[2:5])
            if call.phase in MESSAGE or (call.phase in FLYING and call.attempt.hanging_up):
                lost[country] += 1
            elif call.phase in FLYING:
                flying[country] += 1
        free = sum(seat.state in FREE for seat in self._dispatcher.seats_of(campaign, node))
        free = max(free, self.covered.get((campaign, node), 0)) if self._up(node) else 0
        return Exposure(free, flying, lost, self.promised.get((campaign, node), 0))

    def ending(self, campaign: str, node: str) -> int:
        """Return how many of a pool's lines are being cancelled and are not gone yet."""
        calls = self._dispatcher.calls_of(campaign, node)
        return sum(call.phase in FLYING and call.attempt.hanging_up is not None for call in calls)

    def status(self, campaign: str) -> dict[str, Any]:
        """Return, per country with calls in its present period, what was counted and what is left."""
        plan = self._plans.get(campaign)
        if plan is None or plan.campaign_id not in self._legal:
            return {}
        ledger, now = self.together(campaign), self._now()
        own = [self.exposure(campaign, node) for node in self.nodes]
        return {
            country: _shown(ledger, country, now)
            | {"left": self._left(campaign, country), "at_risk": sum(each.at_risk(country) for each in own)}
            for country in ledger.limits
            if ledger.counts(country, now.date()) != Counts() or any(each.flying.get(country) for each in own)
        }

    def _left(self, campaign: str, country: str) -> int:
        """Return how many abandoned calls a country leaves, by the pool to which it leaves most."""
        return max(self.budget(campaign, node).left[country] for node in self.nodes)


def _tightened(limits: Mapping[str, AbandonLimit], percent: float | None) -> Mapping[str, AbandonLimit]:
    """Return the limits with no share above a campaign's own, in percent."""
    if percent is None:
        return limits
    own = Fraction(percent).limit_denominator(1_000_000) / 100
    return {country: replace(limit, share=min(limit.share, own)) for country, limit in limits.items()}


def _shown(ledger: Ledger, country: str, now: datetime) -> dict[str, Any]:
    counts, limit = ledger.counts(country, now.date()), ledger.limits[country]
    return {
        "since": ledger.period(country, now.date()).isoformat(),
        "limit": float(limit.share),
        "live": counts.live,
        "abandoned": counts.counted_abandoned,
        "allowed": allowed(limit, counts.live),
        "doubtful": counts.doubtful,
        "hung_up_within_2s": counts.short,
        "messages_within_2s": counts.messages,
        "rung_under_15s": counts.rung_short,
    }
