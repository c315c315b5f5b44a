"""Which half of its UDP ports an instance uses for audio: the other one at each start.

When Asterisk dies, carriers and phones go on sending to the ports that its calls had, some for minutes. A new leg at
such a port is sent a stranger's stream first. Strict RTP may take that for the leg's own, and in Asterisk 22.10 the
leg then stays deaf though the right stream has come and is let in: whoever is connected to it is answered by silence.
"""

from __future__ import annotations

from dialer_engine.pbx.instance import NodeConfig, write_private
from dialer_engine.pbx.template import TEMPLATES, fill_file

CONF = "rtp.conf"
STATE = "rtp-half"


def ports_in_use(config: NodeConfig) -> tuple[int, int]:
    """Return the first and the last port of the half that the instance uses, or used when it ran last."""
    middle = config.rtp_start + (config.rtp_end + 1 - config.rtp_start) // 4 * 2
    if _second(config):
        return middle, config.rtp_end
    return config.rtp_start, middle - 1


def turn_ports(config: NodeConfig) -> None:
    """Let the instance, which does not run, use the other half from its next start on."""
    write_private(config.path(STATE), "first" if _second(config) else "second")
    start, end = ports_in_use(config)
    text = fill_file(TEMPLATES / "shared" / CONF, {"rtp_start": start, "rtp_end": end})
    write_private(config.path("etc", CONF), text, config.user)


def _second(config: NodeConfig) -> bool:
    try:
        return config.path(STATE).read_text(encoding="utf-8") == "second"
    except FileNotFoundError:
        return False
