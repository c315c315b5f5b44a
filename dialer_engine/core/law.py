"""The law's numbers that several parts of the engine go by; whoever needs one takes it from here.

What differs from place to place or changes with a date is in the rule book instead.
"""

from datetime import timedelta

CONNECT_WITHIN = timedelta(seconds=2)
"""An answered person without an agent for this long counts as abandoned (47 CFR 64.1200(a)(7), measured from the
answer, which is the stricter Canadian reading)."""
SHORTEST_RING_S = 15
"""Seconds that an unanswered call must be let ring at least (16 CFR 310.4(b)(4)(ii)); a rule may ask for more."""
