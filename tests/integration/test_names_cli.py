"""Names that a person mistypes: a command says so and what there is, and never that there is nothing."""

from pathlib import Path

import pytest
from cli_support import Commands, commands_on

pytestmark = pytest.mark.postgres


@pytest.fixture
def commands(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A configuration over the test's database."""
    return commands_on(tmp_path, pg_url, monkeypatch)


def test_names_that_do_not_exist_are_refused(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text("phone\n2104440111\n")
    commands.run("list", "import", str(file), "--member", "acme", "--list", "june")
    campaigns = commands.config / "campaigns"
    campaigns.mkdir()
    (campaigns / "spring.yaml").write_text(
        "member: acme\nlists: [june]\ntrunks: [main]\ncaller_ids: [+12125560100]\n", encoding="utf-8"
    )
    no_member = "no Member is called 'acne' (known: acme)"
    no_campaign = "no campaign is called 'sping' in the database (known: none yet)"
    for words, told in (
        (("registry", "scrub", "acne", "june"), no_member),
        (("registry", "scrub", "acme", "jnue"), "no list of 'acme' is called 'jnue' (known: june)"),
        (("list", "ls", "--member", "acne"), no_member),
        (("cdr", "export", "--member", "acne"), no_member),
        (("cdr", "export", "--campaign", "sping"), no_campaign),
        (("report", "--campaign", "sping"), no_campaign),
        (("report", "pacing", "--campaign", "sping"), no_campaign),
    ):
        assert told in commands.refused(*words), words
    assert "no number of this list" in commands.run("registry", "scrub", "acme", "june")
    assert "no calls" in commands.run("report", "--campaign", "spring")
    assert "0 records" in commands.run("cdr", "export", "--member", "acme", "-o", str(tmp_path / "out.csv"))
