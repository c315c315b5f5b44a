"""Restarts of every part: nobody stays in silence, no agent stays locked out, no attempt stays live."""

import asyncio
import os
import signal
from dataclasses import replace
from http import HTTPStatus

import aiohttp
import pytest
from engine_support import (
    HUMAN,
    PROGRESSIVE,
    RINGS,
    agent_state,
    at_carrier,
    begin,
    lab,
    press,
    rows,
    table,
    until,
    until_state,
)

from dialer_engine.engine.agents import bridge_of
from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.crowd import CROWD_CLOCK, make_crowd
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.scenario import CAMPAIGN
from dialer_engine.lab.world import World
from dialer_engine.pbx.node import Node

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


async def nothing_live(made: World) -> bool:
    """Whether every attempt has ended and has exactly one record."""
    found = await rows(
        made,
        "select (select count(*) from attempts where ended_at is null) as live, "
        "(select count(*) from attempts) as attempts, (select count(*) from cdrs) as cdrs",
    )
    return bool(found[0]["live"] == 0 and found[0]["attempts"] == found[0]["cdrs"])


async def test_after_asterisk_was_killed_agents_come_back_and_dialing_goes_on() -> None:
    async with lab(PROGRESSIVE, table(HUMAN), 3) as made:
        await begin(made)
        await until_state(made, "in_call")
        pid = Node(made._bundle, made.main).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until_state(made, "offline", seconds=20.0)
        agent = next(iter(made.phones.agents.values()))
        agent.leave()  # the phone does not know yet; a person notices the silence and dials again

        async def hung_up() -> bool:
            return not agent.on_duty

        await until(hung_up, "the phone has hung up")
        await made.phones.go_on_duty(60.0)
        await until_state(made, "in_call", seconds=30.0)
        lost = await rows(made, "select result, ended_by from cdrs order by reserved_at limit 1")
        assert [tuple(row) for row in lost] == [("node_lost", "unknown")]
        numbers = [call.number for call in at_carrier(made)]
        assert len(numbers) == len(set(numbers)), "somebody was called twice"


async def test_an_agent_whose_bridge_an_asterisk_does_not_have_any_more_gets_a_new_one() -> None:
    """So it is for a moment after Asterisk was started anew: agents may dial in before its bridges were looked at."""
    async with lab(PROGRESSIVE, table(HUMAN), 1) as made:
        await until_state(made, "ready")
        (name, agent), *_ = made.phones.agents.items()
        agent.hang_up()
        await until_state(made, "offline")
        node = made.main_node
        account = aiohttp.encode_basic_auth(node.secrets.ari_user, node.secrets.ari_password)
        bridge = f"{node.config.ari_url}/ari/bridges/{bridge_of(name)}"
        session = aiohttp.ClientSession(headers={"Authorization": account})
        async with session, session.delete(bridge) as reply:
            assert reply.status == HTTPStatus.NO_CONTENT
        await made.phones.go_on_duty()
        await until_state(made, "ready")
        lost = agent.lost_legs
        await begin(made)
        await until_state(made, "in_call")
        assert agent.lost_legs == lost, "the leg was not hung up"


async def test_an_engine_that_ends_during_wrap_gives_the_default_disposition() -> None:
    """One that is killed in it leaves that to the next engine."""
    query, default = "select code, given_by from dispositions", ("none", "default")
    async with lab(PROGRESSIVE, table(replace(HUMAN, talk_s=1.0)), 2) as made:
        await begin(made)
        await until_state(made, "wrap")
        await made.engine.run("stop", "--now", "--config", str(made.config))
        assert [tuple(row) for row in await rows(made, query)] == [default]
        await made.engine.start()
        await made.engine.ready()

        await until_state(made, "wrap")

        async def recorded() -> bool:
            return len(await rows(made, "select 1 from cdrs")) == 2

        await until(recorded, "the second talk has its record")
        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()
        await made.engine.start()
        await made.engine.ready()

        async def disposed() -> bool:
            return [tuple(row) for row in await rows(made, query)] == [default] * 2

        await until(disposed, "the second talk has its default disposition, too")
        assert await agent_state(made) == "ready"


async def test_starting_and_pausing_again_and_again_leaves_no_attempt_behind() -> None:
    scenario = replace(PROGRESSIVE, agents=4, calls_per_second=100.0)
    async with lab(scenario, table(RINGS), 60) as made:
        control = made.engine.control
        for turn in range(40):
            await control.post(f"/campaigns/{CAMPAIGN}/start")
            await asyncio.sleep(0.005 * (turn % 8))
            await control.post(f"/campaigns/{CAMPAIGN}/pause")

        async def settled() -> bool:
            return await nothing_live(made)

        await until(settled, "every attempt has ended with its record", 60.0)
        (made_calls,) = await rows(made, "select count(*) as n from attempts")
        assert made_calls["n"] >= scenario.agents, "somebody was dialed"


