"""Only geographic US and Canadian numbers; fiction (555-01XX) only in the lab, territories on request."""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block
from dialer_engine.core.numbers import TERRITORY_REGIONS, NumberClass, classify, classify_exchange

NAME = "number_class"

_WHY_NOT = {
    NumberClass.fictional: "555-01XX is a number of fiction and can be called in the lab only",
    NumberClass.toll_free: "toll-free numbers are never called",
    NumberClass.premium: "premium-rate numbers are never called",
    NumberClass.n11: "service codes such as 911 are never called",
    NumberClass.non_geographic: "the number belongs to no place, so no calling hours can be told",
    NumberClass.caribbean: "the number is in the Caribbean or Atlantic, outside the US and Canada",
    NumberClass.territory: "US territories are called only by a campaign that names them in territories",
    NumberClass.foreign: "the number is outside the US and Canada",
    NumberClass.invalid: "not a US or Canadian number in service, as far as the number plan knows",
}
_ALLOW = allow(NAME, "a geographic US or Canadian number", number_class=NumberClass.geographic.value)
_TERRITORY = allow(NAME, "a US territory that the campaign calls", number_class=NumberClass.territory.value)


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse every class but geographic, and territories that the campaign did not opt in to."""
    kind = classify(facts.number, context.plan)
    if kind is NumberClass.geographic:
        return _ALLOW
    if kind is NumberClass.territory and _opted_in(facts, context):
        kind = classify_exchange(facts.number)
        if kind is NumberClass.geographic:
            return _TERRITORY
    if kind is NumberClass.fictional and context.lab:
        return allow(NAME, "a number of fiction, and this is the lab", number_class=kind.value)
    return block(NAME, _WHY_NOT[kind], number_class=kind.value)


def _opted_in(facts: Facts, context: GateContext) -> bool:
    """Whether the campaign names the territory of the area code."""
    area = context.plan.area(facts.number)
    return area is not None and context.territories.issuperset(TERRITORY_REGIONS.intersection(area.regions))
