"""Opt-outs that the script of Asterisk wrote while the database was away, on a real Postgres."""

import json
from pathlib import Path

import pytest
from held_support import Desk, desk, outage, until
from structlog.testing import capture_logs

from dialer_engine.cli.doctor import _journals
from dialer_engine.engine.intake import OptOutIntake
from dialer_engine.store.journal import Taken, take_journal
from dialer_engine.store.pool import connect

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
    suppressed: list[str] = []

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
    assert suppressed == ["+12105550104"]
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
