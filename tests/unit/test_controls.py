"""Commands while the database is away or a disk is full: refused with what to do, changing nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from dialer_engine.engine import controls
from dialer_engine.engine.control import Refused
from dialer_engine.engine.controls import Controls
from dialer_engine.engine.registry import Agent, Registry
from dialer_engine.pbx.render import AgentAccount

pytestmark = pytest.mark.unit

AWAY = [
    ConnectionRefusedError(111, "Connection refused"),
    TimeoutError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.InsufficientPrivilegeError("permission denied for table campaigns"),
]


class Refusing:
    """A pool without a connection to give, or with one when `error` is None."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        if self.error is not None:
            raise self.error
        yield None


class FullDisk:
    """A node whose Asterisk cannot be given its files."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    async def apply(self, trunks: Mapping[str, Any], accounts: Sequence[AgentAccount]) -> None:
        self.given.append([each.name for each in accounts])
        raise OSError(28, "No space left on device")


class Engine:
    """What the commands need of an engine; it has one campaign and no agents."""

    def __init__(self, error: Exception | None, node: FullDisk | None = None) -> None:
        self.changes: list[object] = []
        self.tenure = SimpleNamespace(pool=Refusing(error))
        self.node, self.reloading = node, asyncio.Lock()
        config: Any = SimpleNamespace(settings=SimpleNamespace(trunks={}))
        campaigns = SimpleNamespace(
            plan=lambda name: SimpleNamespace(campaign_id=1),
            start=self.changes.append,
            halt=lambda name, state: self.changes.append(name),
        )
        self.floor = SimpleNamespace(
            campaigns=campaigns, registry=Registry(config, {}, {}, {}), take=self.changes.append
        )


def commands(engine: Any) -> Controls:
    return Controls(engine)


@pytest.mark.parametrize("error", AWAY)
@pytest.mark.parametrize("action", ["start", "pause", "stop"])
async def test_a_campaign_stays_as_it_is_and_the_command_says_what_to_do(
    error: Exception, action: str
) -> None:
    engine = Engine(error)
    with pytest.raises(Refused, match=r"campaign spring is as it was \(.*say it again once that is mended"):
        await commands(engine).set_campaign("spring", action)
    assert engine.changes == []


@pytest.mark.parametrize("error", AWAY)
async def test_agents_stay_as_they_are_and_the_command_says_what_to_do(error: Exception) -> None:
    engine = Engine(error)
    with pytest.raises(
        Refused, match=r"has its agents as they were \(.*say dialer reload once that is mended"
    ):
        await commands(engine).reload_agents()
    assert engine.changes == []


async def test_agents_that_asterisk_cannot_be_given_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ana(conn: None) -> dict[str, Agent]:
        return {"ana": Agent(1, "ana", "secret", None)}

    monkeypatch.setattr(controls, "read_agents", ana)
    node = FullDisk()
    engine = Engine(None, node)
    with pytest.raises(Refused, match=r"No space left on device\); say dialer reload once"):
        await commands(engine).reload_agents()
    assert engine.changes == []
    assert node.given == [["ana"], []], "what Asterisk had before was given back"
