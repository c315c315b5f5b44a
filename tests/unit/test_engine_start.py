"""The end of an engine's start: nothing is dialed before the last thing that can fail, and no change is lost."""

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer_engine.engine import daemon
from dialer_engine.engine.control import ControlError, Refused
from dialer_engine.engine.control_client import ControlClient, EngineRefused
from dialer_engine.engine.daemon import Engine
from dialer_engine.engine.service import Service
from dialer_engine.settings.home import service_user

pytestmark = pytest.mark.unit


class Parts:
    """An owner's parts that do nothing but note in which order they are asked to; `held` stops them at one step."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.let: dict[str, asyncio.Event] = {}
        self.reached: dict[str, asyncio.Event] = {}
        self.restored = SimpleNamespace(resume=self.resume)
        self.floor = SimpleNamespace(
            registry=SimpleNamespace(states={"spring": "running"}, plans={"spring": None}),
            dispatcher=SimpleNamespace(calls={}),
        )
        self.refuses = False

    def hold(self, step: str) -> None:
        self.let[step], self.reached[step] = asyncio.Event(), asyncio.Event()

    async def _step(self, what: str) -> None:
        if what in self.let:
            self.reached[what].set()
            await self.let[what].wait()
        self.done.append(what)

    async def open(self) -> None:
        await self._step("open")

    async def recover(self) -> None:
        await self._step("recover")

    async def resume(self, states: dict[str, str]) -> None:
        await self._step("resume")

    async def reload(self) -> dict[str, Any]:
        await self._step("reload")
        if self.refuses:
            raise Refused("nothing was changed: spring.yaml:3:1")
        return {}

    async def reload_agents(self) -> dict[str, Any]:
        await self._step("agents")
        return {}

    async def set_campaign(self, name: str, action: str) -> dict[str, Any]:
        await self._step(f"{action} {name}")
        return {"campaign": name, "state": action}

    def status(self) -> dict[str, Any]:
        return {"engine": {"state": "running"}}


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    made = Parts()
    where = SimpleNamespace(control=SimpleNamespace(socket=None))
    tenure = SimpleNamespace(config=SimpleNamespace(settings=where))

    class Candidate:
        def __init__(self, life: Any, config: Any, lock: Any, standby: Any) -> None:
            self.life, self.standby = life, standby

        async def take(self) -> Any:
            await made._step("lease")
            self.life.config_read = True
            return tenure

    async def make_works(life: Any, tenure: Any) -> Parts:
        await made._step("files read")
        return made

    monkeypatch.setattr(daemon, "load_config", lambda directory: None)
    monkeypatch.setattr(daemon, "prepare_home", lambda home, user: None)
    monkeypatch.setattr(daemon, "Candidate", Candidate)
    monkeypatch.setattr(daemon, "make_works", make_works)
    monkeypatch.setattr(daemon, "Controls", lambda works: works)
    return made


def engine(home: Path, service: Service | None = None, *, standby: bool = False) -> Engine:
    return Engine(home, home, service_user(), service, standby=standby)


def control(home: Path) -> ControlClient:
    return ControlClient(home / "run" / "control.sock", 5.0)


async def test_no_campaign_is_started_by_an_engine_that_cannot_open_its_socket(
    parts: Parts, tmp_path: Path
) -> None:
    (tmp_path / "run").write_text("no directory")
    with pytest.raises(
        ControlError, match=r"control\.sock: the control socket cannot be opened .*dialer\.yaml"
    ):
        await engine(tmp_path).start()
    assert parts.done == ["lease", "files read", "open", "recover"]


async def test_a_socket_whose_path_is_too_long_is_named(parts: Parts, tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    home.mkdir()
    with pytest.raises(ControlError, match="AF_UNIX path too long"):
        await engine(home).start()
    assert "resume" not in parts.done


async def test_a_command_that_changes_something_waits_until_the_campaigns_are_resumed(
    parts: Parts, tmp_path: Path
) -> None:
    parts.hold("resume")
    made = engine(tmp_path)
    starting = asyncio.create_task(made.start())
    await asyncio.wait_for(parts.reached["resume"].wait(), 5.0)
    assert (await control(tmp_path).status())["engine"]["state"] == "running"
    pausing = asyncio.create_task(control(tmp_path).post("/campaigns/spring/pause"))
    await asyncio.sleep(0.2)
    assert "pause spring" not in parts.done
    parts.let["resume"].set()
    await starting
    assert (await pausing)["state"] == "pause"
    assert parts.done[-2:] == ["resume", "pause spring"]
    await made.close()


async def test_a_start_that_takes_long_refuses_it_and_says_why(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer_engine.engine.control.START_S", 0.1)
    parts.hold("resume")
    made = engine(tmp_path)
    starting = asyncio.create_task(made.start())
    await asyncio.wait_for(parts.reached["resume"].wait(), 5.0)
    with pytest.raises(EngineRefused, match="still starting, and nothing was changed; say it again"):
        await control(tmp_path).post("/campaigns/spring/pause")
    parts.let["resume"].set()
    await starting
    assert "pause spring" not in parts.done
    await made.close()


async def asked_to_reload_at(made: Engine, parts: Parts, step: str) -> None:
    """Start an engine that is told to reload while it stands at a step of its start."""
    parts.hold(step)
    starting = asyncio.create_task(made.start())
    await asyncio.wait_for(parts.reached[step].wait(), 5.0)
    made.reload_soon()
    await asyncio.sleep(0.01)
    parts.let[step].set()
    await starting
    for _ in range(5):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("standby", [False, True])
@pytest.mark.parametrize("step", ["files read", "recover"])
async def test_a_reload_after_the_files_were_read_is_done_before_anything_is_dialed(
    parts: Parts, tmp_path: Path, step: str, standby: bool
) -> None:
    made = engine(tmp_path, standby=standby)
    with capture_logs() as logs:
        await asked_to_reload_at(made, parts, step)
    assert parts.done == ["lease", "files read", "open", "recover", "reload", "agents", "resume"]
    assert any("still starting" in entry["event"] for entry in logs)
    assert not any("standby" in entry["event"] for entry in logs)
    await made.close()


async def test_one_that_comes_as_the_campaigns_are_resumed_is_done_after_that(
    parts: Parts, tmp_path: Path
) -> None:
    made = engine(tmp_path)
    await asked_to_reload_at(made, parts, "resume")
    assert parts.done[-3:] == ["agents", "resume", "reload"]
    await made.close()


async def test_a_standby_that_has_not_read_its_files_owes_no_reload(parts: Parts, tmp_path: Path) -> None:
    made = engine(tmp_path, standby=True)
    with capture_logs() as logs:
        await asked_to_reload_at(made, parts, "lease")
    assert "reload" not in parts.done
    assert any("when it takes over" in entry["event"] for entry in logs)
    await made.close()


async def test_agents_that_were_added_meanwhile_are_known_before_anything_is_dialed(
    parts: Parts, tmp_path: Path
) -> None:
    made = engine(tmp_path)
    await made.start()
    assert parts.done == ["lease", "files read", "open", "recover", "agents", "resume"]
    await made.close()


@pytest.mark.parametrize("refuses", [False, True])
async def test_the_service_manager_has_its_answer_when_the_reload_is_done(
    parts: Parts, tmp_path: Path, refuses: bool
) -> None:
    parts.refuses = refuses
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as ear:
        ear.bind(str(tmp_path / "notify"))
        made = engine(tmp_path, Service(str(tmp_path / "notify")), standby=True)
        made._tell_waiting("the engine of another machine owns the lease")
        parts.hold("reload")
        starting = asyncio.create_task(asked_to_reload_at(made, parts, "files read"))
        await asyncio.wait_for(parts.reached["reload"].wait(), 5.0)
        assert heard(ear) == ["READY=1", "RELOADING=1"], "begun, not done"
        parts.let["reload"].set()
        await starting
        assert heard(ear) == ["READY=1"]
        await made.close()


def heard(ear: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(ear.recv(4096).decode().splitlines()[0])
        except BlockingIOError:
            return [line for line in found if line in {"READY=1", "RELOADING=1"}]
