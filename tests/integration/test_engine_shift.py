"""A shift as the agent and the customer live it: keys, dispositions, pause, the drop message, opt-out."""

import asyncio
from dataclasses import replace

import pytest
from engine_support import (
    HUMAN,
    POWER,
    PROGRESSIVE,
    RINGS,
    WANTS_OUT,
    agent_state,
    at_carrier,
    begin,
    lab,
    press,
    rows,
    status,
    table,
    totals,
    until,
    until_kept,
    until_state,
)

from dialer_engine.engine.actions import TAKES_BACK_S
from dialer_engine.lab.scenario import CAMPAIGN
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

HEARD_S = 2.3
"""When whoever finds no agent must hear the message: the dialplan begins it at TAKES_BACK_S, and leaves 0.15 s to an
idle machine; a slow one that does other things too may take three times that."""


async def test_an_agents_keys_from_duty_to_logout() -> None:
    async with lab(PROGRESSIVE, table(HUMAN), 4) as made:
        await begin(made)
        await until_state(made, "in_call")
        await asyncio.sleep(0.5)
        press(made, "*")
        await until_state(made, "wrap")
        press(made, "7")
        await asyncio.sleep(0.5)
        press(made, "0")
        await asyncio.sleep(0.5)
        assert await agent_state(made) == "wrap", "a digit without a meaning ended the wrap"
        press(made, "1")
        await until_state(made, "paused")
        before = (await totals(made))["attempts"]
        await asyncio.sleep(1.0)
        assert (await totals(made))["attempts"] == before, "a paused agent was dialed for"
        press(made, "0")
        await until_state(made, "in_call")
        await made.engine.run("agent", "logout", "agent001", "--config", str(made.config))
        await until_state(made, "offline")
        await _all_ended(made, 2)
        found = await rows(
            made,
            "select result, ended_by, agent, disposition, disposition_by "
            "from cdr_export order by reserved_at",
        )
        assert [tuple(row) for row in found] == [
            ("bridged", "agent", "agent001", "sale", "agent"),
            ("bridged", "agent", "agent001", "none", "default"),
        ]
        states = await rows(made, "select state, pause_wanted from agent_states order by id")
        assert [row["state"] for row in states] == [
            *("ready", "reserved", "in_call", "wrap", "wrap", "paused"),
            *("ready", "reserved", "in_call", "off"),
        ]
        wanted = [number for number, row in enumerate(states) if row["pause_wanted"]]
        assert wanted == [4], "a pause that is asked for in a wrap-up is on record at once"
        sessions = await rows(made, "select ended_at is not null as ended from agent_sessions")
        assert [row["ended"] for row in sessions] == [True]


async def _all_ended(made: World, count: int) -> None:
    async def done() -> bool:
        return (await rows(made, "select count(*) as n from cdrs"))[0]["n"] >= count

    await until(done, f"{count} call records", 45.0)


@pytest.mark.parametrize("digits", ["3", "13"])
async def test_a_do_not_call_disposition_suppresses_the_number(digits: str) -> None:
    """Also when another digit was pressed before, which ended the wrap-up."""
    async with lab(PROGRESSIVE, table(replace(HUMAN, talk_s=1.0)), 1) as made:
        await begin(made)
        await until_state(made, "wrap")
        for digit in digits:
            press(made, digit)
            await until_state(made, "ready")

        async def suppressed() -> bool:
            return bool(await rows(made, "select number from suppressions where source = 'disposition'"))

        await until(suppressed, "the number is suppressed")
        told = await made.engine.run("why", "+12145550100", "--config", str(made.config))
        assert "member_suppression" in told


