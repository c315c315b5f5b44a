"""Opt-outs that the script of Asterisk wrote while the database was away, on a real Postgres."""

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from held_support import Desk, desk, outage, until
from structlog.testing import capture_logs

from dialer_engine.cli.doctor import _journals
from dialer_engine.engine.intake import OptOutIntake
from dialer_engine.engine.tasks import within
from dialer_engine.engine.works import LAST_S, Works
from dialer_engine.lab.proxy import Mood, Proxy
from dialer_engine.store.journal import Taken, take_journal
from dialer_engine.store.pool import connect, open_pool
from dialer_engine.store.suppress import Forbidden

pytestmark = pytest.mark.postgres

__all__ = ["desk"]


async def test_a_bad_opt_out_is_named_once_by_the_log_and_by_doctor_and_blocks_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALER_HOME", str(desk.home))
    directory = desk.home / "nodes" / "main" / "journal" / "optout"
    directory.mkdir(parents=True)
    (directory / "bad.json").write_text('{"attempt_id": "half')
    (directory / "unreadable.json").mkdir()  # what cannot be opened may be well later and stays
    good = {"attempt_id": "good", "number": "+12105550104", "at": "2026-11-23T16:00:00Z", "key": "9"}
    (directory / "good.json").write_text(json.dumps(good))
    suppressed = list[Forbidden]()

    async def take(place: Path) -> Taken:
        conn = await connect(desk.url)
        try:
            return await take_journal(conn, place)
        finally:
            await conn.close()

    intake = OptOutIntake(directory, take, suppressed.append)
    with capture_logs() as logs:
        for _ in range(3):
            await intake.take_all()
    assert suppressed == [("+12105550104", None)]
    named = [Path(entry["file"]).name for entry in logs if "cannot be read" in entry["event"]]
    assert sorted(named) == ["bad.json", "unreadable.json"]
    found = await _journals(desk.home)
    assert found.state == "critical"
    assert str(directory / "bad.unreadable") in found.words
    (directory / "bad.unreadable").unlink()
    assert (await _journals(desk.home)).state == "ok"


async def test_opt_outs_are_taken_in_before_the_next_call_may_leave(desk: Desk) -> None:
    """The script's files of the outage come first: the database is back only when they are in it."""
    async with desk.writer() as writer:
        taken: list[bool] = []

        async def take() -> None:
            taken.append(writer.healthy)
            if len(taken) == 1:
                raise OSError("the first try fails")

        writer.before_healthy = take
        await outage(desk, writer)
        await desk.come_back()
        await until(lambda: writer.healthy, "the database is back")
        assert taken == [False, False]


def port_url(url: str, port: int) -> str:
    """The same database over a port of loopback instead of the server's socket."""
    parts = urlsplit(url)
    return f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{port}{parts.path}"


async def test_a_server_that_no_longer_answers_keeps_no_engine_from_its_end(
    pg_url: str, tmp_path: Path
) -> None:
    """A network that swallows everything: what was cancelled waits for the server no longer than its pool lives."""
    told = parse_qs(urlsplit(pg_url).query)
    proxy = Proxy.to_socket(Path(told["host"][0]) / f".s.PGSQL.{told['port'][0]}")
    await proxy.start()
    pool = await open_pool(port_url(pg_url, proxy.port), 1)
    works = Works.__new__(Works)
    works.tenure = cast("Any", SimpleNamespace(url=port_url(pg_url, proxy.port), pool=pool))
    works.intakes = [OptOutIntake(tmp_path, works._take_journal, lambda what: None)]
    good = {"attempt_id": "good", "number": "+12105550104", "at": "2026-11-23T16:00:00Z", "key": "9"}

    async def writes() -> None:
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("select 1")

    try:
        (tmp_path / "first.json").write_text(json.dumps(good))
        await works.take_last_opt_outs()
        assert [each.name for each in tmp_path.glob("*.json")] == [], "a database that answers takes it in"
        await writes()
        before = asyncio.all_tasks()
        (tmp_path / "last.json").write_text(json.dumps(good))
        proxy.mood = Mood.HALF_OPEN
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await within(0.5, writes())
        with capture_logs() as logs:
            await works.take_last_opt_outs()
        assert time.monotonic() - begun < 0.5 + LAST_S + 2.0
        assert [entry["opt_outs"] for entry in logs] == [1]
        pool.terminate()
        left = asyncio.all_tasks() - before - set(proxy._tasks)
        _, stuck = await asyncio.wait(left, timeout=5.0) if left else (set(), set())
        assert stuck == set(), "the process would wait for it"
    finally:
        pool.terminate()
        await proxy.close()
