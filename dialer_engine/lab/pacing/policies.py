"""Policies by the name of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from dialer_engine.core.pacing import MODES, Goals
from dialer_engine.lab.pacing.bounds import Clairvoyant, Oracle
from dialer_engine.lab.pacing.peers import Issabel, Ratio
from dialer_engine.lab.pacing.policy import ModePolicy, Policy
from dialer_engine.lab.pacing.vicidial import Method, Vicidial


@dataclass(frozen=True, slots=True)
class Terms:
    """What every policy of a comparison is held to: shares of live answers, and whether short rings may end."""

    target: float = 0.028
    limit: float = 0.03
    cancel_early: bool = False


USUAL = Terms()

_OWN: Mapping[str, Callable[[], Policy]] = {
    "issabel": Issabel,
    "issabel-over": lambda: Issabel(overcommit=True),
    "oracle": Oracle,
    "clairvoyant": Clairvoyant,
}
_NUMBER = r"-(?P<number>\d+(?:\.\d+)?)"
_RATIO = re.compile(rf"ratio{_NUMBER}")
_POWER = re.compile(rf"power{_NUMBER}")
_VICIDIAL = re.compile(rf"vicidial-(?P<method>hard|tapered|average)(?:{_NUMBER})?")


def names() -> str:
    """Return the names in words, for people."""
    rest = "power-N, ratio-N (N lines per free agent), vicidial-hard, vicidial-tapered, vicidial-average"
    modes = f"{', '.join(MODES)}, predictive-forecast (with its looser guard)"
    levels = "the last three also with their maximum level as in vicidial-hard-1.5"
    return f"{modes}, {rest}, {levels}, {', '.join(_OWN)}"


def make_policy(name: str, terms: Terms = USUAL) -> Policy:
    """Return a fresh policy by its name. Raises ValueError, which names them all, when there is none."""
    if name in MODES:
        return ModePolicy(name, 2.0, Goals(target=terms.target), terms.cancel_early)
    if name == "predictive-forecast":
        return ModePolicy("predictive", 2.0, Goals(target=terms.target, guard="forecast"), terms.cancel_early)
    if name in _OWN:
        return _OWN[name]()
    if power := _POWER.fullmatch(name):
        return ModePolicy("power", float(power["number"]), Goals(target=terms.target), terms.cancel_early)
    if ratio := _RATIO.fullmatch(name):
        return Ratio(lines=float(ratio["number"]))
    if found := _VICIDIAL.fullmatch(name):
        return Vicidial(
            method=cast("Method", found["method"]),
            maximum=float(found["number"] or 3.0),
            limit_percent=100.0 * terms.limit,
        )
    raise ValueError(f"unknown policy {name!r}; policies are {names()}")
