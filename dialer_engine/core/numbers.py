"""Phone numbers of the +1 plan: what kind of number is this, and where may its owner be?

An area code is a hint about a person, not a fact: people keep their number when they move and several area
codes span two time zones. So an `Area` names *sets* of regions and zones, and whoever asks must satisfy all
of them. The plan is an allow-list: an area code that is not in it is refused, whatever it looks like.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

_NANP = re.compile(r"\+1[2-9]\d\d[2-9]\d{6}", re.ASCII)
_PLUS_ONE = re.compile(r"\+1\d{10}", re.ASCII)
_FOREIGN = re.compile(r"\+(?!1)[1-9]\d{5,14}", re.ASCII)


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOLL_FREE = _codes("800 822 833 844 855 866 877 888")
PREMIUM = _codes("900")
NON_GEOGRAPHIC = _codes(
    "456 500 521 522 523 524 525 526 527 528 529 532 533 535 538 542 543 544 545 546 547 549 550 552 553 554"
    " 556 566 569 577 578 588 589 600 622 633 644 655 677 688 700 710"
)
CARIBBEAN = _codes("242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876")
TERRITORY_REGIONS = frozenset({"US-PR", "US-VI", "US-GU", "US-AS", "US-MP"})
_RESERVED_EXCHANGES = frozenset({"555", "950", "958", "959"})


class NumberClass(StrEnum):
    """What kind of number it is; only `geographic` may be dialed (and `fictional` in the lab)."""

    geographic = "geographic"
    fictional = "fictional"
    toll_free = "toll_free"
    premium = "premium"
    n11 = "n11"
    non_geographic = "non_geographic"
    caribbean = "caribbean"
    territory = "territory"
    foreign = "foreign"
    invalid = "invalid"


@dataclass(frozen=True, slots=True)
class Area:
    """One area code: its country, its regions such as `US-FL`, and its IANA time zones."""

    npa: str
    country: Literal["US", "CA"]
    regions: tuple[str, ...]
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """Every geographic area code that may be called, by its three digits; and where postal codes tell the zone.

    `postal_zones` has the zones of a region's postal codes by (region, how the code begins), such as
    `('US-TN', '379')` or `('CA-ON', 'M')`. What is not in it may be in any zone of its region.
    """

    areas: Mapping[str, Area]
    postal_zones: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def area(self, e164: str) -> Area | None:
        """Return the area of a +1 number, or None when the number or its area code is not in the plan."""
        return self.areas.get(e164[2:5]) if is_e164_nanp(e164) else None

    def zones_of(self, region: str) -> tuple[str, ...]:
        """Return every zone of a region, or of a country (`US`) without its overseas territories, sorted."""
        areas = (area for area in self.areas.values() if region in area.regions or _of_country(area, region))
        return tuple(sorted({zone for area in areas for zone in area.zones}))

    def zones_of_postal(self, region: str, prefix: str) -> tuple[str, ...]:
        """Return the zones of a region's postal codes with these first three characters; empty when not known."""
        found = (self.postal_zones.get((region, prefix[:length])) for length in (3, 2, 1))
        return next((zones for zones in found if zones is not None), ())


def _of_country(area: Area, country: str) -> bool:
    return area.country == country and TERRITORY_REGIONS.isdisjoint(area.regions)


def is_e164_nanp(text: str) -> bool:
    """Tell whether the text has the form +1NPANXXXXXX, both groups starting with 2-9."""
    return _NANP.fullmatch(text) is not None


def npa(e164: str) -> str:
    """Return the three digits of the area code of a +1 number; refuse anything else."""
    if not is_e164_nanp(e164):
        raise ValueError("not a number of the form +1NPANXXXXXX")
    return e164[2:5]


def classify(e164: str, plan: NumberPlan) -> NumberClass:
    """Name the class of a number in E.164 form; everything not understood is `invalid`."""
    if not is_e164_nanp(e164):
        return _classify_malformed(e164)
    area_code, exchange = e164[2:5], e164[5:8]
    if area_code.endswith("11") or exchange.endswith("11"):
        return NumberClass.n11
    special = _classify_area_code(area_code, exchange)
    if special is not None:
        return special
    area = plan.areas.get(area_code)
    if area is None:
        return NumberClass.invalid
    if not TERRITORY_REGIONS.isdisjoint(area.regions):
        return NumberClass.territory
    return classify_exchange(e164)


def classify_exchange(e164: str) -> NumberClass:
    """Name the class of a number in a geographic area code; the exchanges 555, 950, 958, 959 are reserved."""
    if e164[5:8] not in _RESERVED_EXCHANGES:
        return NumberClass.geographic
    fictional = e164[5:8] == "555" and e164[8:10] == "01"
    return NumberClass.fictional if fictional else NumberClass.non_geographic


def _classify_malformed(e164: str) -> NumberClass:
    if _FOREIGN.fullmatch(e164):
        return NumberClass.foreign
    if _PLUS_ONE.fullmatch(e164) and e164[2] in "23456789" and e164[3:5] == "11":
        return NumberClass.n11
    return NumberClass.invalid


def _classify_area_code(area_code: str, exchange: str) -> NumberClass | None:
    if area_code in TOLL_FREE:
        return NumberClass.toll_free
    if area_code in PREMIUM or exchange == "976":
        return NumberClass.premium
    if area_code in NON_GEOGRAPHIC:
        return NumberClass.non_geographic
    return NumberClass.caribbean if area_code in CARIBBEAN else None
