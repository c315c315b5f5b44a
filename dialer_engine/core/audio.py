"""Whether both sides of a talk were heard, as it stands in the call record."""

from __future__ import annotations

from enum import StrEnum


class Audio(StrEnum):
    """From whom audio packets came in a talk; NONE is from neither, UNKNOWN that nobody could look."""

    OK = "ok"
    NONE_FROM_CUSTOMER = "none_from_customer"
    NONE_FROM_AGENT = "none_from_agent"
    NONE = "none"
    UNKNOWN = "unknown"

    @classmethod
    def heard(cls, *, customer: bool, agent: bool) -> Audio:
        """Return the finding of one look: from whom did audio come?"""
        if customer:
            return cls.OK if agent else cls.NONE_FROM_AGENT
        return cls.NONE_FROM_CUSTOMER if agent else cls.NONE

    def with_later(self, later: Audio) -> Audio:
        """Return what both looks together say: a side that was missing once was missing in this call."""
        looks = [look for look in (self, later) if look is not Audio.UNKNOWN]
        if not looks:
            return Audio.UNKNOWN
        mute_customer = any(look in (Audio.NONE_FROM_CUSTOMER, Audio.NONE) for look in looks)
        mute_agent = any(look in (Audio.NONE_FROM_AGENT, Audio.NONE) for look in looks)
        return Audio.heard(customer=not mute_customer, agent=not mute_agent)
