"""The simulated agents' phones: an Asterisk with one registered SIP endpoint per agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dialer_engine.lab.templates import fill


@dataclass(frozen=True, slots=True)
class Phone:
    """One softphone: its name here, and the account it has at the server it registers to."""

    name: str
    user: str
    password: str
    host: str
    port: int

    @property
    def duty_endpoint(self) -> str:
        """What to dial so that this phone goes on duty."""
        return f"PJSIP/100@{self.name}"


def phones_files(phones: Sequence[Phone], *, bind: str, sip_port: int, audio: str) -> dict[str, str]:
    """The phones' own configuration files; `audio` is host:port of the audio server."""
    accounts = "\n".join(
        fill("phones", "phone.conf", name=p.name, user=p.user, password=p.password, host=p.host, port=p.port)
        for p in phones
    )
    return {
        "extensions.conf": fill("phones", "extensions.conf", audio=audio),
        "pjsip.conf": fill("phones", "pjsip.conf", bind=bind, sip_port=sip_port, phones=accounts),
        "modules.conf": fill("phones", "modules.conf"),
    }
