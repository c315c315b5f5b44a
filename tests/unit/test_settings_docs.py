"""The pages tell the truth: their YAML is valid, their keys exist, their tables are those of the models."""

import re
from pathlib import Path

import pytest
from settings_support import CAMPAIGN, DIALER, write_config

from dialer_engine.core.gate import ConsentKind
from dialer_engine.settings.catalogue import keys
from dialer_engine.settings.load import load_config
from dialer_engine.settings.models import Campaign, Settings
from dialer_engine.settings.own_rules import OwnRules
from dialer_engine.settings.reference import MARK, reference, renewed
from dialer_engine.settings.rules import FILES, SHIPPED, load_rules
from dialer_engine.settings.trunk import CODE_MEANINGS

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *(DOCS / f"{name}.md" for name in ("configuration", "connect-a-trunk", "legal"))]
SETTINGS_PAGES = [*PAGES, DOCS / "connect-a-softphone.md"]
PAGES = sorted({ROOT / "README.md", *DOCS.rglob("*.md")})
MEMBERS = DIALER[: DIALER.index("trunks:")]
TRUNKS = DIALER[DIALER.index("trunks:") : DIALER.index("asterisk:")]


def yaml_blocks(page: str) -> list[str]:
    """The YAML blocks of a page, without the indentation of a list they may stand in."""
    text = (DOCS / page).read_text()
    blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


TRUNK_BLOCKS = [block for block in yaml_blocks("connect-a-trunk.md") if block.startswith("trunks:")]
NODE_BLOCKS = [
    block
    for page in ("connect-a-trunk.md", "connect-a-softphone.md", "operations.md")
    for block in yaml_blocks(page)
    if block.startswith("asterisk:")
]


RULE_BLOCKS = [block for block in yaml_blocks("legal.md") if block.startswith("rules:")]


@pytest.mark.parametrize("block", TRUNK_BLOCKS, ids=lambda block: block.split()[1])
def test_trunk_blocks_are_valid(tmp_path: Path, block: str) -> None:
    name = re.findall(r"^  ([a-z-]+):$", block, re.MULTILINE)[0]
    config = load_config(write_config(tmp_path, MEMBERS + block, spring=CAMPAIGN.replace("main", name)))
    trunk = config.settings.trunks[name]
    assert trunk.dial_string("+12102260100").endswith("12102260100")
    about_rates = [warning for warning in config.warnings if "calls_per_second" in warning.path]
    assert about_rates == []


def test_every_carrier_has_its_block() -> None:
    names = {re.findall(r"^  ([a-z]+)", block, re.MULTILINE)[0] for block in TRUNK_BLOCKS}
    assert names == {"twilio", "telnyx", "bandwidth", "flowroute", "voipms", "carrier"}
    assert len(TRUNK_BLOCKS) >= 8


@pytest.mark.parametrize("block", NODE_BLOCKS)
def test_node_blocks_are_valid(tmp_path: Path, block: str) -> None:
    assert load_config(write_config(tmp_path, MEMBERS + TRUNKS + block)).settings.asterisk.managed


def test_no_yaml_block_is_left_unchecked() -> None:
    blocks = [block for page in DOCS.glob("*.md") for block in yaml_blocks(page.name)]
    assert sorted(blocks) == sorted(TRUNK_BLOCKS + NODE_BLOCKS + RULE_BLOCKS)


@pytest.mark.parametrize("block", RULE_BLOCKS)
def test_rule_blocks_are_valid(tmp_path: Path, block: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(block, encoding="utf-8")
    assert load_rules(SHIPPED, file)[0].closures


def test_the_dial_string_of_flowroute_has_its_prefix(tmp_path: Path) -> None:
    (block,) = [block for block in TRUNK_BLOCKS if "flowroute:" in block]
    config = load_config(
        write_config(tmp_path, MEMBERS + block, spring=CAMPAIGN.replace("main", "flowroute"))
    )
    assert config.settings.trunks["flowroute"].dial_string("+12102260100") == "12345678*12102260100"


def test_the_tables_of_configuration_are_those_of_the_models() -> None:
    page = (DOCS / "configuration.md").read_text()
    assert MARK in page
    assert renewed(page) == page, "run: python -m dialer_engine.settings.reference docs/configuration.md"


def test_the_tables_name_every_key() -> None:
    tables = reference()
    for model in (Settings, Campaign):
        for key in keys(model):
            assert f"| `{key.path[-1]}` |" in tables
    assert "| `pool` | `8` | 2 to 100 |" in tables
    assert "| `busy` | `30m` |" in tables
    assert "| `host` | **required** |" in tables


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", SETTINGS_PAGES, ids=lambda page: page.name)
def test_keys_named_in_prose_exist(page: Path) -> None:
    known = {step for model in (Settings, Campaign) for key in keys(model) for step in key.path}
    words = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", page.read_text()))
    known |= {step for key in keys(OwnRules) for step in key.path} | set(ConsentKind)
    others = {"reviewed_by", "plus_less", "not_in_service"} | set(CODE_MEANINGS)
    assert words - known - others == set()


def test_the_rule_files_that_the_pages_name_exist() -> None:
    page = (DOCS / "legal.md").read_text()
    for name in FILES:
        assert (SHIPPED / f"{name}.csv").exists()
    for named in re.findall(r"`([a-z_]+)\.csv`", page):
        assert named in FILES


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "decisions" / "README.md").read_text()
    for page in (DOCS / "decisions").glob("0*.md"):
        assert page.name in index
        text = page.read_text()
        assert text.startswith(f"# {page.name[:4]} ")
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in text, (page.name, part)
