"""`dialer bench registry`: how quick and how small the registries are, beside a row per number."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dialer_engine.cli.terminal import say
from dialer_engine.lab.bench_registry import NUMBERS, Size, measure

NumbersOption = Annotated[int, typer.Option("--numbers", min=1500, help="Numbers of the synthetic registry.")]
PlaceOption = Annotated[Path | None, typer.Option("--directory", help="Where 25 GB are free.")]
OwnOption = Annotated[bool, typer.Option("--own-only", help="Leave the other two ways out (needs 5 GB).")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]


def registry(
    numbers: NumbersOption = NUMBERS,
    directory: PlaceOption = None,
    own_only: OwnOption = False,
    json_file: JsonFile = None,
) -> None:
    """Load 258 million synthetic numbers, look them up, compare a million contacts; three ways to keep them."""
    with tempfile.TemporaryDirectory(dir=directory, prefix="dialer-bench-") as place:
        result = measure(Path(place), Size(numbers), others=not own_only, tell=say)
    if json_file is not None:
        json_file.write_text(json.dumps(result.document(), indent=1) + "\n", encoding="utf-8")


def add_to(bench: typer.Typer) -> None:
    """Add the command to the group `bench`."""
    bench.command("registry")(registry)
