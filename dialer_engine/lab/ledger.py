"""The carrier's own record of every call, read back: one line when a call comes in, one when it has ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.lab.behaviours import HUMANS, Kind

BEGIN_FIELDS = 5
END_FIELDS = 14


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """One call as the carrier saw it; times are seconds since 1970, None where it did not happen.

    `still_at` is when a person who listens last noted to hear somebody, which such a person does about once a second.
    """

    id: str
    number: str
    caller: str
    came_at: float
    kind: Kind | None = None
    rang_at: float | None = None
    answered_at: float | None = None
    heard_at: float | None = None
    nine_at: float | None = None
    ended_at: float | None = None
    cause: int | None = None
    ended_by: str | None = None
    still_at: float | None = None

    @property
    def live(self) -> bool:
        """Whether the call has not ended yet."""
        return self.ended_at is None

    @property
    def until(self) -> float:
        """When the call ended; infinity while it has not."""
        return float("inf") if self.ended_at is None else self.ended_at

    @property
    def answered_human(self) -> bool:
        """Whether a person answered."""
        return self.answered_at is not None and self.kind in HUMANS


def parse_line(line: str) -> CarrierCall | None:
    """One line of the ledger; None for a line that is not complete yet."""
    fields = line.split("|")
    if fields[0] == "B" and len(fields) == BEGIN_FIELDS:
        return CarrierCall(
            id=fields[1], number=fields[2], came_at=float(fields[3]), caller=user_of(fields[4])
        )
    if fields[0] == "E" and len(fields) == END_FIELDS:
        return _ended(fields)
    return None


def _ended(fields: list[str]) -> CarrierCall:
    _, call, number, came, caller, kind, rang, answered, heard, nine, ended, cause, by, still = fields
    return CarrierCall(
        id=call,
        number=number,
        caller=user_of(caller),
        # A call that is given up at once ends before the dialplan has noted when it came.
        came_at=float(came or ended),
        kind=Kind(kind) if kind else None,
        rang_at=_time(rang),
        answered_at=_time(answered),
        heard_at=_time(heard),
        nine_at=_time(nine),
        ended_at=float(ended),
        cause=int(cause) if cause else None,
        ended_by=by,
        still_at=_time(still),
    )


def user_of(uri: str) -> str:
    """The user part of a SIP address such as `"name" <sip:+12125550100@host>`."""
    return uri.rpartition("sip:")[2].partition("@")[0]


def _time(text: str) -> float | None:
    return float(text) if text else None


class Ledger:
    """Follows the carrier's file as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0
        self._calls: dict[str, CarrierCall] = {}
        self.ended = 0

    @property
    def calls(self) -> list[CarrierCall]:
        """Every call seen so far, in the order in which they came."""
        return sorted(self._calls.values(), key=lambda call: call.came_at)

    @property
    def count(self) -> int:
        """How many calls came so far."""
        return len(self._calls)

    @property
    def live(self) -> int:
        """How many calls are up or ringing now."""
        return self.count - self.ended

    def read(self) -> list[CarrierCall]:
        """Take in what was written since the last read, and return it."""
        fresh = [call for line in self._new_lines() if (call := parse_line(line)) is not None]
        for call in fresh:
            self.ended += not call.live
            if not call.live or call.id not in self._calls:
                self._calls[call.id] = call
        return fresh

    def _new_lines(self) -> list[str]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._position)
            text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._position += len(complete)
        return complete.decode("utf-8").splitlines()


def overlapping(calls: Iterable[CarrierCall]) -> list[tuple[CarrierCall, CarrierCall]]:
    """Pairs of calls to the same number of which the second came while the first was still there."""
    last: dict[str, CarrierCall] = {}
    pairs = []
    for call in sorted(calls, key=lambda each: each.came_at):
        before = last.get(call.number)
        if before is not None and (before.ended_at is None or before.ended_at > call.came_at):
            pairs.append((before, call))
        last[call.number] = call
    return pairs
