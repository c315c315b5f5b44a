"""How an attempt ended: results, and what a carrier's code says about an unanswered one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Result(StrEnum):
    """The result of an attempt, as it stands in its CDR."""

    BRIDGED = "bridged"
    ABANDONED = "abandoned"
    HUNG_UP = "hung_up"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    CONGESTION = "congestion"
    NOT_IN_SERVICE = "not_in_service"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"
    TRUNK_FAULT = "trunk_fault"
    NODE_LOST = "node_lost"

    @property
    def lost(self) -> bool:
        """Whether nobody saw how the attempt ended: it may have reached the person."""
        return self in (Result.UNKNOWN, Result.NODE_LOST)


def never_left(result: Result, originated_at: datetime | None) -> bool:
    """Return whether a call was cancelled before it was sent: nobody was called, so the contact is not charged."""
    return result is Result.CANCELLED and originated_at is None


class EndedBy(StrEnum):
    """Who ended the attempt."""

    CUSTOMER = "customer"
    AGENT = "agent"
    ENGINE = "engine"
    CARRIER = "carrier"
    UNKNOWN = "unknown"


TAKEN_BACK = timedelta(seconds=2)
"""Only the time-out for claimed calls brings the drop message into a talk, at most so long after the join."""


def talked(joined_at: datetime | None, message_at: datetime | None) -> bool:
    """Return whether a join became a talk: the drop message did not follow it within TAKEN_BACK.

    A person who was with an agent for an instant and then heard the message was connected within 2 s in the letter of
    the rule, and was abandoned in truth. So the join stays in the record, and the call counts as abandoned. A message
    later than that comes because the agent's phone died: that was a talk.
    """
    return joined_at is not None and (message_at is None or message_at - joined_at > TAKEN_BACK)


def began_by(joined_at: datetime | None, seen_at: datetime) -> datetime:
    """Return when a drop message began at the latest that was seen in the place of a talk; its start was missed."""
    return seen_at if joined_at is None else min(seen_at, joined_at + TAKEN_BACK)


LINE_LOST = frozenset({18, 27, 38, 41, 44, 102})
"""ITU-T Q.850 causes of a call that nobody hung up: the far end stopped answering or sending, or the line failed."""

_CAUSES_OF = {
    302: (23,),
    403: (21,),
    404: (1, 2, 3),
    410: (22,),
    480: (19, 20, 31),
    484: (28,),
    486: (17,),
    488: (58,),
    500: (38, 127),
    501: (29,),
    502: (27,),
    503: (34, 42, 66),
}
DERIVED: dict[int, int] = {cause: code for code, causes in _CAUSES_OF.items() for cause in causes}
"""The SIP codes that Asterisk makes of Q.850 causes when nobody said a code (`hangup_cause2sip` of its chan_pjsip.c).

Without that of 18: its 408 also means that a request of ours in the call was not answered.
"""

REQUEST_TERMINATED = 487
"""The carrier's answer to our own CANCEL."""

_BY_SIP: dict[int, Result] = {
    **dict.fromkeys((486, 600), Result.BUSY),
    **dict.fromkeys((408, 480, 487), Result.NO_ANSWER),
    **dict.fromkeys((404, 410, 484, 604), Result.NOT_IN_SERVICE),
    603: Result.REJECTED,
    **dict.fromkeys((607, 608), Result.BLOCKED),
    **dict.fromkeys((500, 502, 503, 504), Result.CONGESTION),
}
"""RFC 3261 section 21; 607 and 608 are RFC 8197 and RFC 8688 (blocked as unwanted)."""

_BY_CAUSE: dict[int, Result] = {
    17: Result.BUSY,
    **dict.fromkeys((18, 19), Result.NO_ANSWER),
    **dict.fromkeys((1, 22, 28), Result.NOT_IN_SERVICE),
    21: Result.REJECTED,
    **dict.fromkeys((34, 38, 41, 42, 44), Result.CONGESTION),
}
"""ITU-T Q.850 causes."""


CHALLENGES = ("SIP 401", "SIP 407")
CHALLENGED_S = 6.0
"""Whose last words after this many seconds are a challenge for our password fell silent: the INVITE with the password
was given up after 6.4 s without an answer (`timer_b` in asterisk/shared/pjsip_base.conf), and a refusal of it takes a
round trip.
"""

PROMPT_S = 10.0
"""A refusal without ringing that came later than this many seconds may have followed a ring nobody told us of."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How an attempt that nobody answered ended.

    `cause` is Q.850, `sip_code` the carrier's, `meaning` what that code means at this carrier (None: nothing
    particular). `silent`: see `Attempt.silent`. `rang`: a phone rang, or nobody can tell that none did.
    `after_s` is the time since the call left, in seconds.
    """

    cause: int | None
    sip_code: int | None
    rang: bool
    meaning: Result | None = None
    silent: bool = False
    after_s: float = 0.0


def result_of_refusal(refusal: Refusal) -> Result:
    """Return the result of an attempt that nobody answered.

    It is a trunk fault only when no phone rang for certain as far as the carrier's word goes: the carrier refused
    at once with a code that means so, or said nothing at all. Whatever may have rung a phone is the number's.
    """
    fault = refusal.silent or (refusal.meaning is Result.TRUNK_FAULT and refusal.after_s < PROMPT_S)
    if fault and not refusal.rang:
        return Result.TRUNK_FAULT
    if refusal.meaning not in (None, Result.TRUNK_FAULT):
        return refusal.meaning
    return result_of_failure(refusal.cause, refusal.sip_code, rang=refusal.rang)


def result_of_code(sip_code: int) -> Result:
    """Return what a final SIP code says about the number by the standard."""
    return _BY_SIP.get(sip_code, Result.FAILED)


def result_of_failure(cause: int | None, sip_code: int | None, *, rang: bool) -> Result:
    """Return the result of an attempt that nobody answered, from its Q.850 cause and SIP code.

    The SIP code is the carrier's own word and goes first; without any known code a call that rang
    was not answered, and one that did not ring failed.
    """
    if sip_code in _BY_SIP:
        return _BY_SIP[sip_code]
    if sip_code is None and cause in _BY_CAUSE:
        return _BY_CAUSE[cause]
    if sip_code is not None and sip_code >= 400:
        return Result.FAILED
    return Result.NO_ANSWER if rang else Result.FAILED
