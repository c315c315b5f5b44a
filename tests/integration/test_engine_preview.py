"""Preview as agents live it: look, dial, skip, run out; and what takes a contact off the desk."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from engine_support import HUMAN, at_carrier, begin, lab, press, rows, table, totals, until, until_state
from preview_support import FIRST, PREVIEW, SECOND, THIRD, agent, dial, looking, skip, until_desk

from dialer_engine.engine.control_client import EngineRefused
from dialer_engine.lab.engine_process import PROGRAM
from dialer_engine.lab.people import Person
from dialer_engine.lab.scenario import CAMPAIGN
from dialer_engine.lab.world import World

FOURTH = "+12145550103"
SLOW = replace(HUMAN, ring_s=5.0)

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


async def attempts(made: World) -> int:
    """How many attempts there are."""
    return int((await rows(made, "select count(*) as n from attempts"))[0]["n"])


async def outcomes(made: World) -> list[tuple[str | None, str | None]]:
    """How the previews ended, in the order of their showing."""
    return [tuple(row) for row in await rows(made, "select outcome, reason from previews order by shown_at")]


class Terminal:
    """`dialer agent desk --json`, as a program uses it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._in, self._out = process, process.stdin, process.stdout

    def say(self, line: str) -> None:
        """Give a command."""
        self._in.write(f"{line}\n".encode())

    async def until(self, key: str, *values: object) -> dict[str, Any]:
        """Read until a line has this key, with one of these values if any are given."""
        async with asyncio.timeout(30.0):
            while True:
                line: dict[str, Any] = json.loads(await self._out.readline())
                if key in line and (not values or line[key] in values):
                    return line


@asynccontextmanager
async def terminal(made: World) -> AsyncIterator[Terminal]:
    """The first agent's desk in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "agent", "desk", agent(made), "--json", "--config", str(made.config)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=dict(made.engine.variables),
    )
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_show_dial_talk_dispose_and_the_next_is_shown() -> None:
    async with lab(PREVIEW, table(HUMAN), 3) as made, terminal(made) as desk_of_ana:
        await begin(made)
        seen = await desk_of_ana.until("state", "looking")
        assert (seen["contact"]["number"], seen["contact"]["first_name"]) == (FIRST, "Ann")
        assert (seen["contact"]["zone"], seen["contact"]["history"]) == ("America/Chicago", [])
        desk_of_ana.say("skip bored")
        assert "use one of: not-now" in (await desk_of_ana.until("refused"))["refused"]
        await asyncio.sleep(1.0)
        assert (at_carrier(made), await attempts(made)) == ([], 0), "dialed without the agent's hand"
        press(made, "#")
        talk = await desk_of_ana.until("state", "in_call")
        assert talk["contact"]["number"] == FIRST, "the agent sees whom they talk to"
        press(made, "#")
        desk_of_ana.say("key *")
        await desk_of_ana.until("state", "wrap")
        desk_of_ana.say("key 1")
        second = await desk_of_ana.until("state", "looking")
        assert second["contact"]["number"] == SECOND
        assert [call.number for call in at_carrier(made)] == [FIRST]
        found = await rows(made, "select result, agent, disposition, disposition_by from cdr_export")
        assert [tuple(row) for row in found] == [("bridged", agent(made), "sale", "agent")]

        await asyncio.sleep(1.1)
        press(made, "9")
        third = await looking(made, at=THIRD)
        assert await outcomes(made) == [("dialed", None), ("skipped", "not-now"), (None, None)]
        assert "skipped: not-now" in await made.engine.run("why", SECOND, "--config", str(made.config))
        shown = await made.engine.run("why", THIRD, "--config", str(made.config))
        assert f"on show for agent {agent(made)}" in shown
        await made.engine.control.post(f"/campaigns/{CAMPAIGN}/pause")
        await until_desk(made, "ready")
        with pytest.raises(EngineRefused, match="not on show any more"):
            await made.engine.control.act(agent(made), "dial", preview=third["preview"])
        assert len(at_carrier(made)) == await attempts(made) == 1
        log = made.engine.log.read_text()
        assert not [one for one in (FIRST, SECOND, THIRD, "Ann") if one in log], "contact data in the log"
        desk_of_ana.say("quit")
        assert await asyncio.wait_for(desk_of_ana.process.wait(), 20.0) == 0


async def test_two_agents_skips_suppression_and_a_killed_engine() -> None:
    async with lab(replace(PREVIEW, agents=2), table(HUMAN, HUMAN, HUMAN, SLOW), 4) as made:
        await begin(made)
        seen = [await looking(made, n) for n in (0, 1)]
        assert {one["contact"]["number"] for one in seen} == {FIRST, SECOND}
        mine = seen[0]["contact"]["number"]
        with pytest.raises(EngineRefused, match="'bored' is no reason of this campaign; use one of: not-now"):
            await skip(made, 0, "bored")
        await skip(made, 0, "wrong-person")
        await looking(made, 0, THIRD)
        await made.engine.run("dnc", "add", THIRD, "--member", "sunrise", "--config", str(made.config))
        await looking(made, 0, FOURTH)
        assert ("withdrawn", "the number was suppressed") in await outcomes(made)

        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()
        held = [
            row["number"] for row in await rows(made, "select number from previews where ended_at is null")
        ]
        assert len(held) == 2
        await made.engine.start()
        await made.engine.ready()
        again = [(await looking(made, n, seconds=45.0))["contact"]["number"] for n in (0, 1)]
        assert sorted(again) == sorted(held), "what was on show comes back at once, and to nobody twice"
        assert (at_carrier(made), await attempts(made)) == ([], 0)

        caller = again.index(FOURTH)
        press(made, "0", 1 - caller)
        await until_state(made, "paused", 1 - caller)
        await dial(made, caller)
        await until_desk(made, "ringing", caller)
        list(made.phones.agents.values())[caller].leave()

        async def dropped() -> bool:
            return (await totals(made))["abandoned"] == 1

        await until(dropped, "the agent who dialed has left: the person hears the message", 40.0)
        found = await rows(made, "select message_at - answered_at < interval '2 s' as soon from cdrs")
        assert [row["soon"] for row in found] == [True]
        assert [call.number for call in at_carrier(made)] == [FOURTH]
        assert mine not in again


async def test_the_time_runs_out_and_hours_close_while_an_agent_looks() -> None:
    crowd = [Person("Ann", "Texas", "214", "0100", "TX"), Person("Bob", "Texas", "214", "0101", "TX")]
    crowd.append(Person("Cid", "Coast", "415", "0102", "CA"))
    async with lab(replace(PREVIEW, preview_seconds=10), table(HUMAN), 3, crowd=crowd) as made:
        await begin(made)
        await looking(made, at=FIRST)
        await looking(made, at=SECOND, seconds=40.0)
        assert (await outcomes(made))[0] == ("expired", "the time to look was over")
        made._write_config(
            replace(made.setting.scenario, preview_seconds=10, clock="2026-06-10T21:30:00-05:00")
        )
        await made.engine.control.post("/reload")
        await made.engine.control.post("/reload")
        await dial(made)
        seen = await looking(made, at="+14155550102")
        assert "refused: calling_hours" in seen["notice"]
        assert (at_carrier(made), await attempts(made)) == ([], 0)
        outcome, reason = (await outcomes(made))[1]
        assert (outcome, (reason or "")[:13]) == ("refused", "calling_hours")
