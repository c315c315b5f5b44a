"""Image, service unit and operations page agree with the program: commands, files, names."""

import configparser
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from dialer_engine.cli.app import build
from dialer_engine.settings.models import DatabaseSettings
from dialer_engine.store.pool import COMMAND_TIMEOUT_S

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
OPERATIONS = ROOT / "docs/operations.md"
PAGES = (OPERATIONS, ROOT / "README.md", ROOT / "docs/development.md")
NEUTRAL = (*PAGES, *(path for path in sorted(DOCKER.iterdir()) if path.is_file()), ROOT / ".dockerignore")
TOUCH_NO_DATA = {"bench", "chaos", "check", "demo", "firewall", "front", "init", "schema", "test"}
"""Commands that a second container may run beside an engine's."""

HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|cloud|co)\b", re.IGNORECASE)
INLINE = re.compile(r"`([^`]+)`")
CALL = re.compile(
    r"(?:^|[\s(;&|])(?:\S*/)?dialer[ ]+(?!(?:dialer|rm)\b)([a-z][^#;&|)]*|--(?:help|version)\b)"
)


@cache
def commands() -> TyperGroup:
    """The tree of all commands; making it takes a while."""
    found = typer.main.get_command(build())
    assert isinstance(found, TyperGroup)
    return found


def code(page: Path) -> Iterator[str]:
    """Every line of code of a page: blocks that are fenced or indented, and code inside sentences."""
    fenced = False
    for line in page.read_text("utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()
        else:
            yield from INLINE.findall(line)


def calls(page: Path) -> list[list[str]]:
    """The words after `dialer` of every command line on the page."""
    return [found.split() for line in code(page) for found in CALL.findall(line)]


def complaint(words: list[str]) -> str | None:
    """What is wrong with a command line, None when its commands and options exist."""
    command: Any = commands()
    rest = list(words)
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"{' '.join(words)}: there is no command {name!r}"
        command = command.commands[name]
    if isinstance(command, TyperGroup) and not rest and not command.invoke_without_command:
        return f"{' '.join(words)}: which of {', '.join(command.commands)}?"
    known = {
        "--help",
        *(option for param in command.params for option in (*param.opts, *param.secondary_opts)),
    }
    if command.context_settings.get("ignore_unknown_options"):
        return None
    strange = [word for word in rest if word.startswith("-") and word.split("=")[0] not in known]
    return f"{' '.join(words)}: there is no option {strange[0]}" if strange else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_the_page_exists(page: Path) -> None:
    assert [text for words in calls(page) if (text := complaint(words))] == []


def test_the_search_for_commands_finds_them() -> None:
    found = {" ".join(words) for words in calls(OPERATIONS)}
    assert {"stop --all", "status --json", "doctor", "campaign pause NAME", "init", "reload"} <= found
    assert ["campaign", "start", "example"] in calls(ROOT / "README.md")


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("stop --all", None),
        ("agent add ana --member acme", None),
        ("report", None),
        ("report pacing --plot out.svg", None),
        ("halt", "no command"),
        ("campaign", "which of"),
        ("campaign dance", "no command"),
        ("stop --everything", "no option"),
    ],
)
def test_a_wrong_command_line_is_noticed(line: str, wrong: str | None) -> None:
    found = complaint(line.split())
    assert (found is None) if wrong is None else (found is not None and wrong in found)


@pytest.mark.parametrize("path", NEUTRAL, ids=lambda path: path.name)
def test_no_host_is_named(path: Path) -> None:
    text = path.read_text("utf-8")
    assert HOST.findall(text) == []
    assert re.findall(r"https?://[a-z0-9]", text) == []


def test_images_are_named_without_a_registry() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text("utf-8")
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))["services"]
    names = [
        *re.findall(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE),
        *(s["image"] for s in services.values()),
    ]
    assert len(names) == 1 + len(services)
    assert [name for name in names if "/" in name] == []


def sources() -> list[str]:
    lines = (DOCKER / "Dockerfile").read_text("utf-8").splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    return [source for words in copies for source in words]


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").split() if line[:1] == "!"}
    assert set(sources()) == allowed
    assert [source for source in sources() if not (ROOT / source).exists()] == []


def test_no_settings_get_into_the_image() -> None:
    assert "config" not in sources()
    assert (ROOT / ".dockerignore").read_text("utf-8").splitlines()[1] == "*"


def test_the_image_runs_the_engine_as_an_ordinary_user() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)[-1] == "dialer"
    assert dockerfile.rstrip().endswith('CMD ["run"]'), "the engine is what is built when no target is named"
    assert 'CMD ["dialer", "status", "--json"]' in dockerfile
    assert 'CMD ["node", "run"]' in dockerfile
    assert "DIALER_ASTERISK_ROOT=/ " in dockerfile
    assert "DIALER_FRONT_ROOT=/ " in dockerfile
    assert "unauthenticated" not in dockerfile.lower()
    assert "trusted" not in dockerfile.lower()


