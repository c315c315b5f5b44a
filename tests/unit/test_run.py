"""With what the command ends when an engine is told to stop, or displaced, before it is ready."""

import asyncio
from pathlib import Path

import pytest

from dialer_engine.cli.run import _run
from dialer_engine.engine.daemon import Engine
from dialer_engine.engine.ownership import Displaced
from dialer_engine.settings.home import service_user

pytestmark = pytest.mark.unit


class Starting(Engine):
    """An engine whose start takes for ever; meanwhile something happens."""

    def __init__(self, home: Path, happens: str) -> None:
        super().__init__(home, home, service_user())
        self.happens = happens
        self.closed = False

    async def _start(self) -> None:
        self.life.opened.callback(self._note)
        if self.happens == "displaced":
            self.life.lease_lost("engine:main")
        elif self.happens == "stopped":
            self.stopping.set()
        else:
            raise OSError(self.happens)
        await asyncio.Event().wait()

    def _note(self) -> None:
        self.closed = True


async def test_an_engine_that_is_displaced_during_its_start_ends_with_an_error(tmp_path: Path) -> None:
    """Else the service manager would take it for done and not start it again."""
    engine = Starting(tmp_path, "displaced")
    with pytest.raises(Displaced, match="another engine has taken over engine:main"):
        await _run(engine)
    assert engine.closed


async def test_one_that_is_told_to_stop_during_its_start_just_ends(tmp_path: Path) -> None:
    engine = Starting(tmp_path, "stopped")
    await _run(engine)
    assert engine.closed


async def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    engine = Starting(tmp_path, "the disk is full")
    with pytest.raises(OSError, match="the disk is full"):
        await _run(engine)
    assert engine.closed
