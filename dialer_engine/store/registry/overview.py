"""Every list with its age, subscriptions and waivers, and the lists that are needed but not there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dialer_engine.core.gate.lists import CA_DNCL, REASSIGNED, Age, ListState
from dialer_engine.core.gate.rulebook import RuleBook
from dialer_engine.core.gate.rules.list_freshness import STOP_DAYS, WARN_DAYS
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.store.pool import Connection
from dialer_engine.store.registry.lists import Subscription, subscriptions
from dialer_engine.store.sql import sql


@dataclass(frozen=True, slots=True)
class ListRow:
    """One list as `status` shows it; `as_of` (UTC) is the oldest area code's, `age` how far it is believed.

    `missing` counts area codes of the number plan that have no numbers loaded although every call needs them;
    `waived` is a list of which somebody said that no Member needs it.
    """

    name: str
    needed: bool
    age: Age
    version: int | None
    as_of: datetime | None
    age_days: int | None
    stop_days: int
    numbers: int | None
    area_codes: int
    missing: int
    accounts: tuple[str, ...]
    waivers: tuple[str, ...]
    waived: bool = False

    def text(self) -> str:
        """Return the row in a line for people."""
        if self.version is None:
            what = "needed but never loaded: calls that need it stop" if self.needed else "never loaded"
            return "; ".join([f"{self.name}: {what}", *self._more()])
        size = f"{self.numbers:,} numbers of {self.area_codes} area codes"
        age = f"{self.age_days} days old ({self.age.value}, calls stop after {self.stop_days})"
        return "; ".join([f"{self.name}: version {self.version}, {size}, {age}", *self._more()])

    def _more(self) -> list[str]:
        more = [f"{self.missing} area codes are not loaded"] if self.needed and self.missing else []
        more += [f"account {account}" for account in self.accounts]
        return more + [f"not needed: {waiver}" for waiver in self.waivers]


async def overview(conn: Connection, rules: RuleBook, plan: NumberPlan, now: datetime) -> list[ListRow]:
    """Return every list that is known or needed on this day, by name."""
    known = {row["name"]: dict(row) for row in await conn.fetch(sql("registry_lists_all"))}
    waivers = await conn.fetch(sql("registry_waivers_all"))
    subscribed = await subscriptions(conn)
    needed = {row.name for row in rules.lists.required if row.in_force(now.date())} - {REASSIGNED}
    rows = []
    for name in sorted(known.keys() | needed):
        mine = [each for each in subscribed if each.name == name]
        said = tuple(
            f"{row['reason']} ({row['made_by']}, {row['member'] or 'all Members'})"
            for row in waivers
            if row["name"] == name
        )
        row = _row(name, known.get(name, {}), name in needed, rules, plan, now, mine, said)
        waived = any(each["name"] == name and each["member"] is None for each in waivers)
        rows.append(replace(row, waived=waived))
    return rows


def _row(
    name: str,
    found: dict[str, object],
    needed: bool,
    rules: RuleBook,
    plan: NumberPlan,
    now: datetime,
    subscribed: Sequence[Subscription],
    waivers: tuple[str, ...],
) -> ListRow:
    as_of = found.get("oldest") or found.get("as_of") if found.get("by_area") else found.get("as_of")
    as_of = as_of if isinstance(as_of, datetime) else None
    country = "CA" if name == CA_DNCL else "US"
    terms = rules.terms_of(country, now.date())
    warn = (terms.list_warn_age_days if terms else None) or WARN_DAYS
    stop = (terms.list_max_age_days if terms else None) or STOP_DAYS
    state = ListState(name, as_of)
    codes = _number(found.get("area_codes")) or 0
    plan_codes = sum(1 for area in plan.areas.values() if area.country == country)
    return ListRow(
        name=name,
        needed=needed,
        age=state.age(now, warn, stop),
        version=_number(found.get("load_id")),
        as_of=as_of,
        age_days=state.age_days(now),
        stop_days=stop,
        numbers=_number(found.get("total")),
        area_codes=codes,
        missing=max(plan_codes - codes, 0) if found.get("by_area") or not found else 0,
        accounts=tuple(dict.fromkeys(each.account for each in subscribed)),
        waivers=waivers,
    )


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int) else None
