"""`rules.yaml`: the operator's own rules, beside `dialer.yaml`. They add to the shipped ones or tighten them.

A rule that would permit more than the shipped one is refused unless it says why (`loosens`); who says so
stands with every rule, and the engine writes a loosened rule into its audit log.
"""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from dialer_engine.core.gate.consent import ConsentKind
from dialer_engine.core.gate.rulebook import LONGEST_RING, Window
from dialer_engine.core.law import SHORTEST_RING_S
from dialer_engine.settings.base import Model
from dialer_engine.settings.rule_table import CellError, minutes
from dialer_engine.settings.values import Line, refuse

OWN_RULES = "rules.yaml"
REGION_ALLOWED = "US, CA, or a state or province such as US-TX or CA-ON"
WINDOW_ALLOWED = "hours such as '09:00-20:00', or closed"
_REGION = re.compile(r"(US|CA)(-[A-Z]{2})?")


def _check_region(value: str) -> str:
    if _REGION.fullmatch(value):
        return value
    suggestion = f"US-{value.upper()}" if re.fullmatch(r"[A-Za-z]{2}", value) else value.upper()
    raise refuse(f"'{value}' is not a region", REGION_ALLOWED, suggestion)


def _parse_window(value: object) -> Window:
    if value is None or isinstance(value, tuple):
        return value
    text = str(value).strip()
    if text == "closed":
        return None
    opens, dash, closes = text.partition("-")
    try:
        found = (minutes(opens.strip()), minutes(closes.strip())) if dash else (1, 0)
    except CellError as error:
        raise refuse(str(error), WINDOW_ALLOWED) from None
    if found[0] >= found[1]:
        raise refuse(f"'{text}' is not a window of the day", WINDOW_ALLOWED)
    return found


def _parse_day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise refuse(f"'{value}' is not a date", "year, month and day such as 2026-12-24") from None


Region = Annotated[str, AfterValidator(_check_region)]
OwnWindow = Annotated[tuple[int, int] | None, BeforeValidator(_parse_window)]
Day = Annotated[date, BeforeValidator(_parse_day)]


class OwnRule(Model):
    """One rule of the operator for one or several regions."""

    regions: list[Region] = Field(min_length=1, description=REGION_ALLOWED)
    weekday: OwnWindow = Field(default=None, description=f"Monday to Friday: {WINDOW_ALLOWED}")
    saturday: OwnWindow = Field(default=None, description=f"Saturday: {WINDOW_ALLOWED}")
    sunday: OwnWindow = Field(default=None, description=f"Sunday: {WINDOW_ALLOWED}")
    closed_on: list[Day] = Field(default_factory=list, description="further days without calls, local dates")
    holidays_prohibited: bool | None = Field(default=None, description="whether holidays are without calls")
    attempts_24h: int | None = Field(
        default=None, ge=1, le=10, description="attempts per number and per person in 24 hours"
    )
    automated_consent: list[ConsentKind] | None = Field(
        default=None,
        min_length=1,
        description="consents one of which automated dialing needs: "
        + ", ".join(kind.value for kind in ConsentKind),
    )
    ring_min_s: int | None = Field(
        default=None,
        ge=SHORTEST_RING_S,
        le=LONGEST_RING,
        description="seconds an unanswered call rings at least; the law's time cannot be shortened",
    )
    ring_max_s: int | None = Field(
        default=None, ge=SHORTEST_RING_S, le=LONGEST_RING, description="seconds it rings at most"
    )
    effective_from: Day = Field(default=date.min, description="first local date, default from ever")
    effective_to: Day | None = Field(default=None, description="last local date, default for ever")
    by: Line = Field(description="who decided it")
    reason: Line = Field(description="why, and on what ground")
    loosens: bool = Field(
        default=False, description="true: may permit more than the shipped rule; stands in the audit log"
    )

    @field_validator("effective_to")
    @classmethod
    def _not_before_start(cls, value: date | None, info: ValidationInfo) -> date | None:
        if value is not None and value < info.data.get("effective_from", date.min):
            raise refuse("effective_to lies before effective_from", "a later date")
        return value

    def given(self, name: str) -> bool:
        """Tell whether a value was written, even if it is `closed`."""
        return name in self.model_fields_set

    def windows(self, base: tuple[Window, ...]) -> tuple[Window, ...]:
        """Return the week with the days that this rule speaks of replaced."""
        weekdays = (self.weekday,) * 5 if self.given("weekday") else base[:5]
        saturday = self.saturday if self.given("saturday") else base[5]
        sunday = self.sunday if self.given("sunday") else base[6]
        return (*weekdays, saturday, sunday)

    def value(self, name: str, base: Any) -> Any:
        """Return the rule's value, or the shipped one when the rule says nothing about it."""
        own = getattr(self, name)
        return base if own is None else own


class OwnRules(Model):
    """The whole file."""

    rules: list[OwnRule] = Field(default_factory=list, description="the operator's rules, in any order")
