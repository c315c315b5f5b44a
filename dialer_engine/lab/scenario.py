"""The configuration that a lab gives the engine: a Member, a trunk to the simulated carrier, a campaign."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dialer_engine.lab.people import CALLS_PER_NUMBER, LAB_CLOCK
from dialer_engine.pbx.node import NodeConfig

MEMBER = "sunrise"
CAMPAIGN = "demo"
LIST = "demo people"
ACCOUNT = "shared"
COMPANY = "Sunrise Solar"

DIALER_YAML = """\
# Written by the lab. Everything is on this machine, nobody is called.
members:
  {member}:
    name: {company}
    callback_number: "+12125550199"
accounts: {accounts}
trunks:
{trunks}asterisk:
  node:
    name: {node.name}
    bind: {node.bind}
    sip_port: {node.sip_port}
    http_port: {node.http_port}
    ami_port: {node.ami_port}
    rtp: {{start: {node.rtp_start}, end: {node.rtp_end}}}
  nodes: {nodes}
  lost_after_seconds: {lost_after_s}
logging:
  format: json
{database}{front}lab:
  clock: {clock}
{detour}"""

TRUNK_YAML = """\
  {name}:
    host: {bind}
    port: {port}
    calls_per_second: {calls_per_second}
    max_channels: {max_channels}
    provider: {provider}
    codes: {codes}
    account: {account}
    audio_lost_s: {audio_lost_s}
    options_every_s: {options_every_s}
"""

CAMPAIGN_YAML = """\
member: {member}
lists: ["{list}"]
mode: {mode}
lines_per_agent: {lines}
pacing: {{learn_calls: {learn_calls}}}
preview: {{seconds: {preview_seconds}, at_end: {preview_at_end}, skip_retry: {skip_retry}}}
trunks: [{trunks}]
caller_ids: ["+12125550198", "+13125550198", "+14155550198"]
ring_seconds: {ring_seconds}
cancel_before_15s: {cancel_early}
wrap_seconds: {wrap_seconds}
dispositions:
  "1": {{code: sale, label: Sale}}
  "2": {{code: not_interested, label: Not interested}}
  "3": {{code: do_not_call, label: Do not call again, suppress: true}}
attempts: {{per_number_24h: {cap}}}
retry: {{busy: {retry}, congestion: {retry}, no_answer: {retry}, cancelled: {retry}, failed: {retry}}}
{hours}offer: solar panels
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What varies between the demo, the tests and the load tests; times in seconds.

    `lines_to` are further trunks by name and port on loopback, tried before the one that leads straight to the
    carrier, which is left out without `direct`. The life-like carrier says 503 for single numbers, so `codes`
    has it as theirs. With `account_calls_per_second` all trunks share one account. Without `options_every_s` only
    calls tell how a trunk is, as with a carrier that never answers OPTIONS. `hours` are the campaign's own, from and
    until such as 09:00.
    """

    agents: int = 5
    lines: float = 3.0
    mode: str = "power"
    wrap_seconds: int = 4
    ring_seconds: int = 16
    cancel_early: bool = False
    retry_s: int = 20
    cap: int = CALLS_PER_NUMBER
    learn_calls: int = 20
    calls_per_second: float = 10.0
    max_channels: int = 60
    clock: str = LAB_CLOCK
    lines_to: tuple[tuple[str, int], ...] = ()
    direct: bool = True
    provider: str = "generic"
    codes: str = "{503: number_fault}"
    account_calls_per_second: float | None = None
    audio_lost_s: int = 60
    options_every_s: int = 0
    lost_after_s: int = 300
    preview_seconds: int = 60
    preview_at_end: str = "skip"
    skip_retry_s: int = 3600
    hours: tuple[str, str] | None = None

    @property
    def agent_names(self) -> list[str]:
        """The names of the agents' accounts."""
        return [f"agent{number:03d}" for number in range(1, self.agents + 1)]

    def trunk_ports(self, carrier_port: int) -> dict[str, int]:
        """The trunks in the order in which the campaign tries them, with their ports."""
        return dict(self.lines_to) | ({"carrier": carrier_port} if self.direct else {})


def write_config(
    scenario: Scenario,
    directory: Path,
    node: NodeConfig,
    carrier_port: int,
    detour: Mapping[str, int],
    database: Mapping[str, str] = MappingProxyType({}),
    nodes: Sequence[Mapping[str, Any]] = (),
    front: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Write `dialer.yaml` and the campaign into `directory`.

    `detour` names ports of a proxy; `database` are the URLs of another database than the embedded one;
    `nodes` are further ones, as `asterisk.nodes` has them; `front` are the ports of a front.
    """
    campaigns = directory / "campaigns"
    campaigns.mkdir(parents=True, exist_ok=True)
    ports = scenario.trunk_ports(carrier_port)
    engine = DIALER_YAML.format(
        member=MEMBER,
        company=COMPANY,
        accounts=_accounts(scenario),
        trunks="".join(_trunk(scenario, name, node.bind, port) for name, port in ports.items()),
        node=node,
        nodes=json.dumps(list(nodes)),
        lost_after_s=scenario.lost_after_s,
        front=f"front: {json.dumps(dict(front))}\n" if front else "",
        clock=scenario.clock,
        detour="".join(f"  {name}: {port}\n" for name, port in detour.items()),
        database=_database(database),
    )
    (directory / "dialer.yaml").write_text(engine, encoding="utf-8")
    campaign = CAMPAIGN_YAML.format(
        member=MEMBER,
        list=LIST,
        trunks=", ".join(ports),
        mode=scenario.mode,
        lines=scenario.lines,
        learn_calls=scenario.learn_calls,
        preview_seconds=scenario.preview_seconds,
        preview_at_end=scenario.preview_at_end,
        skip_retry=f"{scenario.skip_retry_s}s",
        ring_seconds=scenario.ring_seconds,
        cancel_early=str(scenario.cancel_early).lower(),
        wrap_seconds=scenario.wrap_seconds,
        cap=scenario.cap,
        retry=f"{scenario.retry_s}s",
        hours='hours: {{start: "{}", end: "{}"}}\n'.format(*scenario.hours) if scenario.hours else "",
    )
    (campaigns / f"{CAMPAIGN}.yaml").write_text(campaign, encoding="utf-8")


def _database(urls: Mapping[str, str]) -> str:
    return "database:\n" + "".join(f'  {name}: "{url}"\n' for name, url in urls.items()) if urls else ""


def _accounts(scenario: Scenario) -> str:
    rate = scenario.account_calls_per_second
    return (
        f"{{{ACCOUNT}: {{calls_per_second: {rate}, max_channels: {scenario.max_channels}}}}}" if rate else ""
    )


def _trunk(scenario: Scenario, name: str, bind: str, port: int) -> str:
    return TRUNK_YAML.format(
        name=name,
        bind=bind,
        port=port,
        calls_per_second=scenario.calls_per_second,
        max_channels=scenario.max_channels,
        provider=scenario.provider,
        codes=scenario.codes,
        account=ACCOUNT if scenario.account_calls_per_second else "",
        audio_lost_s=scenario.audio_lost_s,
        options_every_s=scenario.options_every_s,
    )
