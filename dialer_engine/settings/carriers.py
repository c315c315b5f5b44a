"""Read `carriers.csv`: what each provider's SIP codes mean; a bad file is refused whole.

Columns: `provider` (the name that a trunk gives), `code` (final SIP code), `reason` (words that the answer's
reason text must have, in any case; empty for all texts), `meaning` (a result), `source`, `confidence`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.core.carrier_codes import GENERIC, CarrierCodes, CodeRow
from dialer_engine.core.outcome import Result
from dialer_engine.settings.explain import nearest
from dialer_engine.settings.rule_table import CellError, RulesProblem, RuleTable, one_of, read_table

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "carriers.csv"
"""The table that comes with the engine; a `carriers.csv` beside `dialer.yaml` takes its place."""

COLUMNS = ("provider", "code", "reason", "meaning", "source", "confidence")
MEANINGS = tuple(
    result.value
    for result in (
        Result.TRUNK_FAULT,
        Result.BUSY,
        Result.NO_ANSWER,
        Result.NOT_IN_SERVICE,
        Result.REJECTED,
        Result.BLOCKED,
        Result.CONGESTION,
        Result.FAILED,
    )
)
"""What an answer may mean; all but the first are about the number."""

FIRST_CODE, LAST_CODE = 400, 699


@dataclass(frozen=True)
class CarrierTable:
    """The codes of all providers, with the file they come from."""

    codes: CarrierCodes
    file: Path
    problems: tuple[RulesProblem, ...] = ()


def carriers_file(config: Path) -> Path:
    """Return the configuration's own `carriers.csv`, or the shipped one when it has none."""
    own = config / "carriers.csv"
    return own if own.exists() else SHIPPED


def load_carriers(file: Path) -> CarrierTable:
    """Read the table; every error stands in its `problems`."""
    table = read_table(file, COLUMNS)
    rows: defaultdict[str, list[CodeRow]] = defaultdict(list)
    seen: set[tuple[str, int, str]] = set()
    for line, cells in table.rows:
        try:
            row = _row(cells)
        except CellError as error:
            table.fail(line, str(error))
            continue
        key = (cells["provider"], row.code, row.words)
        if key in seen:
            table.fail(line, f"{cells['provider']} has code {row.code} with these words already")
        seen.add(key)
        rows[cells["provider"]].append(row)
    _need_generic(table, rows)
    ordered = {name: tuple(sorted(of, key=lambda row: -len(row.words))) for name, of in rows.items()}
    return CarrierTable(CarrierCodes(ordered), file, tuple(table.problems))


def _row(cells: Mapping[str, str]) -> CodeRow:
    name = cells["provider"]
    if not name or not name.replace("-", "").replace("_", "").isalnum() or name != name.lower():
        raise CellError(f"{name!r} is not a provider's name of a-z, 0-9, _ and -")
    one_of(cells["confidence"], "high", "medium", "low")
    if not cells["source"]:
        raise CellError("a row needs its source")
    return CodeRow(_code(cells["code"]), cells["reason"].lower(), _meaning(cells["meaning"]))


def _code(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not FIRST_CODE <= int(text) <= LAST_CODE:
        raise CellError(f"{text!r} is not a final SIP code from {FIRST_CODE} to {LAST_CODE}")
    return int(text)


def _meaning(text: str) -> Result:
    if text not in MEANINGS:
        meant = nearest(text, MEANINGS)
        hint = f"; did you mean '{meant}'?" if meant else ""
        raise CellError(f"{text!r} is not one of {', '.join(MEANINGS)}{hint}")
    return Result(text)


def _need_generic(table: RuleTable, rows: Mapping[str, object]) -> None:
    if not table.problems and GENERIC not in rows:
        table.fail(0, f"has no rows of the provider '{GENERIC}', which stand in for all others")