async def test_who_finds_nobody_hears_the_message_and_can_opt_out() -> None:
    async with lab(POWER, table(HUMAN, WANTS_OUT, WANTS_OUT), 3) as made:
        await begin(made)

        async def two_dropped() -> bool:
            return (await totals(made))["abandoned"] == 2

        await until(two_dropped, "two people were dropped", 40.0)
        waits = await rows(
            made,
            "select extract(epoch from message_at - answered_at) as s, used_prerecorded, prompt_version "
            "from cdrs where result = 'abandoned'",
        )
        assert len(waits) == 2
        assert all(1.5 < row["s"] < HEARD_S for row in waits)
        assert all(row["used_prerecorded"] and row["prompt_version"] for row in waits)

        async def suppressed() -> bool:
            found = await rows(made, "select number from suppressions order by number")
            return len(found) >= 2

        await until(suppressed, "both pressed 9 and are suppressed", 25.0)
        nines = [call for call in at_carrier(made) if call.nine_at is not None]
        opted = {row["number"] for row in await rows(made, "select number from opt_outs")}
        assert opted == {call.number for call in nines}
        by = await rows(made, "select called_number, ended_by from cdrs where result = 'abandoned'")
        ours = {call.number for call in at_carrier(made) if call.ended_by == "caller"}
        assert ours >= opted, "who was thanked is hung up on"
        assert {row["called_number"] for row in by if row["ended_by"] == "engine"} == ours


async def test_who_opts_out_is_not_called_again_although_the_script_cannot_save_it() -> None:
    """The engine hears of the key, and needs no file."""
    async with lab(POWER, table(HUMAN, WANTS_OUT, WANTS_OUT), 3) as made:
        await begin(made)
        journal = made.main.optout_journal
        journal.rename(journal.with_name("moved"))
        journal.touch()  # a place that nothing can be written to, also not as root

        async def suppressed() -> bool:
            found = await rows(made, "select source from suppressions")
            return [row["source"] for row in found] == ["drop_message"] * 2

        try:
            await until(suppressed, "both pressed 9 and are suppressed", 60.0)
        finally:
            journal.unlink()
            journal.with_name("moved").rename(journal)
        nines = {call.number for call in at_carrier(made) if call.nine_at is not None}
        assert {row["number"] for row in await rows(made, "select number from opt_outs")} == nines
        assert "could not save an opt-out" in (made.place.log / "engine.log").read_text()


async def test_a_frozen_engine_leaves_nobody_in_silence() -> None:
    async with lab(replace(POWER, lines=2.0), table(replace(WANTS_OUT, ring_s=4.0)), 2) as made:
        await begin(made)

        async def ringing() -> bool:
            return (await status(made))["campaigns"][0]["calls"]["ringing"] == 2

        await until(ringing, "two calls ring")
        process = made.engine.process
        assert process is not None
        process.send_signal(19)
        try:

            async def opted_out() -> bool:
                return len([call for call in at_carrier(made) if call.nine_at is not None]) == 2

            await until(opted_out, "both heard the message and pressed 9 while the engine was frozen", 30.0)
            heard = [
                call.heard_at - call.answered_at
                for call in at_carrier(made)
                if call.heard_at and call.answered_at
            ]
            assert len(heard) == 2
            assert max(heard) < HEARD_S
        finally:
            process.send_signal(18)

        async def taken() -> bool:
            return len(await rows(made, "select number from opt_outs")) == 2

        await until(taken, "the opt-outs of the frozen time were taken in")
        await _all_ended(made, 2)


