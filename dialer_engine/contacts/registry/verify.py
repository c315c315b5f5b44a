"""Is this the whole list, of the right account? What is checked before a version may take over."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dialer_engine.contacts.registry.files import RegistryError
from dialer_engine.store.registry.lists import Subscription

TOLERANCE = 0.05
"""How far the numbers of a list may differ from the last load, as a share."""
FEW = 1000
"""Area codes with fewer numbers than this may vary freely; the total may not."""
_NAMED = 12


@dataclass(frozen=True, slots=True)
class Expected:
    """What a load must hold.

    `area_codes` are those of the subscription; `before` counts the numbers of the version in force; `empty`
    are area codes that the operator says hold no number; `exact` is the total the registry told, if known.
    """

    area_codes: frozenset[int]
    before: Mapping[int, int]
    empty: frozenset[int] = frozenset()
    partial: bool = False
    exact: int | None = None


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


def check_area(where: str, npa: int, expected: Expected) -> None:
    """Refuse an area code outside the subscription, as soon as it is met."""
    if npa not in expected.area_codes:
        raise RegistryError(
            f"{where}: area code {npa} is not part of the subscription; is it another account's file?"
        )


def check_complete(where: str, found: Mapping[int, int], expected: Expected) -> None:
    """Refuse a load that lacks area codes, or whose counts differ too much from the last load."""
    if expected.partial:
        if not found:
            raise RegistryError(f"{where}: holds no number")
    else:
        _check_missing(where, found.keys(), expected)
    _check_counts(where, found, expected)


def _check_missing(where: str, found: Collection[int], expected: Expected) -> None:
    missing = sorted(expected.area_codes - set(found) - expected.empty)
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
    before = {npa: n for npa, n in expected.before.items() if npa in wanted}
    if not sum(before.values()):
        return
    _check_one(where, sum(found.get(npa, 0) for npa in before), sum(before.values()))
    for npa, numbers in before.items():
        if numbers >= FEW:
            _check_one(f"{where}: area code {npa}", found.get(npa, 0), numbers)


def _check_one(where: str, now: int, before: int) -> None:
    if abs(now - before) > TOLERANCE * before:
        raise RegistryError(
            f"{where}: holds {now:,} numbers, the last load {before:,}: more than {TOLERANCE:.0%} apart; "
            "is the file cut off? If it is right, give the number the registry told with --numbers"
        )


def _some(codes: Sequence[int]) -> str:
    shown = ", ".join(map(str, codes[:_NAMED]))
    return shown if len(codes) <= _NAMED else f"{shown} and {len(codes) - _NAMED} more"
