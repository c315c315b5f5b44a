"""Calls that fail at the wire: the carrier's ledger has none of them, and each must have one record all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dialer_engine.lab.chaos.records import Finding, Kept
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.wire import Invite


def unaccounted(
    invites: Sequence[Invite] | None, calls: Sequence[CarrierCall], kept: Kept | None
) -> dict[str, list[Finding]]:
    """The records that INVITEs at the wire lack, or have beyond one for each; nothing when the database was not read.

    Without a wire (None) only attempts that ended without a record are found.
    """
    if kept is None:
        return {}
    placed = Counter(call.number for call in calls)
    held = Counter(record.number for record in kept.records if record.left)
    ended = [number for number in kept.unrecorded if placed[number] <= held[number]]
    lost = [Finding(None, f"{number}: an attempt ended without a record") for number in ended]
    if invites is None:
        return {"cdrs_lost": lost}
    return {
        "cdrs_lost": [*lost, *_lost(invites, placed, kept, Counter(ended))],
        "cdrs_doubled": list(_doubled(invites, kept)),
    }


def _lost(
    invites: Sequence[Invite], placed: Counter[str], kept: Kept, ended: Counter[str]
) -> Iterator[Finding]:
    """Of whom there are fewer records than INVITEs.

    The carrier's calls without a record are found elsewhere, and so are attempts that `ended` without one.
    """
    sent = Counter(invite.number for invite in invites)
    held = Counter(record.number for record in kept.records if record.left)
    turned_away = _turned_away(kept)
    for number, count in sent.items():
        records = held[number] + turned_away[number]
        if count - records > max(0, placed[number] - held[number]) + ended[number]:
            yield Finding(None, f"{number}: {count} INVITEs at the wire, {records} records")


def _doubled(invites: Sequence[Invite], kept: Kept) -> Iterator[Finding]:
    """Of whom there are more trunk faults than INVITEs that the wire refused or swallowed."""
    failed = Counter(invite.number for invite in invites if invite.refused is not None)
    for number, count in _turned_away(kept).items():
        if count > failed[number]:
            words = f"{count} records of trunk faults, {failed[number]} INVITEs that failed"
            yield Finding(None, f"{number}: {words}")


def _turned_away(kept: Kept) -> Counter[str]:
    """How many trunk faults at the wire there are of each number; the engine writes one also of what never left."""
    return Counter(record.number for record in kept.at_trunk if record.at_wire)
