"""`dialer bench reserve`: what reserving fifty attempts costs with a short list and with a long one."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from dialer_engine.cli.terminal import say
from dialer_engine.lab.bench_registry import NUMBERS
from dialer_engine.lab.bench_reserve import LARGE, ROUNDS, SMALL, Size, run
from dialer_engine.settings.home import home, prepare_home, service_user


def reserve(
    contacts: Annotated[int, typer.Option(min=1000, help="Contacts of the long list.")] = LARGE,
    small: Annotated[int, typer.Option(min=1000, help="Contacts of the short list.")] = SMALL,
    registry: Annotated[int, typer.Option(min=1000, help="Numbers of the registry.")] = NUMBERS,
    rounds: Annotated[int, typer.Option(min=100, help="Reservations measured per list.")] = ROUNDS,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Reserve 50 attempts at a time through the whole gate; needs 15 GB below DIALER_HOME for the full size."""
    root = home()
    prepare_home(root, service_user())
    with tempfile.TemporaryDirectory(dir=root, prefix="bench-") as place:
        Path(place).chmod(0o755)
        size = Size(contacts, small, registry, rounds)
        figures = asdict(uvloop.run(run(Path(place), size, tell=lambda text: say(f"- {text}"))))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    say(f"{contacts:,} contacts: p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms")
    say(f"{small:,} contacts: p50 {figures['p50_small_ms']:.1f} ms, p99 {figures['p99_small_ms']:.1f} ms")
    say(f"ratio of the p99: {figures['ratio']:.2f}; load of the machine {figures['load_average']:.1f}")


def add_to(bench: typer.Typer) -> None:
    """Add the command to the group `bench`."""
    bench.command("reserve")(reserve)
