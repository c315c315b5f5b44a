"""Opt-outs at an engine's end and after an outage, when the database hangs: a bound in time, and said."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dialer_engine.engine import intake, works
from dialer_engine.engine.daemon import Engine
from dialer_engine.engine.intake import OptOutIntake
from dialer_engine.engine.tasks import within
from dialer_engine.engine.works import Works
from dialer_engine.settings.home import service_user
from dialer_engine.store.journal import Taken
from dialer_engine.store.suppress import Forbidden

pytestmark = pytest.mark.unit

A_LITTLE_S = 1.5


class Frozen:
    """A way to a database that answers nothing, and that is not left before it answers, as asyncpg's pool is not."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.closed = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.answers.wait()

    acquire = session

    def close(self) -> None:
        self.closed += 1


async def hangs(conn: None, directory: Path) -> Taken:
    return await asyncio.Event().wait() or Taken()


def works_with(directory: Path, pool: Frozen) -> Works:
    """An engine's parts with opt-outs in one directory."""
    made = Works.__new__(Works)
    made.tenure = cast("Any", SimpleNamespace(url="postgresql://nowhere", pool=pool))
    made.intakes = [OptOutIntake(directory, made._take_journal, lambda what: None)]
    return made


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Frozen:
    made = Frozen()
    monkeypatch.setattr(works, "Line", lambda url: made)
    monkeypatch.setattr(intake, "take_journal", hangs)
    monkeypatch.setattr(works, "take_journal", hangs)
    monkeypatch.setattr(works, "LAST_S", 0.3)
    return made


async def test_an_end_waits_for_the_last_opt_outs_so_long_and_no_longer_and_says_what_is_left(
    frozen: Frozen, tmp_path: Path
) -> None:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps({}))
    begun = time.monotonic()
    with capture_logs() as logs:
        await works_with(tmp_path, frozen).take_last_opt_outs()
    assert time.monotonic() - begun < 0.3 + A_LITTLE_S
    assert [(entry["log_level"], entry["opt_outs"]) for entry in logs] == [("critical", 2)]
    assert frozen.closed, "its session is dropped"
    frozen.answers.set()


async def test_a_database_that_hangs_as_it_comes_back_does_not_hold_the_writer(
    frozen: Frozen, tmp_path: Path
) -> None:
    """The writer gives no sign of life meanwhile."""
    (tmp_path / "one.json").write_text(json.dumps({}))
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        await works_with(tmp_path, frozen)._take_opt_outs(0.2)
    assert time.monotonic() - begun < 0.2 + A_LITTLE_S
    frozen.answers.set()


async def test_a_refusal_is_tried_again_and_told_when_it_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries: list[Path] = []

    async def refuses(directory: Path) -> Taken:
        tries.append(directory)
        if len(tries) == 1:
            raise ConnectionRefusedError(111, "Connection refused")
        for file in directory.glob("*.json"):
            file.unlink()
        return Taken([Forbidden("+12105550100", None)])

    monkeypatch.setattr(works, "take_over", lambda line: refuses)
    (tmp_path / "one.json").write_text(json.dumps({}))
    with capture_logs() as logs:
        await works_with(tmp_path, Frozen()).take_last_opt_outs()
    assert len(tries) == 2
    assert logs == []


async def test_nothing_is_asked_and_nothing_said_without_opt_outs(frozen: Frozen, tmp_path: Path) -> None:
    with capture_logs() as logs:
        await works_with(tmp_path, frozen).take_last_opt_outs()
    assert logs == []


async def test_what_is_waited_for_within_a_time_ends_with_its_result_its_error_or_in_time() -> None:
    async def gives(what: Exception | int) -> int:
        await asyncio.sleep(0)
        if isinstance(what, Exception):
            raise what
        return what

    assert await within(5.0, gives(3)) == 3
    assert await within(None, gives(4)) == 4
    with pytest.raises(OSError, match="gone"):
        await within(5.0, gives(OSError("gone")))


async def test_a_cancellation_goes_through_and_ends_what_is_waited_for() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(within(30.0, waits()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(ended.wait(), 5.0)


async def test_an_engine_is_taken_apart_whatever_fails_at_its_end(tmp_path: Path) -> None:
    engine, closed = Engine(tmp_path, tmp_path, service_user()), asyncio.Event()
    engine.life.opened.callback(closed.set)

    async def breaks() -> None:
        raise RuntimeError("broken")

    engine.works = cast("Any", SimpleNamespace(take_last_opt_outs=breaks))
    engine.life.lost = "engine:main"
    engine.stopping.set()
    with pytest.raises(RuntimeError, match="broken"):
        await engine.run()
    assert closed.is_set()