def test_the_addresses_of_the_database_in_the_compose_file_are_allowed() -> None:
    text = (DOCKER / "compose.yaml").read_text("utf-8")
    found = dict(re.findall(r"(\w*url): (postgresql://\S+)", text))
    assert set(found) == {"url", "engine_url"}
    settings = DatabaseSettings(**found)
    assert (settings.url, settings.engine_url) == (found["url"], found["engine_url"])
    page = OPERATIONS.read_text("utf-8")
    assert [address for address in found.values() if address not in page] == []


def test_the_container_of_postgres_makes_the_logins_that_the_page_asks_for() -> None:
    page = OPERATIONS.read_text("utf-8").partition("### Moving to a Postgres server")[2]
    asked = [line.lower() for line in re.findall(r"^ {7}((?:CREATE|GRANT) .*);$", page, re.MULTILINE)]
    script = (DOCKER / "postgres-roles").read_text("utf-8")
    made = re.sub(r":'\w+'", "'...'", script.partition("<<'SQL'")[2]).split(";")
    assert [line.strip() for line in made[:-1]] == asked
    assert os.access(DOCKER / "postgres-roles", os.X_OK)


def test_the_page_makes_every_password_that_the_compose_file_needs() -> None:
    needed = set(re.findall(r"\$\{DIALER_DB_(\w+):\?", (DOCKER / "compose.yaml").read_text("utf-8")))
    found = re.search(
        r"for name in ([A-Z_ ]+); do\n\s+echo \"DIALER_DB_\$name=", OPERATIONS.read_text("utf-8")
    )
    assert found is not None
    assert set(found[1].split()) == needed == {"ADMIN_PASSWORD", "PASSWORD", "ENGINE_PASSWORD"}


def test_the_containers_write_to_their_volumes_only() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))["services"]
    for name in set(services) - {"postgres"}:
        service = services[name]
        assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert [
        line for line in code(OPERATIONS) if re.search(r" cp \S+ dialer:(?!/var/lib/dialer/)", line)
    ] == []


def test_a_dump_of_a_lesser_login_is_whole() -> None:
    dumps = [line for line in code(OPERATIONS) if "DIALER_DB_PASSWORD exec pg_dump" in line]
    assert len(dumps) == 1
    assert "--enable-row-security" in dumps[0]


def test_the_packages_are_in_the_image_once() -> None:
    """Whatever changes a file's mode or owner in a later layer puts a second copy of it there."""
    later = (DOCKER / "Dockerfile").read_text("utf-8").partition("COPY --from=packages")[2]
    changes = [line for line in later.splitlines() if re.search(r"ch(?:mod|own) -R", line)]
    assert changes != []
    assert [line for line in changes if re.search(r"venv|/opt/dialer|\s\.(?:\s|/|;)|\*", line)] == []


def test_the_compose_file_builds_what_the_dockerfile_makes() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))["services"]
    stages = re.findall(r"^FROM \S+ AS (\S+)", (DOCKER / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    targets = {name: service["build"]["target"] for name, service in services.items() if "build" in service}
    assert targets == {"dialer": "engine", "node": "node"}
    assert set(targets.values()) <= set(stages)
    node, engine = services["node"], services["dialer"]
    assert node["profiles"] == ["node"], "it is not started beside an engine that has an Asterisk"
    assert node["extra_hosts"] == [f"{node['hostname']}:127.0.1.1"]
    assert "node-home:/var/lib/dialer" in node["volumes"], "two must never share a home"
    assert "home:/var/lib/dialer" in engine["volumes"]


def test_the_containers_meet_at_the_socket_and_the_name_resolves() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))["services"]
    engine, database = services["dialer"], services["postgres"]
    assert "sockets:/run/postgresql" in engine["volumes"]
    assert "sockets:/var/run/postgresql" in database["volumes"]
    assert engine["extra_hosts"] == [f"{engine['hostname']}:127.0.1.1"]
    assert "ports" not in database


@pytest.mark.parametrize(("name", "words"), [("dialer", ["run"]), ("dialer-node", ["node", "run"])])
def test_the_units_end_their_program_alone(name: str, words: list[str]) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(DOCKER / f"{name}.service")
    service = unit["Service"]
    assert (service["Type"], service["KillMode"], service["User"]) == ("notify", "process", "dialer")
    assert service["Environment"] == "DIALER_HOME=/var/lib/dialer"
    assert service["ExecStart"].split() == ["/opt/dialer/dialer", *words]
    assert "-HUP" in service["ExecReload"]
    assert int(service["WatchdogSec"]) > COMMAND_TIMEOUT_S, "a slow database is no reason to be killed"
    assert service["NotifyAccess"] == "main"


@pytest.mark.parametrize("name", ["dialer", "dialer-node"])
def test_at_boot_the_units_wait_for_the_right_time(name: str) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(DOCKER / f"{name}.service")
    assert "time-sync.target" in unit["Unit"]["Wants"].split()
    assert "time-sync.target" in unit["Unit"]["After"].split()
    assert any("systemctl enable systemd-time-wait-sync" in line for line in code(OPERATIONS))