async def test_a_killed_engine_cuts_nobody_and_the_next_one_takes_over() -> None:
    scenario = replace(PROGRESSIVE, agents=2)
    async with lab(scenario, table(HUMAN, HUMAN, RINGS), 3) as made:
        await begin(made)
        await until_state(made, "in_call", 0)
        await until_state(made, "in_call", 1)
        await until_kept(made, 2)
        process = made.engine.process
        assert process is not None
        process.kill()
        await process.wait()

        async def both_heard() -> bool:
            return all(agent.hearing for agent in made.phones.agents.values())

        await asyncio.sleep(TAKES_BACK_S + 0.2)
        await until(both_heard, "both agents hear their customer")
        assert not [call for call in at_carrier(made) if call.answered_at and call.ended_at], "a talk was cut"
        await made.engine.start()
        await made.engine.ready()
        assert [await agent_state(made, n) for n in (0, 1)] == ["in_call", "in_call"]
        press(made, "*", 0)
        await until_state(made, "wrap", 0)
        press(made, "1", 0)
        await until_state(made, "in_call", 1)
        await _all_ended(made, 2)
        counts = (
            await rows(
                made,
                "select (select count(*) from attempts) as attempts, (select count(*) from cdrs) as cdrs, "
                "(select count(*) from attempts where ended_at is null) as live",
            )
        )[0]
        assert counts["attempts"] == counts["cdrs"] + counts["live"]
        numbers = [call.number for call in at_carrier(made)]
        assert len(numbers) == len(set(numbers)), "a number was called twice"


async def test_commands_of_a_running_engine() -> None:
    where = ("--config",)
    async with lab(PROGRESSIVE, table(HUMAN), 1, on_duty=False) as made:
        config = str(made.config)
        assert "demo" in await made.engine.run("campaign", "ls", *where, config)
        assert "agent001" in await made.engine.run("agent", "ls", *where, config)
        assert "engine running" in await made.engine.run("status", *where, config)
        assert await made.engine.run("reload", *where, config) == "nothing has changed"
        yaml = made.config / "campaigns" / f"{CAMPAIGN}.yaml"
        good = yaml.read_text()
        yaml.write_text(good.replace("wrap_seconds: 30", "wrap_secs: 30"))
        with pytest.raises(Exception, match=r"nothing was changed[\s\S]*demo.yaml:\d+:\d+.*wrap_seconds"):
            await made.engine.run("reload", *where, config)
        yaml.write_text(good.replace("wrap_seconds: 30", "wrap_seconds: 31"))
        assert "wrap_seconds" in await made.engine.run("reload", *where, config)
        with pytest.raises(Exception, match="there is no campaign 'nonsense'; known: demo"):
            await made.engine.run("campaign", "start", "nonsense", *where, config)
        with pytest.raises(Exception, match=r"an engine already runs on this DIALER_HOME \(pid \d+"):
            await made.engine.run("run", *where, config)
        added = await made.engine.run("agent", "add", "zoe", *where, config)
        assert "dial   100" in added
        with pytest.raises(Exception, match="zoe"):
            await made.engine.run("agent", "add", "zoe", *where, config)
        await made.engine.run("agent", "remove", "zoe", *where, config)
        with pytest.raises(Exception, match="agent 'agent001' is not on duty"):
            await made.engine.run("agent", "logout", "agent001", *where, config)
        assert "the engine has ended" in await made.engine.run("stop", *where, config)
        with pytest.raises(Exception, match=r"no engine answers here\. Start it with: dialer run"):
            await made.engine.run("status", *where, config)


async def test_a_reload_looks_again_at_what_a_changed_setting_held() -> None:
    hold = (
        "insert into queue (campaign_id, contact_id, list_id, state, held_rule) select k.id, c.id, c.list_id, 'held', "
        "(array['contact_attempts', 'internal_suppression'])[c.row_number - 1] "
        "from campaigns k, contacts c where c.row_number in (2, 3) returning 1"
    )
    async with lab(PROGRESSIVE, table(HUMAN), 2, on_duty=False) as made:
        assert len(await rows(made, hold)) == 2
        yaml = made.config / "campaigns" / f"{CAMPAIGN}.yaml"
        yaml.write_text(yaml.read_text().replace("per_number_24h", "per_contact_total: 7, per_number_24h"))
        await made.engine.run("reload", "--config", str(made.config))
        left = await rows(made, "select held_rule from queue where state = 'held'")
        assert [row["held_rule"] for row in left] == ["internal_suppression"]
