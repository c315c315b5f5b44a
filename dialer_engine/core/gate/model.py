"""What the gate is asked, and what it answers.

`Facts` is what the database knows about one number and contact, `GateContext` is what holds for the whole
pass (clock, rules, campaign's limits), `Verdict` is one rule's answer and `Decision` is all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Literal

from dialer_engine.core.gate.consent import Consent
from dialer_engine.core.gate.lists import NOTHING_REQUIRED, ListHit, ListPolicy, ListState, ReassignedAnswer
from dialer_engine.core.gate.rulebook import RuleBook
from dialer_engine.core.numbers import NumberPlan

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class SuppressionHit:
    """A do-not-call entry that covers the number: whose it is, where it came from, since when.

    With `other_number` it stands at another number of the same person, and covers this one as well.
    """

    scope: Literal["internal", "member"]
    source: str
    since: datetime
    other_number: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All the gate may know about one number and its contact; every time is on the gate's clock.

    `regions` and `zones` are hints from the contact's address; `recent_attempts` are the starts of every
    attempt to this number in the last 24 hours, of any campaign, ascending; `contact_attempts` counts
    this campaign's attempts to this contact. `on_show`: an agent is looking at the contact or the number.
    `person_attempts` are the starts of every attempt in the last 24 hours to any number of the same person, of any
    campaign; `business` is a number of a business. `lists` name the number, `list_states` are all lists that its
    area code needs or has, and `reassigned` are the answers of the reassigned-numbers database, whoever asked.
    """

    number: str
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    suppressions: tuple[SuppressionHit, ...] = ()
    recent_attempts: tuple[datetime, ...] = ()
    contact_attempts: int = 0
    last_result: str | None = None
    last_attempt_at: datetime | None = None
    contact_final: bool = False
    number_live: bool = False
    contact_live: bool = False
    on_show: bool = False
    lists: tuple[ListHit, ...] = ()
    list_states: tuple[ListState, ...] = ()
    reassigned: tuple[ReassignedAnswer, ...] = ()
    consents: tuple[Consent, ...] = ()
    person_attempts: tuple[datetime, ...] = ()
    business: bool = False


@dataclass(frozen=True, slots=True)
class CampaignHours:
    """The campaign's own hours in the contact's local time, always intersected with the law's."""

    start: time
    end: time
    weekdays: tuple[str, ...] = WEEKDAYS


@dataclass(frozen=True, slots=True)
class Limits:
    """The campaign's limits; `retry` maps a result to the delay after it, None meaning never again.

    A result that is missing from `retry` waits 24 hours; after `bridged` the disposition alone decides.
    """

    per_number_24h: int
    per_contact_total: int
    retry: Mapping[str, timedelta | None]
    hours: CampaignHours | None = None
    per_person_24h: int = 3


Dialing = Literal["manual", "preview", "progressive", "power", "predictive"]
"""Who dials: an agent by hand (manual); the engine finds the number and an agent starts each call (preview); or the
engine alone."""


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """No calls into a region (`US-LA`, or a whole country) until somebody ends it; who said so and why.

    With `exempts_consent` people with a consent or relationship that exempts from the registry are called.
    """

    region: str
    reason: str
    since: datetime
    who: str = ""
    exempts_consent: bool = False


@dataclass(frozen=True, slots=True)
class GateContext:
    """What holds for a whole pass: the gate's clock (aware), the rules, the number plan, the limits.

    `territories` are the US territories the campaign opted in to; `strict_predictive` also asks for the
    windows of announcing devices; `stops` are the emergency stops in force; `business` is a campaign to
    businesses only. `lists` says which registries a
    call needs and how old they may be.
    """

    now: datetime
    rules: RuleBook
    plan: NumberPlan
    limits: Limits
    lab: bool = False
    dialing: Dialing = "power"
    strict_predictive: bool = False
    territories: frozenset[str] = frozenset()
    stops: tuple[EmergencyStop, ...] = ()
    business: bool = False
    lists: ListPolicy = NOTHING_REQUIRED


class Outcome(StrEnum):
    """Go, not now, or never (until somebody changes the facts)."""

    allow = "allow"
    wait = "wait"
    block = "block"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer, with a reason a supervisor understands; `until` is the first moment it may allow."""

    rule: str
    outcome: Outcome
    reason: str
    until: datetime | None = None
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Every verdict up to the first refusal (or all), and the moment the number may next be called.

    `local_time` is ISO 8601 with offset in `zone`, the strictest candidate zone; `next_allowed` is exact
    for facts that do not change, and None when no moment is known. `ring_window` is how many seconds an
    unanswered call must ring at least and may ring at most; None when the place is not known.
    """

    verdicts: tuple[Verdict, ...]
    allowed: bool
    blocking: Verdict | None
    local_time: str
    zone: str
    rule_versions: str
    next_allowed: datetime | None
    ring_window: tuple[int, int] | None = None
