"""What a carrier's answer means: a fault of the trunk, or something about the number.

Every provider has rows `(SIP code, words) -> result`; a row with words holds only when the carrier's reason text
has them, and goes before one without. What the provider has no row for is looked up in the generic ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dialer_engine.core.outcome import Result, result_of_code

GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One row: with `words` only answers whose text has them, in any case, are meant."""

    code: int
    words: str
    result: Result


@dataclass(frozen=True, slots=True)
class CarrierCodes:
    """All rows by provider, those with the longest words first."""

    rows: Mapping[str, tuple[CodeRow, ...]]

    @property
    def providers(self) -> list[str]:
        """The names that a trunk may give as its provider."""
        return sorted(self.rows)

    def meaning(
        self, provider: str, own: Mapping[int, Result | None], code: int, text: str = ""
    ) -> Result | None:
        """Return what a SIP code with its text means; None when nothing is known of it.

        `own` are the trunk's own codes, which go before everything but words; None in it is a number fault,
        whose result is that of the code by the standard.
        """
        said = text.lower()
        for table in (provider, GENERIC):
            for row in self.rows.get(table, ()):
                if row.code == code and row.words and row.words in said and code not in own:
                    return row.result
        if code in own:
            return own[code] or result_of_code(code)
        for table in (provider, GENERIC):
            for row in self.rows.get(table, ()):
                if row.code == code and not row.words:
                    return row.result
        return None
