"""The locked packages: complete, hashed, and nothing said about where they come from."""

import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

CHECKOUT = Path(__file__).resolve().parents[2]
RUNTIME = CHECKOUT / "requirements" / "runtime.lock"
DEVELOPMENT = CHECKOUT / "requirements" / "dev.lock"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


def locked(path: Path) -> dict[str, str]:
    """The packages of a lock file with their versions."""
    found = re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), flags=re.MULTILINE)
    return dict(found)


def wanted(requirements: list[str]) -> dict[str, str]:
    """Package names as in a lock file, with the lowest version the project accepts ("" for any)."""
    pairs = (re.match(r"([A-Za-z0-9._-]+)(?:>=(\S+))?", text) for text in requirements)
    return {pair[1].lower().replace("_", "-"): pair[2] or "" for pair in pairs if pair}


def numbers(version: str) -> list[int]:
    """A version as a list that can be compared."""
    return [int(part) for part in re.findall(r"\d+", version)]


@pytest.mark.parametrize(
    ("requirements", "path"),
    [
        (PROJECT["dependencies"], RUNTIME),
        (PROJECT["dependencies"], DEVELOPMENT),
        (PROJECT["optional-dependencies"]["dev"], DEVELOPMENT),
    ],
    ids=["runtime", "runtime in dev", "dev"],
)
def test_every_requirement_is_locked_high_enough(requirements: list[str], path: Path) -> None:
    versions = locked(path)
    for name, least in wanted(requirements).items():
        assert numbers(versions[name]) >= numbers(least), name


def test_tests_run_with_the_versions_of_production() -> None:
    development = locked(DEVELOPMENT)
    assert {name: development.get(name) for name in locked(RUNTIME)} == locked(RUNTIME)


@pytest.mark.parametrize("path", [RUNTIME, DEVELOPMENT], ids=["runtime", "dev"])
def test_every_package_has_hashes(path: Path) -> None:
    for block in re.split(r"\n(?=\S)", path.read_text().strip()):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]


@pytest.mark.parametrize("path", [RUNTIME, DEVELOPMENT], ids=["runtime", "dev"])
def test_no_lock_names_a_registry(path: Path) -> None:
    assert "://" not in path.read_text()
    assert "index-url" not in path.read_text()
