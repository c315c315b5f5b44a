"""A safety net that the database refuses says so once, and once that it works again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from structlog.testing import capture_logs

from dialer_engine.engine import forgotten, journal_keeper, refusal_watch
from dialer_engine.engine.forgotten import Forgotten
from dialer_engine.engine.journal_keeper import JournalKeeper
from dialer_engine.engine.refusal_watch import RefusalWatch
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.trouble import Trouble
from dialer_engine.store.errors import StoreError
from dialer_engine.store.suppression_journal import SuppressionJournal

pytestmark = pytest.mark.unit

WORDS = "permission denied for table attempts"


def test_it_is_told_when_it_begins_and_when_it_is_over() -> None:
    trouble = Trouble("it fails", "it works again")
    errors: list[Exception | None] = [
        None,
        OSError("away"),
        StoreError("refused"),
        TimeoutError(),
        None,
        None,
    ]
    with capture_logs() as logs:
        for error in [*errors, OSError("away again"), None]:
            with trouble.told():
                if error is not None:
                    raise error
    assert [(entry["log_level"], entry["event"], entry.get("why")) for entry in logs] == [
        ("error", "it fails", "away"),
        ("warning", "it works again", None),
        ("error", "it fails", "away again"),
        ("warning", "it works again", None),
    ]


def test_an_error_without_words_is_told_by_its_kind() -> None:
    with capture_logs() as logs, Trouble("it fails", "").told():
        raise TimeoutError
    assert [entry["why"] for entry in logs] == ["TimeoutError"]


def test_a_fault_of_the_program_goes_on_to_whoever_keeps_the_task() -> None:
    trouble = Trouble("it fails", "it works again")
    with capture_logs() as logs, pytest.raises(ZeroDivisionError), trouble.told():
        raise ZeroDivisionError
    assert logs == []


# --- the nets -----------------------------------------------------------------------------------------


class Refusing:
    """A pool of a role that lacks a right."""

    def __init__(self) -> None:
        self.asked = 0
        self.enough = asyncio.Event()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        self.asked += 1
        if self.asked == 5:
            self.enough.set()
        raise asyncpg.InsufficientPrivilegeError(WORDS)
        yield


def floor() -> Any:
    return SimpleNamespace(
        dispatcher=SimpleNamespace(calls={"x": None}),
        means=SimpleNamespace(places={"main": None}, blockers=Blockers()),
    )


Running = Callable[[Any, Path], Coroutine[Any, Any, None]]


def refusals(pool: Any, home: Path) -> Coroutine[Any, Any, None]:
    return RefusalWatch(floor(), pool).run()


def lost(pool: Any, home: Path) -> Coroutine[Any, Any, None]:
    writer: Any = SimpleNamespace(healthy=True, held=0)
    return Forgotten(floor(), pool, writer).run()


def journal(pool: Any, home: Path) -> Coroutine[Any, Any, None]:
    return JournalKeeper(SuppressionJournal(home / "journal"), pool).run()


@pytest.mark.parametrize("making", [refusals, lost, journal])
async def test_a_net_that_lacks_a_right_is_no_silent_one(
    making: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusal_watch, "PERIOD_S", 0.001)
    monkeypatch.setattr(forgotten, "LOOK_S", 0.001)
    monkeypatch.setattr(journal_keeper, "PERIOD_S", 0.001)
    pool = Refusing()
    with capture_logs() as logs:
        task = asyncio.create_task(making(pool, tmp_path))
        async with asyncio.timeout(5.0):
            await pool.enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [(entry["log_level"], entry["why"]) for entry in logs] == [("error", WORDS)]


async def test_what_is_refused_now_is_not_looked_at_by_what_was_known_before_a_freeze(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusal_watch, "PERIOD_S", 0.001)
    pool, there = Refusing(), floor()
    there.means.blockers.behind = lambda: True
    task = asyncio.create_task(RefusalWatch(there, cast("Any", pool)).run())
    await asyncio.sleep(0.05)
    assert pool.asked == 0
    there.means.blockers.behind = lambda: False
    async with asyncio.timeout(5.0):
        await pool.enough.wait()
    task.cancel()
    await asyncio.wait([task])
