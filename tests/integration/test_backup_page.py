"""The commands of docs/operations.md that back the embedded database up and restore it, as they stand there."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_support import Commands

from dialer_engine.settings.home import prepare_home, service_user
from dialer_engine.store.embedded import EmbeddedPostgres

pytestmark = pytest.mark.postgres

PAGE = Path(__file__).resolve().parents[2] / "docs/operations.md"
CONFIG = """\
members: {acme: {name: Acme, callback_number: +18005550100}}
trunks: {main: {host: 127.0.0.1}}
"""
BLOCKED, LATER = "+12125550101", "+12125550102"


def blocks(text: str) -> Iterator[str]:
    """The indented blocks of code of a page, without their indentation."""
    for found in re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE):
        yield re.sub(r"(?m)^ {4}", "", found)


def block_with(words: str) -> str:
    """The one block in which these words stand."""
    found = [block for block in blocks(PAGE.read_text("utf-8")) if words in block]
    assert len(found) == 1
    return found[0]


class Machine:
    """A home with an embedded server, a directory of backups and the page's own programs, all of this user's."""

    def __init__(self, directory: Path) -> None:
        self.home, self.backups, self.bin = (directory / name for name in ("home", "backup", "bin"))
        self.bin.mkdir()
        self.backups.mkdir()
        self.server = EmbeddedPostgres(self.home / "postgres", service_user(), settings={"fsync": "off"})
        script = block_with("exec runuser -u dialer -- sh -c")
        program = self.bin / "dialer-pg"
        program.write_text(self.moved(script).replace("runuser -u dialer -- ", ""))
        program.chmod(0o755)

    def moved(self, text: str) -> str:
        """The same with the places of this machine."""
        return text.replace("/var/lib/dialer", str(self.home)).replace("/backup/", f"{self.backups}/")

    def run(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run commands of the page."""
        given = os.environ | {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        return subprocess.run(
            ["sh", "-c", self.moved(commands)], env=given, capture_output=True, text=True, check=False
        )


@pytest.fixture
def machine(
    open_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Machine, Commands]]:
    """A machine with a number on its list; its server runs."""
    place = open_directory / "backed-up"
    place.mkdir()
    made = Machine(place)
    monkeypatch.setenv("DIALER_HOME", str(made.home))
    prepare_home(made.home, service_user())
    (tmp_path / "dialer.yaml").write_text(CONFIG)
    made.server.start()
    try:
        commands = Commands(tmp_path)
        commands.run("dnc", "add", BLOCKED)
        yield made, commands
    finally:
        made.server.stop()


def line_with(words: str) -> str:
    """The lines of the block in which these words stand, from the first that has them."""
    block = block_with(words)
    return block[block.index(words) :]


def test_what_the_page_dumps_its_other_commands_restore(machine: tuple[Machine, Commands]) -> None:
    made, commands = machine
    dump = next(line for line in block_with("pg_dump -Fc dialer >").splitlines() if "pg_dump" in line)
    done = made.run(dump)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in made.backups.iterdir()] == ["dialer.dump"]
    assert (made.backups / "dialer.dump").stat().st_mode & 0o077 == 0
    commands.run("dnc", "add", LATER)
    restore = line_with("dialer-pg dropdb --force dialer")
    done = made.run(restore)
    assert (done.returncode, done.stdout.strip()) == (0, "UPDATE 0"), done.stderr
    listed = made.run("dialer-pg psql -d dialer -Atc 'select number from suppressions order by 1'")
    assert listed.stdout.split() == [BLOCKED], listed.stderr

    made.server.stop()
    made.server.data.rename(made.server.data.with_name("data.broken"))
    assert made.run(restore).returncode != 0, "nothing runs"
    commands.run("dnc", "check", BLOCKED)
    done = made.run(restore)
    assert (done.returncode, done.stdout.strip()) == (0, "UPDATE 0"), done.stderr
    assert "must not be called" in commands.run("dnc", "check", BLOCKED)
