"""What an agent's phone and a carrier can reach in a running Asterisk: the duty extension, a prompt, or nothing."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from asterisk_support import AGENT, NUMBER, Pair, Watcher, client_of, originate
from sip_peer import HOST, Message, SipPeer

from dialer_engine.core.attempt import Phase
from dialer_engine.core.audio import Audio
from dialer_engine.engine.audio_check import AudioCheck
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.places import Places
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import CallBroadcast, StasisStart
from dialer_engine.pbx.instance import DUTY_EXTENSION

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

SDP = (
    f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
DIALED = (
    "911",
    "0",
    "1001",
    "+12105550101",
    "12105550101",
    "2105550101",
    "011442071234567",
    "+19005551234",
    "*",
    "*69",
    "#",
    "%23",
    "s",
    "h",
    "i",
    "t",
    "T",
    "answered",
    "drop",
    "goodbye",
    "said",
    "9",
    "anna",
    "berta",
    "+12105550101%40trunk-lab",
    "PJSIP%2F+12105550101%40trunk-lab%40trunk-no-redirect",
    "Local%2F9%40drop-message",
    "answered%40outbound",
    "$%7BSHELL(touch%20MARK)%7D",
    "$%7BFILE(MARK)%7D",
    "1$%7BSHELL(touch%20MARK)%7D",
    "1%2C1%2CSystem(touch%20MARK)",
    "1%60touch%20MARK%60",
    "1;touch=MARK",
    "1%7Ctouch%20MARK",
    "1%0D%0AAction:%20Originate",
    "7" * 79,
    "8" * 500,
    "9" * 4000,
)
"""What is dialed on an agent's phone; MARK is a file that must not come to be."""
FORBIDDEN_FUNCTIONS = {
    *("SHELL", "CURL", "CURLOPT", "DB", "DB_EXISTS", "DB_DELETE", "DB_KEYS", "ENV", "FILE", "STAT"),
    *("REALTIME", "ODBC_FETCH", "AST_CONFIG", "SYSINFO", "DIALPLAN_EXISTS", "LOCK"),
}
FORBIDDEN_APPLICATIONS = {
    *(
        "System",
        "TrySystem",
        "Dial",
        "Originate",
        "Exec",
        "ExecIf",
        "TryExec",
        "ExternalIVR",
        "Page",
        "Queue",
    ),
    *("FollowMe", "MixMonitor", "SendText", "SendURL", "Transfer", "ChanSpy", "Pickup", "AudioSocket"),
}


@pytest.fixture
async def peer() -> AsyncIterator[SipPeer]:
    async with SipPeer() as made:
        yield made


def server(pair: Pair) -> tuple[str, int]:
    return HOST, pair.engine.config.sip_port


async def dial(pair: Pair, peer: SipPeer, what: str, password: str = AGENT.password) -> Message:
    """Dial something as the agent and return the final answer."""
    line = f"INVITE sip:{what}@{HOST}:{pair.engine.config.sip_port}"
    return await peer.request(
        line,
        server(pair),
        "Content-Type: application/sdp",
        user=AGENT.name,
        password=password,
        body=SDP,
        seconds=20.0,
    )


async def nothing_is_left(commands: Commands) -> None:
    """Wait until every call has ended by itself, also those of tests before: whatever leads elsewhere stays up."""
    for _ in range(300):
        if not await commands.channels():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"calls that stay up: {await commands.channels()}")


async def test_an_agents_phone_reaches_the_duty_extension_and_nothing_else(
    pair: Pair, commands: Commands, watcher: Watcher, peer: SipPeer, tmp_path: Path
) -> None:
    await nothing_is_left(commands)
    mark = Path(f"/tmp/odd-{pair.engine.config.sip_port}")
    far = client_of(pair.carrier, Watcher())
    await far.start()
    try:
        answered = 0
        for what in DIALED:
            final = await dial(pair, peer, what.replace("MARK", str(mark).replace("/", "%2F")))
            assert final.code == 200 or final.code >= 400, what
            for channel in await commands.channels():
                answered += 1
                assert channel.name.startswith("PJSIP/anna-"), what
                assert channel.dialplan.context == "agents", what
            assert await Commands(far).channels() == [], f"{what} came to the carrier"
        assert answered > len(DIALED) // 2, "nothing was dialed at all"
        await nothing_is_left(commands)
        assert watcher.of(StasisStart) == [], "something but the duty extension led to the engine"
        assert not mark.exists()
        await dial(pair, peer, DUTY_EXTENSION)
        assert (await watcher.wait(StasisStart, seconds=20.0)).args[:1] == ["agent"]
    finally:
        await far.close()


