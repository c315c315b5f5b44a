"""Is it a wireless line? Reported always; in strict mode it needs written consent unless dialed by hand.

A ported number is what it was ported to, any other number what its block is.
"""

from dialer_engine.core.gate.consent import ConsentKind, valid_consent
from dialer_engine.core.gate.lists import WIRELESS
from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "wireless"

TO_WIRELESS = "ported:to_wireless"
TO_WIRELINE = "ported:to_wireline"
_WRITTEN = frozenset({ConsentKind.express_written})
_ALLOW = allow(NAME, "no wireless line, as far as the lists know")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse, in strict mode, automated calls to a wireless line without written consent."""
    if not is_wireless(facts):
        return _ALLOW
    if not context.strict_predictive or context.dialing == "manual":
        return allow(NAME, "a wireless line", line="wireless")
    if valid_consent(_WRITTEN, facts.consents, context.now) is not None:
        return allow(NAME, "a wireless line, with written consent", line="wireless")
    return block(NAME, "a wireless line without written consent: dial it by hand", line="wireless")


def is_wireless(facts: Facts) -> bool:
    """Tell whether the lists say that the line is wireless."""
    names = {hit.name for hit in facts.lists}
    if TO_WIRELINE in names:
        return False
    return TO_WIRELESS in names or WIRELESS in names
