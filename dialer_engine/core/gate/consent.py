"""What a person agreed to, and until when it counts.

An express consent counts until it is revoked. A business relationship is not a consent but exempts from the
registries for a while: 18 months after a purchase, 3 months after an inquiry (Canada grants 6 for an inquiry;
the shorter term is used everywhere). Both end at once when the person asks not to be called.
"""

from calendar import monthrange
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ConsentKind(StrEnum):
    """How strong it is: said, signed, or only a business relationship by a purchase or an inquiry."""

    express = "express"
    express_written = "express_written"
    ebr_purchase = "ebr_purchase"
    ebr_inquiry = "ebr_inquiry"


MONTHS = {ConsentKind.ebr_purchase: 18, ConsentKind.ebr_inquiry: 3}
"""How many months a business relationship counts; kinds that are not listed count until revoked."""

REGISTRY_KINDS = {
    "US": frozenset({ConsentKind.express_written, ConsentKind.ebr_purchase, ConsentKind.ebr_inquiry}),
    "CA": frozenset(ConsentKind),
}
"""What exempts from a country's registry: the US asks for a signed agreement, Canada for an express one."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One recorded consent or relationship; `evidence_id` finds the record, times are UTC."""

    kind: ConsentKind
    since: datetime
    source: str
    purpose: str = ""
    evidence_id: int = 0
    revoked_at: datetime | None = None

    def ends_at(self) -> datetime | None:
        """Return the first moment it no longer counts, or None when no end is known."""
        months = MONTHS.get(self.kind)
        term = None if months is None else add_months(self.since, months)
        ends = [each for each in (term, self.revoked_at) if each is not None]
        return min(ends, default=None)

    def valid_at(self, now: datetime) -> bool:
        """Tell whether it counts at a moment; once revoked it never does, whatever the clocks say."""
        ends = self.ends_at()
        return self.revoked_at is None and self.since <= now and (ends is None or now < ends)


def add_months(moment: datetime, months: int) -> datetime:
    """Return the same day and time some calendar months later, or the month's last day when it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def valid_consent(
    kinds: Collection[ConsentKind], consents: Iterable[Consent], now: datetime
) -> Consent | None:
    """Return the first consent of one of these kinds that counts now, or None."""
    return next((each for each in consents if each.kind in kinds and each.valid_at(now)), None)


def allows_registry(consents: Iterable[Consent], now: datetime, country: str = "US") -> Consent | None:
    """Return what permits a call to a number on a country's do-not-call registry, or None."""
    return valid_consent(REGISTRY_KINDS.get(country, frozenset()), consents, now)


def allows_automated(
    accepted: Collection[ConsentKind], consents: Iterable[Consent], now: datetime
) -> Consent | None:
    """Return what permits automated dialing under a rule that accepts these kinds, or None."""
    return valid_consent(accepted, consents, now)
