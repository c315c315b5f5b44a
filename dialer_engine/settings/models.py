"""What `config/dialer.yaml` may hold: the engine's own settings, shared by all campaigns.

Every key is described here once; `docs/configuration.md` and the JSON Schema are checked against these
descriptions. The models are frozen: a reload builds new ones and compares. All can be imported from here.
"""

import ipaddress
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from dialer_engine.settings.asterisk import AsteriskSettings, ExternalNode, NodeSettings, RtpRange
from dialer_engine.settings.base import Model
from dialer_engine.settings.campaign import AttemptLimits, Campaign, Disposition, DropMessage, Hours, Retry
from dialer_engine.settings.front import FrontLimits, FrontSettings
from dialer_engine.settings.trunk import Account, Trunk
from dialer_engine.settings.values import E164, ConfigPath, Line, Moment, Name, Port, refuse

__all__ = [
    "Account",
    "AsteriskSettings",
    "AttemptLimits",
    "Campaign",
    "ControlSettings",
    "DatabaseSettings",
    "Disposition",
    "DropMessage",
    "ExternalNode",
    "FrontLimits",
    "FrontSettings",
    "Hours",
    "LabSettings",
    "LoggingSettings",
    "MemberSettings",
    "NodeSettings",
    "RetentionSettings",
    "Retry",
    "RtpRange",
    "Settings",
    "Trunk",
]


class DatabaseSettings(Model):
    """Where Postgres is."""

    url: str | None = Field(
        default=None,
        repr=False,
        description="postgresql://user:password@host/name; empty starts an embedded Postgres",
    )
    engine_url: str | None = Field(
        default=None,
        repr=False,
        description="the same database by a login that is only a member of dialer_engine; empty: `url` with "
        "its rights put down",
    )
    pool: int = Field(default=8, ge=2, le=100, description="connections the engine keeps open")

    @field_validator("url", "engine_url")
    @classmethod
    def _postgres_only(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise refuse("this is not the address of a Postgres", "postgresql://user:password@host:5432/name")
        return value

    @model_validator(mode="after")
    def _both(self) -> Self:
        if self.engine_url and not self.url:
            raise refuse("engine_url without url", "both, or neither for the embedded Postgres")
        return self


class MemberSettings(Model):
    """A business that subscribes; it owns lists, campaigns, caller IDs and results."""

    name: Line = Field(description="the company's name as callers must say it; part of the drop message")
    callback_number: E164 = Field(description="number that takes do-not-call requests in business hours")
    address: Line | None = Field(default=None, description="postal address, for callers who ask")


class LoggingSettings(Model):
    """The engine's own log."""

    format: Literal["console", "json"] = Field(
        default="console", description="console for people, json for collectors"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severity written"
    )


class RetentionSettings(Model):
    """What `dialer retention` deletes; do-not-call entries, opt-outs and consents are never deleted."""

    record_years: int = Field(
        default=5, ge=5, le=100, description="years call records are kept; the law wants five (16 CFR 310.5)"
    )
    lead_months: int | None = Field(
        default=None,
        ge=1,
        le=1200,
        description="months a contact who was never called is kept; one with a number, or another number of the "
        "person, on a do-not-call list stays; empty: for good",
    )


class LabSettings(Model):
    """A laboratory: fictional numbers and a clock of its own. Refused unless every trunk is on loopback."""

    clock: Moment = Field(description="moment at which the gate's clock starts, with its offset from UTC")
    ari_port: Port | None = Field(
        default=None, description="loopback port by which the engine reaches ARI: a proxy that injects faults"
    )
    ami_port: Port | None = Field(default=None, description="the same for AMI")


class ControlSettings(Model):
    """How the commands reach the running engine."""

    socket: ConfigPath | None = Field(
        default=None, description="unix socket; default DIALER_HOME/run/control.sock"
    )


class Settings(Model):
    """All of `dialer.yaml`."""

    members: dict[Name, MemberSettings] = Field(
        default_factory=dict, description="the Members, by short name"
    )
    trunks: dict[Name, Trunk] = Field(
        default_factory=dict, description="the carrier connections, by short name"
    )
    accounts: dict[Name, Account] = Field(
        default_factory=dict, description="limits that several trunks share, by short name"
    )
    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="where Postgres is")
    asterisk: AsteriskSettings = Field(
        default_factory=AsteriskSettings, description="which Asterisk makes the calls"
    )
    front: FrontSettings | None = Field(
        default=None,
        description="Kamailio between agents' phones and the nodes; left out, phones reach one node",
    )
    control: ControlSettings = Field(
        default_factory=ControlSettings, description="how commands reach the engine"
    )
    logging: LoggingSettings = Field(default_factory=LoggingSettings, description="the engine's own log")
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="how long records are kept"
    )
    lab: LabSettings | None = Field(
        default=None, description="a laboratory; never on a system that calls people"
    )

    @field_validator("front")
    @classmethod
    def _front_beside_node(cls, value: FrontSettings | None, info: ValidationInfo) -> FrontSettings | None:
        asterisk: AsteriskSettings | None = info.data.get("asterisk")
        if value is None or asterisk is None or not asterisk.managed:
            return value
        node = asterisk.node
        if ipaddress.ip_address(node.bind).is_unspecified:
            raise refuse(
                f"the front cannot reach a node at {node.bind}",
                "asterisk.node.bind: the one address of that machine that the front reaches",
            )
        taken = {(value.bind, value.sip_port), (value.for_nodes, value.node_port)}
        if (node.bind, node.sip_port) in taken:
            raise refuse(
                f"the front and asterisk.node both listen on {node.bind} port {node.sip_port}",
                "another asterisk.node.sip_port, such as 5070",
            )
        return value