@pytest.mark.parametrize("user", ["anna", "nobody"])
async def test_without_the_password_nothing_is_reached(
    pair: Pair, commands: Commands, peer: SipPeer, user: str
) -> None:
    line = f"INVITE sip:{DUTY_EXTENSION}@{HOST}"
    final = await peer.request(line, server(pair), user=user, password="wrong", body=SDP)
    assert final.code in (401, 403, 603)
    assert await commands.channels() == []


@pytest.mark.parametrize(
    "method", ["INVITE", "MESSAGE", "SUBSCRIBE", "REGISTER", "REFER", "PUBLISH", "NOTIFY", "INFO", "UPDATE"]
)
async def test_what_a_carrier_asks_of_its_own_accord_is_refused(
    pair: Pair, commands: Commands, watcher: Watcher, peer: SipPeer, method: str
) -> None:
    """The peer's address is the trunk's, so that it is taken for the carrier."""
    more = {
        "SUBSCRIBE": ("Event: presence", "Expires: 60"),
        "PUBLISH": ("Event: presence", "Expires: 60"),
        "NOTIFY": ("Event: check-sync", "Subscription-State: active"),
        "REFER": (f"Refer-To: <sip:{NUMBER}01@{HOST}>",),
        "INVITE": ("Content-Type: application/sdp",),
    }.get(method, ())
    target = f"{HOST}:{pair.engine.config.sip_port}"
    for uri in (f"sip:{NUMBER}01@{target}", f"sip:anna@{target}", f"sip:{target}"):
        body = SDP if method == "INVITE" else ""
        final = await peer.request(f"{method} {uri}", server(pair), *more, user="+12105550199", body=body)
        assert final.code >= 400, f"{method} {uri}: {final.first}"
    assert await commands.channels() == []
    assert watcher.of(StasisStart) == []


async def test_an_invite_that_replaces_a_call_is_refused(
    pair: Pair, commands: Commands, peer: SipPeer
) -> None:
    channel_id = await originate(commands, pair.prompts, "02")
    line = f"INVITE sip:{NUMBER}01@{HOST}:{pair.engine.config.sip_port}"
    replaces = "Replaces: nobody@127.0.0.1;to-tag=1;from-tag=2"
    final = await peer.request(
        line,
        server(pair),
        replaces,
        "Require: replaces",
        "Content-Type: application/sdp",
        user="+1",
        body=SDP,
    )
    assert final.code >= 400
    assert [each.id for each in await commands.channels()] == [channel_id]


async def test_a_talk_without_the_agents_audio_is_noticed(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    """The other direction than a silent carrier's: nothing is there to be sent to the customer."""
    channel_id = await originate(commands, pair.prompts, "01", MAX_WAIT_MS="5000")
    await watcher.wait(CallBroadcast, channel_id, 20.0)
    await commands.claim(channel_id)
    await watcher.wait(StasisStart, channel_id, 20.0)
    await commands.keep(channel_id)
    trunks, heard = Trunks(pair.trunks), []
    floor = SimpleNamespace(
        feed=lambda attempt, event: heard.append(event.audio),
        calls={
            channel_id: SimpleNamespace(
                id=channel_id,
                node="engine",
                phase=Phase.BRIDGED,
                reservation=SimpleNamespace(trunk="lab"),
                attempt=SimpleNamespace(agent="anna"),
            )
        },
    )
    places = cast(Places, {"engine": SimpleNamespace(commands=commands)})
    check = AudioCheck(places, cast(Dispatcher, floor), trunks, Tasks(), listen_s=1.0)
    await check.look(channel_id)
    health = trunks.lines["lab"].health.report(time.monotonic())
    assert (health.no_audio_from_carrier, health.no_audio_to_carrier) == (0, 1)
    await commands.bridge_create("both")
    await commands.bridge_add("both", channel_id)
    await commands.play(channel_id, f"sound:{pair.prompts.drop}", "sounding")
    await check.look(channel_id)
    assert trunks.lines["lab"].health.report(time.monotonic()) == health
    assert heard == [Audio.NONE_FROM_AGENT, Audio.OK]


def test_what_could_run_a_program_or_place_a_call_is_not_there(pair: Pair) -> None:
    functions = set(re.findall(r"^([A-Z_]+)\b", pair.engine.console("core show functions"), re.MULTILINE))
    assert {"CHANNEL", "FILTER"} <= functions
    assert functions & FORBIDDEN_FUNCTIONS == set()
    told = pair.engine.console("core show applications")
    applications = set(re.findall(r"^\s*(\w+):", told, re.MULTILINE))
    assert {"Playback", "Stasis"} <= applications
    assert applications & FORBIDDEN_APPLICATIONS == set()
