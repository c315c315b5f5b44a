"""Campaigns with their real runners, whose passes the test makes, and agents who work for all of them."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from dispatch_support import START, at, reservation
from test_ledgers import Desk, plan
from test_runner import List, Node

from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.pacing import make_pacer
from dialer_engine.core.pacing.learning import Learning
from dialer_engine.engine.call import Call
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.pacers import Pacers, _Team
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.previews import Previews
from dialer_engine.engine.runner import Runner
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.settings.models import Trunk

SPRING, SUMMER = plan("spring", 1), plan("summer", 2)
BOTH = {"spring": SPRING, "summer": SUMMER}
NODES = {"main": Node(), "other": Node("other")}
NOBODY: Any = None


class Still(Tasks):
    """Begins nothing: the test makes the passes."""

    def spawn(self, doing: Coroutine[Any, Any, Any], what: str) -> Any:
        doing.close()
        return asyncio.get_running_loop().create_future()


class Shop:
    """Campaigns with their real runners, whose passes the test makes, and agents who work for all of them."""

    def __init__(self, directory: Path) -> None:
        self.desk, self.around, self.tasks = Desk(), List(directory), Still()
        self.dispatcher = self.desk.dispatcher
        self.trunks = Trunks({"main": Trunk(host="127.0.0.1", calls_per_second=500, max_channels=100)})
        self.previews = Previews(
            *(self.dispatcher, NOBODY, self.tasks, NOBODY, "main", NOBODY, NOBODY, NOBODY, NOBODY, NOBODY),
            NOBODY,
        )
        self.pacers = Pacers(self.desk.ledgers, NOBODY)
        self.campaigns = Campaigns(self.dispatcher, self.tasks, self._runner)
        self.dispatcher.on_seat = self.dispatcher.on_move = self.pacers.seat_stepped
        self.dispatcher.on_change = self.campaigns.changed
        self.dispatcher.on_finished = lambda call: self.campaigns.finished(call.campaign)
        self.dispatcher.lend = self.campaigns.lend

    def _runner(self, of: CampaignPlan) -> Runner:
        desk = self.desk
        return Runner(
            *(
                of,
                self.dispatcher,
                self.trunks,
                self.around,
                NODES,
                1,
                desk.ledgers,
                self.pacers,
                self.previews,
            )
        )

    def apply(self, plans: dict[str, CampaignPlan] | None = None, agents: str = "alice bob") -> None:
        self.campaigns.apply(BOTH if plans is None else plans, dict.fromkeys(agents.split()))

    def of(self, agent: str) -> str | None:
        return self.dispatcher.campaign_of(agent)

    def talk(self, attempt_id: str, campaign: str) -> str:
        """The longest ready agent of a campaign gets a customer; returns who that is."""
        self.desk.ring(attempt_id, campaign)
        self.desk.answer(attempt_id)
        self.desk.join(attempt_id)
        return self.dispatcher.calls[attempt_id].attempt.agent or ""

    def left(self, attempt_id: str, campaign: str, agent: str, node: str = "main") -> Call:
        """A talk that an earlier engine left with an agent, who is not in it yet."""
        talk = Attempt(
            attempt_id, Phase.BRIDGED, originated_at=at(1), answered_at=at(2), joined_at=at(3), agent=agent
        )
        call = Call(reservation(attempt_id, node=node), campaign, talk, START)
        self.dispatcher.adopt(call)
        return call

    def learns(self, campaign: str) -> Learning:
        """What the pacing of a campaign learns from now on."""
        team = self.pacers._teams[campaign] = _Team("predictive")
        team.pools["main"] = make_pacer("predictive", team.lessons)
        return team.lessons.learning


def named(of: CampaignPlan, name: str) -> Any:
    return of.settings.model_copy(update={"name": name})
