"""`dialer front`: agents out of the database, a Kamailio that outlives its keeper and is kept up by it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from front_phone import FrontPhone
from front_support import until

from dialer_engine.engine.clock import utc_now
from dialer_engine.lab.ports import free_ports
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.store import directory
from dialer_engine.store.pool import connect

pytestmark = [pytest.mark.postgres, pytest.mark.asterisk]

ELSEWHERE = (
    "unshare",
    *(() if os.geteuid() == 0 else ("--user", "--map-root-user")),
    *("--pid", "--fork", "--mount-proc"),
)
"""Among other processes, as in a second container."""


@dataclass
class Place:
    """A home with a configuration that has a front."""

    home: Path
    port: int
    environment: dict[str, str]

    async def dialer(self, *words: str, within: tuple[str, ...] = ()) -> tuple[int, str]:
        """Run a command to its end; return its status and all its words."""
        made = await self.start(*words, within=within)
        said, _ = await asyncio.wait_for(made.communicate(), 60)
        return made.returncode or 0, said.decode()

    async def start(self, *words: str, within: tuple[str, ...] = ()) -> asyncio.subprocess.Process:
        """Start a command, `within` another one."""
        return await asyncio.create_subprocess_exec(
            *within,
            sys.executable,
            "-m",
            "dialer_engine",
            *words,
            "--config",
            str(self.home / "config"),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def shown(self) -> dict[str, object]:
        """What `front show` says, nothing while it cannot."""
        status, said = await self.dialer("front", "show", "--json")
        return dict(json.loads(said)) if status == 0 else {}

    def change(self, **front: object) -> None:
        """Write other settings of the front into the configuration; None takes one out."""
        file = self.home / "config" / "dialer.yaml"
        settings = yaml.safe_load(file.read_text())
        settings["front"] |= front
        file.write_text(yaml.safe_dump(settings))

    async def phone(self, name: str, password: str) -> FrontPhone:
        """A phone, not registered."""
        return await FrontPhone(name, password, ("127.0.0.1", self.port), patience=1.0).open()


@asynccontextmanager
async def keeping(place: Place) -> AsyncIterator[asyncio.subprocess.Process]:
    """A keeper that runs, and ends with this."""
    keeper = await place.start("front", "run")
    try:
        yield keeper
    finally:
        with suppress(ProcessLookupError):
            keeper.terminate()
        await keeper.communicate()


@pytest.fixture
def place(pg_url: str, kamailio: Bundle, node_home: Path) -> Place:
    """A home of its own with the machine's Kamailio."""
    home = node_home / "fh"
    (home / "config" / "campaigns").mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    sip, inner, node = free_ports(3)
    settings = {
        "database": {"url": pg_url},
        "asterisk": {"node": {"sip_port": node}},
        "front": {"sip_port": sip, "node_port": inner, "workers": 2},
    }
    (home / "config" / "dialer.yaml").write_text(yaml.safe_dump(settings))
    more = {"DIALER_HOME": str(home), "DIALER_FRONT_ROOT": str(kamailio.root)}
    return Place(home, sip, {**os.environ, **more})


