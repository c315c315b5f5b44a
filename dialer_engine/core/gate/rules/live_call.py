"""At most one call at a time to a number, and to a contact whatever number of theirs it is; none to one on show."""

from datetime import timedelta

from dialer_engine.core.gate.model import Facts, GateContext, Verdict
from dialer_engine.core.gate.rules.shape import allow, wait

NAME = "live_call"

RINGS_ON = timedelta(minutes=4)
"""After a call that could not be cancelled its phone may ring, and its answer stand, for this long on the wall clock.

Nobody cancels a call whose carrier never gave a provisional answer (RFC 3261 section 9.1), whose Asterisk died, or that
was lost from sight.
The carrier's proxies end one that only rings by Timer C, somewhat over 180 s (16.6, step 11), and whoever answered
before sends the answer for another 32 s in vain (64 * T1, 13.3.1.4).
"""

_ALLOW = allow(NAME, "no call to the number or contact is up")


def check(facts: Facts, context: GateContext) -> Verdict:
    """Wait for the present call to the number or contact to end; when, nobody knows."""
    if facts.number_live:
        return wait(NAME, "a call to this number is up, or may still ring", None, live="number")
    if facts.contact_live:
        return wait(NAME, "a call to this contact is up, or may still ring", None, live="contact")
    if facts.on_show:
        return wait(NAME, "an agent is looking at this contact now", None, live="preview")
    return _ALLOW
