"""Run a lab so that it always ends: Ctrl-C, a closed terminal and SIGTERM all take it down in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


class Interrupted(Exception):
    """Somebody ended the lab before its time; everything it started is gone."""


def run_to_end(main: Coroutine[Any, Any, _T]) -> _T:
    """Run `main`; a signal cancels it once, further ones do not disturb the taking down."""
    try:
        return asyncio.run(_guarded(main))
    except asyncio.CancelledError as error:
        raise Interrupted from error


async def _guarded(main: Coroutine[Any, Any, _T]) -> _T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)
    told = False

    def end() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, end)
    return await task
