"""What `demo` and `bench` share: quiet logs, errors for people, and an orderly end on Ctrl-C."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
import typer

from dialer_engine.cli.common import EXPECTED, fail
from dialer_engine.lab.place import LabError
from dialer_engine.lab.session import INTERRUPTED, Interrupted, run_to_end

_T = TypeVar("_T")


def run_lab(doing: Coroutine[Any, Any, _T]) -> _T:
    """Run a lab to its end; an interruption ends the command with status 130, an expected error with 1."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        return run_to_end(doing)
    except Interrupted as error:
        typer.echo("- interrupted; everything that was started has ended", err=True)
        raise typer.Exit(INTERRUPTED) from error
    except (*EXPECTED, LabError) as error:
        raise fail(str(error)) from error
