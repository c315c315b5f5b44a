"""What the calling floor needs of a node; `station.Station` is one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from dialer_engine.pbx.ari.commands import Commands


class Place(Protocol):
    """What the floor needs of a node."""

    @property
    def name(self) -> str:
        """The node's name, as in call records."""
        ...

    @property
    def commands(self) -> Commands:
        """What can be asked of its Asterisk."""
        ...

    @property
    def sounds(self) -> Path:
        """The directory of its recordings, as its Asterisk sees it."""
        ...

    @property
    def up(self) -> bool:
        """Whether calls may leave there."""
        ...


Places = Mapping[str, Place]
"""All nodes by name."""
