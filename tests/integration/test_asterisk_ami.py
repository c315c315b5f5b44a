"""The AMI adapter against a real Asterisk."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from asterisk_support import AGENT, Pair, until

from dialer_engine.lab.ports import free_ports
from dialer_engine.pbx.ami import AmiAdapter, AmiError, AmiEvent, AmiTimeout, Resync
from dialer_engine.pbx.render import watch_endpoint

pytestmark = pytest.mark.asterisk


def adapter(pair: Pair, **options: object) -> AmiAdapter:
    """An adapter for the engine's node, not started."""
    config, secrets = pair.engine.config, pair.engine.secrets
    account = ("127.0.0.1", config.ami_port, secrets.ami_user, secrets.ami_password)
    return AmiAdapter(*account, **options)  # type: ignore[arg-type]  # options are the adapter's own


@pytest.fixture
async def ami(pair: Pair) -> AsyncIterator[AmiAdapter]:
    """A started adapter."""
    started = adapter(pair)
    await started.start()
    yield started
    await started.close()


async def test_an_action_is_answered(ami: AmiAdapter) -> None:
    reply = await ami.action("Ping")
    assert reply.fields["ping"] == "Pong"
    assert ami.connected


async def test_a_registered_agent_has_a_contact(ami: AmiAdapter) -> None:
    for _ in range(100):
        if (await ami.contacts()).get(AGENT.name) == "Reachable":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await ami.contacts())


async def test_a_carrier_that_is_there_answers_options(ami: AmiAdapter) -> None:
    for _ in range(300):
        if await ami.contact_status(watch_endpoint("lab")) == "Reachable":
            break
        await asyncio.sleep(0.05)
    assert await ami.contact_status(watch_endpoint("lab")) == "Reachable"
    assert await ami.contact_status(watch_endpoint("nobody")) == ""


async def test_the_carriers_registration_is_seen_from_its_side(pair: Pair) -> None:
    config, secrets = pair.carrier.config, pair.carrier.secrets
    other = AmiAdapter("127.0.0.1", config.ami_port, secrets.ami_user, secrets.ami_password)
    await other.start()
    try:
        for _ in range(100):
            if (await other.registrations())["anna"] == "Registered":
                break
            await asyncio.sleep(0.05)
        reply = await other.action("PJSIPShowRegistrationsOutbound")
        assert AGENT.password not in repr(reply)
        assert (await other.registrations())["anna"] == "Registered"
    finally:
        await other.close()


async def test_no_registrations_is_an_empty_table(ami: AmiAdapter) -> None:
    assert await ami.registrations() == {}


async def test_a_reload_is_reported(pair: Pair, ami: AmiAdapter) -> None:
    """It is asked for on the console; trunks are looked at again after it."""
    await pair.engine.reload({"pjsip.conf"})
    async with asyncio.timeout(5):
        while not _reloaded(await ami.events.get(), "res_pjsip.so"):
            pass


def _reloaded(event: AmiEvent | Resync, module: str) -> bool:
    return isinstance(event, AmiEvent) and event.name == "Reload" and event.fields["module"] == module


async def test_an_unknown_action_is_refused_by_asterisk(ami: AmiAdapter) -> None:
    with pytest.raises(AmiError, match="refused NoSuchThing"):
        await ami.action("NoSuchThing")


async def test_the_account_itself_may_not_originate(ami: AmiAdapter) -> None:
    """Even past the adapter: Asterisk does not let this account place calls or run commands."""
    assert ami._link is not None
    for name in ("Originate", "Command"):
        reply = await ami._link.send_action(
            {"Action": name, "Channel": "PJSIP/x", "Command": "core show version"}
        )
        assert not reply.success


async def test_a_cut_link_comes_back_with_a_resync(ami: AmiAdapter) -> None:
    assert ami._link is not None
    ami._link.cut()
    await asyncio.sleep(0.01)
    with pytest.raises(AmiError, match="was not sent"):
        await ami.action("Ping")
    await until(lambda: ami.connected)
    await until(lambda: ami.resyncs == 1)
    seen = []
    while not ami.events.empty():
        seen.append(ami.events.get_nowait())
    assert any(isinstance(each, Resync) for each in seen)
    assert (await ami.action("Ping")).fields["ping"] == "Pong"


async def test_wrong_password_is_a_clear_error(pair: Pair) -> None:
    wrong = AmiAdapter("127.0.0.1", pair.engine.config.ami_port, "engine", "wrong")
    with pytest.raises(AmiError, match=r"refused user 'engine'.*ami_password"):
        await wrong.start()
    assert not wrong.connected


async def test_nobody_listening_is_a_clear_error() -> None:
    lonely = AmiAdapter("127.0.0.1", free_ports(1)[0], "engine", "x")
    with pytest.raises(AmiError, match="Is Asterisk running"):
        await lonely.start()


async def test_a_silent_server_is_given_up(pair: Pair) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        patient = AmiAdapter("127.0.0.1", port, "engine", "x", timeout_s=0.3)
        with pytest.raises(AmiError, match=r"no answer within 0\.3 s"):
            await patient.start()


async def test_a_frozen_asterisk_times_out_and_is_cut_by_the_heartbeat(pair: Pair) -> None:
    relay = Relay(pair.engine.config.ami_port)
    port = await relay.start()
    secrets = pair.engine.secrets
    ami = AmiAdapter(
        "127.0.0.1", port, secrets.ami_user, secrets.ami_password, timeout_s=0.3, heartbeat_s=0.3
    )
    await ami.start()
    try:
        relay.stalled = True
        with pytest.raises(AmiError) as failure:
            await ami.action("Ping")
        assert isinstance(failure.value, AmiTimeout) or "lost" in str(failure.value)
        await until(lambda: not ami.connected)
        relay.stalled = False
        await until(lambda: ami.connected)
    finally:
        await ami.close()
        await relay.stop()


class Relay:
    """A TCP relay that can stall."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.stalled = False
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if not self.stalled:
                    writer.write(data)
        except ConnectionError:
            return
        finally:
            writer.close()

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.05)
