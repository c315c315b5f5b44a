"""What `config/campaigns/NAME.yaml` may hold: one campaign."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from dialer_engine.settings.base import Model
from dialer_engine.settings.values import (
    E164,
    WEEKDAYS,
    AgentName,
    ConfigPath,
    Duration,
    Line,
    Name,
    RetryDelay,
    TimeOfDay,
    Weekday,
    refuse,
)

NO_DISPOSITION = "none"
Digit = Literal["1", "2", "3", "4", "5", "6", "7", "8"]


class Hours(Model):
    """The campaign's own hours in the contact's local time; they can only narrow what the law allows."""

    start: TimeOfDay = Field(description="first minute of calling")
    end: TimeOfDay = Field(description="end of calling, later than start")
    weekdays: list[Weekday] = Field(
        default_factory=lambda: list(WEEKDAYS), min_length=1, description="days of calling, mon to sun"
    )

    @field_validator("end")
    @classmethod
    def _after_start(cls, value: Any, info: ValidationInfo) -> Any:
        start = info.data.get("start")
        if start is not None and value <= start:
            raise refuse(
                f"end {value:%H:%M} is not after start {start:%H:%M}", "an end later on the same day"
            )
        return value


class AttemptLimits(Model):
    """How often a number or a contact may be tried."""

    per_number_24h: int = Field(
        default=3, ge=1, le=3, description="attempts per number in any 24 hours, all campaigns together"
    )
    per_person_24h: int = Field(
        default=3,
        ge=1,
        le=3,
        description="attempts per person in any 24 hours, all their numbers and all campaigns together",
    )
    per_contact_total: int = Field(
        default=6, ge=1, le=100, description="attempts per contact in this campaign, in all"
    )


class Retry(Model):
    """After each result: how long until the next attempt, or never."""

    retired: ClassVar[Mapping[str, str]] = {
        "machine": "take it out: when an agent met a machine, `retry` of the disposition counts"
    }

    no_answer: RetryDelay = Field(default=timedelta(hours=4), description="it rang and nobody answered")
    busy: RetryDelay = Field(default=timedelta(minutes=30), description="the line was busy")
    congestion: RetryDelay = Field(default=timedelta(minutes=15), description="the carrier had no line")
    rejected: RetryDelay = Field(default=timedelta(days=1), description="the called party declined")
    abandoned: RetryDelay = Field(
        default=timedelta(days=2), description="answered, but no agent came and the drop message played"
    )
    cancelled: RetryDelay = Field(default=timedelta(hours=1), description="we stopped the ringing")
    failed: RetryDelay = Field(
        default=timedelta(minutes=15), description="a fault on our side or the carrier's"
    )
    hung_up: RetryDelay = Field(
        default=timedelta(days=1), description="answered and hung up before an agent came"
    )
    unknown: RetryDelay = Field(
        default=None,
        description="nobody saw how the call ended, so it may have reached the person: never, unless a delay stands "
        "here; set later, it counts for earlier calls too",
    )

    def delays(self) -> Mapping[str, timedelta | None]:
        """Delay per result for every result an attempt can have; None means no further attempt."""
        given: dict[str, timedelta | None] = {name: getattr(self, name) for name in type(self).model_fields}
        # A bridged call is decided by its disposition. Dead or blocked numbers are not tried again. A call whose
        # Asterisk died may have reached the person and is known to have ended then: it waits as long as one that was
        # answered and hung up. A trunk fault reached nobody and costs the contact nothing.
        fixed = {"bridged": None, "not_in_service": None, "blocked": None, "trunk_fault": timedelta(0)}
        return given | fixed | {"node_lost": self.hung_up}


class Disposition(Model):
    """What one digit after a call means."""

    code: Name = Field(description="short name in records and exports")
    label: Line = Field(description="what people read")
    final: bool = Field(default=True, description="true: this contact is done in this campaign")
    suppress: bool = Field(
        default=False, description="true: the number goes onto the Member's do-not-call list"
    )
    retry: RetryDelay = Field(
        default=None, description="when final is false: how long until the next attempt"
    )
    person: bool = Field(
        default=True, description="false: a machine or fax, not a live answer of the abandonment measure"
    )

    @field_validator("retry")
    @classmethod
    def _fits_final(cls, value: timedelta | None, info: ValidationInfo) -> timedelta | None:
        if info.data.get("final") is False and value is None:
            raise refuse("a disposition that is not final needs retry", "retry such as '2d', or final: true")
        if info.data.get("final") and value is not None:
            raise refuse("retry is not used when final is true", "final: false, or no retry")
        return value


class Pacing(Model):
    """How far ahead of the agents a predictive campaign may dial."""

    abandon_target: float = Field(
        default=2.8,
        ge=0,
        le=5,
        allow_inf_nan=False,
        description="percent of live answers that predictive means to spend on abandoned calls; the law's "
        "limit holds whatever is written here",
    )
    abandon_limit: float | None = Field(
        default=None,
        ge=0,
        le=5,
        allow_inf_nan=False,
        description="percent of live answers that no mode means to pass; only a value below the law's matters",
    )
    max_lines_per_agent: float = Field(
        default=10.0,
        ge=1,
        le=30,
        allow_inf_nan=False,
        description="predictive only: most lines in flight per agent on duty",
    )
    min_agents: int = Field(
        default=1, ge=1, le=1000, description="predictive only: with fewer agents on duty, power is used"
    )
    agent_wait_seconds: float | None = Field(
        default=None,
        ge=0,
        le=600,
        allow_inf_nan=False,
        description="predictive only: average wait of agents that is good enough; empty: as short as can be",
    )
    learn_calls: int = Field(
        default=40,
        ge=10,
        le=10000,
        description="predictive only: calls that are watched, one per agent, before the first forecast",
    )
    guard: Literal["turns", "forecast"] = Field(
        default="turns",
        description="predictive only: `turns` holds the law's limit also when a list suddenly begins to answer; "
        "`forecast` believes the answers learned so far: more talk for a few agents, and the limit can be passed",
    )


class PreviewSettings(Model):
    """How an agent of a preview campaign looks at a contact before dialing."""

    seconds: int = Field(
        default=60, ge=10, le=600, description="how long a contact is on show for one agent, in seconds"
    )
    at_end: Literal["skip", "dial"] = Field(
        default="skip",
        description="when the time is over: skip, or dial without the agent's hand, which makes it automated "
        "dialing for the gate",
    )
    skip_retry: Duration = Field(
        default=timedelta(hours=1), description="when a skipped contact, or one nobody dialed, is shown again"
    )
    skip_reasons: list[Name] = Field(
        default_factory=lambda: ["not-now", "wrong-person", "bad-data"],
        min_length=1,
        max_length=8,
        description="words an agent can skip with; the first one is that of the phone's key",
    )


class DropMessage(Model):
    """What an answered person hears when no agent is free in time."""

    prompt: ConfigPath | None = Field(default=None, description="your own recording, a wav file")
    seller: Line | None = Field(
        default=None, description="on whose behalf the call was; default the Member's name"
    )
    callback_number: E164 | None = Field(
        default=None, description="number spoken in the message; default the Member's"
    )


def _agents_kind(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<all>"


AgentChoice = Annotated[
    Annotated[list[AgentName], Field(min_length=1), Tag("<list>")] | Annotated[Literal["all"], Tag("<all>")],
    Discriminator(_agents_kind),
]


class Campaign(Model):
    """One campaign: whom to call, how, with which agents and what to say when nobody is free."""

    name: Name = Field(description="may be left out; must be the file's name without .yaml")
    member: str = Field(description="a Member of dialer.yaml")
    lists: list[Line] = Field(min_length=1, description="the Member's contact lists to call")
    agents: AgentChoice = Field(default="all", description="names of the agents, or all of the Member's")
    mode: Literal["preview", "progressive", "power", "predictive"] = Field(
        default="power",
        description="preview: the agent sees each contact and starts the call; progressive: one call per ready "
        "agent; power: several; predictive: as many as a forecast of this campaign's answers and agents finds "
        "worth their risk",
    )
    lines_per_agent: float = Field(
        default=2.0,
        ge=1,
        le=10,
        allow_inf_nan=False,
        description="power only: calls in flight per ready agent",
    )
    pacing: Pacing = Field(default_factory=Pacing, description="how far to dial ahead of the agents")
    preview: PreviewSettings = Field(
        default_factory=PreviewSettings, description="preview only: how agents look at contacts"
    )
    trunks: list[str] = Field(min_length=1, description="trunks of dialer.yaml, tried in order")
    caller_ids: list[E164] = Field(
        min_length=1, description="your own numbers, used in turn, least used today first"
    )
    caller_id_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 .,&'-]{0,14}$",
        description="name shown, at most 15 characters",
    )
    ring_seconds: int = Field(
        default=22, ge=15, le=60, description="how long a phone rings before the attempt ends"
    )
    max_wait_ms: int = Field(
        default=1800,
        ge=100,
        le=1800,
        description="milliseconds from the answer until the drop message, when no agent is free",
    )
    cancel_before_15s: bool = Field(
        default=False,
        description="true: surplus calls may be cancelled before they rang 15 s; ask a lawyer first",
    )
    wrap_seconds: int = Field(
        default=15, ge=0, le=600, description="seconds after a call for the disposition"
    )
    dispositions: dict[Digit, Disposition] = Field(
        default_factory=dict, description="meaning of the digits 1 to 8 after a call"
    )
    default_disposition: str = Field(
        default=NO_DISPOSITION, description="code used when no digit comes in time, or none"
    )
    hours: Hours | None = Field(
        default=None, description="the campaign's own hours; the law's hours always apply"
    )
    attempts: AttemptLimits = Field(default_factory=AttemptLimits, description="how often to try")
    retry: Retry = Field(default_factory=Retry, description="when to try again, per result")
    drop_message: DropMessage = Field(default_factory=DropMessage, description="when no agent is free")
    autostart: bool = Field(default=False, description="true: starts with the engine")
    offer: Line | None = Field(
        default=None,
        description="the good or service offered, for the call records; campaigns of one seller and offer "
        "share one abandonment measure",
    )
    telemarketer: Line | None = Field(
        default=None,
        description="the company that places the calls, for the call records; default the Member",
    )
    script: ConfigPath | None = Field(
        default=None,
        description="text file with the agents' script; each version is kept for the call records",
    )
    caller_id_proof: Line | None = Field(
        default=None,
        description="the contract that gives you the caller IDs, with its dates, for the call records",
    )

    territories: list[Literal["US-AS", "US-GU", "US-MP", "US-PR", "US-VI"]] = Field(
        default_factory=list,
        description="US territories to call as well; their calls often cost more, so none is called unasked",
    )
    audience: Literal["consumers", "businesses"] = Field(
        default="consumers",
        description="businesses: every number counts as a business's, so no do-not-call registry is asked, national, "
        "state or Canadian, nor its age, and a state's exemption of businesses from consent to automated dialing "
        "holds, and call records say that the called party is a business; only for lists without home offices and "
        "people's own mobiles",
    )
    strict_predictive: bool = Field(
        default=False,
        description="true: also keep to the hours and consents of announcing devices, because the drop "
        "message may be taken for one",
    )

    @field_validator("dispositions")
    @classmethod
    def _distinct_codes(cls, value: dict[Digit, Disposition]) -> dict[Digit, Disposition]:
        codes = [disposition.code for disposition in value.values()]
        if len(set(codes)) < len(codes) or NO_DISPOSITION in codes:
            raise refuse(
                "two digits have the same code, or a code is 'none'", "a code of its own for each digit"
            )
        return value

    @field_validator("default_disposition")
    @classmethod
    def _known_code(cls, value: str, info: ValidationInfo) -> str:
        known = (
            [d.code for d in info.data["dispositions"].values()] if "dispositions" in info.data else [value]
        )
        if value != NO_DISPOSITION and value not in known:
            raise refuse(f"no disposition has the code '{value}'", ", ".join([NO_DISPOSITION, *known]))
        return value
