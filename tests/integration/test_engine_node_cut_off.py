"""One engine and two nodes on one trunk: the link to one stays open and nothing passes; the other goes on dialing."""

from dataclasses import replace

import pytest
from lab_support import lab_place

from dialer_engine.lab.chaos.ground import Ground, setting_for
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.proxy import Mood
from dialer_engine.lab.world import world
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

CALLS, AGENTS = 9, 14
CALLS_PER_SECOND = 2.0
NOTICED_S = 20.0
GOES_ON_S = 10.0
FULL_AGAIN_S = 25.0
BACK_S = 30.0
CUTS = 5
DIALED_AGAIN_S = 40.0


async def up(floor: Ground, node: str) -> bool:
    nodes = (await floor.world.engine.control.status())["nodes"]
    return next(bool(each["up"]) for each in nodes if each["name"] == node)


async def until_up(floor: Ground, node: str, wanted: bool, seconds: float) -> bool:
    for _ in range(int(seconds * 5)):
        if await up(floor, node) is wanted:
            return True
        await floor.until(lambda: False, 0.2)
    return False


async def sent_to(floor: Ground, node: str, of_which: str) -> int:
    """How many calls were reserved on a node, of those that a condition tells."""
    return len(await floor.ask(f"select 1 from attempts where node = '{node}' and {of_which}"))  # noqa: S608


async def cut_off_while_dialing(floor: Ground, node: str) -> bool:
    """Cut a node off so that a call is sent to it in the time in which nobody knows; whether it came to that.

    Whose turn it is in those few seconds, and whether an agent is free, is chance: without such a call the link is
    healed, and cut once more when the node is dialed on again.
    """
    for _ in range(CUTS):
        floor.world.proxies[node].mood = Mood.HALF_OPEN
        assert await until_up(floor, node, False, NOTICED_S)
        if await sent_to(floor, node, "state = 'dialing' and ended_at is null"):
            return True
        before = await sent_to(floor, node, "true")
        floor.world.proxies[node].heal()
        for _ in range(int(DIALED_AGAIN_S)):
            if await sent_to(floor, node, "true") > before:
                break
            await floor.until(lambda: False, 1.0)
    return False


async def test_a_node_that_is_cut_off_does_not_hold_up_the_other_one_on_their_trunk(bundle: Bundle) -> None:
    setting = setting_for(CALLS, 3)
    setting = replace(
        setting, scenario=replace(setting.scenario, calls_per_second=CALLS_PER_SECOND, agents=AGENTS)
    )
    with lab_place() as place:
        async with world(bundle, place, replace(setting, nodes=2, proxied=True), lambda text: None) as made:
            floor, lost = Ground(made, Dice(1), CALLS), made.further[0]
            await floor.begin()
            await floor.busy()
            assert await cut_off_while_dialing(floor, lost.name), "no call was sent to a node that is cut off"
            before = len(floor.calls)
            assert await floor.until(lambda: len(floor.calls) > before, GOES_ON_S), (
                "the other node stands still"
            )
            # The brake on overload, which the unanswered pings set off, lets go in steps.
            went_on = await floor.until(lambda: len(floor.calls) > before + 6, FULL_AGAIN_S)
            assert went_on, f"only {len(floor.calls) - before} calls after the link was given up"
            assert await up(floor, "main")
            made.proxies[lost.name].heal()
            assert await until_up(floor, lost.name, True, BACK_S)
            assert not await floor.quiet()
