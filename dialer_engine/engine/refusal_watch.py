"""Ends unanswered calls that must not be made any more, whoever said so and by whatever way (P5).

Commands tell the engine of this machine at once. This is for all other ways (another engine's agent key, a
statement in SQL, a restore) and for emergency stops: once a second the calls under way are compared with the
lists and the stops in the database. Reservations read both themselves and need no telling.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dialer_engine.core.gate import Facts, GateContext, Limits, Outcome
from dialer_engine.core.gate.rules import emergency_stop, reassigned
from dialer_engine.engine.plan import gate_context
from dialer_engine.engine.trouble import Trouble
from dialer_engine.store import stops
from dialer_engine.store.consent import consents_of
from dialer_engine.store.registry.facts import reassigned_answers
from dialer_engine.store.stops import LivePlace
from dialer_engine.store.suppress import live_suppressed

if TYPE_CHECKING:
    from dialer_engine.engine.floor import Floor
    from dialer_engine.store.pool import Connection, Pool

PERIOD_S = 1.0
_NO_LIMITS = Limits(1, 1, {})


@dataclass(slots=True)
class RefusalWatch:
    """Compares the calls of one engine with what is refused now."""

    floor: Floor
    pool: Pool
    trouble: Trouble = field(
        default_factory=lambda: Trouble(
            "calls under way cannot be compared with the do-not-call lists and the emergency stops",
            "calls under way are compared with the do-not-call lists and the emergency stops again",
        )
    )

    async def run(self) -> None:
        """Look for ever; what the database does not tell is logged when it begins and ends."""
        while True:
            await asyncio.sleep(PERIOD_S)
            idle = not self.floor.dispatcher.calls and not self.floor.previews.showings
            if idle or self.floor.means.blockers.behind():
                continue
            with self.trouble.told():
                await self.look()

    async def look(self) -> None:
        """Look once and cancel what nobody answered yet."""
        async with self.pool.acquire() as conn:
            for what in await live_suppressed(conn):
                self.floor.suppressed(what)
            context = gate_context(self.floor.registry.config, None, _NO_LIMITS, self.floor.means.clock.now())
            for attempt_id in await stopped_calls(conn, context):
                self.floor.dispatcher.cancel(attempt_id, "calls into the region are stopped")


async def stopped_calls(conn: Connection, context: GateContext) -> list[str]:
    """Return the attempts that nobody answered yet and that a stop in force forbids, judged as a reservation is.

    A stop that exempts consent spares whoever has one of the Member that calls, given by the number's present owner.
    """
    in_force = await stops.in_force(conn)
    if not in_force:
        return []
    now = replace(context, stops=in_force)
    by_member: defaultdict[int, list[LivePlace]] = defaultdict(list)
    for live in await stops.unanswered(conn):
        by_member[live.member_id].append(live)
    found = []
    for member_id, calls in by_member.items():
        numbers = [live.number for live in calls]
        consents = await consents_of(conn, numbers, member_id)
        answers = await reassigned_answers(conn, numbers)
        for live in calls:
            facts = Facts(
                live.number,
                live.regions,
                live.zones,
                reassigned=answers.get(live.number, ()),
                consents=consents.get(live.number, ()),
            )
            facts = replace(facts, consents=reassigned.present_owners(facts))
            if emergency_stop.check(facts, now).outcome is not Outcome.allow:
                found.append(live.attempt_id)
    return found
