"""Which half of its UDP ports an instance uses for audio: the other one than when it last served.

When Asterisk dies, carriers and phones go on sending to the ports that its calls had, some for minutes. A new leg at
such a port is sent a stranger's stream first. Strict RTP may take that for the leg's own, and in Asterisk 22.10 the
leg then stays deaf though the right stream has come and is let in: whoever is connected to it is answered by silence.

A start that fails has no calls, so the next one takes the same half: with the other it would meet the old streams.
"""

from __future__ import annotations

from dialer_engine.pbx.instance import NodeConfig, write_private
from dialer_engine.pbx.template import TEMPLATES, fill_file

CONF = "rtp.conf"
STATE = "rtp-half"
SERVED = "rtp-half-served"
"""The half of the last start that came to serve calls."""


def ports_in_use(config: NodeConfig) -> tuple[int, int]:
    """Return the first and the last port of the half that the instance uses, or used when it ran last."""
    middle = config.rtp_start + (config.rtp_end + 1 - config.rtp_start) // 4 * 2
    if _second(config):
        return middle, config.rtp_end
    return config.rtp_start, middle - 1


def turn_ports(config: NodeConfig) -> None:
    """Let the instance, which does not run, use the half from its next start on that it did not serve with last."""
    write_private(config.path(STATE), "first" if _second(config, SERVED) else "second")
    start, end = ports_in_use(config)
    text = fill_file(TEMPLATES / "shared" / CONF, {"rtp_start": start, "rtp_end": end})
    write_private(config.path("etc", CONF), text, config.user)


def ports_served(config: NodeConfig) -> None:
    """The instance serves calls with the half that it has: those of its next start are the others."""
    half, noted = "second" if _second(config) else "first", config.path(SERVED)
    if not noted.exists() or noted.read_text(encoding="utf-8") != half:
        write_private(noted, half)


def _second(config: NodeConfig, which: str = STATE) -> bool:
    """Whether a file names the second half; an instance of before did not note which half it served with."""
    for name in (which, STATE):
        if config.path(name).exists():
            return config.path(name).read_text(encoding="utf-8") == "second"
    return False
