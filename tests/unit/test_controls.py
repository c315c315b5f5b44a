"""Commands while the database is away or a disk is full: refused with what to do, changing nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from dialer_engine.engine import controls
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.control import Refused
from dialer_engine.engine.controls import Controls
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.registry import Agent, Prepared, Registry
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
        self.at_commit: Exception | None = None

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Connection"]:
        if self.error is not None:
            raise self.error
        yield Connection(self.at_commit)


class Connection:
    """A connection whose transactions do nothing, and may be refused at their end."""

    def __init__(self, refused: Exception | None) -> None:
        self.refused = refused

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield None
        if self.refused is not None:
            raise self.refused


class FullDisk:
    """A node whose Asterisk cannot be given its files."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    async def apply(self, trunks: Mapping[str, Any], accounts: Sequence[AgentAccount]) -> None:
        self.given.append([each.name for each in accounts])
        raise OSError(28, "No space left on device")


class Engine:
    """What the commands need of an engine; it has one campaign, and no agents but those it is given."""

    def __init__(self, error: Exception | None, node: FullDisk | None = None, *agents: str) -> None:
        self.changes: list[object] = []
        self.logged_out: list[str] = []
        self.tenure = SimpleNamespace(pool=Refusing(error), bundle=None, sounds=None)
        self.life = SimpleNamespace(directory=None)
        self.steady = SimpleNamespace(confirm=lambda: None)
        self.clock = SimpleNamespace(now=utc_now)
        self.node, self.reloading = node, asyncio.Lock()
        self.config = config = SimpleNamespace(settings=SimpleNamespace(trunks={}, lab=None))
        campaigns = SimpleNamespace(
            plan=lambda name: SimpleNamespace(campaign_id=1),
            start=self.changes.append,
            halt=lambda name, state: self.changes.append(name),
        )
        self.floor = SimpleNamespace(
            campaigns=campaigns,
            registry=registry(config, *agents),
            take=self.changes.append,
            legs=SimpleNamespace(log_out=self.logged_out.append),
            ledgers=Books(self.changes),
        )


class Books:
    """Ledgers that note how they are put together."""

    def __init__(self, changes: list[object]) -> None:
        self.changes = changes

    async def load(self, conn: Connection, plans: Mapping[str, CampaignPlan]) -> tuple[str]:
        return ("as read",)

    def begin(self, *grouping: object) -> None:
        self.changes.append(grouping)


def registry(config: Any, *agents: str) -> Registry:
    return Registry(config, {}, {name: Agent(1, name, "secret", None) for name in agents}, {})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Registry]:
    """What the next reloads read, the newest last; all the rest of the configuration is as it was."""
    next_ones: list[Registry] = []

    async def prepare(*places: object) -> Prepared:
        return Prepared({}, {}, next_ones[-1].agents)

    async def write_registry(*what: object) -> Registry:
        return next_ones[-1]

    async def read_agents(conn: Connection) -> Mapping[str, Agent]:
        return next_ones[-1].agents

    async def look_again(*what: object) -> list[str]:
        return []

    monkeypatch.setattr(controls, "load_config", lambda directory: next_ones[-1].config)
    for name, instead in {
        "prepare": prepare,
        "write_registry": write_registry,
        "read_agents": read_agents,
        "look_again": look_again,
        "changed": lambda old, new: [],
        "restart_needed": lambda old, new: [],
    }.items():
        monkeypatch.setattr(controls, name, instead)
    return next_ones


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


@pytest.mark.parametrize("command", ["reload", "reload_agents"])
async def test_an_agent_who_was_removed_is_logged_out_by_either_reload(
    read: list[Registry], command: str
) -> None:
    engine = Engine(None, None, "ana", "ben")
    read.append(registry(engine.config, "ben"))
    await getattr(commands(engine), command)()
    assert engine.logged_out == ["ana"]


async def test_nobody_is_logged_out_by_a_reload_that_was_refused(read: list[Registry]) -> None:
    engine = Engine(None, FullDisk(), "ana", "ben")
    read.append(registry(engine.config, "ben"))
    for command in (commands(engine).reload_agents, commands(engine).reload):
        with pytest.raises(Refused, match="dialer reload"):
            await command()
    assert (engine.logged_out, engine.changes) == ([], [])


@pytest.mark.parametrize("error", AWAY)
async def test_a_reload_that_is_refused_at_its_commit_leaves_the_ledgers_together_as_they_were(
    read: list[Registry], error: Exception
) -> None:
    engine = Engine(None)
    read.append(registry(engine.config))
    engine.tenure.pool.at_commit = error
    with pytest.raises(Refused, match=r"not reloaded \(.*say dialer reload again"):
        await commands(engine).reload()
    assert engine.changes == []
    engine.tenure.pool.at_commit = None
    await commands(engine).reload()
    assert engine.changes == [("as read",), read[-1]]
