"""What `demo` and `bench` share: quiet logs, errors for people, and an orderly end on Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog
import typer

from dialer_engine.cli.common import EXPECTED, fail
from dialer_engine.cli.terminal import say
from dialer_engine.lab.place import LabError, Place, take_place
from dialer_engine.lab.session import INTERRUPTED, Interrupted, run_to_end
from dialer_engine.pbx.bundle import Bundle, install_bundle
from dialer_engine.settings.home import home, prepare_home, service_user

_T = TypeVar("_T")
Tell = Callable[[str], None]
Measure = Callable[[Bundle, Place, Tell], Awaitable[_T]]


def run_lab(doing: Coroutine[Any, Any, _T]) -> _T:
    """Run a lab to its end; an interruption ends the command with status 130, an expected error with 1."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        return run_to_end(doing)
    except Interrupted as error:
        say("- interrupted; everything that was started has ended", err=True)
        raise typer.Exit(INTERRUPTED) from error
    except (*EXPECTED, LabError) as error:
        raise fail(str(error)) from error


async def in_place(measure: Measure[_T]) -> _T:
    """Let a benchmark measure in a place of its own below DIALER_HOME; what it tells goes to the terminal."""
    root, user = home(), service_user()
    prepare_home(root, user)
    bundle = await asyncio.to_thread(install_bundle, root)
    with take_place(root / "lab", user) as place:
        return await measure(bundle, place, lambda text: say(f"- {text}"))
