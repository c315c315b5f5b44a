"""What is wrong in the settings: one problem with its place, and the error that carries all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.core.text import shown

Step = str | int


def path_text(path: Sequence[Step]) -> str:
    """The way to a value as people write it: `trunks.main.codecs[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong or risky; line and column count from 1, 0 when the whole file is meant."""

    file: Path
    line: int
    column: int
    path: str
    what: str
    allowed: str = ""
    suggestion: str = ""

    def text(self, label: str = "allowed") -> str:
        """One line: place, what is wrong, what is allowed, what was probably meant."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else str(self.file)
        parts = [f"{place}: {self.path}: {self.what}" if self.path else f"{place}: {self.what}"]
        if self.allowed:
            parts.append(f"{label}: {self.allowed}")
        if self.suggestion:
            parts.append(f"did you mean '{self.suggestion}'?")
        return shown("; ".join(parts))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once; dialer.yaml first, because errors there cause others in the campaigns below it."""
    return tuple(sorted(set(problems), key=lambda problem: (len(problem.file.parts), problem)))


class SettingsError(Exception):
    """The settings cannot be used; `problems` holds every error of every file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = in_order(problems)
        super().__init__("\n".join(problem.text() for problem in self.problems))
