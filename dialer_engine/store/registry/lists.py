"""The lists, who may use them (subscriptions), and why one is not needed (waivers); all audited."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.core.gate.lists import CA_DNCL, US_NATIONAL, kind_of
from dialer_engine.store.directory import audit
from dialer_engine.store.errors import StoreError
from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql
from dialer_engine.store.suppress import wait_for_passes

BY_AREA = frozenset({US_NATIONAL, CA_DNCL})
"""Kinds that are sold, loaded and dated per area code."""
LARGE = frozenset({US_NATIONAL})
"""Kinds that alternate between the two large sides of the table."""
_NAME = re.compile(r"us_national|ca_dncl|us_state:[A-Z]{2}|wireless|(ported|litigator):[a-z0-9_]{1,40}")


@dataclass(frozen=True, slots=True)
class RegistryList:
    """A list and its version in force; `load_id` is None before the first load. Times are UTC."""

    id: int
    name: str
    by_area: bool
    side: int
    load_id: int | None
    as_of: datetime | None
    numbers: int | None

    @property
    def kind(self) -> str:
        """The list's kind, such as `us_state`."""
        return kind_of(self.name)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The right to use a list: for a Member or (None) all, for area codes or (None) all."""

    id: int
    name: str
    account: str
    area_codes: tuple[int, ...] | None
    member: str | None
    since: datetime
    made_by: str

    def covers(self, npa: int) -> bool:
        """Tell whether it holds for an area code."""
        return self.area_codes is None or npa in self.area_codes


async def ensure_list(conn: Connection, name: str) -> RegistryList:
    """Return a list by name, made known if it was not; StoreError when no list can have that name."""
    if _NAME.fullmatch(name) is None:
        raise StoreError(
            f"{name!r} is no list: us_national, ca_dncl, us_state:XX, wireless, ported:NAME or litigator:NAME"
        )
    await conn.execute(sql("registry_list_add"), name, kind_of(name) in BY_AREA)
    row = await conn.fetchrow(sql("registry_list"), name)
    if row is None:
        raise StoreError(f"{name}: the list vanished")
    return RegistryList(**dict(row))


async def subscriptions(conn: Connection, name: str | None = None) -> list[Subscription]:
    """Return the subscriptions in force, of one list or of all."""
    rows = await conn.fetch(sql("registry_subscriptions_all"), name)
    return [
        Subscription(**{**dict(row), "area_codes": tuple(row["area_codes"]) if row["area_codes"] else None})
        for row in rows
    ]


async def subscribe(
    conn: Connection,
    name: str,
    account: str,
    member_id: int | None,
    area_codes: Sequence[int] | None,
    at: datetime,
    who: str,
) -> None:
    """Record a subscription; one of the same account and Member is replaced."""
    async with conn.transaction():
        found = await ensure_list(conn, name)
        codes = None if area_codes is None else sorted(set(area_codes))
        await conn.execute(sql("registry_unsubscribe"), found.id, account, member_id, at)
        await conn.execute(sql("registry_subscribe"), found.id, member_id, account, codes, at, who)
        detail = {"account": account, "member_id": member_id, "area_codes": codes or "all"}
        await audit(conn, at, who, "registry.subscribe", name, detail)
        await _look_again(conn)
    await wait_for_passes(conn)
    await _look_again(conn)


async def unsubscribe(
    conn: Connection, name: str, account: str, member_id: int | None, at: datetime, who: str
) -> bool:
    """End a subscription; False when there was none."""
    async with conn.transaction():
        found = await ensure_list(conn, name)
        done = await conn.execute(sql("registry_unsubscribe"), found.id, account, member_id, at)
        detail = {"account": account, "member_id": member_id}
        await audit(conn, at, who, "registry.unsubscribe", name, detail)
    return done != "UPDATE 0"


async def waive(
    conn: Connection, name: str, member_id: int | None, reason: str, at: datetime, who: str
) -> None:
    """Record why a list is not needed, for a Member or (None) for all."""
    async with conn.transaction():
        found = await ensure_list(conn, name)
        await conn.execute(sql("registry_waive"), found.id, member_id, reason, at, who)
        await audit(conn, at, who, "registry.waive", name, {"member_id": member_id, "reason": reason})
        await _look_again(conn)
    await wait_for_passes(conn)
    await _look_again(conn)


async def _look_again(conn: Connection) -> None:
    """Make contacts due again that waited for a list; again after the commit, for those whom passes held meanwhile."""
    await conn.execute(sql("registry_requeue_stale"), ["list_freshness"])


async def unwaive(conn: Connection, name: str, member_id: int | None, at: datetime, who: str) -> bool:
    """End the waivers of a list for a Member or (None) for all; False when there were none."""
    async with conn.transaction():
        found = await ensure_list(conn, name)
        done = await conn.execute(sql("registry_unwaive"), found.id, member_id, at)
        await audit(conn, at, who, "registry.unwaive", name, {"member_id": member_id})
    return done != "UPDATE 0"
