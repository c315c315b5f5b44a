"""The service manager's socket: what is said on it, and when nothing is."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dialer_engine.engine.service import Service

pytestmark = pytest.mark.unit


class Ear:
    """A real datagram socket, as systemd has one."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> list[str]:
        found: list[str] = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    name = f"@dialer-unit-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    made = Ear(name)
    yield made
    made.socket.close()


def test_the_moments_of_a_life(ear: Ear) -> None:
    service = Service(ear.address, status=lambda: "dialing")
    service.ready()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    service.reloading()
    service.stopping()
    ready, reloading, stopping = ear.heard()
    assert ready == "READY=1\nSTATUS=dialing"
    first, second = reloading.splitlines()
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= before + 60_000_000
    assert stopping == "STOPPING=1"


def test_a_reload_that_changes_nothing_is_answered_once_the_start_was(ear: Ear) -> None:
    """Who waits for a reload of a standby would wait until it gives up; a start is over when it is over."""
    service = Service(ear.address, status=lambda: "standby")
    service.nothing_to_reload()
    assert ear.heard() == []
    service.ready()
    service.nothing_to_reload()
    begun, reloading, ready = ear.heard()
    assert begun == ready == "READY=1\nSTATUS=standby"
    assert reloading.startswith("RELOADING=1\n")


def test_the_variables_are_taken_out_so_that_children_say_nothing() -> None:
    pid = str(os.getpid())
    variables = {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": pid, "HOME": "/"}
    service = Service.from_environment(variables)
    assert (service.address, service.watchdog_s) == ("/run/n", 60.0)
    assert variables == {"HOME": "/"}


def test_a_watchdog_for_another_process_is_none_of_ours() -> None:
    assert Service.from_environment({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}).watchdog_s is None


def test_without_a_manager_nothing_is_said_and_a_lost_one_does_no_harm(tmp_path: Path) -> None:
    Service().ready()
    Service(str(tmp_path / "gone")).ready()


async def signs(service: Service, ear: Ear, enough: Callable[[list[str]], bool]) -> list[str]:
    """Let the service run until enough was heard."""
    running = asyncio.create_task(service.run())
    found: list[str] = []
    end = time.monotonic() + 20.0
    while not enough(found):
        assert time.monotonic() < end, f"heard only {found}"
        await asyncio.sleep(0.01)
        found += ear.heard()
    running.cancel()
    return found


async def test_signs_of_life_come_while_every_part_moves(ear: Ear) -> None:
    probes: list[float] = []

    async def probe(within_s: float) -> None:
        probes.append(within_s)

    beats: dict[str, Callable[[], float]] = {"writer": time.monotonic, "reader": time.monotonic}
    service = Service(ear.address, 0.3, beats, probe, lambda: "dialing")
    found = await signs(service, ear, lambda heard: heard.count("WATCHDOG=1") >= 3)
    assert found[0] == "STATUS=dialing"
    assert found.count("STATUS=dialing") == 1, "an unchanged status is said once"
    assert len(probes) >= 3


@pytest.mark.parametrize("part", ["database writer", "ARI reader"])
async def test_a_part_that_hangs_ends_the_signs_of_life(ear: Ear, part: str) -> None:
    stood = time.monotonic()
    beats: dict[str, Callable[[], float]] = {"database writer": time.monotonic, "ARI reader": time.monotonic}
    beats[part] = lambda: stood
    turns = 0

    def status() -> str:
        nonlocal turns
        turns += 1
        return str(turns)

    service = Service(ear.address, 0.3, beats, None, status)
    await signs(service, ear, lambda heard: "STATUS=8" in heard)
    assert service.stuck(time.monotonic(), 0.3) == [part]
    assert "WATCHDOG=1" not in await signs(service, ear, lambda heard: "STATUS=12" in heard)


async def test_a_blocked_loop_gives_no_sign_of_life(ear: Ear) -> None:
    service = Service(ear.address, 0.3)
    running = asyncio.create_task(service.run())
    await asyncio.sleep(0.05)
    ear.heard()
    time.sleep(0.5)  # noqa: ASYNC251  the blockade is what is tested
    assert ear.heard() == []
    running.cancel()
