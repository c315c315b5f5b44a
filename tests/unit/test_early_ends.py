"""Calls of an earlier engine that end while a new one takes over: what Asterisk told of the end is not lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from dispatch_support import at
from test_adoption import TALK, live
from test_agreement import Engine
from test_trunk_watch import CHANNEL, destroyed

from dialer_engine.core.attempt import Phase
from dialer_engine.engine import agreement, early_ends
from dialer_engine.engine.audio_check import AudioCheck
from dialer_engine.engine.translate import Translator
from dialer_engine.engine.trunk_watch import TrunkWatch
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari import models as ari
from dialer_engine.settings.carriers import SHIPPED, load_carriers

pytestmark = pytest.mark.unit

NOBODY: dict[str, Any] = dict.fromkeys([*TALK, "ringing_at"])


class Takeover(Engine):
    """A new engine that hears a node's events, and finds the attempt `a` on record; its database is slow."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__(patch)
        rig, trunks = self.rig, Trunks({})
        watch = TrunkWatch(rig.dispatcher, trunks, load_carriers(SHIPPED))
        audio = AudioCheck({}, rig.dispatcher, trunks, rig.tasks)
        self.translator = self.made.floor.translator = Translator(rig.dispatcher, rig.legs, watch, audio)
        rig.adoption.told = self.translator.told_early
        self.on_record(Phase.RINGING, ringing_at=at(2))

        async def on_record(*asked: Any) -> list[Any]:
            return [self.record]

        patch.setattr(agreement, "live_attempts", on_record)

    def on_record(self, phase: Phase, **known: Any) -> None:
        self.record = live("a", phase, **(NOBODY | known))

    def hears_end(self, state: str = "Ringing", code: int = 486) -> None:
        """Asterisk tells the end of `a`."""
        gone = msgspec.structs.replace(destroyed(state, "outbound", at(9)), cause=17, tech_cause=code)
        self.rig.asterisk.up.pop("a", None)
        self.translator.on_event("main", gone)

    async def take_over(self) -> None:
        self.database.back.set()
        await self.is_up()
        await self.rig.quiet()


@pytest.fixture
async def takeover(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Takeover]:
    made = Takeover(monkeypatch)
    yield made
    await made.rig.tasks.close()


@pytest.mark.parametrize("moment", ["before the look", "/channels", "after the look"])
@pytest.mark.parametrize(("phase", "state"), [(Phase.RINGING, "Ringing"), (Phase.DIALING, "Down")])
async def test_a_busy_phone_is_busy_whenever_it_was_told(
    takeover: Takeover, moment: str, phase: Phase, state: str
) -> None:
    takeover.on_record(phase)
    takeover.rig.asterisk.up["a"] = state
    if moment == "before the look":
        takeover.hears_end(state)
    elif moment == "/channels":
        takeover.rig.asterisk.meanwhile[moment] = lambda: takeover.hears_end(state)
    takeover.link(True)
    await takeover.database.asked.wait()
    await takeover.rig.quiet()
    if moment == "after the look":
        takeover.hears_end(state)
    await takeover.take_over()
    assert takeover.rig.results == [("a", "busy")]
    assert takeover.rig.dispatcher.illegal == {}


async def test_the_carriers_words_count(takeover: Takeover) -> None:
    about = {"application": "dialer", "timestamp": at(9).isoformat()}
    told = {"eventname": "CarrierSaid", "Text": "SIP 404 Not Found"}
    said = ari.ChannelUserevent(**about, eventname="CarrierSaid", userevent=told, channel=CHANNEL)
    takeover.translator.on_event("main", said)
    takeover.hears_end(code=404)
    takeover.link(True)
    await takeover.take_over()
    assert takeover.rig.results == [("a", "not_in_service")]
    assert takeover.translator._said == {}


@pytest.mark.parametrize("phase", [Phase.DIALING, Phase.RINGING, Phase.RESERVED])
async def test_an_answer_that_nobody_saw_stays_unknown(takeover: Takeover, phase: Phase) -> None:
    """It may have been a talk that the earlier engine could not write down any more."""
    takeover.on_record(phase)
    takeover.hears_end("Up")
    takeover.link(True)
    await takeover.take_over()
    assert takeover.rig.results == [("a", "unknown")]


async def test_what_is_not_on_record_as_sent_stays_unknown(takeover: Takeover) -> None:
    takeover.on_record(Phase.RESERVED, originated_at=None)
    takeover.hears_end()
    takeover.link(True)
    await takeover.take_over()
    assert takeover.rig.results == [("a", "unknown")]
    assert takeover.rig.dispatcher.illegal == {}


async def test_too_many_ends_are_forgotten(takeover: Takeover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_ends, "MOST_KEPT", 1)
    takeover.hears_end()
    stranger = msgspec.structs.replace(CHANNEL, id="b")
    takeover.translator.on_event(
        "main", msgspec.structs.replace(destroyed("Down", "outbound", at(9)), channel=stranger)
    )
    takeover.link(True)
    await takeover.take_over()
    assert takeover.rig.results == [("a", "unknown")]


async def test_once_all_is_taken_over_nothing_is_kept(takeover: Takeover) -> None:
    takeover.link(True)
    await takeover.take_over()
    takeover.hears_end()
    assert takeover.translator.told_early(takeover.rig.have("a", Phase.RINGING)) is False