async def test_a_customer_whose_agent_left_while_the_engine_was_dead_is_not_kept_waiting() -> None:
    async with lab(PROGRESSIVE, table(replace(HUMAN, talk_s=12.0)), 1) as made:
        await begin(made)
        await until_state(made, "in_call")
        # Else it was no talk: whoever hears the message within 2 s of the join is abandoned.
        await asyncio.sleep(2.0)
        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()
        next(iter(made.phones.agents.values())).leave()
        await asyncio.sleep(1.0)
        await made.engine.start()
        await made.engine.ready()

        async def ended() -> bool:
            return await nothing_live(made)

        await until(ended, "the customer heard the message and has hung up", 40.0)
        query = "select result, ended_by, disposition, message_at is not null from cdr_export"
        assert [tuple(row) for row in await rows(made, query)] == [("bridged", "customer", "none", True)]


async def test_the_next_engine_looks_for_the_audio_of_a_talk_that_the_first_one_left_at_its_beginning() -> (
    None
):
    async with lab(PROGRESSIVE, table(replace(HUMAN, talk_s=20.0)), 1) as made:
        await begin(made)
        await until_state(made, "in_call")
        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()
        found = "select kind from attempt_events where kind = 'audiochecked'"
        assert await rows(made, found) == [], "the first engine had looked"
        await made.engine.start()
        await made.engine.ready()

        async def ended() -> bool:
            return await nothing_live(made)

        await until(ended, "the talk is over", 40.0)
        told = await rows(made, "select result, audio from cdrs")
        assert [tuple(row) for row in told] == [("bridged", "ok")]


async def test_a_second_campaign_takes_nobody_from_calls_in_flight() -> None:
    async with lab(PROGRESSIVE, table(replace(HUMAN, ring_s=4.0)), 1) as made:
        first = made.config / "campaigns" / f"{CAMPAIGN}.yaml"
        (made.config / "campaigns" / "another.yaml").write_text(
            first.read_text().replace("demo people", "others")
        )
        await made.engine.run("reload", "--config", str(made.config))
        await begin(made)

        async def ringing() -> bool:
            campaigns = (await made.engine.control.status())["campaigns"]
            return any(one["calls"]["ringing"] == 1 for one in campaigns)

        await until(ringing, "the call rings")
        await made.engine.control.post("/campaigns/another/start")
        await until_state(made, "in_call")
        press(made, "*")
        await until_state(made, "wrap")


async def test_calls_that_leave_while_asterisk_is_looked_at_again_are_not_taken_for_ended() -> None:
    """The second look after a lost link begins when calls leave again, and takes 2 s over such a link.

    The trunk's rate is such that calls leave all that time: the agents are not all busy by then.
    """
    passing = Behaviour(Kind.HUMAN, 2.0, 1.0)
    scenario = replace(PROGRESSIVE, agents=16, wrap_seconds=0, calls_per_second=5.0, clock=CROWD_CLOCK)
    async with lab(scenario, table(passing), 0, crowd=make_crowd(600), proxied=True) as made:
        await begin(made)
        await until_state(made, "in_call")
        proxy = made.proxies["ari_port"]
        for _ in range(3):
            proxy.cut()
            await asyncio.sleep(0.5)
            proxy.heal()
            proxy.delay_s = 0.2
            await asyncio.sleep(8.0)
        proxy.heal()
        await made.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")

        async def settled() -> bool:
            return await nothing_live(made)

        await until(settled, "every attempt has ended with its record", 60.0)
        query = (
            "select called_number as number, extract(epoch from ended_at)::float8 as ended_at "
            "from cdrs where result = 'unknown'"
        )
        ended = {row["number"]: row["ended_at"] for row in await rows(made, query)}
        calls = at_carrier(made)
        assert [call for call in calls if went_on(call, ended.get(call.number))] == []
        assert len(calls) > 40, "too few calls left to tell anything"
        assert "channel without an attempt" not in made.engine.log.read_text()


def went_on(call: CarrierCall, ended_at: float | None) -> bool:
    """Whether a phone rang, or somebody talked, half a second after the call had ended by its record."""
    if ended_at is None or call.came_at > ended_at + 1.0:
        return False
    return call.ended_at is None or call.ended_at > ended_at + 0.5
