"""Which talks are looked into for their audio: each once, also when the first look was missed."""

from collections import Counter
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from dispatch_support import at
from recovery_support import Rig

from dialer_engine.core.attempt import Joined, Phase
from dialer_engine.core.audio import Audio
from dialer_engine.engine.audio_check import AudioCheck
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari.errors import AriLinkLost

pytestmark = pytest.mark.unit


class Talks(Rig):
    """Talks whose audio flows; the counters of each leg grow between two looks."""

    def __init__(self) -> None:
        super().__init__("other")
        self.looks, self.packets = Counter[str](), Counter[str]()
        self.cut = False
        node = SimpleNamespace(commands=self)
        places: Any = {"main": node, "other": node}
        self.audio = AudioCheck(places, self.dispatcher, Trunks({}), self.tasks, listen_s=0.0)

    async def rtp_statistics(self, attempt_id: str) -> Any:
        self.looks[attempt_id] += 1
        if self.cut:
            raise AriLinkLost("cut")
        self.packets[attempt_id] += 50
        return SimpleNamespace(rxcount=self.packets[attempt_id], txcount=self.packets[attempt_id])

    def heard(self, attempt_id: str) -> Audio:
        return self.dispatcher.calls[attempt_id].attempt.audio


@pytest.fixture
async def talks() -> AsyncIterator[Talks]:
    made = Talks()
    yield made
    await made.tasks.close()


async def test_a_talk_of_an_earlier_engine_that_nobody_looked_into_is_looked_into(talks: Talks) -> None:
    talks.have("adopted", Phase.BRIDGED, "alice", joined_at=at(5))
    talks.have("known", Phase.BRIDGED, "bob", joined_at=at(5), audio=Audio.NONE_FROM_AGENT)
    talks.have("rings", Phase.RINGING)
    talks.audio.make_up("other")
    await talks.quiet()
    assert talks.looks == {}
    talks.audio.make_up("main")
    await talks.quiet()
    assert talks.looks == {"adopted": 2}
    assert (talks.heard("adopted"), talks.heard("known")) == (Audio.OK, Audio.NONE_FROM_AGENT)


async def test_a_look_that_is_under_way_is_not_doubled(talks: Talks) -> None:
    talks.have("x", Phase.BRIDGED, "alice", joined_at=at(5))
    talks.audio.joined("x")
    talks.audio.make_up("main")
    await talks.quiet()
    talks.audio.make_up("main")
    await talks.quiet()
    assert talks.looks == {"x": 2}


async def test_a_look_that_the_link_cut_off_is_made_up_for(talks: Talks) -> None:
    talks.have("x", Phase.JOINING, "alice", answered_at=at(4))
    talks.dispatcher.feed("x", Joined(at(5)))
    talks.cut = True
    talks.audio.joined("x")
    await talks.quiet()
    assert talks.heard("x") is Audio.UNKNOWN
    talks.cut = False
    talks.audio.make_up("main")
    await talks.quiet()
    assert talks.heard("x") is Audio.OK
