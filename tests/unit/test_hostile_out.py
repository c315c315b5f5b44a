"""Ten thousand hostile texts through every way out: each comes out as text and nothing else, or not at all."""

import ast
import csv
import io
import json
import logging
import re
import socket
import string
from html.parser import HTMLParser
from pathlib import Path

import pytest
import structlog
from panoramisk.actions import Action

from dialer_engine.cli import terminal
from dialer_engine.cli.run import configure_logging
from dialer_engine.core.text import one_line, shown, storable
from dialer_engine.engine.service import Service
from dialer_engine.lab.hostile import FAMILIES, MARK, hostile
from dialer_engine.pbx.ami import AmiError, checked_action
from dialer_engine.pbx.ari.errors import AriRefused
from dialer_engine.pbx.ari.wire import encode_command
from dialer_engine.pbx.template import RenderError, fill
from dialer_engine.settings.models import LoggingSettings
from dialer_engine.settings.problems import Problem
from dialer_engine.store.evidence_page import _section
from dialer_engine.store.safe_csv import SafeWriter

pytestmark = pytest.mark.unit

TEXTS = hostile(10_000)
SOME = TEXTS[:1500]
CLI = Path(terminal.__file__).parent
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def test_the_texts_are_many_and_of_every_family() -> None:
    assert len(set(TEXTS)) == 10_000
    assert TEXTS[:500] == hostile(500)
    assert hostile(10_000, seed=2) != TEXTS
    for patterns in FAMILIES.values():
        for pattern in patterns:
            assert pattern.format(m=MARK) in TEXTS


def test_what_is_shown_is_one_line_and_nobody_else_is_touched() -> None:
    for text in TEXTS:
        assert one_line(shown(text))
        assert not ACTS.search(shown(text))
        assert shown(text) == text or not one_line(text)
    for good in (
        "O'Brien",
        "Zo\u00eb",
        "\u674e\u5c0f\u9f99",
        "\u0645\u0631\u062d\u0628\u0627",
        string.printable[:95],
    ):
        assert shown(good) == good
        assert storable(good) == good


def test_a_command_prints_one_line_for_each_text(capsys: pytest.CaptureFixture[str]) -> None:
    for text in TEXTS:
        terminal.say(text)
    out = capsys.readouterr().out
    assert out.split("\n") == [*map(shown, TEXTS), ""]
    assert not ACTS.search(out)


def test_tables_print_brackets_and_send_no_command() -> None:
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    screen = terminal._Console(file=out, force_terminal=True, color_system="truecolor", width=4000)
    table = Table(title="[red]title", show_lines=False)
    table.add_column("text")
    table.add_column("styled")
    for text in SOME:
        table.add_row(text, Text(text, style="bold"))
    screen.print(table)
    screen.print(*SOME[:300], sep="|")
    assert not ACTS.search(COLOUR.sub("", out.getvalue()))
    assert f"[red]{MARK}[/red]" in out.getvalue()
    assert f":smiley:{MARK}" in out.getvalue()


def test_json_for_programs_is_ascii_and_keeps_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_json(TEXTS)
    out = capsys.readouterr().out
    assert json.loads(out) == TEXTS
    assert not ACTS.search(out)


def test_an_export_to_a_terminal_is_harmless_and_to_a_file_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return self.is_terminal

    for is_terminal in (True, False):
        out = Screen()
        out.is_terminal = is_terminal
        monkeypatch.setattr("sys.stdout", out)
        for text in SOME:
            terminal.exported().write(f"{text}\n")
        assert bool(ACTS.search(out.getvalue())) is not is_terminal


def test_no_command_has_another_way_to_the_terminal() -> None:
    forbidden = {"echo", "secho", "Console", "print"}
    own = {"terminal.py", "checks.py"}  # checks.py prints the tools' own words, for developers
    for path in CLI.glob("*.py"):
        names = {
            getattr(call.func, "attr", getattr(call.func, "id", ""))
            for call in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(call, ast.Call)
            and not (
                isinstance(call.func, ast.Attribute) and "console" in ast.unparse(call.func.value).lower()
            )
        }
        assert path.name in own or not names & forbidden, path.name
        assert path.name in own or "sys.stdout.write" not in path.read_text("utf-8")


