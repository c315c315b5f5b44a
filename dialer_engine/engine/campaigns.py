"""Which campaigns run, with which plan, and which agent works for which of them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from dialer_engine.core.seat import SeatState
from dialer_engine.engine.dispatcher import UNDECIDED, Dispatcher
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.runner import Runner
from dialer_engine.engine.tasks import Tasks
from dialer_engine.settings.models import Campaign

log = structlog.get_logger(__name__)


class UnknownCampaign(Exception):
    """No campaign of this name is in the configuration; the message lists those that are."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no campaign '{name}'; known: {', '.join(sorted(known)) or 'none'}")


@dataclass(slots=True)
class Campaigns:
    """Plans of all campaigns and the runners of those that are running."""

    dispatcher: Dispatcher
    tasks: Tasks
    make_runner: Callable[[CampaignPlan], Runner]
    plans: dict[str, CampaignPlan] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    why_halted: dict[str, str] = field(default_factory=dict)
    agents: Mapping[str, int | None] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, Campaign]:
        """The settings of every known campaign."""
        return {name: plan.settings for name, plan in self.plans.items()}

    def apply(self, plans: Mapping[str, CampaignPlan], agents: Mapping[str, int | None]) -> None:
        """Take new plans and agents (name -> Member id); campaigns that are gone are stopped."""
        for name in [name for name in self.runners if name not in plans]:
            self.halt(name, "stopped")
        self.plans, self.agents = dict(plans), dict(agents)
        for name, runner in self.runners.items():
            runner.plan = plans[name]
        self._assign()
        self.wake_all()

    def plan(self, name: str) -> CampaignPlan:
        """Return a campaign's plan. Raises UnknownCampaign."""
        if name not in self.plans:
            raise UnknownCampaign(name, list(self.plans))
        return self.plans[name]

    def start(self, name: str) -> None:
        """Start to dial a campaign; without effect on a running one. Raises UnknownCampaign."""
        plan = self.plan(name)
        self.states[name] = "running"
        self.why_halted.pop(name, None)
        if name in self.runners:
            return
        runner = self.make_runner(plan)
        self.runners[name] = runner
        self._running[name] = self.tasks.spawn(runner.run(), f"campaign {name}")
        self._assign()
        runner.wake()
        log.info("campaign started", campaign=name)

    def halt(self, name: str, state: str, why: str | None = None) -> None:
        """Place no more calls for a campaign (`paused` or `stopped`); calls in progress go on.

        `why` is shown when it was not a person who wanted it.
        """
        self.states[name] = state
        self.why_halted.pop(name, None)
        if why is not None:
            self.why_halted[name] = why
        runner, task = self.runners.pop(name, None), self._running.pop(name, None)
        if task is not None:
            task.cancel()
        if runner is not None:
            runner.cancel_departures()
            self._assign()
            runner.settle()
            log.info("campaign halted", campaign=name, state=state)

    def changed(self, name: str) -> None:
        """Something changed for a campaign: let its runner decide again."""
        runner = self.runners.get(name)
        if runner is not None:
            runner.wake()

    def wake_all(self) -> None:
        """Let every runner decide again."""
        for runner in self.runners.values():
            runner.wake()

    def adopted(self, node: str) -> None:
        """Calls of an earlier engine were taken over on a node: its agents go on with those that lack one.

        What they were given before was a guess: nobody knew yet what goes on there.
        """
        seats = [seat for seat in self.dispatcher.seats.values() if seat.node == node]
        self._assign({seat.agent: self.dispatcher.campaign_of_attempt(seat.attempt) for seat in seats})

    def _assign(self, anew: Mapping[str, str] | None = None) -> None:
        """Give every agent a campaign: the present one while it needs them, else one that wants them.

        Nobody is taken from calls that may still be answered, also when a reload took their campaign away; but `anew`
        names agents, with the campaign that they talk for or "", who were given theirs before its calls were known.
        """
        calls, anew = self.dispatcher.calls.values(), anew or {}
        live = {call.campaign for call in calls}
        lacks = defaultdict[str, Counter[str]](Counter)
        for call in calls:
            lacks[call.node][call.campaign] += call.phase in UNDECIDED
        present = {agent: self._present(agent, anew.get(agent, ""), live) for agent in self.agents}
        assignment = {agent: name for agent, name in present.items() if name and agent not in anew}
        for agent, name in assignment.items():
            lacks[self._ready_on(agent)][name] -= 1
        for agent in [agent for agent in self.agents if agent not in assignment]:
            node = self._ready_on(agent)
            name = self._choose(self.wanted(agent), present[agent], lacks[node], live)
            if name:
                assignment[agent] = name
                lacks[node][name] -= 1
        self.dispatcher.assign(assignment)

    def move(self, moves: Mapping[str, str]) -> None:
        """Let agents work for other campaigns from now on (agent -> campaign); the others stay where they are."""
        of = self.dispatcher.campaign_of
        self.dispatcher.assign({**{agent: name for agent in self.agents if (name := of(agent))}, **moves})

    def wanted(self, agent: str) -> list[str]:
        """Return the campaigns that an agent may work for."""
        if agent not in self.agents:
            return []
        return [name for name, plan in self.plans.items() if plan.works_with(agent, self.agents[agent])]

    def _present(self, agent: str, talks_for: str, live: Collection[str]) -> str:
        """Return the campaign that an agent has and that runs or has calls, "" for none."""
        name = talks_for or self.dispatcher.campaign_of(agent) or ""
        needs = name in self.runners or name in live
        return name if needs and (name not in self.plans or name in self.wanted(agent)) else ""

    def _ready_on(self, agent: str) -> str:
        """Return the node on which an agent can take a customer now, "" for none."""
        seat = self.dispatcher.seats.get(agent)
        return seat.node if seat is not None and seat.state is SeatState.READY else ""

    def _choose(
        self, wanted: Iterable[str], present: str, lacks: Mapping[str, int], live: Collection[str]
    ) -> str:
        """Return whose lines that may be answered lack most agents; then the present, running ones, those with calls.

        The first by name of equals, "" when nothing is wanted.
        """
        return min(
            wanted,
            key=lambda name: (
                -max(0, lacks.get(name, 0)),
                name != present,
                name not in self.runners,
                name not in live,
                name,
            ),
            default="",
        )

    def finished(self, name: str) -> None:
        """A call ended: with a halted campaign's last one its agents are free for others."""
        if name not in self.runners and not self.dispatcher.calls_of(name):
            self._assign()
        self.changed(name)
