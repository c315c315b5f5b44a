"""A talk that the dialplan takes back into the drop message, in a running engine: told, recorded and counted."""

import asyncio
from dataclasses import replace

import pytest
from engine_support import (
    PROGRESSIVE,
    WANTS_OUT,
    at_carrier,
    begin,
    lab,
    rows,
    status,
    table,
    until,
    until_state,
)

from dialer_engine.engine.recovery import TRUNK_CHANNEL
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

ENDED = "select result, message_at, joined_at, message_at - joined_at <= interval '2 s' as soon from cdrs"


async def let_time_run_out(made: World) -> None:
    """Set the time-out of the customer's channel anew, as if the engine had not switched it off."""
    channels = (await made.main_node.ask("core show channels concise")).splitlines()
    [name] = [line.partition("!")[0] for line in channels if line.startswith(TRUNK_CHANNEL)]
    await made.main_node.ask(f"dialplan set chanvar {name} TIMEOUT(absolute) 0.1")


@pytest.mark.parametrize("blind", [False, True])
async def test_a_talk_that_is_taken_back_is_abandoned_and_the_key_still_works(blind: bool) -> None:
    """Also when the engine's link was lost just then, so that the start of the message was missed."""
    async with lab(PROGRESSIVE, table(replace(WANTS_OUT, talk_s=6.0)), 1, proxied=blind) as made:

        async def talking() -> bool:
            return bool(await rows(made, "select 1 from attempts where joined_at is not null"))

        await begin(made)
        await until(
            talking, "the engine knows of the talk: an agent who is chosen counts as in a call before"
        )
        if blind:
            made.proxies["ari_port"].cut()
        await let_time_run_out(made)
        if blind:
            await asyncio.sleep(0.5)
            made.proxies["ari_port"].heal()
        await until_state(made, "wrap")
        assert [call.live for call in at_carrier(made)] == [True], (
            "the agent is free while the person hears the message"
        )

        async def suppressed() -> bool:
            found = await rows(made, "select count(*) as n from suppressions where source = 'drop_message'")
            return bool(found[0]["n"])

        await until(suppressed, "who pressed 9 is on the list")

        async def ended() -> bool:
            return bool(await rows(made, "select 1 from cdrs"))

        await until(ended, "the call has ended")
        [record] = await rows(made, ENDED)
        assert (record["result"], record["soon"]) == ("abandoned", True)
        [call] = at_carrier(made)
        assert call.nine_at is not None
        [judged] = await rows(made, "select standing from ledger_calls")
        assert judged["standing"] == "abandoned"
        found = await status(made)
        assert found["campaigns"][0]["abandonment"]["US"]["abandoned"] == 1
        assert found["engine"]["refused_events"] == {}
