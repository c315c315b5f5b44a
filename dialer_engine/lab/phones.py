"""The simulated agents' phones: an Asterisk with one registered SIP endpoint per agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dialer_engine.pbx.node import Node
from dialer_engine.pbx.render import base_files, instance_values, pjsip_base
from dialer_engine.pbx.template import TEMPLATES, Block, fill_file

DIRECTORY = TEMPLATES / "lab" / "phones"
MODULES = ("app_audiosocket", "app_senddtmf", "func_callerid", "res_audiosocket")


@dataclass(frozen=True, slots=True)
class Phone:
    """One softphone: its name here, and the account it has at the server it registers to."""

    name: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int
    registers: bool = True


def phones_files(node: Node, phones: Sequence[Phone], audio_port: int) -> dict[str, str]:
    """Every configuration file of the phones; `audio_port` is the audio server's."""
    values = instance_values(node.bundle, node.config, node.secrets)
    values |= {
        "audio": f"127.0.0.1:{audio_port}",
        "base": pjsip_base(values),
        "phones": Block("\n".join(_account(phone) for phone in phones)),
    }
    files = base_files(values, MODULES)
    for name in ("extensions.conf", "pjsip.conf", "manager.conf"):
        files[name] = fill_file(DIRECTORY / name, values)
    return files


def _account(phone: Phone) -> str:
    values: dict[str, str | int | Block] = {
        "name": phone.name,
        "user": phone.user,
        "password": phone.password,
        "host": phone.host,
        "port": phone.port,
    }
    parts = ("phone.conf", "registration.conf") if phone.registers else ("phone.conf",)
    return "\n".join(fill_file(DIRECTORY / part, values) for part in parts)
