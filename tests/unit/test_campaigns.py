"""Which agent works for which campaign when a reload or a person ends one."""

from dataclasses import replace
from pathlib import Path

import pytest
from campaigns_support import BOTH, SPRING, SUMMER, Shop, named
from dispatch_support import at
from test_ledgers import plan

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.seat import SeatState

pytestmark = pytest.mark.unit


@pytest.fixture
async def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize("left", ["summer", "spring-2"])
async def test_a_campaign_that_a_reload_removes_or_renames_keeps_its_agents_while_its_lines_ring(
    shop: Shop, left: str
) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "spring")
    other = SUMMER if left == "summer" else replace(SPRING, settings=named(SPRING, left))
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


@pytest.mark.parametrize("how", ["removed", "paused"])
async def test_a_talk_keeps_only_its_own_agent_when_its_campaign_ends(shop: Shop, how: str) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    for agent in ("alice", "bob"):
        shop.desk.on_duty(agent)
    assert shop.talk("x", "spring") == "alice"
    shop.desk.ring("y", "spring")
    if how == "removed":
        shop.apply({"summer": SUMMER})
    else:
        shop.campaigns.halt("spring", "paused")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "spring"), "bob for who answers"
    shop.desk.hang_up("y")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "summer")
    shop.desk.hang_up("x")
    assert (shop.of("alice"), shop.desk.state("alice")) == ("summer", SeatState.WRAP)


async def test_the_last_line_that_is_joined_frees_who_is_ready(shop: Shop) -> None:
    shop.apply()
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    for agent in ("alice", "bob"):
        shop.desk.on_duty(agent)
    shop.desk.ring("x", "spring")
    shop.campaigns.halt("spring", "paused")
    shop.desk.answer("x")
    assert shop.of("bob") == "spring", "the join may fail"
    shop.desk.join("x")
    assert (shop.of("alice"), shop.of("bob")) == ("spring", "summer")


async def test_who_talks_for_a_campaign_that_starts_again_stays_with_it(shop: Shop) -> None:
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.campaigns.halt("spring", "paused")
    shop.campaigns.start("spring")
    shop.desk.hang_up("x")
    assert shop.of("alice") == "spring"


@pytest.mark.parametrize("how", ["removed", "paused", "not wanted"])
async def test_a_customer_of_a_halted_campaign_whose_agent_is_lost_gets_one_of_another(
    shop: Shop, how: str
) -> None:
    only = SPRING.settings.model_copy(update={"agents": ["alice"]})
    spring = replace(SPRING, settings=only) if how == "not wanted" else SPRING
    shop.apply({"spring": spring, "summer": SUMMER})
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.desk.ring("x", "spring")
    shop.dispatcher.calls["x"].plan = spring
    shop.desk.answer("x")
    shop.desk.join("x")
    shop.desk.on_duty("bob")
    if how == "removed":
        shop.apply({"summer": SUMMER})
    else:
        shop.campaigns.halt("spring", "paused")
    assert shop.of("bob") == "summer"
    shop.dispatcher.feed_seat("alice", chair.LegDown(at(30), vanished=True))
    if how == "not wanted":
        assert (shop.of("bob"), ("drop", "x") in shop.desk.book.asked) == ("summer", True)
        return
    assert (shop.of("bob"), shop.desk.state("bob")) == ("spring", SeatState.RESERVED)
    shop.dispatcher.feed("x", life.Joined(at(31)))
    shop.desk.hang_up("x")
    assert (shop.of("bob"), shop.desk.state("bob")) == ("summer", SeatState.WRAP)


@pytest.mark.parametrize("how", ["ready", "with a line of their own that rings"])
async def test_who_answers_a_halted_campaign_whose_agent_left_gets_one_of_another(
    shop: Shop, how: str
) -> None:
    """And of those not one whose own campaign has a line that may be answered, while there is somebody else."""
    shop.apply(agents="alice bob carl")
    third = replace(plan("autumn", 3), settings=named(SPRING, "autumn"))
    shop.apply({**BOTH, "autumn": third}, "alice bob carl")
    for name in ("spring", "summer", "autumn"):
        shop.campaigns.start(name)
    shop.campaigns.move({"bob": "summer", "carl": "autumn"})
    for agent in ("alice", "bob", "carl"):
        shop.desk.on_duty(agent)
    shop.desk.ring("x", "spring")
    if how != "ready":
        shop.desk.ring("y", "summer")
    shop.campaigns.halt("spring", "paused")
    assert shop.of("alice") == "spring"
    shop.dispatcher.feed_seat("alice", chair.LegDown(at(3)))
    shop.desk.answer("x")
    assert ("drop", "x") not in shop.desk.book.asked
    assert shop.dispatcher.calls["x"].attempt.agent == ("bob" if how == "ready" else "carl")


async def test_a_running_campaign_takes_no_agent_of_another_for_who_is_alone(shop: Shop) -> None:
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.apply(agents="alice bob")
    shop.campaigns.move({"bob": "summer"})
    shop.desk.on_duty("bob")
    shop.dispatcher.feed_seat("alice", chair.LegDown(at(30), vanished=True))
    assert (shop.of("bob"), shop.desk.state("bob")) == ("summer", SeatState.READY)


async def test_no_wrap_up_is_learned_of_who_was_given_another_campaign_in_it(shop: Shop) -> None:
    learned = shop.learns("spring")
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.campaigns.start("summer")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.campaigns.halt("spring", "paused")
    shop.desk.hang_up("x")
    assert (shop.of("alice"), shop.desk.state("alice")) == ("summer", SeatState.WRAP)
    shop.dispatcher.feed_seat("alice", chair.WrapOver(at(90), "x"))
    shop.campaigns.start("spring")
    shop.campaigns.move({"alice": "spring"})
    assert (learned.talks.seen, learned.wraps.seen) == (1, 0)
    shop.talk("y", "spring")
    shop.desk.hang_up("y")
    shop.dispatcher.feed_seat("alice", chair.WrapOver(at(190), "y"))
    assert (learned.talks.seen, learned.wraps.seen) == (2, 1)


async def test_no_talk_is_learned_of_who_is_gone_from_the_settings(shop: Shop) -> None:
    learned = shop.learns("spring")
    shop.apply(agents="alice")
    shop.campaigns.start("spring")
    shop.desk.on_duty("alice")
    shop.talk("x", "spring")
    shop.apply(agents="")
    shop.desk.hang_up("x")
    shop.dispatcher.feed_seat("alice", chair.WrapOver(at(90), "x"))
    shop.apply(agents="alice")
    assert (shop.of("alice"), learned.wraps.seen) == ("spring", 0)
