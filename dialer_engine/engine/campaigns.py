"""Which campaigns run, with which plan, and which agent works for which of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from dialer_engine.engine.dispatcher import Dispatcher
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

    def _assign(self) -> None:
        """Give every agent a campaign: the present one while it needs them, else the first that wants them.

        Running campaigns go before others, then by name. Nobody is taken from calls that may still be answered, also
        when a reload took their campaign away.
        """
        order = sorted(self.plans.values(), key=lambda plan: (plan.name not in self.runners, plan.name))
        assignment = {}
        for agent, member in self.agents.items():
            wanted = [plan.name for plan in order if plan.works_with(agent, member)]
            present = self.dispatcher.campaign_of(agent)
            wants = present in wanted or present not in self.plans
            if present is not None and wants and self._still_needs_agents(present):
                assignment[agent] = present
            elif wanted:
                assignment[agent] = wanted[0]
        self.dispatcher.assign(assignment)

    def _still_needs_agents(self, name: str) -> bool:
        """An agent stays while the campaign runs or somebody it called may still answer."""
        return name in self.runners or bool(self.dispatcher.calls_of(name))

    def finished(self, name: str) -> None:
        """A call ended: with a halted campaign's last one its agents are free for others."""
        if name not in self.runners and not self.dispatcher.calls_of(name):
            self._assign()
        self.changed(name)
