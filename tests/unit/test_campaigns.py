"""Which agent works for which campaign: through reloads, takeovers, and when a campaign has nothing to dial."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_ledgers import Desk, plan
from test_runner import List, Node

from dialer_engine.core.seat import SeatState
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.previews import Previews
from dialer_engine.engine.runner import Runner
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.settings.models import Trunk

pytestmark = pytest.mark.unit

SPRING, SUMMER = plan("spring", 1), plan("summer", 2)
BOTH = {"spring": SPRING, "summer": SUMMER}
NODES = {"main": Node(), "other": Node("other")}
NOBODY: Any = None


class Shop:
    """Campaigns with their real runners, whose passes the test makes, and agents who work for all of them."""

    def __init__(self, directory: Path) -> None:
        self.desk, self.around, self.tasks = Desk(), List(directory), Tasks()
        self.dispatcher = self.desk.dispatcher
        self.trunks = Trunks({"main": Trunk(host="127.0.0.1", calls_per_second=500, max_channels=100)})
        self.previews = Previews(
            *(self.dispatcher, NOBODY, self.tasks, NOBODY, "main", NOBODY, NOBODY, NOBODY, NOBODY, NOBODY),
            NOBODY,
        )
        self.campaigns = Campaigns(self.dispatcher, self.tasks, self._runner)
        self.dispatcher.on_finished = lambda call: self.campaigns.finished(call.campaign)

    def _runner(self, of: CampaignPlan) -> Runner:
        desk = self.desk
        return Runner(
            *(of, self.dispatcher, self.trunks, self.around, NODES, 1, desk.ledgers, NOBODY, self.previews)
        )

    def apply(self, plans: dict[str, CampaignPlan] | None = None, agents: str = "alice bob") -> None:
        self.campaigns.apply(BOTH if plans is None else plans, dict.fromkeys(agents.split()))

    def of(self, agent: str) -> str | None:
        return self.dispatcher.campaign_of(agent)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(tmp_path)
    yield made
    await made.tasks.close()


# --- a reload ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["summer", "spring-2"])
async def test_a_campaign_that_a_reload_removes_or_renames_keeps_its_agents_while_its_lines_ring(
    shop: Shop, left: str
) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "spring")
    other = SUMMER if left == "summer" else replace(SPRING, settings=_named(SPRING, left))
    shop.apply({left: other})
    shop.desk.answer("x")
    assert (shop.desk.state("alice"), shop.of("alice")) == (SeatState.RESERVED, "spring")
    shop.desk.join("x")
    assert shop.of("alice") == "spring", "if the phone dies now another agent goes on"
    shop.desk.hang_up("x")
    assert (shop.of("alice"), shop.of("bob")) == (left, left)


async def test_a_campaign_that_a_reload_removes_has_no_agents_when_nothing_of_it_is_up(shop: Shop) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.apply({"summer": SUMMER})
    assert shop.of("alice") == "summer"


def _named(of: CampaignPlan, name: str) -> Any:
    return of.settings.model_copy(update={"name": name})


# --- a takeover ----------------------------------------------------------------------------------------


async def test_adopted_lines_have_agents_before_their_campaign_runs_again(shop: Shop) -> None:
    shop.apply()
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "summer")
    shop.campaigns.adopted("main")
    shop.desk.answer("x")
    assert (shop.desk.state("alice"), shop.of("alice")) == (SeatState.RESERVED, "summer")


async def test_lines_keep_their_agents_when_campaigns_start_one_after_the_other(shop: Shop) -> None:
    shop.apply()
    for agent in ("alice", "bob"):
        shop.desk.on_duty(agent)
    for name in ("summer", "spring"):
        shop.desk.ring(f"{name}-x", name)
    shop.campaigns.adopted("main")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.answer("summer-x")
    shop.desk.answer("spring-x")
    assert shop.desk.state("alice") is shop.desk.state("bob") is SeatState.RESERVED
    assert {shop.of("alice"), shop.of("bob")} == {"spring", "summer"}


async def test_agents_of_a_node_that_comes_late_go_on_with_its_lines(shop: Shop) -> None:
    """The others work already; on the late node nobody was dialed yet for the campaign its agents were given."""
    shop.apply()
    shop.desk.on_duty("alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("bob", node="other")
    shop.desk.ring("x", "summer", node="other")
    shop.campaigns.adopted("other")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "summer")


async def test_who_has_no_campaign_goes_to_lines_without_an_agent_then_to_what_runs(shop: Shop) -> None:
    shop.apply(agents="alice bob")
    shop.campaigns.start("summer")
    assert (shop.of("alice"), shop.of("bob")) == ("summer", "summer")
    shop.desk.ring("x", "spring")
    shop.desk.on_duty("carol")
    shop.desk.on_duty("dave")
    shop.apply(agents="alice bob carol dave")
    assert (shop.of("carol"), shop.of("dave")) == ("spring", "summer")


async def test_a_ready_agent_who_is_given_a_campaign_takes_who_waits_there(shop: Shop) -> None:
    shop.apply(agents="")
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "summer")
    shop.desk.answer("x")
    assert shop.desk.state("alice") is SeatState.READY
    shop.apply(agents="alice")
    assert shop.desk.state("alice") is SeatState.RESERVED
    assert shop.desk.dispatcher.calls["x"].attempt.agent == "alice"
