"""The last look at a number before it leaves: the only place that builds a dial string for a trunk.

The gate has decided already. This is a second, separate wall, made of one pattern over the area codes and
nothing of the gate's code, so that a fault there, or in whatever asks for a call in future, still cannot dial
a foreign, premium-rate or service number. Asterisk originates straight to the trunk and has no extension that
dials it, so its dialplan has no place for a third look that would not cost a channel and time per call.
"""

import re
from collections.abc import Collection

from dialer_engine.core.numbers import TERRITORY_REGIONS, NumberPlan
from dialer_engine.pbx.render import trunk_endpoint
from dialer_engine.settings.trunk import Trunk


class NumberRefused(Exception):
    """A number that no trunk may be asked for; the message does not name it."""


class AllowList:
    """The numbers that may leave: geographic area codes, territories only when named, fiction in the lab."""

    def __init__(self, plan: NumberPlan, territories: Collection[str] = (), *, lab: bool = False) -> None:
        refused = TERRITORY_REGIONS.difference(territories)
        codes = sorted(npa for npa, area in plan.areas.items() if refused.isdisjoint(area.regions))
        fiction = "|555(?=01)" if lab else ""
        exchange = rf"(?:(?!555|950|958|959|976|.11)[2-9]\d\d{fiction})"
        self._pattern = re.compile(rf"\+1(?:{'|'.join(codes) or '(?!)'}){exchange}\d{{4}}", re.ASCII)

    def holds(self, number: str) -> bool:
        """Tell whether an E.164 number may leave."""
        return self._pattern.fullmatch(number) is not None

    def endpoint(self, name: str, trunk: Trunk, number: str) -> str:
        """Return what Asterisk dials for a number over a trunk. Raises NumberRefused."""
        if not self.holds(number):
            raise NumberRefused("the number is not on the list of numbers that may leave")
        return f"PJSIP/{trunk.dial_string(number)}@{trunk_endpoint(name)}"
