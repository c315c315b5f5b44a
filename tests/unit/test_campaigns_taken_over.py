"""Which agent works for which campaign at a takeover: calls come in of which nobody knew."""

from pathlib import Path

import pytest
from campaigns_support import Shop
from dispatch_support import at

from dialer_engine.core.seat import SeatState

pytestmark = pytest.mark.unit


@pytest.fixture
async def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


async def test_adopted_lines_have_agents_before_their_campaign_runs_again(shop: Shop) -> None:
    shop.apply()
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "summer")
    shop.campaigns.adopted("main")
    shop.desk.answer("x")
    assert (shop.desk.state("alice"), shop.of("alice")) == (SeatState.RESERVED, "summer")


async def test_a_customer_whose_agent_is_gone_gets_one_who_is_ready(shop: Shop) -> None:
    shop.apply(agents="ana bob")
    for agent in ("ana", "bob"):
        shop.desk.on_duty(agent)
    assert shop.of("bob") == "spring", "nobody knows better yet"
    shop.dispatcher.reseat(shop.left("a", "spring", "ana"), "ana")
    shop.left("b", "summer", "carl")
    shop.campaigns.adopted("main")
    assert (shop.of("ana"), shop.of("bob")) == ("spring", "summer")
    shop.dispatcher.left_alone("b", at(10), vanished=True)
    assert (shop.desk.state("bob"), shop.dispatcher.calls["b"].attempt.agent) == (SeatState.RESERVED, "bob")
    shop.campaigns.start("summer")
    assert shop.of("ana") == "spring", "hers starts later"


async def test_who_has_another_customer_by_now_leaves_the_first_one_alone(shop: Shop) -> None:
    shop.apply(agents="ana bob")
    for agent in ("ana", "bob"):
        shop.desk.on_duty(agent)
    shop.dispatcher.reseat(shop.left("a", "spring", "ana"), "ana")
    shop.left("b", "summer", "ana")
    shop.campaigns.adopted("main")
    assert (shop.of("ana"), shop.of("bob")) == ("spring", "summer")


async def test_a_talk_that_is_taken_over_is_its_own_campaigns_from_the_first(shop: Shop) -> None:
    told: list[tuple[str, str | None]] = []
    written: list[tuple[str, str | None]] = []
    shop.dispatcher.on_seat = lambda seat, campaign: told.append((seat.state.value, campaign))
    shop.desk.book.seat_state = (  # type: ignore[method-assign]
        lambda seat, campaign, moment: written.append((seat.state.value, campaign))
    )
    shop.apply(agents="ana")
    shop.desk.on_duty("ana")
    shop.dispatcher.reseat(shop.left("a", "summer", "ana"), "ana")
    assert told == written == [("ready", "spring"), ("reserved", "summer"), ("in_call", "summer")]


async def test_calls_that_end_in_a_takeover_move_nobody_before_all_are_known(shop: Shop) -> None:
    shop.apply(agents="ana")
    shop.desk.on_duty("ana")
    with shop.campaigns.adopting("main"):
        shop.desk.ring("x", "summer")
        shop.desk.ring("y", "autumn")
        shop.desk.hang_up("y")
        assert shop.of("ana") == "spring"
    assert shop.of("ana") == "summer"


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
