"""Small parts of the engine: trunks, board, clock, translation of Asterisk's events, tasks, the lock."""

import asyncio
import errno
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.outcome import Result
from dialer_engine.engine.agents import SOUNDS
from dialer_engine.engine.board import Board, quantile
from dialer_engine.engine.call import FinishedCall
from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.lock import EngineLock, EngineRuns, Kind, home_lock
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks, wait_at_most
from dialer_engine.engine.translate import moment
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.prompts import STANDARD
from dialer_engine.pbx.tones import AGENT_TONES
from dialer_engine.settings.home import HomeError
from dialer_engine.settings.models import Trunk

pytestmark = pytest.mark.unit

KINDS: tuple[Kind, ...] = ("engine", "node", "command")
START = datetime(2026, 6, 10, 16, 0, tzinfo=UTC)


def trunk(rate: float = 10.0, channels: int = 2) -> Trunk:
    return Trunk(host="127.0.0.1", calls_per_second=rate, max_channels=channels)


def test_trunks_are_tried_in_the_campaigns_order() -> None:
    trunks = Trunks({"a": trunk(), "b": trunk()})
    first = trunks.first_free(["b", "a"], 100.0)
    assert first is not None
    assert first.name == "b"
    first.active = 2
    second = trunks.first_free(["b", "a"], 100.0)
    assert second is not None
    assert second.name == "a"


def test_a_trunk_without_a_departure_is_not_free() -> None:
    trunks = Trunks({"a": trunk(rate=1.0)})
    trunks.lines["a"].leave(100.0, "x")
    trunks.lines["a"].on_wire(100.0, "x")
    assert trunks.first_free(["a"], 100.0) is None
    assert trunks.opens_in(["a"], 100.0) == pytest.approx(0.925)
    assert trunks.first_free(["a"], 100.95) is not None


def test_a_reload_keeps_counts_and_drops_idle_trunks() -> None:
    trunks = Trunks({"a": trunk(), "b": trunk(), "c": trunk()})
    trunks.lines["a"].active, trunks.lines["b"].active = 1, 1
    trunks.apply({"a": trunk(rate=5.0)})
    assert set(trunks.lines) == {"a", "b"}
    assert (trunks.lines["a"].active, trunks.lines["a"].slots.rate) == (1, 5.0)


def finished(result: Result, answered: float | None = None, joined: float | None = None) -> FinishedCall:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else START + timedelta(seconds=seconds)

    attempt = Attempt(
        "x", Phase.ENDED, answered_at=at(answered), joined_at=at(joined), ended_at=at(60), result=result
    )
    return FinishedCall("x", "spring", "main", attempt)


def test_the_board_counts_results_and_delays() -> None:
    board = Board()
    for call in (
        finished(Result.BRIDGED, 5, 5.02),
        finished(Result.BRIDGED, 5, 7.5),
        finished(Result.ABANDONED, 5),
        finished(Result.BUSY),
    ):
        board.finished(call)
    tally = board.tallies["spring"]
    totals = tally.totals()
    assert (totals["attempts"], totals["answered"], totals["bridged"], totals["busy"]) == (4, 3, 2, 1)
    delay = tally.answer_to_agent()
    assert (delay["count"], delay["over_2s"], delay["max"]) == (2, 1, pytest.approx(2500.0))
    assert board.recent[0]["result"] == "busy"
    assert board.recent[-1]["talk_s"] == pytest.approx(54.98)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([1.0], 0.99, 1.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 3.0), ([1.0, 2.0], 1.0, 2.0)],
)
def test_quantiles(values: list[float], share: float, expected: float | None) -> None:
    assert quantile(values, share) == expected


def test_the_lab_clock_starts_at_its_moment_and_runs() -> None:
    clock = GateClock.starting_at(datetime.fromisoformat("2026-06-10T11:00:00-05:00"))
    assert abs(clock.now() - START) < timedelta(seconds=5)
    assert abs(GateClock.starting_at(None).now() - utc_now()) < timedelta(seconds=5)


def test_asterisks_time_stamps_become_utc() -> None:
    assert moment("2026-06-10T11:00:00.250-0500") == START + timedelta(milliseconds=250)
    assert abs(moment(None) - utc_now()) < timedelta(seconds=5)


async def test_a_failing_background_task_is_logged_by_name() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    tasks = Tasks()
    with capture_logs() as logs:
        await asyncio.wait([tasks.spawn(fail(), "the broken one")])
        await asyncio.sleep(0)
    assert [entry["task"] for entry in logs] == ["the broken one"]
    assert len(tasks) == 0


