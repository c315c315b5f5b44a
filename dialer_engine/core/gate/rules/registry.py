"""A number on a do-not-call registry is called only with a recorded consent or business relationship."""

from dialer_engine.core.gate.lists import CA_DNCL, DO_NOT_CALL, US_NATIONAL, ListHit
from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.exempt import exemption
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "registry"

_ALLOW = allow(NAME, "on no do-not-call registry")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a number that a national, state or Canadian registry names and nothing exempts."""
    reason = ""
    for hit in facts.lists:
        if hit.kind not in DO_NOT_CALL:
            continue
        why = exemption(facts, context, "CA" if hit.kind == CA_DNCL else "US")
        if why is None:
            return block(NAME, f"on {title(hit.name)}", **_evidence(hit))
        reason = f"on {title(hit.name)}, but: {why}"
    return allow(NAME, reason) if reason else _ALLOW


def title(name: str) -> str:
    """Return a list's name as people know it."""
    kind, _, rest = name.partition(":")
    if kind == US_NATIONAL:
        return "the US National Do Not Call Registry"
    if kind == CA_DNCL:
        return "the Canadian National Do Not Call List"
    return f"the do-not-call list of {rest}" if kind == "us_state" else f"the list {name}"


def _evidence(hit: ListHit) -> dict[str, str]:
    return {"list": hit.name, "version": hit.version, "as_of": hit.as_of.isoformat(timespec="seconds")}
