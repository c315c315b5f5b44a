"""Is this the whole list, of the right account? What is checked before a version may take over."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dialer_engine.contacts.registry.files import RegistryError
from dialer_engine.store.registry.lists import Subscription
from dialer_engine.store.registry.loads import AreaState

TOLERANCE = 0.05
"""How far the numbers of a list may differ from the last load, as a share."""
FEW = 1000
"""Fewer numbers than this differ by more than the tolerance without being wrong.

An area code that had so few may vary freely: the total of its list is compared. A list that is not by area code and
had so few in all may grow freely, and lose up to half.
"""
TINY = 20
"""A list that had fewer numbers than this in all may lose any but the last: a person keeps it, and knows each one."""
_NAMED = 12


@dataclass(frozen=True, slots=True)
class Expected:
    """What a load must hold.

    `area_codes` are those of the subscription, None for a list that is not by area code; `before` counts the numbers
    of the version in force, and `newest` tells of when (UTC) the newest of them are; `as_of` is when the download was
    handed out (UTC). `empty` are area codes that the operator says hold no number, `drop` those to be taken off the
    list, all of which must be `unsubscribed`; `exact` is the total the registry told, if known.
    """

    area_codes: frozenset[int] | None
    before: Mapping[int, int]
    as_of: datetime
    newest: Mapping[int, datetime]
    empty: frozenset[int] = frozenset()
    drop: frozenset[int] = frozenset()
    unsubscribed: frozenset[int] = frozenset()
    partial: bool = False
    exact: int | None = None

    def gone(self, found: Collection[int]) -> dict[int, int]:
        """Return the area codes that the list no longer has after this load, with their former numbers."""
        leaving = self.before.keys() - set(found) if self.area_codes is None else self.drop
        return {npa: self.before[npa] for npa in sorted(leaving)}


def check_account(where: str, account: str | None, subscribed: Sequence[Subscription]) -> list[Subscription]:
    """Return the account's subscriptions; refuse an account that has none."""
    if account is None:
        raise RegistryError(f"{where}: whose download is it? give --account")
    mine = [each for each in subscribed if each.account == account]
    if not mine:
        known = ", ".join(sorted({each.account for each in subscribed})) or "none"
        raise RegistryError(
            f"{where}: account {account} has no subscription to this list (known: {known}); the file is not "
            "used. Record it with 'dialer registry subscribe' if it is yours"
        )
    return mine


def check_file_name(where: str, name: str, account: str, subscribed: Sequence[Subscription]) -> None:
    """Refuse a file whose name carries the account number of another subscription."""
    others = {each.account for each in subscribed if each.account != account and len(each.account) >= 6}
    found = next((other for other in sorted(others) if other in name and account not in name), None)
    if found is not None:
        raise RegistryError(f"{where}: the file's name says account {found}, not {account}")


def check_whole(
    where: str, name: str, *, partial: bool, empty: Collection[int], drop: Collection[int]
) -> None:
    """Refuse what only lists by area code can have: of any other list the age is one, so a part would renew all."""
    if partial:
        raise RegistryError(
            f"{where}: {name} is not dated by area code and cannot be loaded in parts: what is old in it would count "
            "as fresh. Give all files of the download in one import, without --partial"
        )
    for option, codes in (("--empty", empty), ("--drop", drop)):
        if codes:
            raise RegistryError(
                f"{where}: {option} is for lists by area code, and {name} is none; leave it out"
            )


def check_empty(where: str, empty: Collection[int], covered: Collection[int]) -> None:
    """Refuse to take area codes outside the subscription for empty."""
    strange = sorted(set(empty) - set(covered))
    if strange:
        raise RegistryError(
            f"{where}: --empty {_some(strange)}: not part of the subscription, so nobody can know that; leave it out"
        )


def unsubscribed(
    account: str | None, before: Mapping[int, AreaState], covered: Mapping[int, str]
) -> frozenset[int]:
    """Return the area codes in force that no account subscribes to and that this account's load may drop.

    `covered` names an account that subscribes to each area code. What another account loaded is that account's to drop,
    as long as it subscribes to anything.
    """
    others = set(covered.values()) - {account}
    return frozenset(
        npa for npa, state in before.items() if npa not in covered and state.account not in others
    )