@pytest.mark.parametrize("form", ["console", "json"])
def test_the_log_has_one_line_for_each_text(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    configure_logging(LoggingSettings(format=form, level="info"))
    try:
        log = structlog.get_logger("hostile")
        for text in SOME:
            log.warning("something happened", why=text)
        secret = "hush-" + "hush"
        try:
            raise ValueError(SOME[5] + "\x1b]0;x\x07")
        except ValueError:
            log.exception("it broke")
        library = logging.LogRecord("a", logging.ERROR, "a.py", 1, "said \x1b]0;x\x07", None, None)
        assert logging.lastResort is not None
        logging.lastResort.handle(library)
    finally:
        structlog.configure(**before)
        logging.getLogger("asyncpg").setLevel(logging.NOTSET)
    lines = capsys.readouterr().err.split("\n")
    assert "said \\x1b]0;x\\x07" in lines
    assert sum("something happened" in line for line in lines) == len(SOME)
    assert not any(ACTS.search(line) for line in lines)
    assert not any(secret in line for line in lines), "an exception's variables must not be logged"


async def test_ami_gets_one_action_or_none() -> None:
    sent = 0
    for text in TEXTS:
        try:
            action = Action(checked_action("Reload", {"Module": text}))
        except AmiError:
            continue
        sent += 1
        lines = str(action).split("\r\n")
        assert [line.partition(":")[0] for line in lines if line] == ["Action", "ActionID", "Module"], text
        assert str(action).encode("utf-8").count(b"\n") == 4
    assert 0 < sent < len(TEXTS)
    for text in ("x\r\nAction: Originate", "Originate", "a b", "", "${X}", "\u0410ction"):
        with pytest.raises(AmiError):
            checked_action(text, {})
        with pytest.raises(AmiError):
            checked_action("Reload", {f"{text}:": "x"})


def test_ari_gets_the_text_as_it_is_or_none_of_it() -> None:
    sent = 0
    for text in TEXTS:
        try:
            message = json.loads(
                encode_command("1", "POST", "/channels/a", {"v": text}, {"variables": {"A": text}})
            )
        except AriRefused:
            continue
        sent += 1
        assert message["query_strings"] == [{"name": "v", "value": text}]
        assert json.loads(message["message_body"]) == {"variables": {"A": text}}
        assert "${" not in text
        assert "$[" not in text
        assert one_line(text)
    assert 0 < sent < len(TEXTS)
    with pytest.raises(AriRefused):
        encode_command("1", "POST", "/channels/a", None, {"variables": {"${X}": "1"}})
    with pytest.raises(AriRefused):
        encode_command("1", "GET", "/channels/a?b=c d", None, None)


def test_asterisks_files_get_a_value_or_none() -> None:
    template = "[a]\npassword = {{ value }}\nafter = yes\n"
    written = 0
    for text in TEXTS:
        try:
            lines = fill(template, {"value": text}).split("\n")
        except RenderError:
            continue
        written += 1
        assert lines == ["[a]", f"password = {text}", "after = yes", ""]
        assert not {"${", "$[", ";", "["} & {text[i : i + n] for n in (1, 2) for i in range(len(text))}
    assert 0 < written < len(TEXTS)


def test_a_spreadsheet_gets_every_text_back_but_for_formulas() -> None:
    file = io.StringIO(newline="")
    writer = SafeWriter(file)
    for text in TEXTS:
        writer.row([text, "next"])
    back = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert [row[1] for row in back] == ["next"] * len(TEXTS)
    hidden = 0
    for text, (cell, _) in zip(TEXTS, back, strict=True):
        assert cell.replace("'", "") == text.replace("'", "")
        assert len(cell) - len(text) <= 1 + sum(text.count(sign) for sign in ";|\t\r\n")
        hidden += cell != text
    assert hidden > 300


def test_the_page_of_an_evidence_pack_has_cells_only() -> None:
    tags: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            assert not attrs

    reader = Reader()
    for text in TEXTS:
        reader.feed(_section([{"note": text, text: "x"}]))
    assert tags == {"table", "tr", "th", "td"}


def test_an_error_in_the_settings_is_one_line() -> None:
    for text in TEXTS:
        line = Problem(Path("dialer.yaml"), 1, 1, text, text, text, text).text()
        assert one_line(line)


def test_the_service_manager_gets_one_line_of_status(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        service = Service(str(tmp_path / "notify"))
        for text in SOME:
            service.status = lambda text=text: text  # type: ignore[misc]
            service.ready()
            told = manager.recv(65536).decode("utf-8").split("\n")
            assert len(told) == 2
            assert told[0] == "READY=1"
            assert told[1].startswith("STATUS=")
