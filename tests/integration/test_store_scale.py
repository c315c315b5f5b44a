"""The time to reserve must not depend on the length of the list: the plans that make it so."""

import json
from typing import Any

import pytest
from store_support import NOON, Conn, make_world, ordinary, put_contacts, request

from dialer_engine.store.queue import COUNT_LIMIT, fill, queue_counts
from dialer_engine.store.reserve import reserve
from dialer_engine.store.sql import sql

pytestmark = pytest.mark.postgres


async def plan_of(conn: Conn, name: str, *arguments: object) -> list[dict[str, Any]]:
    """Run a query and return the nodes of its plan, with what they really read."""
    async with conn.transaction():
        text = await conn.fetchval(f"explain (analyze, format json) {sql(name)}", *arguments)
    nodes: list[dict[str, Any]] = []
    pending = [json.loads(text)[0]["Plan"]]
    while pending:
        node = pending.pop()
        nodes.append(node)
        pending += node.get("Plans", [])
    return nodes


def most_rows(nodes: list[dict[str, Any]]) -> int:
    """The most rows any node of the plan read, those it threw away included."""
    return max(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes
    )


async def test_a_reservation_reads_no_more_rows_than_it_takes(conn: Conn) -> None:
    world = await make_world(conn)
    spring = world.campaigns["spring"]
    await put_contacts(conn, world.members["acme"], "june", ordinary(20_000))
    while await fill(conn, spring, NOON, 10_000):
        pass
    await conn.execute("analyze")
    nodes = await plan_of(conn, "reserve_take", spring, NOON, 50)
    assert most_rows(nodes) <= 50
    assert "queue_due" in {node.get("Index Name") for node in nodes}
    fill_nodes = await plan_of(conn, "queue_fill", spring, NOON, 500)
    assert most_rows(fill_nodes) <= 500


async def test_filling_reads_only_its_piece(conn: Conn) -> None:
    world = await make_world(conn)
    acme, spring = world.members["acme"], world.campaigns["spring"]
    await put_contacts(conn, acme, "another", ordinary(20_000, "212"))
    await put_contacts(conn, acme, "june", ordinary(2_000))
    await put_contacts(conn, acme, "later", ordinary(20_000, "312"))
    await conn.execute("analyze")
    nodes = await plan_of(conn, "queue_fill", spring, NOON, 500)
    assert most_rows(nodes) <= 500
    while await fill(conn, spring, NOON, 500):
        pass
    for query, arguments in (("queue_fill", (spring, NOON, 500)), ("reserve_outlook", (spring, NOON))):
        assert most_rows(await plan_of(conn, query, *arguments)) <= 1, "a finished list reads no other list"


async def test_a_reservation_fills_only_what_it_needs(conn: Conn) -> None:
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", ordinary(5_000))
    assert len((await reserve(conn, request(world, 50))).reserved) == 50
    counts = await queue_counts(conn, world.campaigns["spring"], NOON)
    assert counts.due == 450
    assert counts.unfilled == 4_500 < COUNT_LIMIT
