"""Which Asterisk makes the calls, and every address, port and directory of it."""

import ipaddress

from pydantic import Field, ValidationInfo, field_validator

from dialer_engine.settings.base import Model
from dialer_engine.settings.values import (
    Address,
    Address4,
    ConfigPath,
    Host,
    Line,
    Name,
    Network,
    Port,
    refuse,
)

SMALLEST_RTP_RANGE = 20


class RtpRange(Model):
    """UDP ports for audio, the other half of them at each start of Asterisk; a call with its agent needs four."""

    start: int = Field(default=10000, ge=1024, le=65534, description="first UDP port, even")
    end: int = Field(default=11999, ge=1025, le=65535, description="last UDP port")

    @field_validator("start")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise refuse(
                f"{value} is odd; RTP uses an even port and RTCP the next", "an even port", str(value + 1)
            )
        return value

    @field_validator("end")
    @classmethod
    def _large_enough(cls, value: int, info: ValidationInfo) -> int:
        start = info.data.get("start")
        if start is not None and value < start + SMALLEST_RTP_RANGE - 1:
            raise refuse(
                f"the range {start}-{value} is too small",
                f"at least {SMALLEST_RTP_RANGE} ports",
                str(start + 1999),
            )
        return value


class NodeSettings(Model):
    """The Asterisk that the engine installs, starts and watches."""

    name: Name = Field(default="main", description="name of the node, in call records and directories")
    directory: ConfigPath | None = Field(
        default=None, description="where it keeps its files; default DIALER_HOME/nodes/NAME"
    )
    bind: Address4 = Field(
        default="127.0.0.1", description="IPv4 address for SIP and audio; 0.0.0.0 for softphones elsewhere"
    )
    sip_port: Port = Field(default=5060, description="UDP and TCP port for SIP")
    tls_port: Port = Field(default=5061, description="TCP port for SIP over TLS, used when a trunk wants tls")
    http_port: Port = Field(
        default=8088, description="TCP port of the engine's control connection (ARI), on `control_bind`"
    )
    ami_port: Port = Field(
        default=5038, description="TCP port of the manager connection (AMI), on `control_bind`"
    )
    control_bind: Address = Field(
        default="127.0.0.1",
        description="IP address for ARI and AMI; another than loopback only in a private network, for engines "
        "on other machines",
    )
    control_permit: list[Network] = Field(
        default_factory=list,
        description="addresses of the engines that may reach ARI and AMI; all others are refused",
    )
    private_network: bool = Field(
        default=False,
        description="true: `control_bind` lies in a private network, such as WireGuard, so passwords may cross it",
    )
    rtp: RtpRange = Field(default_factory=RtpRange, description="UDP ports for audio; one half at a time")
    external_address: Host | None = Field(
        default=None, description="public address, when this machine is behind NAT"
    )
    local_networks: list[Network] = Field(
        default_factory=list, description="networks reached without NAT, such as 10.0.0.0/8"
    )

    @field_validator("control_permit")
    @classmethod
    def _named(cls, value: list[Network], info: ValidationInfo) -> list[Network]:
        bind = info.data.get("control_bind")
        if bind is not None and not ipaddress.ip_address(bind).is_loopback and not value:
            raise refuse(
                f"control_bind {bind} opens ARI and AMI to other machines but names none of them",
                "the addresses of the engines, such as [10.0.0.4]",
            )
        return value

    @field_validator("http_port", "ami_port")
    @classmethod
    def _distinct(cls, value: int, info: ValidationInfo) -> int:
        for other in ("sip_port", "http_port"):
            if other != info.field_name and info.data.get(other) == value:
                raise refuse(f"{info.field_name} and {other} are both {value}", "a port of its own for each")
        return value

    @field_validator("rtp")
    @classmethod
    def _clear_of_sip(cls, value: RtpRange, info: ValidationInfo) -> RtpRange:
        sip = info.data.get("sip_port")
        if sip is not None and value.start <= sip <= value.end:
            raise refuse(
                f"sip_port {sip} lies in the range {value.start}-{value.end}", "ranges that do not overlap"
            )
        return value


class ExternalNode(Model):
    """A running Asterisk that this engine works with but does not start: another machine's, or one of your own."""

    name: Name = Field(description="name of the node, in call records")
    ari_url: str = Field(pattern=r"^https?://[^\s/]+", description="such as http://10.0.0.5:8088")
    ari_user: Line = Field(description="user in that Asterisk's ari.conf")
    ari_password: Line = Field(repr=False, description="its password")
    ami_host: Host = Field(description="host of the manager connection")
    ami_port: Port = Field(default=5038, description="port of the manager connection")
    ami_user: Line = Field(description="user in that Asterisk's manager.conf")
    ami_password: Line = Field(repr=False, description="its password")
    sip_host: Host | None = Field(
        default=None, description="where agents' calls reach it, for the front; default the host of ari_url"
    )
    sip_port: Port = Field(default=5060, description="UDP port for that")
    private_network: bool = Field(
        default=False,
        description="true: the way there is a private network, such as WireGuard, so passwords may cross it",
    )
    sounds: str | None = Field(
        default=None,
        pattern=r"^/[^\s]*$",
        description="directory of its recordings; default the engine's own, for the same machine",
    )


class AsteriskSettings(Model):
    """Which Asterisk makes the calls."""

    managed: bool = Field(
        default=True,
        description="true: the bundled Asterisk, and those under nodes besides; false: only those under nodes",
    )
    node: NodeSettings = Field(default_factory=NodeSettings, description="the bundled Asterisk")
    nodes: list[ExternalNode] = Field(
        default_factory=list, description="further ones, each with agents and calls of its own"
    )

    lost_after_seconds: int = Field(
        default=300,
        ge=10,
        le=86400,
        description="seconds without a link after which a node counts as lost: its calls end in the records as what "
        "was known of them last (talks bridged, unanswered calls unknown), its agents are off duty",
    )

    @field_validator("nodes")
    @classmethod
    def _fits_managed(cls, value: list[ExternalNode], info: ValidationInfo) -> list[ExternalNode]:
        managed, own = info.data.get("managed"), info.data.get("node")
        if managed is False and not value:
            raise refuse("managed is false but no node is listed", "at least one node")
        names = [node.name for node in value]
        if managed and own is not None:
            names.append(own.name)
        if len(set(names)) < len(names):
            raise refuse(
                "two nodes have the same name", "a name of its own for each node, also asterisk.node"
            )
        return value
