"""Only geographic US and Canadian numbers; the numbers of fiction (555-01XX) only in the lab."""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block
from dialer_engine.core.numbers import NumberClass, classify

NAME = "number_class"

_WHY_NOT = {
    NumberClass.fictional: "555-01XX is a number of fiction and can be called in the lab only",
    NumberClass.toll_free: "toll-free numbers are never called",
    NumberClass.premium: "premium-rate numbers are never called",
    NumberClass.n11: "service codes such as 911 are never called",
    NumberClass.non_geographic: "the number belongs to no place, so no calling hours can be told",
    NumberClass.caribbean: "the number is in the Caribbean or Atlantic, outside the US and Canada",
    NumberClass.territory: "US territories are not called",
    NumberClass.foreign: "the number is outside the US and Canada",
    NumberClass.invalid: "not a US or Canadian number in service, as far as the number plan knows",
}
_ALLOW = allow(NAME, "a geographic US or Canadian number", number_class=NumberClass.geographic.value)


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse every class but geographic."""
    kind = classify(facts.number, context.plan)
    if kind is NumberClass.geographic:
        return _ALLOW
    if kind is NumberClass.fictional and context.lab:
        return allow(NAME, "a number of fiction, and this is the lab", number_class=kind.value)
    return block(NAME, _WHY_NOT[kind], number_class=kind.value)
