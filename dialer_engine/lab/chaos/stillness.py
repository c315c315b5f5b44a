"""Whether a person still heard somebody at the end of a call, by the carrier: phones tell of the other way only."""

from __future__ import annotations

from dialer_engine.lab.chaos.talks import Talk

WAIT_AFTER_MESSAGE_S = 5.0
NOTES_S = 2.0
"""Who hears somebody notes it within this time, or leaves before."""
STALE_S = 4.5
"""Who hears somebody notes it every 0.95 s, but for the last second of a call, and nobody may be alone for more than
2.2 s: a note that is older means that nothing was heard for 2.5 s at least."""


def silent_since(talk: Talk, message_s: float) -> float | None:
    """Since when a person heard nothing who stayed to the end of the talk; None when somebody was heard.

    `message_s` is how long the drop message takes with the wait behind it, in which it is still. Of calls that our side
    ended nothing is said. What is returned may be 0.95 s before the silence began.
    """
    call = talk.call
    if call.heard_at is None or call.ended_at is None or call.ended_by != "callee":
        return None
    if talk.message and call.ended_at - call.heard_at > message_s - WAIT_AFTER_MESSAGE_S:
        return None
    last = max(call.heard_at, call.nine_at or 0.0, call.still_at or 0.0)
    return last if call.ended_at - last > STALE_S else None