def test_a_newer_systemd_reloads_by_itself_and_sends_the_signal_once() -> None:
    more = configparser.ConfigParser(interpolation=None)
    more.read(DOCKER / "dialer.service.d" / "notify-reload.conf")
    assert dict(more["Service"]) == {"type": "notify-reload", "execreload": ""}
    assert any(line.startswith("cp -r /opt/dialer/docker/dialer.service.d") for line in code(OPERATIONS))


def test_the_unit_of_the_front_runs_its_keeper_alone() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(DOCKER / "dialer-front.service")
    service = unit["Service"]
    assert (service["KillMode"], service["User"]) == ("process", "dialer")
    assert service["ExecStart"].split() == ["/opt/dialer/dialer", "front", "run"]
    assert complaint(["front", "run"]) is None


def test_the_front_in_compose_has_a_home_of_its_own() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))["services"]
    front = services["front"]
    assert front["profiles"] == ["front"]
    assert complaint(front["command"]) is None
    assert "front:/var/lib/dialer" in front["volumes"]


# --- the entrypoint, with a stand-in for the command ----------------------------------------------

COMMAND = """#!/bin/sh
echo "$@" >>"$DIALER_HOME/called"
case "$1 ${2:-}" in
"run "* | "node run")
    trap 'echo asked to end; exit 7' TERM
    trap 'echo asked to reload' HUP
    echo up
    while :; do sleep 0.05; done
    ;;
esac
"""

DIES_ONCE = """#!/bin/sh
cd "$DIALER_HOME"
case $1 in
status) [ -e hears ] || exit 1 ;;
run)
    if [ ! -e died ]; then touch died; exit 3; fi
    sleep 0.5 # a signal in this time would be its end
    trap 'exit 7' TERM
    touch hears
    while :; do sleep 0.05; done
    ;;
stop) touch stopped ;;
esac
"""


@pytest.fixture
def container(tmp_path: Path) -> dict[str, str]:
    """Variables of a container whose `dialer` only notes how it was called."""
    program = tmp_path / "bin" / "dialer"
    program.parent.mkdir()
    program.write_text(COMMAND)
    program.chmod(0o755)
    return os.environ | {"DIALER_HOME": str(tmp_path), "PATH": f"{program.parent}:{os.environ['PATH']}"}


def start(container: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [DOCKER / "entrypoint", *words],
        env=container,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_signals_reach_the_engine_and_its_status_comes_back(container: dict[str, str]) -> None:
    process = start(container, "run")
    assert line_of(process) == "up"
    process.send_signal(signal.SIGHUP)
    assert line_of(process) == "asked to reload"
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert out.startswith("asked to end")
    assert process.returncode == 7
    called = Path(container["DIALER_HOME"], "called").read_text().splitlines()
    assert called in (["run"], ["run", "stop --all --config config"])


def test_told_to_end_before_a_restart_the_next_engine_is_told(
    container: dict[str, str], tmp_path: Path
) -> None:
    """An engine that died is started again while Asterisk is up, after a pause in which nobody hears a signal.

    It sees the calls through, as one does that is told in time.
    """
    (tmp_path / "bin" / "dialer").write_text(DIES_ONCE)
    asterisk = tmp_path / "asterisk"
    shutil.copy2(shutil.which("sleep") or "", asterisk)
    with subprocess.Popen([asterisk, "60"]) as up:
        process = start(container, "run")
        assert process.stderr is not None
        assert "starting it again" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        up.kill()
    assert process.returncode == 7, "the second engine was told, and not before it could hear"
    assert (tmp_path / "stopped").exists()


def test_a_node_ends_in_its_own_way(container: dict[str, str]) -> None:
    process = start(container, "node", "run", "--config", "/elsewhere")
    assert line_of(process) == "up"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 7
    called = Path(container["DIALER_HOME"], "called").read_text().splitlines()
    assert called[0] == "node run --config /elsewhere"
    assert called[1:] in ([], ["node stop --config /elsewhere"])


def test_a_second_container_on_the_same_home_is_refused(container: dict[str, str]) -> None:
    first = start(container, "run", "--config", "/elsewhere")
    assert line_of(first) == "up"
    for words in (("run",), ("agent", "ls"), ("list", "import", "x.csv")):
        second = start(container, *words)
        _, said = second.communicate(timeout=10)
        assert second.returncode == 1
        assert "another container" in said
        assert f"dialer {' '.join(words)}" in said
    harmless = start(container, "check")
    harmless.communicate(timeout=10)
    assert harmless.returncode == 0
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=10)


def test_every_command_is_either_guarded_or_touches_no_data() -> None:
    found = re.search(r"^((?:\w+ \| )+\w+)\) ;;$", (DOCKER / "entrypoint").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    guarded = set(found[1].split(" | "))
    assert guarded | TOUCH_NO_DATA == set(commands().commands)
    assert not guarded & TOUCH_NO_DATA
