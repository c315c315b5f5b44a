"""Which campaigns run, with which plan, and which agent works for which of them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from dialer_engine.core.attempt import Phase
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.call import Call
from dialer_engine.engine.dispatcher import NEEDS_AGENT, UNDECIDED, Dispatcher
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.runner import Runner
from dialer_engine.engine.tasks import Tasks
from dialer_engine.settings.models import Campaign

log = structlog.get_logger(__name__)

WITH_CUSTOMER = (SeatState.RESERVED, SeatState.IN_CALL)


class UnknownCampaign(Exception):
    """No campaign of this name is in the configuration; the message lists those that are."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no campaign '{name}'; known: {', '.join(sorted(known)) or 'none'}")


@dataclass(slots=True)
class Campaigns:
    """Plans of all campaigns and the runners of those that are running.

    `_live` names the campaigns whose calls kept agents when these were last given out, `_adopting` says that calls
    of an earlier engine are being taken over, not all of which are known yet. `_ending` has the runners of campaigns
    that run no more while their lines may be answered, each with its task.
    """

    dispatcher: Dispatcher
    tasks: Tasks
    make_runner: Callable[[CampaignPlan], Runner]
    plans: dict[str, CampaignPlan] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    why_halted: dict[str, str] = field(default_factory=dict)
    agents: Mapping[str, int | None] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _ending: dict[str, tuple[Runner, asyncio.Task[None]]] = field(default_factory=dict)
    _live: set[str] = field(default_factory=set)
    _adopting: bool = False

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
        for name, (runner, _) in self._ending.items():
            runner.plan = plans.get(name, runner.plan)
        self._assign()
        self.wake_all()

    def plan(self, name: str) -> CampaignPlan:
        """Return a campaign's plan. Raises UnknownCampaign."""
        if name not in self.plans:
            raise UnknownCampaign(name, list(self.plans))
        return self.plans[name]

    def is_to_run(self, name: str) -> bool:
        """Return whether a campaign runs, or is started once all else of the engine has."""
        state, plan = self.states.get(name, "draft"), self.plans.get(name)
        return state == "running" or (state == "draft" and plan is not None and plan.settings.autostart)

    def start(self, name: str) -> None:
        """Start to dial a campaign; without effect on a running one. Raises UnknownCampaign."""
        plan = self.plan(name)
        self.states[name] = "running"
        self.why_halted.pop(name, None)
        if name in self.runners:
            return
        if name in self._ending:
            self._ending.pop(name)[1].cancel()
        runner = self.make_runner(plan)
        self.runners[name] = runner
        self._running[name] = self.tasks.spawn(runner.run(), f"campaign {name}")
        self._assign()
        runner.wake()
        log.info("campaign started", campaign=name)

    def halt(self, name: str, state: str, why: str | None = None) -> None:
        """Place no more calls for a campaign (`paused` or `stopped`); calls in progress go on.

        Lines that ring on without an agent are ended as those of a running one. `why` is shown when it was not a person
        who wanted it.
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
            self._wind_up(name, runner)
            log.info("campaign halted", campaign=name, state=state)
        else:
            self._wind_up_found(name)

    def _wind_up(self, name: str, runner: Runner) -> None:
        """Let a runner end what nobody could take, until nothing of its campaign may be answered any more."""
        task = self.tasks.spawn(runner.wind_up(), f"lines of halted campaign {name}")
        self._ending[name] = runner, task
        task.add_done_callback(lambda done: self._wound_up(name, done))

    def _wound_up(self, name: str, task: asyncio.Task[None]) -> None:
        if name in self._ending and self._ending[name][1] is task:
            del self._ending[name]

    def _wind_up_found(self, name: str) -> None:
        """The same for lines of an earlier engine whose campaign does not run; not for one without a plan."""
        if name in self.plans and name not in self.runners and name not in self._ending:
            self._wind_up(name, self.make_runner(self.plans[name]))

    def changed(self, name: str) -> None:
        """Something changed for a campaign: let its runner decide again; of a halted one agents may be free."""
        runner = self.runners.get(name)
        if runner is not None:
            runner.wake()
            return
        if name in self._ending:
            self._ending[name][0].wake()
        if name in self._live:
            self._let_go(name)

    def wake_all(self) -> None:
        """Let every runner decide again."""
        for runner in self.runners.values():
            runner.wake()

    @contextmanager
    def adopting(self, node: str) -> Iterator[None]:
        """Let calls of an earlier engine on a node come in: nobody is moved before all are known."""
        self._adopting = True
        try:
            yield
        finally:
            self._adopting = False
        self.adopted(node)

    def adopted(self, node: str) -> None:
        """Calls of an earlier engine were taken over on a node: its agents go on with those that lack one.

        What they were given before was a guess: nobody knew yet what goes on there.
        """
        seats = [seat for seat in self.dispatcher.seats.values() if seat.node == node]
        free = [seat for seat in seats if not self._serves(seat.agent)]
        self._assign({seat.agent: self.dispatcher.campaign_of_attempt(seat.attempt) for seat in free})
        for name in {call.campaign for call in self.dispatcher.calls.values() if call.node == node}:
            if not self.is_to_run(name):
                self._wind_up_found(name)

    def _assign(self, anew: Mapping[str, str] | None = None) -> None:
        """Give every agent a campaign: the present one while it needs them, else one that wants them.

        Nobody is taken from calls that may still be answered, or from a talk, also when a reload took their campaign
        away; but `anew` names agents, with the campaign of their wrap-up or "", who were given theirs before its calls
        were known.
        """
        calls, anew = [call for call in self.dispatcher.calls.values() if self._needs_agent(call)], anew or {}
        self._live = live = {call.campaign for call in calls}
        lacks = defaultdict[str, Counter[str]](Counter)
        for call in calls:
            lacks[call.node][call.campaign] += call.phase is not Phase.JOINING
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

    def _needs_agent(self, call: Call) -> bool:
        """Whether a call may need an agent: nobody was joined yet, or its talk has lost one, as at a takeover."""
        if call.phase is not Phase.BRIDGED or call.attempt.hanging_up is not None:
            return call.phase in NEEDS_AGENT
        seat = self.dispatcher.seats.get(call.attempt.agent or "")
        return seat is None or seat.attempt != call.id

    def _serves(self, agent: str) -> str:
        """Return the campaign whose customer an agent has, or gets just now, "" for none."""
        seat = self.dispatcher.seats.get(agent)
        busy = seat is not None and seat.state in WITH_CUSTOMER
        return self.dispatcher.campaign_of_attempt(seat.attempt) if seat is not None and busy else ""

    def _present(self, agent: str, wraps_for: str, live: Collection[str]) -> str:
        """Return the campaign that an agent has and that runs or has calls that need one, "" for none."""
        serves = self._serves(agent)
        name = serves or wraps_for or self.dispatcher.campaign_of(agent) or ""
        needs = serves or name in self.runners or name in live
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
        """A call ended: agents of a halted campaign who have no customer are free when it needs none any more."""
        if name not in self.runners and (name in self._live or self._has_agents(name)):
            self._let_go(name)
        self.changed(name)

    def _has_agents(self, name: str) -> bool:
        return any(self.dispatcher.campaign_of(agent) == name for agent in self.agents)

    def _let_go(self, name: str) -> None:
        """Let the agents of a campaign without a runner work for others, when none of its calls needs one."""
        calls = self.dispatcher.calls_of(name)
        if not self._adopting and not any(self._needs_agent(call) for call in calls):
            self._assign()

    def lend(self, call: Call) -> None:
        """Give a halted campaign who is ready and may work for it, for a customer who has no agent.

        Its other agents went on to running campaigns when no line of it could be answered any more, or have left. Those
        come first for whom no line of their campaign may be answered now.
        """
        plan = self.plans.get(call.campaign) or call.plan
        if call.campaign in self.runners or plan is None:
            return
        ready = [
            seat
            for seat in self.dispatcher.seats.values()
            if self._ready_on(seat.agent) == call.node
            and seat.agent in self.agents
            and plan.works_with(seat.agent, self.agents[seat.agent])
        ]
        ring = {each.campaign for each in self.dispatcher.calls.values() if each.phase in UNDECIDED}
        of = self.dispatcher.campaign_of
        seat = min(
            ready, key=lambda each: (of(each.agent) in ring, str(each.since), each.agent), default=None
        )
        if seat is not None:
            log.info(
                "a ready agent goes on with a halted campaign's customer",
                agent=seat.agent,
                campaign=call.campaign,
            )
            self._live.add(call.campaign)
            self.move({seat.agent: call.campaign})
            self.wake_all()  # one agent less for the calls of another campaign
