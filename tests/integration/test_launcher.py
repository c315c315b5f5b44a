"""The launcher `./dialer`: fast when everything is there, clear when something is missing.

Complete set-ups from nothing are the business of `.ci/run`, which starts with none; here the environments are
small stand-ins, so that the launcher's own decisions are seen.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
LAUNCHER = CHECKOUT / "dialer"
TOOLS = ("sh", "id", "readlink", "dirname", "cksum", "uname", "mkdir", "flock", "tail", "awk", "grep", "env")


def launch(
    directory: Path, *words: str, cwd: Path = CHECKOUT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the launcher with this home and nothing else of the caller's settings."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "DIALER_HOME": str(directory),
        **variables,
    }
    return subprocess.run(
        [str(LAUNCHER), *words],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment_for(directory: Path, lock: str) -> Path:
    """Where the launcher expects the environment of a lock file."""
    content = (CHECKOUT / "requirements" / f"{lock}.lock").read_bytes()
    summed = subprocess.run(["cksum"], input=content, capture_output=True, check=True).stdout
    return directory / f"venv-{summed.split()[0].decode()}"


def make_environment(path: Path, complete: bool = True) -> None:
    """An environment whose python tells how it was called."""
    (path / "bin").mkdir(parents=True)
    python = path / "bin" / "python"
    python.write_text(
        f'#!/bin/sh\necho "{path.name}" "$@"\necho "$PYTHONPATH $DIALER_HOME $PYTHONPYCACHEPREFIX"\n'
        'echo "uncompiled=$PYTHONDONTWRITEBYTECODE"\n'
    )
    python.chmod(0o755)
    if complete:
        (path / ".complete").write_text("")


def test_a_complete_environment_is_started_at_once(tmp_path: Path) -> None:
    make_environment(environment_for(tmp_path, "runtime"))
    began = time.monotonic()
    done = launch(tmp_path, "status", "--watch", "a b", PYTHONDONTWRITEBYTECODE="1")
    assert time.monotonic() - began < 10.0, "no environment is made or looked at"
    first, second, third = done.stdout.splitlines()
    assert first.endswith("-P -m dialer_engine status --watch a b")
    assert second == f"{CHECKOUT} {tmp_path} {tmp_path}/cache/python"
    assert third == "uncompiled=", "a setting of the caller's may not make every start compile everything"
    assert (done.returncode, done.stderr) == (0, "")


def test_the_launcher_works_from_anywhere_and_through_a_link(tmp_path: Path) -> None:
    make_environment(environment_for(tmp_path, "runtime"))
    link = tmp_path / "dialer"
    link.symlink_to(LAUNCHER)
    environment = os.environ | {"DIALER_HOME": str(tmp_path)}
    done = subprocess.run([link, "x"], env=environment, cwd="/", capture_output=True, text=True, check=True)
    assert str(CHECKOUT) in done.stdout


def test_a_relative_home_is_meant_from_here(tmp_path: Path) -> None:
    make_environment(environment_for(tmp_path / "h", "runtime"))
    done = launch(tmp_path, "x", cwd=tmp_path, DIALER_HOME="h")
    assert f"{tmp_path}/h" in done.stdout


def test_tests_use_the_environment_of_development(tmp_path: Path) -> None:
    make_environment(environment_for(tmp_path, "runtime"))
    make_environment(environment_for(tmp_path, "dev"))
    assert environment_for(tmp_path, "dev").name in launch(tmp_path, "test").stdout
    assert environment_for(tmp_path, "runtime").name in launch(tmp_path, "run").stdout


def test_the_environment_of_development_serves_other_commands_too(tmp_path: Path) -> None:
    make_environment(environment_for(tmp_path, "dev"))
    assert environment_for(tmp_path, "dev").name in launch(tmp_path, "run").stdout


def test_the_exit_status_is_the_programs(tmp_path: Path) -> None:
    make_environment(environment_for(tmp_path, "runtime"))
    (environment_for(tmp_path, "runtime") / "bin" / "python").write_text("#!/bin/sh\nexit 7\n")
    assert launch(tmp_path, "x").returncode == 7


def test_without_a_python_the_way_out_is_told(tmp_path: Path) -> None:
    done = launch(tmp_path, "x", DIALER_PYTHON="/no/python")
    assert done.returncode == 1
    assert "python3 >= 3.11 is needed" in done.stderr
    assert "container images" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The programs of a machine without apt-get and sudo, whose python has no ensurepip."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or name)
    write_tool(
        tools / "python3", f'case "$*" in *ensurepip*) exit 1 ;; *) exec {sys.executable} "$@" ;; esac'
    )
    return tools


def write_tool(path: Path, text: str) -> None:
    """A program of the machine."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_without_apt_the_container_images_are_named(tmp_path: Path, bare: Path) -> None:
    done = launch(tmp_path, "x", PATH=str(bare), DIALER_PYTHON="python3")
    assert done.returncode == 1
    assert "no apt-get" in done.stderr
    assert "container images: docker/, docs/operations.md" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root uses apt-get without sudo")
