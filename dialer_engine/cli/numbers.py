"""What the commands on single numbers share: reading one, and telling the engine that its suppressions changed."""

from collections.abc import Iterable
from pathlib import Path

from dialer_engine.cli.common import engine, fail
from dialer_engine.contacts.phone import read_notation
from dialer_engine.engine.control_client import EngineNotRunning, EngineRefused


def number_given(text: str) -> str:
    """Return a number in E.164 however it is written, or end the command with what is wrong with it."""
    number, reason = read_notation(text)
    if number is None:
        raise fail(f"{text!r}: {reason}")
    return number


async def tell_suppression_changes(config: Path, numbers: Iterable[str]) -> bool:
    """Tell the running engine whose suppressions changed, so that it cancels calls; False when it could not be told."""
    try:
        for number in numbers:
            await engine(config).post("/suppressions/changed", {"number": number})
    except (EngineNotRunning, EngineRefused, TimeoutError):
        return False
    return True
