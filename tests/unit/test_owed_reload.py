"""What was written and not yet reloaded when its engine ended: the next one reloads it at the Asterisk that runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from settings_support import DIALER, write_config

from dialer_engine.engine import node_link
from dialer_engine.engine.lifecycle import Lifecycle
from dialer_engine.engine.node_link import ManagedNode, node_config
from dialer_engine.engine.service import Service
from dialer_engine.engine.works import _open_asterisk
from dialer_engine.pbx import node as node_module
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.node import Node, NodeError
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.home import service_user
from dialer_engine.settings.load import Config, load_config

pytestmark = pytest.mark.unit

BUNDLE = Bundle(Path("/bundle"), "x86_64-linux-gnu")
BEFORE, AFTER = ([AgentAccount("ana", password)] for password in ("leaked-1", "fresh-2"))
PJSIP = "module reload res_pjsip.so"


class Asterisk:
    """Stands for the Asterisk of every node: whether it runs, what its console was told, and what it refuses.

    It turns the next `busy` reloads down, as one does that is at another.
    """

    def __init__(self) -> None:
        self.runs = True
        self.told: list[str] = []
        self.refuses = ""
        self.busy = 0


@pytest.fixture
def asterisk(monkeypatch: pytest.MonkeyPatch) -> Asterisk:
    made = Asterisk()

    def console(node: Node, command: str) -> str:
        if command == made.refuses:
            raise NodeError("the console does not answer")
        if made.busy > 0 and command == PJSIP:
            made.busy -= 1
            return "A module reload request is already in progress; please be patient\n"
        made.told.append(command)
        return ""

    async def nothing(node: Node) -> None:
        return None

    monkeypatch.setattr(Node, "console", console)
    monkeypatch.setattr(Node, "alive", lambda node: made.runs)
    monkeypatch.setattr(Node, "_adopt", nothing)
    monkeypatch.setattr(Node, "_wait_ready", nothing)
    monkeypatch.setattr(node_module, "check_ports", lambda config: None)
    monkeypatch.setattr(Bundle, "command", lambda bundle, *words: list(words))
    monkeypatch.setattr(node_module, "spawn", lambda config, command: None)
    return made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(write_config(tmp_path / "config", DIALER))


Begin = Callable[[list[AgentAccount]], Any]


@pytest.fixture
def begin(tmp_path: Path, config: Config) -> Begin:
    """Starts an engine so far that it has its Asterisk."""
    life = Lifecycle(tmp_path / "config", tmp_path, service_user(), Service())
    tenure = cast("Any", SimpleNamespace(config=config, bundle=BUNDLE, standard_sounds=tmp_path / "sounds"))

    async def start(accounts: list[AgentAccount]) -> ManagedNode:
        made = await _open_asterisk(life, tenure, cast("Any", SimpleNamespace(accounts=accounts)))
        assert made is not None
        return made

    return start


def managed(home: Path, config: Config) -> ManagedNode:
    return ManagedNode(BUNDLE, node_config(config.settings.asterisk.node, home, service_user()), home)


async def test_what_an_engine_wrote_before_it_was_killed_is_reloaded_by_the_next_one(
    asterisk: Asterisk, begin: Begin, config: Config
) -> None:
    engine = await begin(BEFORE)
    asterisk.told.clear()
    assert engine.render(config.settings.trunks, AFTER) == {"pjsip.conf"}  # and killed here
    await begin(AFTER)
    assert PJSIP in asterisk.told
    asterisk.told.clear()
    await begin(AFTER)
    assert asterisk.told == [], "a takeover without changes reloads nothing"


async def test_a_reload_that_failed_is_owed_still(asterisk: Asterisk, begin: Begin, config: Config) -> None:
    engine = await begin(BEFORE)
    asterisk.refuses = PJSIP
    with pytest.raises(NodeError):
        await engine.apply(config.settings.trunks, AFTER)
    asterisk.told.clear()
    asterisk.refuses = ""
    await begin(AFTER)
    assert PJSIP in asterisk.told


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two tries."""
    monkeypatch.setattr(node_module, "RELOAD_AGAIN_S", (0.0,) * len(node_module.RELOAD_AGAIN_S))
    monkeypatch.setattr(node_link, "LOOKS_S", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_an_asterisk_that_is_at_another_reload_is_asked_again(
    asterisk: Asterisk, begin: Begin, config: Config
) -> None:
    engine = await begin(BEFORE)
    asterisk.told.clear()
    asterisk.busy = len(node_module.RELOAD_AGAIN_S) - 1
    await engine.apply(config.settings.trunks, AFTER)
    assert PJSIP in asterisk.told
    assert not engine.node.owes()


@pytest.mark.usefixtures("at_once")
async def test_one_that_stays_busy_stays_owed_and_takes_it_later(
    asterisk: Asterisk, begin: Begin, config: Config
) -> None:
    engine = await begin(BEFORE)
    asterisk.busy = 10_000
    with pytest.raises(NodeError, match="already in progress"):
        await engine.apply(config.settings.trunks, AFTER)
    engine = await begin(AFTER)
    assert engine.node.owes(), "calls are up there: the engine starts all the same"
    asterisk.busy = 0
    asterisk.told.clear()
    keeping = asyncio.create_task(engine.keep_addresses())
    for _ in range(500):
        await asyncio.sleep(0.01)
        if not engine.node.owes():
            break
    keeping.cancel()
    assert PJSIP in asterisk.told


async def test_an_asterisk_that_starts_reads_everything_and_is_owed_nothing(
    asterisk: Asterisk, begin: Begin
) -> None:
    asterisk.runs = False
    await begin(BEFORE)
    asterisk.runs = True
    await begin(BEFORE)
    assert asterisk.told == []


async def test_a_damaged_note_stands_for_every_file(asterisk: Asterisk, begin: Begin) -> None:
    engine = await begin(BEFORE)
    asterisk.told.clear()
    engine.config.path("reload-owed.json").write_text("[")
    await begin(BEFORE)
    assert {PJSIP, "module reload pbx_config.so", "manager reload"} <= set(asterisk.told)


async def test_a_change_of_passwords_that_was_cut_short_is_reloaded_whole(
    asterisk: Asterisk, begin: Begin
) -> None:
    engine = await begin(BEFORE)
    asterisk.refuses = "manager reload"
    with pytest.raises(NodeError):
        await engine.node.rotate_secrets()
    asterisk.told.clear()
    asterisk.refuses = ""
    await begin(BEFORE)
    assert "manager reload" in asterisk.told
