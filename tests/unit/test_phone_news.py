"""Which events of AMI are a reason to read all contacts, and what is done while there is no AMI to ask."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dialer_engine.engine import phones
from dialer_engine.engine.phones import PhoneWatch, is_news
from dialer_engine.engine.trunks import Trunks
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


async def test_without_ami_the_watch_leaves_the_loop_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def look(self: PhoneWatch) -> None:
        nonlocal looks
        looks += 1
        if looks > 100:
            raise RuntimeError("it looks without a pause")

    monkeypatch.setattr(PhoneWatch, "look", look)
    monkeypatch.setattr(phones, "RETRY_S", 0.02)
    access: Any = SimpleNamespace(name="main")
    running = asyncio.create_task(PhoneWatch(access, Trunks({})).run())
    await asyncio.sleep(0.1)
    assert not running.done()
    assert 1 < looks < 10
    running.cancel()
