"""Read the dated calling rules and the number plan from `config/rules/`; a bad file is refused whole."""

from dataclasses import dataclass
from pathlib import Path

from dialer_engine.core.gate import RuleBook
from dialer_engine.core.numbers import NumberPlan

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "rules"
"""The rule files that come with the engine."""


@dataclass(frozen=True, slots=True)
class RulesProblem:
    """One error in a rule file: where, and what is wrong and allowed."""

    file: Path
    line: int
    what: str


class RulesError(Exception):
    """The rule files cannot be used; `problems` lists every error found in them."""

    def __init__(self, problems: tuple[RulesProblem, ...]) -> None:
        super().__init__("\n".join(f"{p.file}:{p.line}: {p.what}" for p in problems))
        self.problems = problems


def rules_directory(config: Path) -> Path:
    """Return the configuration's own `rules/` directory, or the shipped one when it has none."""
    own = config / "rules"
    return own if own.is_dir() else SHIPPED


def load_rules(directory: Path) -> tuple[RuleBook, NumberPlan]:
    """Read `calling_rules.csv`, `area_codes.csv` and `holidays.csv` of a directory; RulesError if bad."""
    raise RulesError((RulesProblem(directory, 0, "rule files are not read yet"),))
