"""Which events of AMI are a reason to read all contacts."""

from __future__ import annotations

import pytest

from dialer_engine.engine.phones import is_news
from dialer_engine.pbx.ami import AmiEvent, Resync

pytestmark = pytest.mark.unit

DEVICES = {"anna": "reachable", "bert": "unreachable", "carl": "nonqualified"}


def device(name: str, state: str) -> AmiEvent:
    return AmiEvent("DeviceStateChange", {"device": name, "state": state})


@pytest.mark.parametrize("state", ["NOT_INUSE", "INUSE", "BUSY", "RINGING", "ONHOLD"])
@pytest.mark.parametrize("agent", ["anna", "carl"])
def test_a_call_of_a_phone_that_is_there_is_none(agent: str, state: str) -> None:
    assert not is_news(device(f"PJSIP/{agent}", state), DEVICES)


@pytest.mark.parametrize("state", ["UNAVAILABLE", "INVALID", "UNKNOWN"])
def test_a_phone_that_goes_is_one(state: str) -> None:
    assert is_news(device("PJSIP/anna", state), DEVICES)
    assert not is_news(device("PJSIP/bert", state), DEVICES)


def test_a_phone_that_is_back_is_one() -> None:
    assert is_news(device("PJSIP/bert", "NOT_INUSE"), DEVICES)


@pytest.mark.parametrize("name", ["PJSIP/trunk-front", "Local/x@y", "Stasis:dialer", ""])
@pytest.mark.parametrize("state", ["INUSE", "UNAVAILABLE"])
def test_what_is_no_known_phone_is_none(name: str, state: str) -> None:
    assert not is_news(device(name, state), DEVICES)


@pytest.mark.parametrize(
    "name", ["ContactStatus", "PeerStatus", "Registry", "Reload", "FullyBooted", "Shutdown"]
)
def test_every_other_event_is_one(name: str) -> None:
    assert is_news(AmiEvent(name), DEVICES)
    assert is_news(Resync("reconnected"), DEVICES)
