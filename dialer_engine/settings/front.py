"""The front: Kamailio between the agents' phones and the nodes."""

import ipaddress

from pydantic import Field, ValidationInfo, field_validator

from dialer_engine.settings.base import Model
from dialer_engine.settings.values import Address4, ConfigPath, Host, Port, refuse


class FrontLimits(Model):
    """How much the front lets through; the defaults suit an office of 50 phones behind one address."""

    requests_per_second: int = Field(
        default=50,
        ge=5,
        le=10_000,
        description="requests from one address; more, and it is not heard for 30 s",
    )
    strangers_per_second: int = Field(
        default=200,
        ge=10,
        le=100_000,
        description="requests from all addresses together from which no agent has registered in the last day",
    )
    calls_per_10_seconds: int = Field(
        default=20, ge=4, le=1000, description="INVITEs of one agent in ten seconds; a call takes two"
    )
    wrong_passwords: int = Field(
        default=10,
        ge=3,
        le=1000,
        description="wrong passwords from one address in five minutes, then silence",
    )
    message_bytes: int = Field(default=8192, ge=2048, le=60_000, description="longest message")
    connections: int = Field(default=2048, ge=16, le=60_000, description="TCP connections at once")
    connections_per_address: int = Field(
        default=100, ge=1, le=60_000, description="TCP connections at once from one address"
    )


class FrontSettings(Model):
    """Kamailio in front of the nodes: agents' phones register at it and reach all nodes by one address."""

    directory: ConfigPath | None = Field(
        default=None, description="where it keeps its files; default DIALER_HOME/front"
    )
    bind: Address4 = Field(default="127.0.0.1", description="IPv4 address of its machine for phones")
    sip_port: Port = Field(default=5060, description="UDP and TCP port for phones")
    external_address: Host | None = Field(
        default=None, description="public address for phones, when its machine is behind NAT"
    )
    node_bind: Address4 | None = Field(
        default=None, description="IPv4 address of its machine at which nodes reach it; default `bind`"
    )
    node_port: Port = Field(default=5062, description="UDP port for nodes; nobody else needs it")
    workers: int = Field(default=4, ge=1, le=64, description="processes for UDP, and as many for TCP")
    limits: FrontLimits = Field(default_factory=FrontLimits, description="against floods")

    @field_validator("bind", "node_bind")
    @classmethod
    def _one_address(cls, value: str | None) -> str | None:
        if value is not None and ipaddress.ip_address(value).is_unspecified:
            raise refuse(
                f"{value} names no address", "the one address of this machine that phones or nodes use"
            )
        return value

    @field_validator("node_port")
    @classmethod
    def _other_port(cls, value: int, info: ValidationInfo) -> int:
        if value == info.data.get("sip_port"):
            raise refuse(f"sip_port and node_port are both {value}", "a port of its own for each")
        return value

    @property
    def for_nodes(self) -> str:
        """The address at which nodes reach it."""
        return self.node_bind or self.bind