async def test_a_front_from_check_to_stop(place: Place, pg_url: str) -> None:
    status, said = await place.dialer("front", "check")
    assert status == 0, said
    conn = await connect(pg_url)
    await directory.add_agent(conn, None, "ana", "first-1")
    ana, bo = await place.phone("ana", "first-1"), await place.phone("bo", "second-2")

    async def can(phone: FrontPhone) -> bool:
        return await phone.register() == 200

    try:
        async with keeping(place) as keeper:
            await until(lambda: can(ana), "ana registers", 30)
            assert not await can(bo)
            await directory.add_agent(conn, None, "bo", "second-2")
            await until(lambda: can(bo), "bo was added", 30)
            await directory.remove_agent(conn, "bo", utc_now())
            await until(lambda: _cannot(bo), "bo was removed", 30)
            status, said = await place.dialer("front", "run")
            assert status == 1
            assert f"pid {keeper.pid}" in said
            first = int(str((await place.shown())["pid"]))
            os.kill(first, signal.SIGKILL)
            await until(lambda: _another(place, first), "it was started again", 30)
            assert await can(ana)
        left = await place.shown()
        assert left["pid"] != first
        assert left["pid"], "the front outlives its keeper"
        assert left["registered"] == {"ana": ana.at}
        await until(lambda: _alone(place), "it shows that the node does not answer", 30)
        async with keeping(place) as keeper:
            assert await can(ana)
            await asyncio.sleep(0.1)
            assert keeper.returncode is None
        assert (await place.shown())["pid"] == left["pid"], "it was adopted"
        elsewhere = await _may_be_elsewhere()
        if elsewhere:
            status, said = await place.dialer("front", "stop", within=ELSEWHERE)
            assert status == 1
            assert "may be another container" in said
            assert (await place.shown())["pid"] == left["pid"], "its socket is where it was"
            assert await can(ana)
    finally:
        ana.close()
        bo.close()
        await conn.close()
        status, said = await place.dialer("front", "stop")
    assert status == 0
    assert "has ended" in said
    assert await place.shown() == {}
    if not elsewhere:
        pytest.skip(
            "all but `front stop` out of another container, which takes a user's own processes or root"
        )


async def test_a_reload_that_cannot_be_is_refused_and_the_corrected_file_is_read(place: Place) -> None:
    async with keeping(place) as keeper:
        try:
            await _says(keeper, "front is up")
            pid = (await place.shown())["pid"]
            place.change(node_bind="192.0.2.1")
            keeper.send_signal(signal.SIGHUP)
            assert "192.0.2.1" in await _says(keeper, "front needs attention")
            assert (await place.shown())["pid"] == pid, "the front runs on"
            place.change(node_bind=None, workers=3)
            keeper.send_signal(signal.SIGHUP)
            assert "needs attention" not in await _says(keeper, "front is well again")
            assert await _another(place, int(str(pid))), "it was started anew with the change"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
                keeper.send_signal(signal.SIGSTOP)
                await place.dialer("front", "stop")
                taken.bind(("127.0.0.1", place.port))
                keeper.send_signal(signal.SIGCONT)
                await _says(keeper, "front needs attention")
                place.change(sip_port=free_ports(1)[0])
                keeper.send_signal(signal.SIGHUP)
                await _says(keeper, "front is well again")
                assert (await place.shown())["pid"]
        finally:
            keeper.terminate()
            await keeper.wait()
            await place.dialer("front", "stop")


async def _says(keeper: asyncio.subprocess.Process, words: str) -> str:
    """Wait until a keeper says this; return all that it said until then."""
    assert keeper.stdout is not None
    said = ""
    async with asyncio.timeout(30):
        while words not in said:
            line = await keeper.stdout.readline()
            assert line, f"the keeper has ended: {said}"
            said += line.decode()
    return said


async def _may_be_elsewhere() -> bool:
    """Whether this machine lets its users have processes of their own; some containers do not."""
    tried = await asyncio.create_subprocess_exec(*ELSEWHERE, "true", stderr=asyncio.subprocess.DEVNULL)
    return await tried.wait() == 0


async def _alone(place: Place) -> bool:
    nodes = (await place.shown())["nodes"]
    assert isinstance(nodes, list)
    return [(each["name"], each["answers"]) for each in nodes] == [("main", False)]


async def _another(place: Place, pid: int) -> bool:
    return (await place.shown()).get("pid") not in (None, pid)


async def _cannot(phone: FrontPhone) -> bool:
    return await phone.register() == 401


async def test_without_a_front_the_command_says_where_it_goes(place: Place) -> None:
    file = place.home / "config" / "dialer.yaml"
    settings = yaml.safe_load(file.read_text())
    del settings["front"]
    file.write_text(yaml.safe_dump(settings))
    status, said = await place.dialer("front", "check")
    assert status == 1
    assert "dialer.yaml has no `front`" in said
