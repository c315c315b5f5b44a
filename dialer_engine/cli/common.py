"""What several commands share: the configuration option, the running engine, errors for people."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import yaml

from dialer_engine.cli.terminal import say_json, say_text
from dialer_engine.engine.control_client import ControlClient, EngineNotRunning, EngineRefused
from dialer_engine.pbx.bundle import BundleError
from dialer_engine.pbx.instance import NodeError
from dialer_engine.settings.home import HomeError, home
from dialer_engine.settings.load import DEFAULT_DIRECTORY, ENGINE_FILE, Config, SettingsError, load_config
from dialer_engine.store.errors import StoreError

T = TypeVar("T")

FAILED = 1
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Configuration directory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_CONFIG = DEFAULT_DIRECTORY
EXPECTED = (BundleError, EngineNotRunning, EngineRefused, HomeError, NodeError, SettingsError, StoreError)


def carry_out(doing: Coroutine[Any, Any, T]) -> T:
    """Run one command's work; an error meant for people is printed and ends the command with status 1."""
    try:
        return asyncio.run(doing)
    except EXPECTED as error:
        raise fail(str(error)) from error
    except BrokenPipeError:
        raise  # whoever read standard output had enough; that is no error to tell
    except OSError as error:
        raise fail(_in_words(error)) from error


def _in_words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "there was no answer in time; look whether it was done, and try again"
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename else what


def not_blank(text: str) -> str:
    """Refuse an option without words: they are kept with the record."""
    if not text.strip():
        raise typer.BadParameter("say it in words; they are kept with the record")
    return text


def fail(message: str) -> typer.Exit:
    """Print an error and return the exit to raise."""
    say_text(message, err=True)
    return typer.Exit(FAILED)


def read_config(directory: Path) -> Config:
    """Load the configuration or end the command with all its errors."""
    try:
        return load_config(directory)
    except SettingsError as error:
        raise fail(str(error)) from error


def control_socket(config: Path) -> Path:
    """Return where the engine of this configuration listens.

    Read on its own: a running engine must be reachable while its configuration has errors.
    """
    default = home() / "run" / "control.sock"
    try:
        document = yaml.safe_load((config / ENGINE_FILE).read_text(encoding="utf-8"))
        chosen = document["control"]["socket"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return default
    return config.absolute() / str(chosen) if chosen else default


def engine(config: Path) -> ControlClient:
    """Return the way to the running engine."""
    return ControlClient(control_socket(config))


def reachable(bind: str) -> str | None:
    """Return the address at which others reach what is bound there; None when that is every address of the machine."""
    return None if ipaddress.ip_address(bind).is_unspecified else bind


def print_json(document: object) -> None:
    """Print a document as JSON."""
    say_json(document, indent=2)
