"""What AMI tells: which phones are registered, which trunks are registered and reachable."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from dialer_engine.engine.node_link import Access
from dialer_engine.engine.trunks import Trunks


@dataclass(slots=True)
class PhoneWatch:
    access: Access
    trunks: Trunks
    devices: dict[str, str] = field(default_factory=dict)
    connected: bool = False

    async def run(self) -> None:
        await asyncio.Event().wait()
