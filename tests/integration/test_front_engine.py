"""An engine whose agents come by the front: on duty, kept while the front is away, off when the phone is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from engine_support import PROGRESSIVE, RINGS, lab, table
from front_phone import FrontPhone
from front_support import until

from dialer_engine.engine.control_client import EngineNotRunning
from dialer_engine.engine.empty_chairs import LISTEN_S, REFRESH_S
from dialer_engine.lab.ports import free_ports
from dialer_engine.lab.world import World
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_config import front_config
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.load import load_config

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]
ZOE = AgentAccount("zoe", "zoes-secret-1")
"""An agent without a telephone among the lab's."""
ASKED = "is asked within its call"
LOOKED_S = REFRESH_S + LISTEN_S + 1.0
"""After its start and at its first look the engine has made up its mind whom to ask."""


async def _agent(made: World) -> dict[str, Any]:
    try:
        agents = (await made.engine.control.status())["agents"]
    except EngineNotRunning:
        return {}
    return next((dict(each) for each in agents if each["name"] == ZOE.name), {})


@asynccontextmanager
async def _put_front(made: World, kamailio: Bundle) -> AsyncIterator[Front]:
    """Give a running world a front, as an operator does: settings, start the engine again, start the front."""
    file, (sip, inner) = made.config / "dialer.yaml", free_ports(2)
    settings = yaml.safe_load(file.read_text())
    settings["lab"]["clock"] = settings["lab"]["clock"].isoformat()
    settings["front"] = {"sip_port": sip, "node_port": inner, "workers": 2}
    file.write_text(yaml.safe_dump(settings))
    await made.engine.stop()
    front = Front(kamailio, front_config(load_config(made.config).settings, made.home, made.place.user))
    front.render([ZOE])
    try:
        await asyncio.to_thread(front.ensure_running)
        await made.engine.start()
        await made.engine.ready()
        yield front
    finally:
        await asyncio.to_thread(front.stop, 1.0)


async def test_agents_behind_a_front(bundle: Bundle, kamailio: Bundle) -> None:
    async with lab(PROGRESSIVE, table(RINGS), 1, on_duty=False) as made, _put_front(made, kamailio) as front:
        at = ("127.0.0.1", front.config.settings.sip_port)
        phone = await FrontPhone(ZOE.name, ZOE.password, at).open()

        async def does(state: str) -> bool:
            return (await _agent(made)).get("state") == state

        async def seen(status: str) -> bool:
            return (await _agent(made)).get("phone") == status

        def missed() -> bool:
            contacts = made.main_node.console("pjsip show contacts").splitlines()
            return any(f"{ZOE.name}@" in line and "Unavail" in line for line in contacts)

        try:
            where = ("--config", str(made.config))
            said = await made.engine.run(
                "agent", "add", ZOE.name, "--password-stdin", *where, given=ZOE.password
            )
            assert f"{at[0]}:{at[1]}" in said, "a new agent is told the front's address"
            assert await phone.register(300) == 200
            call = await phone.dial(seconds=30)
            assert call.code == 200
            await until(lambda: does("ready"), "on duty by the front", 30)
            await until(lambda: seen("reachable"), "the node reaches the phone", 30)
            await asyncio.to_thread(front.stop, 1.0)
            await until(missed, "the node misses the phone", 30)
            await asyncio.sleep(1.0)
            assert await does("ready"), "the front is away, not the phone"
            assert not call.ended
            process = made.engine.process
            assert process is not None
            process.kill()
            await process.wait()
            await made.engine.start()
            await made.engine.ready()
            await asyncio.sleep(LOOKED_S)
            assert await does("ready"), "also for an engine that was not told"
            assert not call.ended
            assert ASKED not in made.engine.log.read_text(), (
                "who could not hear the question would be lost by it"
            )
            await asyncio.to_thread(front.ensure_running)
            await until(lambda: not missed(), "the node reaches the phone again", 30)
            await until(lambda: bool(call.refreshed), "it was asked within its call", 30)
            assert ASKED in made.engine.log.read_text()
            await asyncio.sleep(15.0)
            assert await does("ready")
            assert not call.ended
            phone.silent = True
            await until(lambda: does("offline"), "the phone is gone", 30)
            await until(lambda: seen("unreachable"), "and status says so", 30)
        finally:
            phone.close()
