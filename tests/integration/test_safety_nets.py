"""The engine's looks for refused and forgotten calls, when its role lacks a right in a real Postgres."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from store_support import NOON, Conn, load_shipped
from structlog.testing import capture_logs

from dialer_engine.engine import forgotten, refusal_watch
from dialer_engine.engine.forgotten import Forgotten
from dialer_engine.engine.refusal_watch import RefusalWatch
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.store.pool import ENGINE_ROLE, Pool, open_pool

pytestmark = pytest.mark.postgres


@pytest.fixture
async def pool(pg_url: str, conn: Conn) -> AsyncIterator[Pool]:
    """The engine's pool, as the role that the engine has."""
    made = await open_pool(pg_url, 1, ENGINE_ROLE)
    yield made
    made.terminate()


def floor() -> Any:
    """One call under way, on a node and by rules that are the real ones."""
    rules, plan = load_shipped()
    config = SimpleNamespace(rules=rules, plan=plan, settings=SimpleNamespace(lab=None))
    return SimpleNamespace(
        dispatcher=SimpleNamespace(calls={"x": None}),
        registry=SimpleNamespace(config=config),
        means=SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOON), places={"main": None}, epoch=1, blockers=Blockers()
        ),
        adoption=SimpleNamespace(end_forgotten=lambda attempts: 0),
    )


def refusals(pool: Pool) -> RefusalWatch:
    return RefusalWatch(floor(), pool)


def lost(pool: Pool) -> Forgotten:
    writer: Any = SimpleNamespace(healthy=True, held=0)
    return Forgotten(floor(), pool, writer)


@pytest.mark.parametrize("making", [refusals, lost])
async def test_a_missing_right_is_told_once_and_so_is_its_return(
    making: Callable[[Pool], RefusalWatch | Forgotten],
    conn: Conn,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusal_watch, "PERIOD_S", 0.02)
    monkeypatch.setattr(forgotten, "LOOK_S", 0.02)
    net = making(pool)
    with capture_logs() as logs:
        task = asyncio.create_task(net.run())
        await asyncio.sleep(0.5)
        assert logs == []
        await conn.execute("revoke select on attempts from dialer_engine")
        await asyncio.sleep(0.5)
        assert net.trouble.present
        await conn.execute("grant select on attempts to dialer_engine")
        await asyncio.sleep(0.5)
        assert not net.trouble.present
        task.cancel()
        await asyncio.wait([task])
    assert [entry["log_level"] for entry in logs] == ["error", "warning"]
    assert logs[0]["why"] == "permission denied for table attempts"


async def test_an_attempt_whose_end_the_database_refuses_is_ended_once(
    conn: Conn, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each end counts as an abandoned call: at every look one more would use up the campaign's budget."""
    live = [SimpleNamespace(attempt_id="lost", epoch=1)]

    async def live_attempts(conn: Conn, node: str) -> list[Any]:
        return live

    monkeypatch.setattr(forgotten, "live_attempts", live_attempts)
    net, ended = lost(pool), []
    net.floor.adoption.end_forgotten = lambda attempts: ended.extend(each.attempt_id for each in attempts)
    before: set[str] = set()
    for _ in range(4):
        before = await net._look(before)
    assert ended == ["lost"]
    live.clear()
    before = await net._look(before)
    assert not net.ended
