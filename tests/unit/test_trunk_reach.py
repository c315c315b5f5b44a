"""What nodes see of a carrier: when its trunk is passed over, and what is said about it."""

import time

import pytest

from dialer_engine.cli.status import _seen
from dialer_engine.core.breaker import FAULTS
from dialer_engine.engine.pacing_view import _no_trunk
from dialer_engine.engine.status import trunks_status
from dialer_engine.engine.trunks import TrunkLine, Trunks
from dialer_engine.settings.models import Trunk

pytestmark = pytest.mark.unit

NAMES = ["first", "second"]
NODES = ["main", "far"]


def trunk(**changes: object) -> Trunk:
    return Trunk.model_validate({"host": "127.0.0.1", "calls_per_second": 5, "max_channels": 2} | changes)


@pytest.fixture
def trunks() -> Trunks:
    return Trunks({name: trunk() for name in NAMES})


def free(trunks: Trunks, node: str) -> str | None:
    line = trunks.first_free(NAMES, time.monotonic(), node)
    return line.name if line else None


def silence(line: TrunkLine, node: str) -> None:
    """The carrier answered there and does not any more."""
    line.saw(node, True, None)
    line.saw(node, False, None)


def test_a_carrier_that_never_answered_options_stays_usable(trunks: Trunks) -> None:
    for name in NAMES:
        trunks.lines[name].saw("main", False, None)
    assert free(trunks, "main") == "first"
    assert trunks.lines["first"].reachable is None
    assert trunks.down(NAMES, ["main"]) == []


def test_a_carrier_that_answered_and_does_not_is_passed_over_until_it_does(trunks: Trunks) -> None:
    first = trunks.lines["first"]
    silence(first, "main")
    assert free(trunks, "main") == "second"
    assert first.reachable is False
    assert trunks.down(NAMES, ["main"]) == ["trunk first does not answer OPTIONS"]
    first.saw("main", True, None)
    assert free(trunks, "main") == "first"
    assert trunks.down(NAMES, ["main"]) == []


def test_each_node_sees_for_itself(trunks: Trunks) -> None:
    first = trunks.lines["first"]
    silence(first, "main")
    first.saw("far", True, None)
    assert (free(trunks, "main"), free(trunks, "far")) == ("second", "first")
    assert first.reachable is True
    assert trunks.down(NAMES, NODES) == ["trunk first does not answer OPTIONS at main"]
    told = trunks_status(trunks)[0]
    assert told["nodes"] == {
        "far": {"reachable": True, "registered": None, "known": None},
        "main": {"reachable": False, "registered": None, "known": None},
    }
    assert (_seen(told, "reachable"), _seen(told, "registered")) == ("far yes, main NO", "-")


def test_when_none_can_be_used_that_is_said_with_each_reason(trunks: Trunks) -> None:
    silence(trunks.lines["first"], "main")
    trunks.lines["second"].saw("main", None, False)
    assert free(trunks, "main") is None
    assert trunks.down(NAMES, ["main"]) == [
        "no trunk can be used: trunk first does not answer OPTIONS; trunk second is not registered"
    ]
    now = time.monotonic()
    assert _no_trunk(trunks.nearest(NAMES, now, "main"), now) == "no trunk can be used"


def test_a_trunk_that_leads_elsewhere_begins_anew(trunks: Trunks) -> None:
    silence(trunks.lines["first"], "main")
    trunks.apply({"first": trunk(calls_per_second=6), "second": trunk()})
    assert trunks.lines["first"].reachable is False
    trunks.apply({"first": trunk(host="127.0.0.2"), "second": trunk()})
    trunks.lines["first"].saw("main", False, None)
    assert free(trunks, "main") == "first"


def test_what_is_used_up_is_the_channels_or_the_rate(trunks: Trunks) -> None:
    now = time.monotonic()
    for line in trunks.lines.values():
        line.active = 2
    full = trunks.nearest(NAMES, now, "main")
    assert full is not None
    assert (full.channels_free(), _no_trunk(full, now)) == (0, "")
    trunks.lines["second"].active = 0
    while trunks.lines["second"].departures(now):
        trunks.lines["second"].leave(now, f"call{now}")
    waits = trunks.nearest(NAMES, now, "main")
    assert waits is trunks.lines["second"], "a departure comes sooner than a channel"
    assert (waits.channels_free(), waits.departures(now), _no_trunk(waits, now)) == (2, 0, "")


def test_a_trunk_that_cannot_be_used_does_not_hide_when_the_next_one_opens(trunks: Trunks) -> None:
    now, second = time.monotonic(), trunks.lines["second"]
    second.leave(now, "x")
    second.on_wire(now, "x")
    assert trunks.opens_in(NAMES, now, "main") == 0.0
    silence(trunks.lines["first"], "main")
    assert trunks.opens_in(NAMES, now, "main") == second.opens_in(now) > 0.0
    trunks.lines["first"].saw("main", True, None)
    trunks.lines["first"].active = 2
    assert trunks.opens_in(NAMES, now, "main") == second.opens_in(now)
    second.active = 2
    assert trunks.opens_in(NAMES, now, "main") == 1.0


def test_a_trunk_at_fault_is_neither_full_nor_slow(trunks: Trunks) -> None:
    now = time.monotonic()
    for line in trunks.lines.values():
        for _ in range(FAULTS):
            line.breaker.fault(now, now, "503")
    resting = trunks.nearest(NAMES, now, "main")
    assert _no_trunk(resting, now) == "trunks at fault are left alone"
    probe = trunks.nearest(NAMES, now + 2.0, "main")
    assert _no_trunk(probe, now + 2.0) == "", "a probe may leave"
