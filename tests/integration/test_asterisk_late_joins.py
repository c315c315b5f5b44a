"""Agents who become free while the dialplan's wait runs out: each person gets the agent or the message, never both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from asterisk_support import NUMBER, Pair, Watcher, clean_up, until

from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.engine.actions import AsteriskActions, Leg
from dialer_engine.engine.agents import bridge_of
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.translate import Translator
from dialer_engine.lab.proxy import Proxy
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import ChannelUserevent
from dialer_engine.pbx.render import trunk_endpoint
from dialer_engine.settings.campaign import Campaign
from dialer_engine.store.reserve import Reservation

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

LONGEST_MS = next(m.le for m in Campaign.model_fields["max_wait_ms"].metadata if hasattr(m, "le"))
COUNT = 40
FIRST_S = 1.62
"""The first agent becomes free so long after the answer, the last one when the wait is over."""
BUSY_S = 0.6
"""What a slow machine that does other things too may add to the 2 s in which a person must hear somebody.

It stays below TAKES_BACK_S + JOIN_WITHIN_S, when whoever was put off and never joined would hear the message.
"""


class Desk:
    """The engine's own dispatcher, actions and translator before a real Asterisk; every person has an agent to come."""

    def __init__(self, pair: Pair, commands: Commands) -> None:
        self.pair, self.commands, self.calls = pair, commands, list[Call]()
        self.frees: dict[str, float] = {}
        nothing = SimpleNamespace(
            tell=lambda *a: None,
            start_wrap=lambda *a: None,
            gone=lambda *a, **k: False,
            dialed=lambda *a: None,
            rang=lambda *a: None,
            meaning=lambda *a: None,
            joined=lambda *a: None,
            attempt_event=lambda *a: None,
            attempt_end=lambda *a: None,
            seat_state=lambda *a: None,
            disposition=lambda *a: None,
        )
        self.tasks = Tasks()
        places: Any = {"main": SimpleNamespace(commands=commands)}
        stub: Any = nothing
        self.actions = AsteriskActions(places, stub, self.tasks)
        self.dispatcher = self.actions.dispatcher = Dispatcher(self.actions, stub)
        self.translator = Translator(self.dispatcher, stub, stub, stub)
        self.dispatcher.on_step = self._stepped

    async def call(self, number: int, free_after_s: float) -> None:
        """Call somebody whose agent becomes free so many seconds after the answer."""
        agent, campaign = f"agent{number}", f"campaign{number}"
        await self.commands.bridge_create(bridge_of(agent))
        # Asterisk takes an id for one in use while a longer one that begins with it is, also of an earlier test.
        held = Reservation(
            f"late-{number:02d}", 1, 1, f"{NUMBER}01", "+12105550199", "lab", "main", utc_now(), ""
        )
        call = Call(held, campaign, Attempt(held.attempt_id), utc_now())
        self.calls.append(call)
        self.frees[call.id] = free_after_s
        self.dispatcher.assign({f"agent{n}": f"campaign{n}" for n in range(number + 1)})
        self.dispatcher.adopt(call)
        variables = {
            "MAX_WAIT_MS": str(LONGEST_MS),
            "DROP_PROMPT": str(self.pair.prompts.drop),
            "DIALED_NUMBER": held.number,
            "MEMBER_ID": "7",
        }
        endpoint = f"PJSIP/{held.number}@{trunk_endpoint('lab')}"
        self.actions.originate(call, Leg(endpoint, "Acme <+12105550199>", 20, variables))

    def _stepped(self, call: Call, before: Phase) -> None:
        if call.phase is Phase.WAITING and (answered := call.attempt.answered_at) is not None:
            left = self.frees[call.id] - (utc_now() - answered).total_seconds()
            agent = call.campaign.replace("campaign", "agent")
            asyncio.get_running_loop().call_later(
                left, lambda: self.dispatcher.feed_seat(agent, chair.LegUp(utc_now(), "main"))
            )


@asynccontextmanager
async def desk_over(pair: Pair, watcher: Watcher, delay_s: float) -> AsyncIterator[Desk]:
    """A desk whose connection to Asterisk holds every byte back for so long, each way."""
    node, desks = pair.engine, list[Desk]()
    proxy = Proxy(node.config.control_bind, node.config.http_port)
    await proxy.start()
    proxy.delay_s = delay_s

    def on_event(event: Any) -> None:
        watcher.on_event(event)
        for desk in desks:
            desk.translator.on_event("main", event)

    client = AriClient(
        f"http://127.0.0.1:{proxy.port}",
        node.secrets.ari_user,
        node.secrets.ari_password,
        node.config.app,
        on_event=on_event,
        on_link=watcher.links.append,
    )
    await client.start()
    desks.append(Desk(pair, Commands(client)))
    try:
        yield desks[0]
        await clean_up(desks[0].commands)
        await until(lambda: not desks[0].dispatcher.calls)
    finally:
        await desks[0].tasks.close()
        await client.close()
        await proxy.close()


@pytest.mark.parametrize("delay_s", [0.0, 0.015])
async def test_agents_who_come_at_the_last_moment_get_the_person_or_the_message_does(
    pair: Pair, watcher: Watcher, delay_s: float
) -> None:
    async with desk_over(pair, watcher, delay_s) as desk:
        for number in range(COUNT):
            wait_s = FIRST_S + (LONGEST_MS / 1000 - FIRST_S) * number / (COUNT - 1)
            await desk.call(number, wait_s)
        await until(lambda: all(call.attempt.answered_at for call in desk.calls), 20.0)
        await asyncio.sleep(LONGEST_MS / 1000 + 2.5)
    attempts = [call.attempt for call in desk.calls]
    told = {
        mark.channel.id for mark in watcher.of(ChannelUserevent) if mark.eventname == "DropMessageStarted"
    }
    assert desk.dispatcher.illegal == {}
    assert {attempt.id for attempt in attempts if attempt.message_at} == told
    both = [a.id for a in attempts if a.joined_at and a.message_at]
    assert both == [], "nobody is taken from an agent"
    heard = [(a.joined_at or a.message_at, a.answered_at) for a in attempts]
    waits = sorted((first - answered).total_seconds() for first, answered in heard if first and answered)
    assert len(waits) == COUNT
    assert waits[-1] < 2.0 + BUSY_S
    assert sum(a.joined_at is not None for a in attempts) >= COUNT // 4
