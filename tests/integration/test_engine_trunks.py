"""Trunks at fault, in a whole lab: nobody is charged, the next trunk is used, and the first one comes back."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from engine_support import POWER, at_carrier, begin, lab, rows, status, table, until

from dialer_engine.core.breaker import FAULTS
from dialer_engine.lab.behaviours import Behaviour, Kind, Table
from dialer_engine.lab.scenario import Scenario
from dialer_engine.lab.wire import Wire, most_in_a_second
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SHORT = Behaviour(Kind.HUMAN, 0.2, 1.0)
RECOVERS_S = 30.0
WIRED = replace(POWER, codes="{}", wrap_seconds=0, calls_per_second=10.0)


@asynccontextmanager
async def wired(scenario: Scenario, behaviours: Table, count: int) -> AsyncIterator[tuple[World, Wire]]:
    """A lab whose first trunk, `front`, is a wire in the test's hands."""
    async with (
        Wire() as wire,
        lab(replace(scenario, lines_to=(("front", wire.port),)), behaviours, count) as made,
    ):
        wire.target = made.carrier.config.sip_port
        yield made, wire


async def front(made: World) -> dict[str, Any]:
    trunks = (await status(made))["trunks"]
    return dict(next(each for each in trunks if each["name"] == "front"))


async def breaker(made: World) -> str:
    return str((await front(made))["breaker"]["state"])


async def until_breaker(made: World, *states: str, seconds: float = 30.0) -> float:
    """Wait until the breaker is in one of these states and return the seconds it took."""
    began = time.monotonic()

    async def reached() -> bool:
        return await breaker(made) in states

    await until(reached, f"the breaker is {' or '.join(states)}", seconds)
    return time.monotonic() - began


async def nobody_is_charged(made: World) -> None:
    """No attempt of a contact, no cap and no delay comes from a trunk's fault."""
    faults = await rows(
        made,
        "select a.counted, c.sip_code, c.ringing_at, c.answered_at from cdrs c join attempts a on a.id = c.attempt_id "
        "where c.result = 'trunk_fault'",
    )
    assert faults
    assert all(row["ringing_at"] is None and row["answered_at"] is None for row in faults)
    assert all(row["counted"] is (row["sip_code"] is None) for row in faults), "only silence is doubtful"
    charged = await rows(
        made,
        "select q.contact_id, q.tries, count(c.attempt_id) as n from queue q left join cdrs c "
        "on c.contact_id = q.contact_id and c.result <> 'trunk_fault' where q.state <> 'live' "
        "group by 1, 2 having q.tries <> count(c.attempt_id)",
    )
    assert charged == []
    waits = await rows(
        made,
        "select count(*) as n from queue where last_result = 'trunk_fault' and (final or state = 'done')",
    )
    assert waits[0]["n"] == 0


async def faults_of(made: World) -> int:
    return int((await front(made))["results"].get("trunk_fault", 0))


async def test_a_refusing_trunk_charges_nobody_the_next_is_used_and_it_comes_back() -> None:
    async with wired(replace(WIRED, provider="telnyx", cap=1), table(SHORT), 100) as (made, wire):
        wire.refuses = "503 Service Unavailable"
        await begin(made)
        await until_breaker(made, "open", "half_open")
        document = await status(made)
        assert any("trunk front is at fault" in reason for reason in document["campaigns"][0]["limits"])
        assert (await front(made))["breaker"]["last_code"] == "503"
        assert (await front(made))["last_hour"]["codes"]["503"] >= FAULTS
        await until_answered(made, 2, "the next trunk carries calls")
        assert len(wire.invites) < 3 * FAULTS, "a trunk with an open breaker is left alone"
        await comes_back(made, wire)
        wire.refuses = "403 User channel limit exceeded D1"
        await until_breaker(made, "open", "half_open")
        await comes_back(made, wire)
        told = await made.engine.run("status", "--config", str(made.config))
        assert "front, last hour: " in told
        await and_a_network_that_blocks_is_never_asked_again(made, wire)


async def comes_back(made: World, wire: Wire) -> None:
    """Let the carrier recover: the breaker closes and the trunk is used again."""
    wire.refuses = None
    assert await until_breaker(made, "closed", seconds=60.0) < RECOVERS_S
    before = len(wire.invites)

    async def used_again() -> bool:
        return len(wire.invites) > before

    await until(used_again, "the trunk is used again", 20.0)
    await nobody_is_charged(made)


async def and_a_network_that_blocks_is_never_asked_again(made: World, wire: Wire) -> None:
    wire.refuses = "603 Network Blocked"
    blocked = (
        "select q.state, c.sip_code, c.cause_text from cdrs c join queue q using (contact_id) "
        "where result = 'blocked'"
    )

    async def seen() -> bool:
        return len(await rows(made, blocked)) >= 2

    await until(seen, "two contacts are blocked by the network", 20.0)
    told = {(row["state"], row["sip_code"], row["cause_text"]) for row in await rows(made, blocked)}
    assert told == {("done", 603, "SIP 603 Network Blocked")}
    assert await breaker(made) == "closed", "a network that blocks works"


async def until_answered(made: World, count: int, words: str) -> None:
    async def reached() -> bool:
        return sum(call.answered_at is not None for call in at_carrier(made)) >= count

    await until(reached, words, 30.0)


async def test_a_silent_trunk_is_left_alone_and_comes_back_by_itself() -> None:
    """It is the only trunk: silent calls end after 6.4 s, then the breaker opens."""
    scenario = replace(WIRED, direct=False, lines=6.0)
    async with wired(scenario, table(SHORT), 40) as (made, wire):
        wire.cut = True
        await begin(made)
        await until_breaker(made, "open", "half_open", seconds=60.0)
        assert (await front(made))["breaker"]["last_code"] == "no response"
        wire.cut = False
        assert await until_breaker(made, "closed", seconds=60.0) < RECOVERS_S
        await until_answered(made, 1, "people are reached again")
        await nobody_is_charged(made)


async def test_no_rolling_second_at_the_carrier_holds_more_calls_than_trunk_and_account_allow() -> None:
    """Everybody is busy at once and agents wait for more, so that the limits alone hold the calls back."""
    busy = Behaviour(Kind.BUSY, 0.0, 0.0)
    async with Wire() as one, Wire() as two:
        lines = (("front", one.port), ("back", two.port))
        scenario = replace(WIRED, direct=False, lines_to=lines, agents=4, lines=10.0)
        limits = {"calls_per_second": 3.0, "account_calls_per_second": 4.0}
        async with lab(replace(scenario, **limits), table(busy), 80) as made:
            one.target = two.target = made.carrier.config.sip_port
            await begin(made)

            async def enough() -> bool:
                return len(one.invites) + len(two.invites) >= 24

            await until(enough, "twenty-four calls came", 40.0)
            each = [[invite.at for invite in wire.invites] for wire in (one, two)]
            assert [most_in_a_second(times) <= 3 for times in each] == [True, True]
            both = sorted(moment for times in each for moment in times)
            assert most_in_a_second(both) <= 4
            assert all(each)
            assert len(both) / (both[-1] - both[0]) > 2.0, "something else held the calls back"
            assert len(at_carrier(made)) >= 22
