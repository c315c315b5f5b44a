"""The configuration that a lab gives the engine: a Member, a trunk to the simulated carrier, a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dialer_engine.lab.people import CALLS_PER_NUMBER, LAB_CLOCK
from dialer_engine.pbx.node import NodeConfig

MEMBER = "sunrise"
CAMPAIGN = "demo"
LIST = "demo people"
COMPANY = "Sunrise Solar"

DIALER_YAML = """\
# Written by the lab. Everything is on this machine, nobody is called.
members:
  {member}:
    name: {company}
    callback_number: "+12125550199"
trunks:
  carrier:
    host: {bind}
    port: {carrier_port}
    calls_per_second: {calls_per_second}
    max_channels: {max_channels}
asterisk:
  node:
    name: {node.name}
    bind: {node.bind}
    sip_port: {node.sip_port}
    http_port: {node.http_port}
    ami_port: {node.ami_port}
    rtp: {{start: {node.rtp_start}, end: {node.rtp_end}}}
logging:
  format: json
lab:
  clock: {clock}
"""

CAMPAIGN_YAML = """\
member: {member}
lists: ["{list}"]
mode: {mode}
lines_per_agent: {lines}
trunks: [carrier]
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
offer: solar panels
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What varies between the demo, the tests and the load tests; times in seconds."""

    agents: int = 5
    lines: float = 3.0
    mode: str = "power"
    wrap_seconds: int = 4
    ring_seconds: int = 16
    cancel_early: bool = False
    retry_s: int = 20
    cap: int = CALLS_PER_NUMBER
    calls_per_second: float = 10.0
    max_channels: int = 60
    clock: str = LAB_CLOCK

    @property
    def agent_names(self) -> list[str]:
        """The names of the agents' accounts."""
        return [f"agent{number:03d}" for number in range(1, self.agents + 1)]


def write_config(scenario: Scenario, directory: Path, node: NodeConfig, carrier_port: int) -> None:
    """Write `dialer.yaml` and the campaign into `directory`."""
    campaigns = directory / "campaigns"
    campaigns.mkdir(parents=True, exist_ok=True)
    engine = DIALER_YAML.format(
        member=MEMBER,
        company=COMPANY,
        bind=node.bind,
        carrier_port=carrier_port,
        calls_per_second=scenario.calls_per_second,
        max_channels=scenario.max_channels,
        node=node,
        clock=scenario.clock,
    )
    (directory / "dialer.yaml").write_text(engine, encoding="utf-8")
    campaign = CAMPAIGN_YAML.format(
        member=MEMBER,
        list=LIST,
        mode=scenario.mode,
        lines=scenario.lines,
        ring_seconds=scenario.ring_seconds,
        cancel_early=str(scenario.cancel_early).lower(),
        wrap_seconds=scenario.wrap_seconds,
        cap=scenario.cap,
        retry=f"{scenario.retry_s}s",
    )
    (campaigns / f"{CAMPAIGN}.yaml").write_text(campaign, encoding="utf-8")
