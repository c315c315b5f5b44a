"""The commands as a person uses them, on a real database without an engine."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from dialer_engine.cli.app import build


class Commands:
    """Runs commands on one configuration and keeps what they said."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self._app = build()

    def invoke(self, *words: str, stdin: bytes | None = None) -> Result:
        """Run a command, whatever comes of it."""
        return CliRunner().invoke(self._app, [*words, "--config", str(self.config)], input=stdin)

    def run(self, *words: str, status: int = 0, stdin: bytes | None = None) -> str:
        """Return what a command says; it must end with this status and never with a traceback."""
        done = self.invoke(*words, stdin=stdin)
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        assert done.exit_code == status, done.output
        return done.output

    def refused(self, *words: str) -> str:
        """Return the error of a command that must end with status 1."""
        return self.run(*words, status=1)


def commands_on(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Make a configuration over the test's database, with a home of its own."""
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "dialer.yaml").write_text(
        "members: {acme: {name: Acme, callback_number: +18005550100}}\n"
        "trunks: {main: {host: 127.0.0.1}}\n"
        f"database: {{url: '{pg_url}'}}\n",
        encoding="utf-8",
    )
    return Commands(directory)
