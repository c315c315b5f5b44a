"""A database that went back is told by its lease, and nothing else is taken for that."""

import asyncio
from pathlib import Path

import pytest
from store_support import Conn

from dialer_engine.engine.ownership import Ownership
from dialer_engine.store.watermark import SAVE_S, Watermark, read_mark, watermark_file

pytestmark = pytest.mark.postgres

BACK = "update leases set heartbeat_at = heartbeat_at - interval '1 hour'"
FREE = "update leases set expires_at = 'yesterday'"


def owner(url: str, home: Path, name: str = "one") -> Ownership:
    return Ownership(url, "engine:main", name, Watermark("engine:main", watermark_file(home)))


async def renew(owned: Ownership, count: int = 2) -> None:
    """As the engine does while it runs: renew, and note it."""
    for _ in range(count):
        assert await owned._renew()
    await owned.watermark._save()


async def test_a_start_on_a_restored_database_is_told_until_it_is_dealt_with(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    first = owner(pg_url, tmp_path)
    await first.take()
    await renew(first)
    await first.release()
    for _ in range(2):
        again = owner(pg_url, tmp_path)
        await again.take()
        await renew(again)
        assert not again.watermark.behind
    await conn.execute(BACK)
    # Also when the engine dies before it has dealt with it, and by then renewed for long.
    for _ in range(2):
        found = owner(pg_url, tmp_path)
        await found.take()
        await renew(found)
        await conn.execute("update leases set heartbeat_at = heartbeat_at + interval '2 hours'")
        assert found.watermark.behind
    await found.watermark.settle()
    last = owner(pg_url, tmp_path)
    await last.take()
    assert not last.watermark.behind


async def test_an_emptied_database_has_gone_back_and_another_lease_has_not(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    first = owner(pg_url, tmp_path)
    await first.take()
    await renew(first)
    await conn.execute("delete from leases")
    other = Ownership(pg_url, "engine:east", "one", Watermark("engine:east", watermark_file(tmp_path)))
    await other.take()
    assert not other.watermark.behind
    await conn.execute(FREE)
    again = owner(pg_url, tmp_path)
    await again.take()
    assert again.watermark.behind


async def test_a_running_engine_is_told_by_its_next_renewal(conn: Conn, pg_url: str, tmp_path: Path) -> None:
    told: list[bool] = []
    owned = owner(pg_url, tmp_path)
    owned.on_behind = lambda: told.append(True)
    await owned.take()
    await renew(owned, 3)
    assert told == []
    await conn.execute(BACK)
    await renew(owned, 3)
    assert told == [True], "once"
    assert owned.watermark.behind
    mark = read_mark(watermark_file(tmp_path))
    assert mark is not None
    assert mark.behind


async def test_a_clock_that_is_stepped_back_between_renewals_is_no_loss(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    owned = owner(pg_url, tmp_path)
    await owned.take()
    # As if the database's clock had been an hour ahead until now.
    ahead = await conn.fetchval(
        "update leases set heartbeat_at = now() + interval '1 hour' returning heartbeat_at"
    )
    await owned.watermark.renewed(ahead, ahead)
    await renew(owned)
    again = owner(pg_url, tmp_path)
    await again.take()
    assert not owned.watermark.behind
    assert not again.watermark.behind


async def test_a_clock_that_is_stepped_back_between_two_engines_is_no_loss(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    first = owner(pg_url, tmp_path)
    await first.take()
    # As if the database's clock had been an hour ahead until the first engine ended.
    ahead = await conn.fetchval(
        "update leases set heartbeat_at = now() + interval '1 hour' returning heartbeat_at"
    )
    await first.watermark.renewed(ahead, ahead)
    await first.watermark._save()
    await first.release()
    for _ in range(2):
        again = owner(pg_url, tmp_path)
        await again.take()
        await renew(again)
        assert not again.watermark.behind


async def test_a_standby_knows_what_it_saw_of_an_owner_that_is_gone(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    """The owner and the server were lost at once, and the replica lagged."""
    first, second = owner(pg_url, tmp_path / "a"), owner(pg_url, tmp_path / "b", "two")
    await first.take()
    await looks(second)
    await renew(first)
    await looks(second)
    await conn.execute("update leases set heartbeat_at = heartbeat_at - interval '2 seconds'")
    await looks(second)
    await looks(second)
    await conn.execute(FREE)
    await second.take()
    assert second.watermark.behind


async def test_what_a_living_owner_has_seen_itself_is_not_a_standbys_matter(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    first, second = owner(pg_url, tmp_path / "a"), owner(pg_url, tmp_path / "b", "two")
    await first.take()
    await renew(first)
    await looks(second)
    await conn.execute(BACK)
    await looks(second)
    await renew(first)
    assert first.watermark.behind
    await looks(second)
    await conn.execute(FREE)
    await second.take()
    assert not second.watermark.behind


async def looks(standby: Ownership) -> None:
    await standby.watermark.look(await standby._connection())


async def test_a_damaged_note_is_none_and_a_full_disk_is_tried_again(tmp_path: Path) -> None:
    file = watermark_file(tmp_path)
    file.parent.mkdir()
    file.write_bytes(b"")
    mark = Watermark("engine:main", file)
    assert not mark.behind
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("in the way")
    keeping = asyncio.create_task(mark.keep())
    await mark.found_behind()
    await asyncio.sleep(0.1)
    file.parent.unlink()
    await asyncio.sleep(1.5 * SAVE_S)
    keeping.cancel()
    assert Watermark("engine:main", file).behind
