"""`dialer dnc` beside a running engine: which changes it tells, and about whom."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cli_support import Commands, commands_on
from store_support import Conn, make_world

from dialer_engine.engine.control import ControlServer
from dialer_engine.store import suppress

pytestmark = pytest.mark.postgres

NUMBER = "+12103450101"


class Engine:
    """What stands behind the control socket: notes what reached it."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def number_suppressed(self, *what: Any) -> dict[str, Any]:
        self.told.append(what)
        return {}


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return commands_on(tmp_path, pg_url, monkeypatch)


async def test_the_engine_is_told_what_is_forbidden_to_whom_and_nothing_of_a_removal(
    conn: Conn, commands: Commands, tmp_path: Path
) -> None:
    """The call that a removal has just allowed may ring by then."""
    world, engine = await make_world(conn), Engine()
    server = ControlServer(engine, tmp_path / "home" / "run" / "control.sock")  # type: ignore[arg-type]
    await server.start()
    try:
        for scope in (["--member", "acme"], []):
            await asyncio.to_thread(commands.run, "dnc", "add", NUMBER, *scope)
            await asyncio.to_thread(commands.run, "dnc", "remove", NUMBER, *scope)
        await asyncio.to_thread(
            commands.run, "consent", "revoke", NUMBER, "--channel", "sms", "--member", "acme"
        )
    finally:
        await server.close()
    acme = world.members["acme"]
    assert engine.told == [(NUMBER, acme), (NUMBER, None), (NUMBER, acme)]
    assert [entry.source for entry in await suppress.check(conn, NUMBER)] == ["revoked by sms"]
