"""A trunk: the connection to a carrier, and how that carrier wants numbers written."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from dialer_engine.core.outcome import Result
from dialer_engine.settings.base import Model
from dialer_engine.settings.carriers import FIRST_CODE, LAST_CODE, MEANINGS
from dialer_engine.settings.explain import nearest
from dialer_engine.settings.values import AsteriskText, Host, Name, Network, Port, refuse

NUMBER_FAULT = "number_fault"
CODE_MEANINGS = (MEANINGS[0], NUMBER_FAULT, *MEANINGS[1:])


def _sip_code(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit()) or not FIRST_CODE <= int(text) <= LAST_CODE:
        raise refuse(
            f"'{text}' is not a final SIP code", f"a code from {FIRST_CODE} to {LAST_CODE}, such as 403"
        )
    return int(text)


def _code_meaning(value: object) -> str:
    text = str(value)
    if text not in CODE_MEANINGS:
        what = f"'{text}' is not what a code can mean"
        raise refuse(what, ", ".join(CODE_MEANINGS), nearest(text, CODE_MEANINGS))
    return text


SipCode = Annotated[int, BeforeValidator(_sip_code)]
CodeMeaning = Annotated[
    str,
    BeforeValidator(_code_meaning),
    WithJsonSchema({"type": "string", "enum": list(CODE_MEANINGS)}),
]


class Account(Model):
    """What several trunks of one carrier's account share."""

    calls_per_second: float = Field(
        default=1.0,
        gt=0,
        le=500,
        allow_inf_nan=False,
        description="most new calls per second over all trunks of the account",
    )
    max_channels: int = Field(
        default=10, ge=1, le=10000, description="most calls at once over all trunks of the account"
    )


class Trunk(Model):
    """One carrier connection with its limits."""

    host: Host = Field(description="the carrier's SIP host name or address")
    port: Port = Field(default=5060, description="the carrier's SIP port; 5061 is usual for tls")
    transport: Literal["udp", "tcp", "tls"] = Field(
        default="udp", description="how SIP travels to the carrier"
    )
    username: AsteriskText | None = Field(
        default=None, description="user name, when the carrier asks for one"
    )
    password: AsteriskText | None = Field(
        default=None, repr=False, description="password; leave out with IP authentication"
    )
    register_: bool = Field(
        default=False,
        validation_alias="register",
        serialization_alias="register",
        description="true: register with the carrier, needs username and password",
    )
    from_user: AsteriskText | None = Field(
        default=None, description="user part of From, when the carrier wants its own"
    )
    from_domain: AsteriskText | None = Field(
        default=None, description="domain of From, when the carrier wants its own"
    )
    inbound_ips: list[Network] = Field(
        default_factory=list,
        description="addresses the carrier sends from; its calls in are recognised by them",
    )
    codecs: list[Literal["ulaw", "alaw"]] = Field(
        default=["ulaw"], min_length=1, description="audio codecs, best first"
    )
    audio_lost_s: int = Field(
        default=60,
        ge=3,
        le=600,
        description="seconds without any audio packet after which a call is ended; on hold five times that",
    )
    options_every_s: int = Field(
        default=10,
        ge=0,
        le=300,
        description="seconds between two OPTIONS that ask whether the carrier is there; 0: it is not asked",
    )
    number_format: Literal["e164", "plus_less", "ten_digit"] = Field(
        default="e164", description="called number as +12105550100, 12105550100 or 2105550100"
    )
    prefix: str = Field(
        default="", pattern=r"^[0-9*#]{0,16}$", description="digits before the number (tech prefix)"
    )
    caller_id_header: Literal["from", "pai", "rpid"] = Field(
        default="pai",
        description="where the caller ID goes: From only, P-Asserted-Identity or Remote-Party-ID",
    )
    calls_per_second: float = Field(
        default=1.0,
        gt=0,
        le=500,
        allow_inf_nan=False,
        description="most new calls in any second, rounded down; below 1 one call every 1/n seconds; ask the carrier",
    )
    max_channels: int = Field(default=10, ge=1, le=10000, description="most calls at once; ask the carrier")
    account: Name | None = Field(
        default=None, description="name under accounts, when several trunks share one account's limits"
    )
    provider: Name = Field(
        default="generic", description="whose meaning of SIP codes holds: a provider in carriers.csv"
    )
    codes: dict[SipCode, CodeMeaning] = Field(
        default_factory=dict,
        description="SIP codes that mean something else here: trunk_fault, number_fault or a result",
    )

    @field_validator("password")
    @classmethod
    def _with_username(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and "username" in info.data and info.data["username"] is None:
            raise refuse("a password without a username", "both, or neither with IP authentication")
        return value

    @field_validator("register_")
    @classmethod
    def _with_credentials(cls, value: bool, info: ValidationInfo) -> bool:
        if value and "password" in info.data and info.data["password"] is None:
            raise refuse(
                "register needs a username and a password", "username and password, or register: false"
            )
        return value

    @property
    def leads_to(self) -> tuple[str, int, str]:
        """Host, port and transport: trunks that differ in them lead to different places."""
        return self.host, self.port, self.transport

    @property
    def own_codes(self) -> Mapping[int, Result | None]:
        """What this trunk's own codes mean; None is a number fault, whose result the standard tells."""
        return {code: None if word == NUMBER_FAULT else Result(word) for code, word in self.codes.items()}

    def dial_string(self, number: str) -> str:
        """The called E.164 US or Canadian number as this carrier wants it: prefix, then the number."""
        shorter = {
            "e164": number,
            "plus_less": number.removeprefix("+"),
            "ten_digit": number.removeprefix("+1"),
        }
        return self.prefix + shorter[self.number_format]
