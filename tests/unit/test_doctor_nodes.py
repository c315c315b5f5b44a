"""What `dialer doctor` makes of a node it has seen: versions, clock, recordings."""

import pytest

from dialer_engine.cli import doctor_nodes
from dialer_engine.cli.finding import CRITICAL, WARNING
from dialer_engine.pbx.reach import Seen, facts_of
from dialer_engine.settings.asterisk import ExternalNode

pytestmark = pytest.mark.unit

WANTED = facts_of("1.0.0", {"spring": "aaa", "autumn": "bbb"})


def node(sounds: str | None = "/var/lib/dialer/sounds") -> ExternalNode:
    account = {"ari_user": "u", "ari_password": "p", "ami_user": "u", "ami_password": "p"}
    return ExternalNode(
        name="b", ari_url="http://10.0.0.6:8088", ami_host="10.0.0.6", sounds=sounds, **account
    )


def seen(ahead: float = 0.0, unsure: float = 0.001, version: str = "22.10.1", **facts: str) -> Seen:
    return Seen(version, ahead, unsure, facts or WANTED)


@pytest.mark.parametrize("ahead", [0.0, 0.5, -0.5])
def test_a_clock_within_half_a_second_is_well(ahead: float) -> None:
    assert doctor_nodes._clock(seen(ahead)) == []


@pytest.mark.parametrize(("ahead", "words"), [(0.6, "0.6 s ahead of ours"), (-7.25, "7.2 s behind ours")])
def test_a_clock_that_is_off_is_told(ahead: float, words: str) -> None:
    ((state, said),) = doctor_nodes._clock(seen(ahead))
    assert state == WARNING
    assert words in said
    assert "NTP" in said


def test_what_a_slow_answer_may_hide_is_not_told_as_a_wrong_clock() -> None:
    assert doctor_nodes._clock(seen(0.9, unsure=0.5)) == []


def test_an_asterisk_with_known_holes_is_critical() -> None:
    ((state, said),) = doctor_nodes._version(seen(version="22.9.0"))
    assert state == CRITICAL
    assert "older" in said


def test_recordings_are_compared_by_their_version() -> None:
    assert doctor_nodes._recordings(seen(), WANTED, node()) == []
    old = seen(**{**WANTED, "DIALER_RECORDING_spring": "zzz"})
    ((state, said),) = doctor_nodes._recordings(old, WANTED, node())
    assert state == WARNING
    assert "of spring," in said
    ((_, said),) = doctor_nodes._recordings(seen(**{**WANTED, "DIALER_VERSION": "0.9.0"}), WANTED, node())
    assert "dialer 0.9.0 there, 1.0.0 here" in said


def test_recordings_that_cannot_be_seen_are_said_to_be_so() -> None:
    ((_, said),) = doctor_nodes._recordings(seen(DIALER_VERSION=""), WANTED, node())
    assert "cannot be seen" in said
    assert doctor_nodes._recordings(seen(DIALER_VERSION=""), WANTED, node(sounds=None)) == []
