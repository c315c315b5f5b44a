"""Bare call files: Asterisk's own way to originate with nothing around it, to compare the engine with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from dialer_engine.lab.ledger import Ledger
from dialer_engine.lab.place import LabError
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.render import trunk_endpoint
from dialer_engine.settings.handover import give

STEP_S = 0.05
HOLD_S = 5
TEXT = """\
Channel: PJSIP/{number}@{endpoint}
CallerID: <+12125550112>
MaxRetries: 0
WaitTime: 20
Application: Wait
Data: {hold}
"""


class CallFiles:
    """Keeps a number of calls up in a node by dropping files into its spool, as fast as it takes them."""

    def __init__(self, node: Node, trunk: str) -> None:
        self._node = node
        self._endpoint = trunk_endpoint(trunk)
        self._written = 0

    async def open(self) -> None:
        """Load the module that watches the spool directory."""
        answer = await asyncio.to_thread(self._node.console, "module load pbx_spool.so")
        if "Loaded" not in answer:
            raise LabError(f"Asterisk does not load pbx_spool: {answer.strip()}")

    async def close(self) -> None:
        """Unload the module again."""
        await asyncio.to_thread(self._node.console, "module unload pbx_spool.so")

    async def run(self, numbers: list[str], together: int, seconds: float, ledger: Ledger) -> None:
        """For `seconds` seconds keep up to `together` calls up, counted by the carrier's ledger."""
        end = time.monotonic() + seconds
        ledger.read()
        ended_before = ledger.ended
        source = iter(numbers)
        while time.monotonic() < end:
            ledger.read()
            open_calls = self._written - (ledger.ended - ended_before)
            if not await asyncio.to_thread(self._write, source, together - open_calls):
                return
            await asyncio.sleep(STEP_S)

    def _write(self, source: Iterator[str], count: int) -> bool:
        for _ in range(count):
            number = next(source, None)
            if number is None:
                return False
            self._write_one(number)
        return True

    def _write_one(self, number: str) -> None:
        # Written elsewhere on the same disk and moved, because Asterisk reads a file as soon as it appears.
        name = f"call{self._written}"
        waiting, target = self._node.config.path("spool", name), self._spool / name
        text = TEXT.format(number=number, endpoint=self._endpoint, hold=HOLD_S)
        waiting.write_text(text, encoding="ascii")
        give(waiting, self._node.config.user, 0o600)
        waiting.replace(target)
        self._written += 1

    @property
    def _spool(self) -> Path:
        return self._node.config.path("spool", "outgoing")
