"""`dialer init`, `check` and `schema`: what they print, what they write and how they end."""

import json
from pathlib import Path

import pytest
import typer
from settings_support import CAMPAIGN, DIALER, write_config
from typer.testing import CliRunner, Result

from dialer_engine.cli import check, init, schema
from dialer_engine.settings.load import load_config

pytestmark = pytest.mark.unit


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    for module in (init, check, schema):
        module.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_init_writes_a_configuration_that_is_valid(tmp_path: Path) -> None:
    target = tmp_path / "new" / "config"
    result = run("init", target)
    assert result.exit_code == 0, result.output
    assert f"wrote {target}/dialer.yaml" in result.stdout
    assert f"dialer check {target}" in result.stdout
    config = load_config(target)
    assert list(config.campaigns) == ["example"]
    assert (target / "dialer.yaml").stat().st_mode & 0o777 == 0o600
    assert json.loads((target / "schema" / "dialer.json").read_text())["title"] == "Settings"


def test_the_fresh_example_says_what_to_edit(tmp_path: Path) -> None:
    run("init", tmp_path / "c")
    result = run("check", tmp_path / "c")
    assert result.exit_code == 0
    for place in ("callback_number", "trunks.main.host", "asterisk.node.bind", "caller_ids[0]"):
        assert place in result.stdout
    assert "no errors, 5 warnings" in result.stdout


def test_the_example_has_no_secrets() -> None:
    for file, text in init.example_files().items():
        if file.suffix == ".yaml":
            settings = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
            assert "password" not in "".join(settings), file


@pytest.mark.parametrize("existing", ["dialer.yaml", "campaigns/example.yaml", "schema/dialer.json"])
def test_init_never_overwrites(tmp_path: Path, existing: str) -> None:
    file = tmp_path / existing
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    result = run("init", tmp_path)
    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert "never overwrites" in result.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


def test_init_does_not_follow_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "dialer.yaml").symlink_to(tmp_path / "elsewhere")
    assert run("init", tmp_path).exit_code == 1
    assert not (tmp_path / "elsewhere").exists()


def test_init_keeps_nothing_when_it_cannot_finish(tmp_path: Path) -> None:
    target = tmp_path / "c"
    target.mkdir()
    (target / "schema").write_text("a file where a directory belongs")
    result = run("init", target, "--json")
    assert result.exit_code == 1
    assert "cannot be written" in json.loads(result.stdout)["error"]
    assert [path.name for path in target.rglob("*")] == ["schema"]


def test_init_as_json_names_the_files(tmp_path: Path) -> None:
    outcome = json.loads(run("init", tmp_path, "--json").stdout)
    assert outcome["ok"] is True
    assert str(tmp_path / "campaigns" / "example.yaml") in outcome["files"]


def test_init_and_check_use_config_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("check").exit_code == 1
    assert run("init").exit_code == 0
    assert (tmp_path / "config" / "dialer.yaml").exists()
    assert run("check").exit_code == 0


def test_check_says_what_was_checked(tmp_path: Path) -> None:
    result = run("check", write_config(tmp_path))
    assert result.exit_code == 0
    for line in ("checked campaigns (1): spring", "checked trunks (1): main", "checked members (1): acme"):
        assert line in result.stdout
    assert result.stdout.endswith("no errors\n")
    assert result.stderr == ""


def test_check_lists_every_error_and_ends_with_1(tmp_path: Path) -> None:
    result = run("check", write_config(tmp_path, DIALER + "x: 1\n", spring=CAMPAIGN + "mode: x\n"))
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{tmp_path}/dialer.yaml:12:1: x: unknown key 'x'; allowed: members, ")
    assert lines[1].startswith(f"{tmp_path}/campaigns/spring.yaml:5:7: mode: 'x' is not possible")
    assert lines[2] == "2 errors in 2 files"


def test_check_as_json(tmp_path: Path) -> None:
    good = json.loads(run("check", write_config(tmp_path / "a"), "--json").stdout)
    assert good["ok"] is True
    assert good["problems"] == good["warnings"] == []
    assert good["checked"]["campaigns"] == ["spring"]
    assert len(good["checked"]["files"]) > 2
    result = run("check", write_config(tmp_path / "b", spring=CAMPAIGN + "ring_seconds: 99\n"), "--json")
    assert result.exit_code == 1
    bad = json.loads(result.stdout)
    assert bad["ok"] is False
    assert bad["problems"] == [
        {
            "file": f"{tmp_path}/b/campaigns/spring.yaml",
            "line": 5,
            "column": 15,
            "path": "ring_seconds",
            "what": "'99' is out of range",
            "allowed": "15 to 60",
            "suggestion": "",
        }
    ]


def test_check_writes_nothing(tmp_path: Path) -> None:
    directory = write_config(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    run("check", directory)
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


def test_check_names_an_unreadable_file(tmp_path: Path) -> None:
    directory = write_config(tmp_path)
    (directory / "dialer.yaml").unlink()
    (directory / "dialer.yaml").mkdir()
    result = run("check", directory)
    assert result.exit_code == 1
    assert "dialer.yaml: the file cannot be read: Is a directory" in result.stderr


def test_schema(tmp_path: Path) -> None:
    assert json.loads(run("schema").stdout)["title"] == "Settings"
    assert json.loads(run("schema", "campaign").stdout)["title"] == "Campaign"
    wrong = run("schema", "trunk")
    assert wrong.exit_code == 2
    assert "neither dialer nor campaign" in wrong.stderr


@pytest.mark.parametrize("arguments", [["check", "--nonsense"], ["init", "a", "b"], ["nonsense"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
