"""`dialer run`: the engine in the foreground."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Protocol, TextIO

import structlog
import typer
import uvloop

from dialer_engine.cli.common import read_config
from dialer_engine.cli.terminal import say_text
from dialer_engine.core.text import shown, shown_lines
from dialer_engine.engine.control import ControlError
from dialer_engine.engine.daemon import Engine
from dialer_engine.engine.lock import EngineRuns
from dialer_engine.engine.ownership import Displaced
from dialer_engine.engine.service import Service
from dialer_engine.pbx.ami import AmiError
from dialer_engine.pbx.ari.errors import AriError
from dialer_engine.pbx.bundle import BundleError
from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.prompts import PromptError
from dialer_engine.pbx.template import RenderError
from dialer_engine.settings.home import HomeError, home, service_user
from dialer_engine.settings.load import DEFAULT_DIRECTORY, SettingsError
from dialer_engine.settings.models import LoggingSettings
from dialer_engine.store.errors import StoreError

FAILED_START = 1
EXPECTED = (
    AmiError,
    AriError,
    BundleError,
    ControlError,
    Displaced,
    EngineRuns,
    HomeError,
    NodeError,
    PromptError,
    RenderError,
    SettingsError,
    StoreError,
)
"""Errors whose text is meant for the person at the keyboard."""


def configure_logging(settings: LoggingSettings) -> None:
    """Send structlog's records to standard error, for people or as JSON."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.types.Processor = structlog.processors.JSONRenderer()
    if settings.format == "console":
        # structlog's own way to show an exception prints every variable, numbers and passwords among them.
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_trace)
        shared[-1] = _harmless
    # An outage of the database is told once by the writer; asyncpg's pool would add a traceback a second.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    if logging.lastResort is not None:
        # What libraries say of themselves when nobody listens to them.
        logging.lastResort.setFormatter(_Harmless())
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


class _Harmless(logging.Formatter):
    """The library's line, which may quote text of anybody's."""

    def format(self, record: logging.LogRecord) -> str:
        return shown_lines(super().format(record))


def _harmless(logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Let no text of anybody's begin a line of the log or command the terminal; JSON needs no such care."""
    return {name: shown(value) if isinstance(value, str) else value for name, value in event.items()}


def _trace(out: TextIO, about: structlog.typing.ExcInfo) -> None:
    lines = "".join(traceback.format_exception(*about)).rstrip("\n")
    out.write(f"\n{shown_lines(lines)}")


def run(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="Configuration directory.")
    ] = DEFAULT_DIRECTORY,
    standby: Annotated[
        bool,
        typer.Option(
            "--standby", help="Wait while another engine owns the calls; take over when it is gone."
        ),
    ] = False,
) -> None:
    """Run the engine in the foreground; Ctrl-C drains, a second one leaves at once, SIGHUP reloads."""
    logging_ = read_config(config).settings.logging
    serve(
        lambda service: Engine(config.absolute(), home(), service_user(), service, standby=standby), logging_
    )


class Daemon(Protocol):
    """What runs in the foreground until it is told to stop."""

    stopping: asyncio.Event

    def reload_soon(self) -> None:
        """Read the configuration again."""

    async def start(self) -> None:
        """Bring everything up."""

    async def run(self) -> None:
        """Run until `stopping` is set, and end."""


def serve(making: Callable[[Service], Daemon], settings: LoggingSettings) -> None:
    """Run a daemon in the foreground until a signal ends it; an error meant for people ends the command."""
    try:
        configure_logging(settings)
        uvloop.run(_run(making(Service.from_environment(os.environ))))
    except EXPECTED as error:
        say_text(str(error), err=True)
        raise typer.Exit(FAILED_START) from error


async def _run(engine: Daemon) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, engine.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, engine.reload_soon)
    starting = asyncio.ensure_future(engine.start())
    interrupted = asyncio.ensure_future(engine.stopping.wait())
    await asyncio.wait((starting, interrupted), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        (ended,) = await asyncio.gather(starting, return_exceptions=True)
        if isinstance(ended, Displaced):  # no request to stop: the service manager is to start it again
            raise ended
        return
    interrupted.cancel()
    starting.result()
    # Rules, area codes and models live as long as the engine: looking through them again and again for garbage
    # would stop everything for 40 ms at a time.
    gc.collect()
    gc.freeze()
    await engine.run()


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("run", help="Run the engine in the foreground.")(run)