def test_apt_is_announced_and_its_failure_told(tmp_path: Path, bare: Path) -> None:
    asked = tmp_path / "asked"
    write_tool(bare / "apt-get", f'echo "$*" >>{asked}; echo "E: no such host" >&2; exit 100')
    done = launch(tmp_path, "x", PATH=str(bare), DIALER_PYTHON="python3")
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert done.returncode == 1
    assert done.stderr.index(f"installing with apt-get: {package}") < done.stderr.index("E: no such host")
    assert f"apt-get could not install {package}" in done.stderr
    assert [line.split()[0] for line in asked.read_text().splitlines()] == ["install", "update"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become others")
@pytest.mark.parametrize("whose", ["", "venv", "venv/bin", "venv/.complete"])
def test_root_runs_nothing_of_somebody_elses(tmp_path: Path, whose: str) -> None:
    environment = environment_for(tmp_path, "runtime")
    make_environment(environment)
    assert launch(tmp_path, "check").returncode == 0
    place = tmp_path / whose.replace("venv", environment.name)
    os.chown(place, 65534, 65534)
    done = launch(tmp_path, "check")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{place} belongs to nobody, and root would run" in done.stderr
    assert f"runuser -u nobody -- env DIALER_HOME={tmp_path}" in done.stderr
    assert not (tmp_path / ".setup.lock").exists()


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = launch(tmp_path, "x", DIALER_HOME=str(tmp_path / "file" / "home"), DIALER_PYTHON=sys.executable)
    assert done.returncode == 1
    assert "file/home cannot be written; set DIALER_HOME" in done.stderr


def test_a_dead_index_is_told_with_the_way_on(tmp_path: Path) -> None:
    make_environment(environment_for(tmp_path, "runtime"), complete=False)
    done = launch(
        tmp_path, "x", DIALER_PYTHON=sys.executable, PIP_CONFIG_FILE=os.devnull, PIP_RETRIES="0",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
    )  # fmt: skip
    assert done.returncode == 1
    assert "To be installed" in done.stderr.splitlines()[0]
    assert "could not be installed" in done.stderr
    assert "start the same command again" in done.stderr
    assert str(tmp_path / "log" / "setup.log") in done.stderr
    assert not (environment_for(tmp_path, "runtime") / ".complete").exists()


def test_a_second_set_up_waits_for_the_first(tmp_path: Path) -> None:
    (tmp_path / ".setup.lock").write_text("")
    with (tmp_path / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [LAUNCHER, "x"],
            env=os.environ | {"DIALER_HOME": str(tmp_path), "DIALER_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        assert "waiting for it" in second.stderr.readline()
        make_environment(environment_for(tmp_path, "runtime"))
    out, _ = second.communicate(timeout=30)
    assert environment_for(tmp_path, "runtime").name in out


def test_nothing_is_written_in_the_checkout(tmp_path: Path) -> None:
    copy, directory = tmp_path / "checkout", tmp_path / "home"
    shutil.copytree(CHECKOUT / "requirements", copy / "requirements")
    shutil.copy(LAUNCHER, copy / "dialer")
    before = sorted(copy.rglob("*"))
    settings = {"DIALER_HOME": str(directory), "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    environment = os.environ | settings | {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    subprocess.run([copy / "dialer", "x"], env=environment, cwd=copy, capture_output=True, check=False)
    assert (directory / "log" / "setup.log").exists()
    assert sorted(copy.rglob("*")) == before
