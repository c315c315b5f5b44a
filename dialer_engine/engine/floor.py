"""The calling floor: dispatcher, legs, campaigns and trunks over all nodes, wired together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from dialer_engine.core.seat import Seat
from dialer_engine.engine.actions import AsteriskActions
from dialer_engine.engine.adoption import Adoption
from dialer_engine.engine.agents import Legs
from dialer_engine.engine.audio_check import AudioCheck
from dialer_engine.engine.board import Board
from dialer_engine.engine.call import FinishedCall
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.desk import Desks
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.pacers import Pacers, Recall
from dialer_engine.engine.pacing_view import segments_seen
from dialer_engine.engine.partners import Partners
from dialer_engine.engine.places import Place, Places
from dialer_engine.engine.plan import CampaignPlan, ring_window
from dialer_engine.engine.previews import Previews
from dialer_engine.engine.record import Records
from dialer_engine.engine.recovery import Before, Seen, agree, reconcile
from dialer_engine.engine.registry import Registry
from dialer_engine.engine.runner import Runner
from dialer_engine.engine.surroundings import Blockers, EngineSurroundings
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.translate import Translator
from dialer_engine.engine.trunk_watch import TrunkWatch
from dialer_engine.engine.trunks import Trunks
from dialer_engine.engine.writer import Writer
from dialer_engine.store.agents import OFF, StateChange
from dialer_engine.store.attempts import Talk
from dialer_engine.store.pool import Pool
from dialer_engine.store.suppress import Forbidden


@dataclass(slots=True)
class Means:
    """What the floor works with; all of it is open and running."""

    places: Places
    trunks: Trunks
    pool: Pool
    writer: Writer
    clock: GateClock
    tasks: Tasks
    blockers: Blockers
    epoch: int
    lease: str


@dataclass(slots=True)
class Floor:
    """The parts that hold calls and agents; `take` gives them a new registry."""

    means: Means
    registry: Registry
    board: Board = field(default_factory=Board)
    records: Records = field(init=False)
    legs: Legs = field(init=False)
    actions: AsteriskActions = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    ledgers: Ledgers = field(init=False)
    pacers: Pacers = field(init=False)
    trunks: Trunks = field(init=False)
    watch: TrunkWatch = field(init=False)
    audio: AudioCheck = field(init=False)
    campaigns: Campaigns = field(init=False)
    partners: Partners = field(init=False)
    previews: Previews = field(init=False)
    desks: Desks = field(init=False)
    surroundings: EngineSurroundings = field(init=False)
    translator: Translator = field(init=False)
    adoption: Adoption = field(init=False)

    def __post_init__(self) -> None:
        means, config = self.means, self.registry.config
        self.records = Records(means.writer, means.clock)
        self.legs = Legs(means.places, means.tasks, self._is_agent)
        self.actions = AsteriskActions(means.places, self.legs, means.tasks)
        self.actions.may_send = means.blockers.lease_holds
        self.actions.behind = lambda: means.blockers.behind()
        self.dispatcher = Dispatcher(self.actions, self.records)
        self.legs.dispatcher = self.actions.dispatcher = self.dispatcher
        self.ledgers = Ledgers(
            self.dispatcher,
            config.plan,
            tuple(means.places),
            rules=config.rules,
            up=lambda node: means.places[node].up,
        )
        self.records.on_end = self.ledgers.ended
        self.records.on_disposition = lambda attempt, person: self.ledgers.disposed(attempt, person=person)
        self.trunks = means.trunks
        self.trunks.begin(time.monotonic())
        self.watch = TrunkWatch(self.dispatcher, self.trunks, config.carriers)
        self.audio = AudioCheck(means.places, self.dispatcher, self.trunks, means.tasks)
        self.records.fault_delay = self.watch.delay_after_fault
        self.surroundings = EngineSurroundings(
            config, means.clock, means.pool, self.actions, means.blockers, means.lease
        )
        self.pacers = Pacers(
            self.ledgers,
            Recall(means.pool, means.tasks, partial(segments_seen, region_of=self.ledgers.region_of)),
        )
        self.dispatcher.on_step = self.pacers.call_stepped
        self.dispatcher.on_seat = self._seat_stepped
        self.dispatcher.on_move = self.pacers.seat_stepped
        states = dict(self.registry.states)  # what is told of them until they are resumed
        self.campaigns = Campaigns(self.dispatcher, means.tasks, self._runner, states=states)
        self.dispatcher.lend = self.campaigns.lend
        self._open_desks()
        self.adoption = Adoption(
            self.dispatcher,
            self.legs,
            self.trunks,
            lambda campaign: self.registry.plans.get(campaign),
            lambda number: ring_window(self.registry.config, number, means.clock.now()),
        )
        self.translator = Translator(self.dispatcher, self.legs, self.watch, self.audio)
        self.adoption.told = self.translator.told_early
        self.watch.wake = self.campaigns.wake_all
        self.dispatcher.on_change = self._changed
        self.dispatcher.on_finished = self._finished
        means.writer.on_suppressed = self.suppressed
        means.blockers.on_change = self.campaigns.wake_all
        self.take(self.registry)

    def _open_desks(self) -> None:
        means = self.means
        self.partners = Partners(means.pool, means.tasks)
        self.previews = Previews(
            self.dispatcher,
            means.pool,
            means.tasks,
            means.clock,
            means.lease,
            means.writer.put,
            self.partners,
            self.legs.tell,
            lambda agent: self.registry.agents[agent].id if agent in self.registry.agents else None,
            lambda campaign: self.campaigns.runners.get(campaign),
            self.surroundings.suppressed_since,
        )
        self.previews.on_change = self._changed
        self.legs.preview_key = self.previews.key
        self.legs.looks = self.previews.showings.__contains__
        self.desks = Desks(
            self.dispatcher, self.campaigns, self.previews, self.partners, means.clock, self.legs.pressed
        )
        self.partners.on_read = self.desks.changed_for

    def _changed(self, campaign: str) -> None:
        self.campaigns.changed(campaign)
        self.desks.changed(campaign)

    def _seat_stepped(self, seat: Seat, campaign: str | None) -> None:
        self.pacers.seat_stepped(seat, campaign)
        self.previews.seat_stepped(seat)
        self.partners.seat_stepped(seat)

    def _is_agent(self, name: str) -> bool:
        return name in self.registry.agents

    def _runner(self, plan: CampaignPlan) -> Runner:
        means = self.means
        return Runner(
            plan,
            self.dispatcher,
            self.trunks,
            self.surroundings,
            means.places,
            means.epoch,
            self.ledgers,
            self.pacers,
            self.previews,
        )

    def _finished(self, call: FinishedCall) -> None:
        self.board.finished(call)
        self.watch.finished(call)
        self.previews.finished(call)
        self.campaigns.finished(call.campaign)

    def take(self, registry: Registry) -> None:
        """Work by a new registry from now on; calls in progress go on."""
        self.registry = registry
        self.records.plans = registry.plans
        self.records.agents = {**self.records.agents, **registry.agents}
        self.surroundings.config = registry.config
        self.ledgers.rules = registry.config.rules
        self.trunks.apply(registry.config.settings.trunks, registry.config.settings.accounts)
        self.watch.codes = registry.config.carriers
        self.campaigns.apply(registry.plans, registry.members_of_agents)
        self.legs.campaigns = self.campaigns.settings
        self.previews.review(registry.plans)

    def suppressed(self, what: Forbidden) -> None:
        """Cancel what is queued or ringing for a number that must no longer be called, by whom it must not (P5).

        Who rings by what was known before a freeze may have answered another engine since: `RefusalWatch` looks again.
        """
        self.surroundings.remember_suppressed(what)
        self.previews.suppressed(what)
        if self.means.blockers.behind():
            return
        for call in self.dispatcher.calls_to(*what):
            self.dispatcher.cancel(call.id, "number was suppressed")

    # --- agreement with Asterisk ------------------------------------------------------------------

    async def compare(self, place: Place, *, hang_up_orphans: bool = True) -> Seen:
        """Bring the floor's view and a node's into agreement. Raises AriError or NotOurs."""
        owned = self.means.blockers.lease_holds
        seen = await reconcile(self.dispatcher, self.legs, place, owned, hang_up_orphans=hang_up_orphans)
        for attempt_id in seen.channels:
            self.watch.there(attempt_id)
        if hang_up_orphans:
            self.legs.remind_paused()
            self.audio.make_up(place.name)
        return seen

    def know_paused(self, ids: set[int]) -> None:
        """Take the record's word for who is in a pause, before legs of an earlier engine are adopted."""
        self.legs.paused |= {agent.name for agent in self.registry.agents.values() if agent.id in ids}

    def give_up(self, node: str) -> Seen:
        """A node is lost: nothing is known of it any more. Its calls end unseen, its agents are off duty."""
        seen = Seen.nothing()
        agree(self.dispatcher, self.legs, node, seen, Before.now(self.dispatcher, self.legs, node))
        return seen

    def dispose_forgotten(self, talks: Iterable[Talk]) -> None:
        """Give the default disposition to talks whose agent was in wrap when an engine ended."""
        for talk in talks:
            if talk.attempt_id not in self.dispatcher.calls:
                self.records.disposition(talk.attempt_id, talk.campaign, talk.agent, None, utc_now())

    def end_lost_shifts(
        self, node: str, on_record: Mapping[int, datetime], heard_until: datetime | None
    ) -> None:
        """Record the end of shifts that the database has open on a node but whose legs are gone.

        Nobody knows when they left. A shift ends when the engine before was last heard of (`heard_until`, UTC; None
        when there was none), or with the last record of it (agent's id -> UTC) when that is later.
        """
        ids = {agent.id: agent.name for agent in self.registry.agents.values()}
        for agent_id, recorded in on_record.items():
            if ids.get(agent_id) not in self.legs.by_agent:
                at = min(max(recorded, heard_until or recorded), utc_now())
                self.means.writer.put(StateChange(agent_id, OFF, at, node))
