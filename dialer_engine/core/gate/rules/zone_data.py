"""Nobody is called whose local time cannot be told for certain.

British Columbia, Alberta, Manitoba and the Northwest Territories stopped changing clocks in 2026; zone data
older than 2026.6 is an hour off for them, so Canada is refused with it.
"""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.places import Places, places_for
from dialer_engine.core.gate.rulebook import RuleBook
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "zone_data"

CANADA_NEEDS = (2026, 6)
"""The first release of the tzdata package that holds the Canadian changes of 2026."""

_ALLOW = allow(NAME, "regions and time zones are known")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse unknown candidates, and Canada with zone data that is too old."""
    if context.now.tzinfo is None:
        raise ValueError("the gate's clock must be aware of its time zone")
    places = places_for(facts, context)
    if places.unknown:
        return block(
            NAME, f"cannot tell the local time: {places.unknown[0]!r} is not known", **_found(places)
        )
    if not places.zones or not places.regions:
        return block(NAME, "no region or time zone is known for this number", **_found(places))
    if places.canadian and not _new_enough(context.rules):
        needs = ".".join(map(str, CANADA_NEEDS))
        reason = f"zone data {context.rules.tzdata} is too old for Canada: install tzdata {needs} or later"
        return block(NAME, reason, **_found(places))
    return _ALLOW


def _found(places: Places) -> dict[str, str]:
    return {"regions": " ".join(places.regions), "zones": " ".join(places.zones)}


def _new_enough(rules: RuleBook) -> bool:
    parts = rules.tzdata.split(".")
    known = len(parts) >= 2 and all(part.isdecimal() for part in parts)
    return known and tuple(map(int, parts)) >= CANADA_NEEDS
