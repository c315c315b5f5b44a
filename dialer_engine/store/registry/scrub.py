"""Compare a whole contact list with every registry in force, set-based."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dialer_engine.store.pool import Connection
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """The numbers that a list in force names: pairs of number (E.164) and list, by number."""

    hits: Sequence[tuple[str, str]]

    def by_list(self) -> Mapping[str, int]:
        """Return how many numbers each list names."""
        return dict(sorted(Counter(name for _, name in self.hits).items()))


async def scrub(conn: Connection, member: str, name: str) -> Scrubbed:
    """Return which numbers of a Member's contact list the registries name; changes nothing."""
    async with conn.transaction():
        await conn.execute(sql("registry_room"))
        rows = await conn.fetch(sql("registry_scrub"), member, name)
    return Scrubbed(sorted((row["number"], row["name"]) for row in rows))
