"""The time to reserve must not depend on the length of the list: the plans that make it so."""

import json
import re
from typing import Any

import pytest
from store_support import NOON, Conn, make_world, ordinary, put_contacts, request

from dialer_engine.store.queue import COUNT_LIMIT, fill, queue_counts
from dialer_engine.store.reserve import reserve
from dialer_engine.store.sql import sql

pytestmark = pytest.mark.postgres


async def plan_of(conn: Conn, name: str, *arguments: object) -> list[dict[str, Any]]:
    """Run a query and return the nodes of its plan, with what they really read."""
    return await nodes_of(conn, sql(name), *arguments)


async def nodes_of(conn: Conn, statement: str, *arguments: object) -> list[dict[str, Any]]:
    async with conn.transaction():
        text = await conn.fetchval(f"explain (analyze, format json) {statement}", *arguments)
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


async def test_a_persons_numbers_cost_no_more_in_a_long_list(conn: Conn) -> None:
    """Neither many contacts nor many rows that bind some of them."""
    world = await make_world(conn)
    acme, spring = world.members["acme"], world.campaigns["spring"]
    ids = await put_contacts(conn, acme, "june", ordinary(20_000))
    await conn.execute(
        "insert into person_links (import_id, row_number, member_id, number)"
        " select 1, (n.contact_id - $1) / 2, n.member_id, n.number from contact_numbers n"
        " where n.contact_id < $1 + 10000",
        ids[0],
    )
    while await fill(conn, spring, NOON, 10_000):
        pass
    assert (await reserve(conn, request(world, 20))).held == {"live_call": 19}, (
        "they are one person two by two"
    )
    await conn.execute("analyze")
    number = await conn.fetchval("select number from contact_numbers where contact_id = $1", ids[0] + 1)
    body: str = await conn.fetchval("select prosrc from pg_proc where proname = 'persons_numbers'")
    body = body.partition("return query")[2].rpartition("end")[0].strip().rstrip(";")
    body = re.sub(r"\bmember\b", "$2::bigint", re.sub(r"\bgiven\b", "$1::text[]", body))
    for member in (acme, None):
        assert most_rows(await nodes_of(conn, body, [number], member)) <= 10
    for query, arguments in (
        ("reserve_take", (spring, NOON, 50)),
        ("linked_numbers", (ids[:20], False)),
        ("suppressed_live", ([number], acme)),
        ("queue_requeue_number", ([number],)),
        ("live_suppressed", ()),
    ):
        assert most_rows(await plan_of(conn, query, *arguments)) <= 50, query