def check_drop(
    where: str, expected: Expected, before: Mapping[int, AreaState], covered: Mapping[int, str]
) -> None:
    """Refuse to take area codes off the list that are not on it, are subscribed to, or are another account's."""
    if expected.drop and expected.partial:
        raise RegistryError(f"{where}: --drop is for full loads; a partial one keeps the other area codes")
    for npa in sorted(expected.drop - expected.unsubscribed):
        if npa not in before:
            what = "no number of it is loaded; leave it out"
        elif npa in covered:
            what = f"account {covered[npa]} subscribes to it; a load of that account replaces its numbers"
        else:
            what = f"it was loaded by account {before[npa].account}; drop it with a load of that account"
        raise RegistryError(f"{where}: --drop {npa}: {what}")


def check_age(where: str, codes: Iterable[int], expected: Expected) -> None:
    """Refuse to replace numbers by those of an older download, whosever they are."""
    for npa in codes:
        newest = expected.newest.get(npa)
        if newest is not None and expected.as_of < newest:
            raise RegistryError(
                f"{where}: is of {expected.as_of:%Y-%m-%d}; area code {npa} of the version in force is newer, of "
                f"{newest:%Y-%m-%d}; download it anew"
            )


def check_area(where: str, npa: int, expected: Expected) -> None:
    """Refuse an area code outside the subscription or newer in force, as soon as it is met."""
    if expected.area_codes is None:
        return
    if npa not in expected.area_codes:
        raise RegistryError(
            f"{where}: area code {npa} is not part of the subscription; is it another account's file?"
        )
    check_age(where, (npa,), expected)


def check_complete(where: str, found: Mapping[int, int], expected: Expected) -> None:
    """Refuse a load that lacks area codes, or whose counts differ too much from the last load."""
    if not found:
        raise RegistryError(f"{where}: holds no number")
    if expected.area_codes is not None and not expected.partial:
        _check_missing(where, found.keys(), expected.area_codes - expected.empty)
    _check_counts(where, found, expected)


def _check_missing(where: str, found: Collection[int], wanted: frozenset[int]) -> None:
    missing = sorted(wanted - set(found))
    if missing:
        raise RegistryError(
            f"{where}: no number of area code {_some(missing)}, which the subscription covers; is the file "
            "cut off? Load one area code at a time with --partial, or name those without numbers with --empty"
        )


def _check_counts(where: str, found: Mapping[int, int], expected: Expected) -> None:
    total = sum(found.values())
    if expected.exact is not None:
        if total != expected.exact:
            raise RegistryError(f"{where}: holds {total:,} numbers, not {expected.exact:,}")
        return
    wanted = found.keys() if expected.partial else expected.area_codes
    before = {npa: n for npa, n in expected.before.items() if wanted is None or npa in wanted}
    former = sum(before.values())
    left = sum(found.get(npa, 0) for npa in before)
    lost = _lost(expected.gone(found)) if wanted is None else ""
    if wanted is None and former < FEW:
        _check_few(where, left, former, lost)
        return
    if not former:
        return
    _check_one(where, left, former, lost)
    if wanted is None:
        # No subscription says which area codes may come new, as it does for the others.
        _check_one(where, total, former)
    for npa, numbers in before.items():
        if numbers >= FEW:
            _check_one(f"{where}: area code {npa}", found.get(npa, 0), numbers)


def _check_one(where: str, now: int, before: int, lost: str = "") -> None:
    if abs(now - before) > TOLERANCE * before:
        raise RegistryError(
            f"{where}: holds {now:,} numbers, the last load {before:,}: more than {TOLERANCE:.0%} apart{lost}; "
            "is the file cut off? If it is right, give the number the registry told with --numbers"
        )


def _check_few(where: str, left: int, before: int, lost: str) -> None:
    if before >= TINY and 2 * left < before:
        raise RegistryError(
            f"{where}: holds {left:,} of the last load's {before:,} numbers, counted by area code: more than half are "
            f"gone{lost}; is the file cut off? If it is right, give the total that was told with --numbers"
        )


def _lost(gone: Mapping[int, int]) -> str:
    return f"; without any number now: {counted(gone, _NAMED)}" if gone else ""


def counted(areas: Mapping[int, int], most: int | None = None) -> str:
    """Return area codes with their numbers in words, all of them or no more than `most`."""
    shown = ", ".join(f"{npa} ({numbers:,} numbers)" for npa, numbers in list(areas.items())[:most])
    return shown if most is None or len(areas) <= most else f"{shown} and {len(areas) - most} more"


def _some(codes: Sequence[int]) -> str:
    shown = ", ".join(map(str, codes[:_NAMED]))
    return shown if len(codes) <= _NAMED else f"{shown} and {len(codes) - _NAMED} more"