async def test_close_cancels_what_is_left() -> None:
    tasks = Tasks()
    task = tasks.spawn(asyncio.Event().wait(), "waits for ever")
    await tasks.close()
    assert task.cancelled()


async def test_close_does_not_wait_for_a_task_that_waits_for_a_frozen_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dialer_engine.engine.tasks.CLOSE_S", 0.1)
    frozen = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await frozen.wait()

    tasks = Tasks()
    task = tasks.spawn(waits(), "a query")
    await asyncio.sleep(0)
    with capture_logs() as logs:
        async with asyncio.timeout(20):
            await tasks.close()
    assert [entry["tasks"] for entry in logs] == [["a query"]]
    frozen.set()
    await asyncio.gather(task, return_exceptions=True)


def test_a_second_engine_on_the_same_home_is_refused_with_the_firsts_pid(tmp_path: Path) -> None:
    first, second = EngineLock(tmp_path / "engine.lock"), EngineLock(tmp_path / "engine.lock")
    first.take()
    with pytest.raises(EngineRuns, match=r"already runs .*pid \d+.*dialer stop"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_a_home_of_somebody_else_is_named_with_its_owner(open_directory: Path) -> None:
    home = open_directory / "of-somebody-else"
    lock = home_lock(home)
    lock.take()
    lock.release()
    for path in (home, home / "run"):
        path.chmod(0o755)
    (home / "run" / "engine.lock").chmod(0o444)
    owner = pwd.getpwuid(os.geteuid()).pw_name
    with (
        pytest.raises(HomeError, match=rf"engine\.lock belongs to '{owner}'.*stop --all") as refused,
        ordinary(),
    ):
        lock.take()
    assert str(refused.value).startswith(f"{home}/run/engine.lock: user ")
    (home / "run" / "engine.lock").unlink()
    (home / "run").chmod(0o555)
    with pytest.raises(HomeError, match=f"run belongs to '{owner}'"), ordinary():
        lock.take()
    (home / "run").chmod(0o755)


def test_a_disk_that_takes_no_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(Path, "open", Mock(side_effect=full))
    with pytest.raises(HomeError, match=r"engine\.lock: cannot be written \(No space left on device\)"):
        home_lock(tmp_path).take()


@contextmanager
def ordinary() -> Iterator[None]:
    """Run as an ordinary user, root too."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(before)


def test_engine_and_node_runner_share_one_lock_and_are_told_apart(tmp_path: Path) -> None:
    node, engine = home_lock(tmp_path, "node"), home_lock(tmp_path)
    assert engine.holder() is None
    node.take()
    with pytest.raises(
        EngineRuns, match=r"a node runner already works .*pid \d+.*dialer node stop"
    ) as refused:
        engine.take()
    assert (refused.value.kind, refused.value.pid) == ("node", os.getpid())
    held = engine.holder()
    assert held is not None
    assert (held.kind, held.pid) == ("node", os.getpid())
    node.release()
    assert engine.holder() is None, "words that are left over are no holder"
    for kind in KINDS:
        lock = home_lock(tmp_path, kind)
        lock.take()
        held = node.holder()
        assert held is not None
        assert held.kind == kind
        lock.release()


async def test_waiting_for_an_event_never_swallows_a_cancellation() -> None:
    event, turns = asyncio.Event(), 0

    async def loop() -> None:
        nonlocal turns
        while True:
            await wait_at_most(event, 30.0)
            turns += 1

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    event.set()
    task.cancel()  # in the same moment in which the event comes
    await asyncio.wait([task], timeout=5.0)
    assert task.cancelled()
    assert turns == 0


def test_a_full_disk_and_an_absent_database_are_named_as_reasons_for_no_calls() -> None:
    blockers = Blockers(asterisk_away=False)
    assert blockers.why_not() is None
    blockers.set(records_unsafe=True)
    assert "the disk takes no records" in str(blockers.why_not())
    blockers.set(database_away=True)
    assert "the database is away and the disk takes no records" in str(blockers.why_not())
    blockers.set(records_unsafe=False)
    assert "the database is away:" in str(blockers.why_not())


def test_what_agents_are_told_is_recorded_and_nothing_is_recorded_for_nobody() -> None:
    by_the_dialplan = {"removed", "not-running", "not-dialable"}
    tones = {f"tone-{name}" for name in AGENT_TONES}
    assert {*SOUNDS.values()} | by_the_dialplan == {*STANDARD} | tones
