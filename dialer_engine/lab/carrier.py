"""The simulated carrier: an Asterisk whose dialplan is the table of behaviours and that keeps a ledger."""

from __future__ import annotations

from pathlib import Path

from dialer_engine.lab.behaviours import Behaviour, Table
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.prompts import make_prompt
from dialer_engine.pbx.render import base_files, instance_values
from dialer_engine.pbx.template import TEMPLATES, Block, fill_file

DIRECTORY = TEMPLATES / "lab" / "carrier"
MODULES = (
    "app_exec",
    "app_playtones",
    "app_senddtmf",
    "app_stack",
    "app_waitforsilence",
    "func_env",
    "func_math",
    "res_pjsip_endpoint_identifier_anonymous",
)
# Under load Asterisk 22.10.1 died in this module: it looked at the channel of a call that was hung up in
# that moment, while it sent a late response to the caller. It only tells callers who they talk to.
UNWANTED = "load = res_pjsip_caller_id.so\n"
GREETING = (
    "Hello. You have reached the voice mail of a person who does not exist. "
    "Please leave a message after the tone."
)


def row(digits: int, does: Behaviour) -> str:
    """The dialplan lines that play one row of the table."""
    steps = (
        f"exten => row{digits:02d},1,Set(KIND={does.kind})",
        f" same => n,Set(RING={does.ring_s})",
        f" same => n,Set(TALK={does.talk_s})",
        f" same => n,Set(LISTENS={does.listens:d})",
        f" same => n,Goto({does.kind},1)",
    )
    return "\n".join(steps)


def carrier_files(node: Node, table: Table, greeting: Path) -> dict[str, str]:
    """Every configuration file of the carrier; `greeting` is a wav without its extension."""
    values = instance_values(node.bundle, node.config, node.secrets)
    rows = "\n".join(row(digits, does) for digits, does in enumerate(table))
    values |= {"rows": Block(rows), "ledger": str(ledger_path(node)), "greeting": str(greeting)}
    files = base_files(values, MODULES)
    files["modules.conf"] = files["modules.conf"].replace(UNWANTED, "")
    for name in ("extensions.conf", "pjsip.conf"):
        files[name] = fill_file(DIRECTORY / name, values)
    return files


def ledger_path(node: Node) -> Path:
    """Where the carrier writes what it saw."""
    return node.config.path("log", "ledger")


async def start_carrier(node: Node, table: Table, sounds: Path) -> None:
    """Configure and start the carrier with an empty ledger; prompts are made in `sounds` when missing."""
    make_prompt(node.bundle, GREETING, sounds / "lab-greeting.wav")
    ledger_path(node).unlink(missing_ok=True)
    node.render(carrier_files(node, table, sounds / "lab-greeting"))
    await node.ensure_running()
