"""A carrier or a phone that answers nothing within a call, though all else seems well: the session timer ends it."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asterisk_support import AGENT, NUMBER, Pair, Watcher, make_prompts, node_config
from sip_peer import HOST, PeerCall, SipPeer

from dialer_engine.engine.translate import HUNG_UP
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import CallBroadcast, ChannelDestroyed, StasisStart
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.instance import DUTY_EXTENSION
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.render import trunk_endpoint
from dialer_engine.settings.trunk import Trunk

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

REFRESHED_BY_ASTERISK = "Session-Expires: 90;refresher={}"
"""The shortest session of RFC 4028 (Asterisk lets a shorter one never end), refreshed after half of it."""
REQUEST_TIMEOUT = 408
SDP = (
    f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
GIVEN_UP_S = 100.0


async def dies(call: PeerCall) -> None:
    """An answer that asks for refreshes; then audio, and no word of SIP any more."""
    await call.answer("Require: timer", REFRESHED_BY_ASTERISK.format("uac"))
    call.dead = True


@pytest.fixture
async def peer() -> AsyncIterator[SipPeer]:
    async with SipPeer(lambda number: dies) as made:
        yield made


@pytest.fixture
async def pair(bundle: Bundle, node_home: Path, peer: SipPeer) -> AsyncIterator[Pair]:
    """An engine's node whose only carrier is the peer."""
    node = Node(bundle, node_config(node_home, "timers"))
    trunks = {"lab": Trunk(host=HOST, port=peer.port)}
    made = Pair(node, node, make_prompts(node_home / "timers-prompts"), trunks)
    node.render(made.files())
    await node.ensure_running()
    try:
        yield made
    finally:
        await node.stop(2.0)


async def carriers_leg(pair: Pair, commands: Commands, watcher: Watcher, peer: SipPeer) -> str:
    """A call that the peer has answered and the engine has claimed."""
    channel_id = f"attempt-{uuid.uuid4()}"
    await commands.originate(
        channel_id,
        f"PJSIP/{NUMBER}01@{trunk_endpoint('lab')}",
        context="outbound",
        extension="answered",
        caller_id="Acme <+12105550199>",
        timeout_s=20,
        variables={"MAX_WAIT_MS": "5000", "DROP_PROMPT": str(pair.prompts.drop)},
    )
    await watcher.wait(CallBroadcast, channel_id)
    await commands.claim(channel_id)
    await watcher.wait(StasisStart, channel_id)
    await commands.keep(channel_id)
    return channel_id


async def phones_leg(pair: Pair, watcher: Watcher, peer: SipPeer) -> str:
    """An agent on duty whose phone asks for refreshes."""
    server = (HOST, pair.engine.config.sip_port)
    final = await peer.request(
        f"INVITE sip:{DUTY_EXTENSION}@{HOST}:{server[1]}",
        server,
        *(REFRESHED_BY_ASTERISK.format("uas"), "Supported: timer", "Content-Type: application/sdp"),
        user=AGENT.name,
        password=AGENT.password,
        body=SDP,
        seconds=20.0,
    )
    assert final.code == 200
    return (await watcher.wait(StasisStart)).channel.id


async def test_legs_that_answer_no_refresh_are_ended_as_lost(
    pair: Pair, commands: Commands, watcher: Watcher, peer: SipPeer
) -> None:
    async with SipPeer() as handset:
        await legs_end(pair, commands, watcher, peer, handset)


async def legs_end(pair: Pair, commands: Commands, watcher: Watcher, peer: SipPeer, handset: SipPeer) -> None:
    """Both fall silent, and Asterisk ends both."""
    phone = await phones_leg(pair, watcher, handset)
    carrier = await carriers_leg(pair, commands, watcher, peer)
    carriers_end = await watcher.wait(ChannelDestroyed, carrier, GIVEN_UP_S)
    assert carriers_end.tech_cause == REQUEST_TIMEOUT, "the record would name the customer"
    phones_end = await watcher.wait(ChannelDestroyed, phone, GIVEN_UP_S)
    assert phones_end.cause not in HUNG_UP, "the agent would count as gone home, and the customer as left"
    assert peer.failures == []
