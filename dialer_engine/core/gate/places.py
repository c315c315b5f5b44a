"""Where may the person be? Every candidate region and zone of a number and its contact's address.

The area code says where the number was issued, the address where the contact says they live. Neither is
certain, so the candidates are the union of both, and every later rule must hold for all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from dialer_engine.core.gate.days import Day, day_of
from dialer_engine.core.gate.model import CampaignHours, Facts, GateContext
from dialer_engine.core.gate.rulebook import RuleBook
from dialer_engine.core.gate.schedule import DeviceSchedule, Schedule
from dialer_engine.core.numbers import Area, NumberPlan

_MEMO_LIMIT = 10_000
"""Entries of a rule book's memo. A schedule takes some 5 kB, all else less; the area codes alone need 500 entries."""
_COUNTRIES = ("US", "CA")
_SAME_NAME = {
    "America/Denver": ("America/Phoenix",),
    "America/Chicago": ("America/Winnipeg", "America/Atikokan"),
    "America/Halifax": ("America/Blanc-Sablon", "America/Puerto_Rico"),
    "Pacific/Honolulu": ("America/Adak",),
}
"""Zones whose clocks differ for a time and that people call by one name: Mountain in Arizona may be either of two."""
_T = TypeVar("_T")
_S = TypeVar("_S", bound=Schedule)


@dataclass(frozen=True, slots=True)
class Hints:
    """What an address says: regions such as `US-TX`, and zones, which narrow the regions that have them."""

    regions: tuple[str, ...]
    zones: tuple[str, ...]


@dataclass(slots=True)
class Places:
    """Candidates of one (area code, address) pair and what was derived from them.

    `regions` start with the country rows (`US`, `CA`), which bound every window; `unknown` lists the hints
    that were not understood; `canadian` tells whether any candidate lies in Canada.
    """

    plan: NumberPlan
    rules: RuleBook
    regions: tuple[str, ...]
    zones: tuple[str, ...]
    unknown: tuple[str, ...]
    canadian: bool
    _day: Day | None = None
    _schedules: dict[CampaignHours | None, Schedule] = field(default_factory=dict)
    _devices: DeviceSchedule | None = None

    @property
    def every_region(self) -> tuple[str, ...]:
        """The candidate regions, and the hints that have no rule of their own."""
        return (*self.regions, *self.unknown)

    def schedule(self, hours: CampaignHours | None) -> Schedule:
        """Return the open hours of all candidates together, with the campaign's own hours intersected."""
        found = self._schedules.get(hours)
        if found is None:
            found = self._schedules[hours] = self._shared(Schedule, self.regions, hours)
        return found

    def device_schedule(self) -> DeviceSchedule | None:
        """Return when announcing devices may play at all candidates, None where no rule limits them."""
        concerned = tuple(region for region in self.regions if region in self.rules.devices)
        if self._devices is None and concerned:
            self._devices = self._shared(DeviceSchedule, concerned, None)
        return self._devices

    def _shared(self, kind: type[_S], regions: tuple[str, ...], hours: CampaignHours | None) -> _S:
        """Return the schedule of these regions in our zones; area codes and addresses with the same share it."""
        key = (kind, regions, self.zones, hours)
        memo: dict[Any, Any] = self.rules.memo
        found: _S | None = memo.get(key)
        return found if found is not None else _keep(memo, key, kind(self.rules, regions, self.zones, hours))

    def day(self, now: datetime) -> Day:
        """Return the stretch of time around `now` in which no candidate zone changes its date."""
        if self._day is None or not self._day.begins <= now < self._day.ends:
            self._day = day_of(self.rules, self.regions, self.zones, now)
        return self._day


def places_for(facts: Facts, context: GateContext) -> Places:
    """Return the candidates of the facts, derived once per area code and address."""
    memo: dict[Any, Any] = context.rules.memo
    key = (facts.number[2:5], facts.regions, facts.zones)
    found: Places | None = memo.get(key)
    if found is not None and found.plan is context.plan:
        return found
    area = context.plan.area(facts.number)
    if area is None:
        raise LookupError("area code is not in the number plan")
    return _keep(memo, key, _derive(area, facts, context))


def _keep(memo: dict[Any, Any], key: Any, found: _T) -> _T:
    """Put something into a memo; a full one is emptied first."""
    if len(memo) >= _MEMO_LIMIT:
        memo.clear()
    memo[key] = found
    return found


def _derive(area: Area, facts: Facts, context: GateContext) -> Places:
    known = tuple(region for region in facts.regions if region.partition("-")[0] in _COUNTRIES)
    regions = dict.fromkeys((area.country, *(region[:2] for region in known), *area.regions, *known))
    zones = dict.fromkeys((*area.zones, *facts.zones))
    for region in known:
        zones.update(dict.fromkeys(_narrowed(zones_of_address(region, context.plan), facts.zones)))
    unknown = [region for region in facts.regions if region not in known]
    unknown += [zone for zone in zones if zone not in context.rules.zones]
    in_force = tuple(region for region in regions if region in context.rules.regions)
    canadian = "CA" in regions or not _only_in_canada(context.plan).isdisjoint(zones)
    return Places(context.plan, context.rules, in_force, tuple(zones), tuple(unknown), canadian)


def unite(sides: Sequence[Hints], zones_of: Callable[[str], tuple[str, ...]]) -> Hints:
    """Return one address whose candidates are those of all sides together; `zones_of` is `zones_of_address`.

    One side's zone must not narrow what another leaves open, so such a region's zones are all named then. A zone of
    one side may bring those of its name in another's region; that is safe.
    """
    zones = {zone for side in sides for zone in side.zones}
    open_ = [every for side in sides for every in _open(side, zones_of)]
    while narrowed := [every for every in open_ if every & zones and not every <= zones]:
        zones = zones.union(*narrowed)
    regions = {region for side in sides for region in side.regions}
    return Hints(tuple(sorted(regions)), tuple(sorted(zones)))


def zones_left(hints: Hints, zones_of: Callable[[str], tuple[str, ...]]) -> frozenset[str]:
    """Return every zone that an address may be in; `zones_of` is `zones_of_address`."""
    return frozenset(hints.zones).union(
        *(_narrowed(zones_of(region), hints.zones) for region in hints.regions)
    )


def _open(hints: Hints, zones_of: Callable[[str], tuple[str, ...]]) -> list[set[str]]:
    """Return all zones of each region that no zone narrows."""
    every = [{*zones_of(region)} for region in hints.regions]
    return [zones for zones in every if zones.isdisjoint(hints.zones)]


def zones_of_address(region: str, plan: NumberPlan) -> tuple[str, ...]:
    """Return every zone of an address's region; one that has no row may be in any of its country."""
    return plan.zones_of(region) or plan.zones_of(region[:2])


def _only_in_canada(plan: NumberPlan) -> set[str]:
    return set(plan.zones_of("CA")) - set(plan.zones_of("US"))


def _narrowed(zones: tuple[str, ...], hints: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of a region's zones hints leave: those hinted at and those of the same name; all without a hint.

    All of them count, also where the area code has fewer.
    """
    meant = {each for zone in hints if zone in zones for each in (zone, *_SAME_NAME.get(zone, ()))}
    return tuple(zone for zone in zones if zone in meant) if meant else zones
