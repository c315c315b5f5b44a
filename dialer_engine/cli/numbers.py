"""What the commands on single numbers share: reading one, and telling the engine what was suppressed."""

from collections.abc import Iterable
from pathlib import Path

from dialer_engine.cli.common import engine, fail
from dialer_engine.contacts.phone import read_notation
from dialer_engine.engine.control_client import EngineNotRunning, EngineRefused
from dialer_engine.store.suppress import Forbidden


def number_given(text: str) -> str:
    """Return a number in E.164 however it is written, or end the command with what is wrong with it."""
    number, reason = read_notation(text)
    if number is None:
        raise fail(f"{text!r}: {reason}")
    return number


async def tell_suppressed(config: Path, forbidden: Iterable[Forbidden]) -> bool:
    """Tell the running engine what must not be called now, so that it cancels calls; False when it was not told."""
    try:
        for what in forbidden:
            await engine(config).post("/suppressions/changed", what._asdict())
    except (EngineNotRunning, EngineRefused, TimeoutError):
        return False
    return True
