"""A carrier that is given by name: every request goes to the one address in use, and still carries the name."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asterisk_support import NUMBER, Pair, Watcher, make_prompts, node_config
from sip_peer import HOST, Message, PeerCall, SipPeer

from dialer_engine.engine.node_link import ManagedNode
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import ChannelDestroyed
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.carrier_addresses import CarrierAddresses
from dialer_engine.pbx.node import Node, silent_contacts
from dialer_engine.pbx.render import render_engine_node, trunk_endpoint, watch_endpoint
from dialer_engine.settings.trunk import Trunk

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

NAME = "carrier.invalid"
"""No name server knows it: what arrives came by the address that Asterisk was given."""
NOBODY = "127.0.0.77"
RANG_THEN_503 = 503
SOON_S = 30.0


async def rings_and_refuses(call: PeerCall) -> None:
    """After this Asterisk would try the name's next address, though a phone rang."""
    call.reply("180 Ringing")
    await call.until(lambda: True)
    call.reply("503 Service Unavailable")


async def answers(call: PeerCall) -> None:
    """A person, who hears the drop message to its end."""
    await call.answer()


@pytest.fixture
async def peer() -> AsyncIterator[SipPeer]:
    async with SipPeer(lambda number: answers if number.endswith("02") else rings_and_refuses) as made:
        yield made


def trunk(peer: SipPeer) -> Trunk:
    return Trunk(
        host=NAME, port=peer.port, register=True, username="acme", password="secret", options_every_s=1
    )


@pytest.fixture
async def pair(bundle: Bundle, node_home: Path, peer: SipPeer) -> AsyncIterator[Pair]:
    """An engine's node whose only carrier is the peer, by a name that has two addresses; nobody is at the other."""
    node = Node(bundle, node_config(node_home, "names"))
    carriers = CarrierAddresses(node.config, lambda host: [HOST, NOBODY])
    await carriers.look([trunk(peer)])
    made = Pair(node, node, make_prompts(node_home / "names-prompts"), {"lab": trunk(peer)})
    node.render(
        render_engine_node(bundle, node.config, node.secrets, made.trunks, (), made.prompts, carriers.in_use)
    )
    await node.ensure_running()
    try:
        yield made
    finally:
        await node.stop(2.0)


def spoken_to(message: Message) -> str:
    """The host in a request's URI."""
    return (
        message.first.split()[1].removeprefix("sip:").rpartition("@")[2].partition(":")[0].partition(";")[0]
    )


async def dial(pair: Pair, commands: Commands, ending: str) -> str:
    channel = f"attempt-{uuid.uuid4()}"
    await commands.originate(
        channel,
        f"PJSIP/{NUMBER}{ending}@{trunk_endpoint('lab')}",
        context="outbound",
        extension="answered",
        caller_id="Acme <+12105550199>",
        timeout_s=20,
        variables={"MAX_WAIT_MS": "500", "DROP_PROMPT": str(pair.prompts.drop)},
    )
    return channel


async def test_an_answered_call_goes_on_and_ends_there(
    pair: Pair, commands: Commands, watcher: Watcher, peer: SipPeer
) -> None:
    await watcher.wait(ChannelDestroyed, await dial(pair, commands, "02"), SOON_S)
    (call,) = peer.calls
    within = [message for message in call.got if not message.code]
    assert [message.method for message in within] == ["ACK", "BYE"]
    assert [message["route"] for message in within] == ["", ""]
    assert peer.failures == []


async def test_all_that_asterisk_asks_goes_to_one_address_under_the_carriers_name(
    pair: Pair, commands: Commands, watcher: Watcher, peer: SipPeer
) -> None:
    channel = await dial(pair, commands, "01")
    end = await watcher.wait(ChannelDestroyed, channel, SOON_S)
    assert end.tech_cause == RANG_THEN_503
    (call,) = peer.calls
    assert call.requests("INVITE") == []
    for method in ("OPTIONS", "REGISTER"):
        await call.until(lambda method=method: asked(peer, method), SOON_S)
    for message in (call.invite, *asked(peer, "OPTIONS"), *asked(peer, "REGISTER")):
        assert spoken_to(message) == NAME, message.first
        assert message["route"] == "", "carriers did not ask for a Route"
    assert watch_endpoint("lab") not in silent_contacts(await pair.engine.ask("pjsip show contacts"))
    assert peer.failures == []


def asked(peer: SipPeer, method: str) -> list[Message]:
    return [each for each in peer.others if not each.code and each.method == method]


async def test_a_carrier_that_is_silent_is_called_at_its_other_address(
    pair: Pair, peer: SipPeer, node_home: Path
) -> None:
    managed = ManagedNode(pair.engine.bundle, pair.engine.config, node_home / "names-prompts")
    managed.addresses = CarrierAddresses(pair.engine.config, lambda host: [HOST, NOBODY])
    managed.addresses.in_use = {NAME: NOBODY}
    await managed.apply({"lab": trunk(peer)}, ())
    assert managed.addresses.in_use == {NAME: NOBODY}
    before = len(asked(peer, "OPTIONS"))
    keeping = asyncio.create_task(managed.keep_addresses())
    try:
        for _ in range(int(SOON_S * 10)):
            if len(asked(peer, "OPTIONS")) > before + 2:
                break
            await asyncio.sleep(0.1)
    finally:
        keeping.cancel()
    assert managed.addresses.in_use == {NAME: HOST}
    assert len(asked(peer, "OPTIONS")) > before + 2
