"""A trunk: the connection to a carrier, and how that carrier wants numbers written."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from dialer_engine.settings.base import Model
from dialer_engine.settings.values import AsteriskText, Host, Network, Port, refuse


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
        description="most new calls per second; ask the carrier",
    )
    max_channels: int = Field(default=10, ge=1, le=10000, description="most calls at once; ask the carrier")

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

    def dial_string(self, number: str) -> str:
        """The called E.164 US or Canadian number as this carrier wants it: prefix, then the number."""
        shorter = {
            "e164": number,
            "plus_less": number.removeprefix("+"),
            "ten_digit": number.removeprefix("+1"),
        }
        return self.prefix + shorter[self.number_format]
