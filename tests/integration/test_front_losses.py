"""A node is lost, the front is killed and started again: calls in progress go on, new ones find their way."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from front_support import Behind, FrontStage, front_stage, until

from dialer_engine.pbx.ari.models import ContactStatusChange
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.render import FRONT_ENDPOINT

pytestmark = pytest.mark.asterisk


def statuses(behind: Behind, endpoint: str) -> list[tuple[float, str]]:
    """When a node said what of an endpoint's contact."""
    events = [(at, event) for at, event in behind.watcher.events if isinstance(event, ContactStatusChange)]
    return [
        (at, event.contact_info.contact_status) for at, event in events if event.endpoint.resource == endpoint
    ]


async def test_a_killed_node_loses_its_calls_only_and_its_agents_dial_elsewhere(
    bundle: Bundle, kamailio: Bundle, node_home: Path
) -> None:
    async with front_stage(bundle, kamailio, node_home / "fk", nodes=3) as stage:
        phones = [await stage.registered(number) for number in range(3)]
        calls = [await phone.dial() for phone in phones]
        await until(lambda: all(stage.where(phone.name) for phone in phones), "all on duty")
        homes = [stage.where(phone.name)[0] for phone in phones]
        assert sorted(homes) == [0, 1, 2]
        lost = homes.index(0)
        pid = stage.behind[0].node.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        died = time.monotonic()
        # At once, while the front still takes it for alive: the INVITE itself finds out.
        again = await phones[lost].dial(seconds=20.0)
        assert again.code == 200
        assert time.monotonic() - died < 10
        home = await _new_home(stage, phones[lost].name)
        assert home in (1, 2)
        await until(lambda: not stage.front.nodes()[stage.front.config.nodes[0].uri], "known as lost", 10)
        newcomers = [await stage.registered(number) for number in range(3, 5)]
        assert [(await phone.dial()).code for phone in newcomers] == [200, 200]
        for index, phone in enumerate(phones):
            if index != lost:
                assert not calls[index].ended
                assert await phone.hang_up(calls[index]) == 200
        await stage.behind[0].node.ensure_running()
        await until(lambda: all(stage.front.nodes().values()), "the node is back")


async def _new_home(stage: FrontStage, name: str) -> int:
    await until(lambda: len(stage.where(name)) == 2, "on duty again")
    return max(stage.where(name))


async def test_the_front_is_killed_and_comes_back_while_people_talk(
    bundle: Bundle, kamailio: Bundle, node_home: Path
) -> None:
    async with front_stage(bundle, kamailio, node_home / "fr") as stage:
        first, second = await stage.registered(0), await stage.registered(1)
        calls = [await first.dial(), await second.dial()]
        await until(lambda: bool(stage.where(first.name) and stage.where(second.name)), "on duty")
        before = stage.front.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await until(lambda: not stage.front.alive(), "killed")
        await asyncio.to_thread(stage.front.ensure_running)
        assert stage.front.pid != before
        assert stage.front.registered().keys() == {first.name, second.name}, "nobody has to register again"
        # Asked every 5 s: by now both nodes have asked, with the front's memory empty.
        heard = len(first.got)
        await until(lambda: len(first.got) >= heard + 4, "the nodes go on asking the phone", 30)
        for each in stage.behind:
            assert "Unreachable" not in [said for _, said in statuses(each, first.name)]
        assert [call.ended for call in calls] == [False, False]
        assert await first.hang_up(calls[0]) == 200
        behind = stage.behind[stage.where(second.name)[0]]
        for channel in await behind.commands.channels():
            await behind.commands.hangup(channel.id)
        await until(lambda: calls[1].ended, "BYE reaches the phone")
        assert (await first.dial()).code == 200


async def test_a_front_that_is_away_is_known_before_its_phones_seem_gone(
    bundle: Bundle, kamailio: Bundle, node_home: Path
) -> None:
    async with front_stage(bundle, kamailio, node_home / "fa", nodes=1, agents=8) as stage:
        behind = stage.behind[0]
        phones = [await stage.registered(number) for number in range(8)]
        names = [phone.name for phone in phones]

        def are(status: str) -> bool:
            return all(
                statuses(behind, name)[-1:] and statuses(behind, name)[-1][1] == status for name in names
            )

        await until(lambda: are("Reachable"), "all phones answer", 30)
        await asyncio.to_thread(stage.front.stop, 1.0)
        await until(lambda: are("Unreachable"), "the node misses them", 30)
        away = [at for at, said in statuses(behind, FRONT_ENDPOINT) if said == "Unreachable"]
        missed = [statuses(behind, name)[-1][0] for name in names]
        assert away
        assert min(away) < min(missed)
