"""A number on the Member's do-not-call list is not called for that Member.

A scope this version does not know is taken as a suppression, so that a newer list is never ignored.
"""

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, block

NAME = "member_suppression"

_ALLOW = allow(NAME, "not on the Member's do-not-call list")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Refuse a number that a suppression other than an internal one covers."""
    for hit in facts.suppressions:
        if hit.scope != "internal":
            since = hit.since.isoformat(timespec="seconds")
            whose = "another number of this person is on" if hit.other_number else "on"
            return block(NAME, f"{whose} the Member's do-not-call list since {since}", source=hit.source)
    return _ALLOW
