"""What an operator does wrong, and a machine on a bad day: a clear error and nothing half-done."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from engine_support import HUMAN, PROGRESSIVE, at_carrier, begin, lab, rows, status, table, totals, until

from dialer_engine.lab.place import Place, take_place
from dialer_engine.lab.scenario import Scenario, write_config
from dialer_engine.pbx.bundle import Bundle, install_bundle, silent
from dialer_engine.pbx.node import Node
from dialer_engine.settings.home import home, prepare_home, service_user
from dialer_engine.store.embedded import EmbeddedPostgres

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]


@dataclass
class Machine:
    """A DIALER_HOME of its own with a good configuration, to be spoiled."""

    place: Place
    bundle: Bundle

    @property
    def config(self) -> Path:
        return self.place.directory / "config"

    @property
    def yaml(self) -> Path:
        return self.config / "dialer.yaml"

    def dialer(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command and return how it ended."""
        variables = os.environ | {
            "DIALER_HOME": str(self.place.directory),
            "DIALER_ASTERISK_ROOT": str(self.bundle.root),
        }
        return subprocess.run(
            [sys.executable, "-m", "dialer_engine", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            env=variables,
            timeout=seconds,
            check=False,
        )

    def node(self) -> Node:
        """The engine's Asterisk of this machine."""
        return Node(self.bundle, self.place.node("main", 0, self.place.directory / "nodes" / "main"))


@contextmanager
def machine(where: str = "/tmp") -> Iterator[Machine]:
    """A machine, of which nothing runs any more at the end."""
    prepare_home(home(), service_user())
    bundle = install_bundle(home(), silent)
    with tempfile.TemporaryDirectory(prefix="dialer-bad-", dir=where) as directory:
        Path(directory).chmod(0o755)
        with take_place(Path(directory), service_user()) as place:
            place.directory.mkdir(mode=0o755)
            made = Machine(place, bundle)
            write_config(Scenario(), made.config, place.node("main", 0), 5999, {})
            try:
                yield made
            finally:
                asyncio.run(made.node().stop(3.0))
                EmbeddedPostgres(place.directory / "postgres", place.user).stop()


def setting(text: str, name: str) -> int:
    """The port that the written configuration gives this name."""
    return int(next(line.split(":")[1] for line in text.splitlines() if line.strip().startswith(f"{name}:")))


def test_a_wrong_configuration_starts_nothing() -> None:
    with machine() as made:
        made.yaml.write_text(made.yaml.read_text().replace("max_channels: 60", "max_chanels: sixty"))
        done = made.dialer("run")
        assert done.returncode == 1
        assert "dialer.yaml:" in done.stderr
        assert "did you mean 'max_channels'?" in done.stderr
        assert not (made.place.directory / "postgres").exists()
        assert not (made.place.directory / "nodes" / "main").exists()


def test_a_port_in_use_is_named_with_its_setting() -> None:
    with machine() as made:
        for port in ("sip_port", "http_port", "ami_port"):
            number = setting(made.yaml.read_text(), port)
            kind = socket.SOCK_DGRAM if port == "sip_port" else socket.SOCK_STREAM
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", number))
                if kind is socket.SOCK_STREAM:
                    taken.listen()
                done = made.dialer("run")
            assert done.returncode == 1, port
            assert str(number) in done.stderr
            assert port in done.stderr
            assert not made.node().alive(), port


def test_a_wrong_ami_password_is_said_before_anything_is_dialed() -> None:
    with machine() as made:
        node = made.node()
        first = subprocess.Popen(
            [sys.executable, "-m", "dialer_engine", "run", "--config", str(made.config)],
            env=os.environ
            | {"DIALER_HOME": str(made.place.directory), "DIALER_ASTERISK_ROOT": str(made.bundle.root)},
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: (made.place.directory / "run" / "control.sock").exists())
            first.terminate()
            assert first.wait(20) == 0
        finally:
            first.kill()
            first.wait()
        assert node.alive(), "Asterisk must outlive the engine"
        text = made.yaml.read_text()
        external = f"""asterisk:
  managed: false
  nodes:
    - name: main
      ari_url: http://127.0.0.1:{setting(text, "http_port")}
      ari_user: {node.secrets.ari_user}
      ari_password: {node.secrets.ari_password}
      ami_host: 127.0.0.1
      ami_port: {setting(text, "ami_port")}
      ami_user: {node.secrets.ami_user}
      ami_password: wrong
"""
        before, rest = text.split("asterisk:\n")
        made.yaml.write_text(before + external + rest[rest.index("logging:") :])
        done = made.dialer("run")
        assert done.returncode == 1
        assert "refused user 'engine'" in done.stderr
        assert "ami_password" in done.stderr
        made.yaml.write_text(made.yaml.read_text().replace(node.secrets.ari_password, "wrong"))
        done = made.dialer("run")
        assert done.returncode == 1
        assert "Check ari_user and ari_password" in done.stderr


def wait_until(true: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait for a file or a process, or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_unreachable_database_is_named_without_its_password() -> None:
    with machine() as made:
        text = made.yaml.read_text() + "database: {url: 'postgresql://dialer:secret@127.0.0.1:1/dialer'}\n"
        made.yaml.write_text(text)
        done = made.dialer("run")
        assert done.returncode == 1
        assert "127.0.0.1:1" in done.stderr
        assert "secret" not in done.stderr


def test_a_full_disk_is_said_with_its_place() -> None:
    with tempfile.TemporaryDirectory(prefix="dialer-full-", dir="/tmp") as directory:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=90m,mode=755", "tmpfs", directory], check=False
        )
        assert mounted.returncode == 0, "this test makes a small disk and needs to be root"
        try:
            with machine(directory) as made:
                filler = made.place.directory / "filler"
                done = fill_and_run(made, filler)
                assert done.returncode == 1
                assert "left on" in done.stderr or "disk" in done.stderr or "space" in done.stderr, (
                    done.stderr
                )
                filler.unlink()
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


def fill_and_run(made: Machine, filler: Path) -> subprocess.CompletedProcess[str]:
    """Leave ten megabytes on the disk, then start the engine."""
    free = os.statvfs(made.place.directory)
    filler.write_bytes(b"\0" * max(0, free.f_bavail * free.f_frsize - 10_000_000))
    return made.dialer("run")


async def test_a_dead_trunk_fails_calls_and_nothing_else() -> None:
    scenario = replace(PROGRESSIVE, retry_s=3600)
    async with lab(scenario, table(HUMAN), 3) as made:
        await made.carrier.stop(2.0)
        await begin(made)

        async def tried() -> bool:
            return (await totals(made))["attempts"] >= 3

        async def none_live() -> bool:
            live = await rows(made, "select count(*) as n from attempts where ended_at is null")
            return bool(live[0]["n"] == 0)

        await until(tried, "three calls were tried", 60.0)
        results = {row["result"] for row in await rows(made, "select result from cdrs")}
        assert results == {"trunk_fault"}
        assert at_carrier(made) == []
        assert (await status(made))["engine"]["dialing"] is True
        await until(none_live, "no attempt stays live between two probes", 60.0)
