"""The benchmark of registries at a small size: every figure is there, and the three ways agree on the numbers."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dialer_engine.cli import bench_registry as command
from dialer_engine.lab.bench_registry import PER_EXCHANGE, Size, run, synthetic, write_file
from dialer_engine.settings.rules import SHIPPED, load_rules

pytestmark = pytest.mark.postgres

_, PLAN = load_rules(SHIPPED)


def test_the_synthetic_file_is_a_registry(tmp_path: Path) -> None:
    made = synthetic(PLAN, 30_000)
    file = tmp_path / "registry.txt"
    write_file(made, file)
    lines = file.read_text().splitlines()
    assert len(lines) == len(set(lines)) == made.numbers
    assert lines == sorted(lines)
    assert {len(line) for line in lines} == {11}
    assert {int(line[:3]) for line in lines} == set(made.codes)
    listed = {f"+1{line[:3]}{line[4:]}" for line in lines}
    some = made.some("x", 1_000, 0.25)
    assert set(some[:250]) <= listed
    assert not set(some[250:]) <= listed


def test_the_full_size_is_that_of_the_us_registry() -> None:
    made = synthetic(PLAN)
    assert abs(made.numbers - 258_500_000) < PER_EXCHANGE * len(made.codes)


async def test_the_figures(open_directory: Path, tmp_path: Path) -> None:
    place = open_directory / "bench"
    place.mkdir(mode=0o755)
    told: list[str] = []
    result = await run(place, Size(30_000, 2_000, 300), tell=told.append)
    document = json.loads(json.dumps(result.document()))
    assert {"load_s", "bytes", "check_p99_ms", "scrub_1m_s", "reload_s"} <= document.keys()
    for other in ("per_area", "row_per_number"):
        assert document[other]["numbers"] == document["numbers"]
        assert all(value > 0 for value in document[other].values())
    assert document["bytes"] < document["row_per_number"]["bytes"]
    assert any(text.startswith("row per number: load") for text in told)
    assert not (place / "registry.txt").exists()


def test_the_command_is_part_of_a_group() -> None:
    group = typer.Typer()
    group.callback()(lambda: None)
    command.add_to(group)
    result = CliRunner().invoke(group, ["registry", "--help"])
    assert result.exit_code == 0
    assert "--own-only" in result.output
