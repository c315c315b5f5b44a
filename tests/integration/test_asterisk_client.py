"""The ARI client against a real Asterisk: replies, filters, lost links and clear errors."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from asterisk_support import Pair, Watcher, channel_of, client_of, originate, until

from dialer_engine.engine.clock import utc_now
from dialer_engine.lab.ports import free_ports
from dialer_engine.pbx.ari import client as ari_client
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError, AriLinkLost, AriRefused, AriTimeout
from dialer_engine.pbx.ari.models import (
    CallBroadcast,
    ChannelCreated,
    ChannelDestroyed,
    ChannelVarset,
    StasisStart,
)
from dialer_engine.pbx.ari.wire import Incoming
from dialer_engine.pbx.node import Node

pytestmark = pytest.mark.asterisk

DISPLACED_S = 0.3
"""Instead of 2.5 s between two tries of a client that was displaced."""


class Proxy:
    """A TCP relay in front of ARI that can cut or stall what goes through it."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.stalled = False
        self._pairs: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._pairs += [writer, far_writer]
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

    def cut(self) -> None:
        """Break every connection at once."""
        for writer in self._pairs:
            writer.transport.abort()
        self._pairs.clear()

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def through_proxy(
    node: Node, watcher: Watcher, **options: object
) -> AsyncIterator[tuple[Proxy, AriClient]]:
    """A started client whose connection goes through a proxy."""
    proxy = Proxy(node.config.http_port)
    await proxy.start()
    secrets = node.secrets
    client = AriClient(
        f"http://127.0.0.1:{proxy.port}",
        secrets.ari_user,
        secrets.ari_password,
        "dialer",
        on_event=watcher.on_event,
        on_link=watcher.links.append,
        **options,  # type: ignore[arg-type]  # options are the client's own
    )
    await client.start()
    try:
        yield proxy, client
    finally:
        await client.close()
        await proxy.stop()


async def test_a_cut_link_comes_back_and_reports_both(pair: Pair, watcher: Watcher) -> None:
    async with through_proxy(pair.engine, watcher, event_types=["CallBroadcast"]) as (proxy, client):
        assert watcher.links == [True]
        proxy.cut()
        await until(lambda: watcher.links == [True, False, True])
        assert client.counts["reconnects"] == 1
        assert await Commands(client).channels() == []
        await until_filtered(client)


async def test_a_sign_of_life_tells_the_time_there(pair: Pair, watcher: Watcher) -> None:
    async with through_proxy(pair.engine, watcher) as (_, client):
        assert abs((await Commands(client).ping(5.0) - utc_now()).total_seconds()) < 0.5


async def until_filtered(client: AriClient) -> None:
    for _ in range(100):
        if b'"CallBroadcast"' in await client.request("GET", "/applications/dialer"):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the event filter was not set again")


async def test_nothing_is_sent_while_the_link_is_down(pair: Pair, watcher: Watcher) -> None:
    async with through_proxy(pair.engine, watcher) as (proxy, client):
        await proxy.stop()
        await until(lambda: watcher.links[-1] is False)
        with pytest.raises(AriLinkLost, match="was not sent"):
            await client.request("GET", "/channels")
        await until(lambda: client.counts["failed_connects"] >= 1)
        await proxy.start()
        await until(lambda: client.connected)
        assert await client.request("GET", "/bridges") == b"[]"


async def test_who_waits_for_a_reply_is_told_of_the_loss(pair: Pair, watcher: Watcher) -> None:
    async with through_proxy(pair.engine, watcher) as (proxy, client):
        proxy.stalled = True
        waiting = asyncio.create_task(client.request("GET", "/channels"))
        await asyncio.sleep(0.1)
        proxy.cut()
        with pytest.raises(AriLinkLost):
            await waiting
        proxy.stalled = False


async def test_a_reply_that_never_comes_times_out(pair: Pair, watcher: Watcher) -> None:
    async with through_proxy(pair.engine, watcher) as (proxy, client):
        proxy.stalled = True
        with pytest.raises(AriTimeout, match=r"no reply .* within 0.2 s"):
            await client.request("GET", "/channels", timeout=0.2)
        proxy.stalled = False


async def test_silence_is_noticed_by_the_heartbeat(pair: Pair, watcher: Watcher) -> None:
    async with through_proxy(pair.engine, watcher, heartbeat=0.4) as (proxy, _client):
        proxy.stalled = True
        began = time.monotonic()
        await until(lambda: False in watcher.links)
        assert time.monotonic() - began < 10.0, "one heartbeat, not a time-out of the connection"
        proxy.stalled = False


async def test_calls_survive_the_cut_and_are_found_again(pair: Pair, watcher: Watcher) -> None:
    async with through_proxy(pair.engine, watcher) as (proxy, client):
        commands = Commands(client)
        customer = await originate(commands, pair.prompts, "01")
        await watcher.wait(CallBroadcast, customer)
        await commands.claim(customer)
        await watcher.wait(StasisStart, customer)
        proxy.cut()
        await until(lambda: watcher.links == [True, False, True])
        assert [each.id for each in await commands.channels()] == [customer]
        await commands.hangup(customer)
        await asyncio.sleep(0.2)


async def test_only_wanted_events_arrive_and_replies_still_do(pair: Pair, watcher: Watcher) -> None:
    client = pair.client(watcher, event_types=["CallBroadcast", "ChannelDestroyed"])
    await client.start()
    try:
        customer = await originate(Commands(client), pair.prompts, "10")
        await watcher.wait(CallBroadcast, customer)
        await watcher.wait(ChannelDestroyed, customer)
        kinds = {type(event).__name__ for _, event in watcher.events if channel_of(event) == customer}
        assert kinds - {"ChannelUserevent"} == {"CallBroadcast", "ChannelDestroyed"}
    finally:
        await client.close()


async def test_a_failing_handler_does_not_stop_the_reader(pair: Pair) -> None:
    calls: list[Incoming] = []

    def fail(event: Incoming) -> None:
        calls.append(event)
        raise ValueError("handler is broken")

    secrets = pair.engine.secrets
    client = AriClient(
        pair.engine.config.ari_url,
        secrets.ari_user,
        secrets.ari_password,
        "dialer",
        on_event=fail,
        on_link=lambda up: None,
    )
    await client.start()
    try:
        customer = await originate(Commands(client), pair.prompts, "02")
        await until(lambda: any(isinstance(event, ChannelVarset) for event in calls))
        await Commands(client).hangup(customer)
        assert client.counts["handler_errors"] >= 1
    finally:
        await client.close()


async def test_a_displaced_engine_gives_way_and_comes_back(pair: Pair, watcher: Watcher) -> None:
    """The socket of an engine whose application was taken stays open but deaf: not connected."""
    first, second = pair.client(watcher), pair.client(Watcher())
    await first.start()
    await second.start()
    try:
        await until(lambda: watcher.links == [True, False])
        await asyncio.sleep(0.5)
        assert not first.connected
        assert second.connected
        assert second.counts["replaced"] == 0
        await second.close()
        await until(lambda: watcher.links == [True, False, True], seconds=8)
        customer = await originate(Commands(first), pair.prompts, "10")
        await watcher.wait(CallBroadcast, customer)
    finally:
        await second.close()
        await first.close()


class Lease:
    """Whether the calls are a client's own; it asks once before every try to come back."""

    def __init__(self, owned: bool) -> None:
        self.owned = owned
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.owned

    async def tried(self, times: int = 3) -> None:
        """Wait until so many tries have begun and ended from now on."""
        last = self.asked + times + 1
        await until(lambda: self.asked >= last, seconds=20)


async def test_a_displaced_engine_does_not_come_back_before_the_calls_are_its_own(
    pair: Pair, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one may be dead, but not its calls: only who owns them may come for them."""
    monkeypatch.setattr(ari_client, "_DISPLACED_DELAY", DISPLACED_S)
    lease = Lease(True)
    first, second = pair.client(watcher, may_return=lease), pair.client(Watcher())
    await first.start()
    lease.owned = False
    await second.start()
    try:
        await until(lambda: watcher.links == [True, False])
        await second.close()
        await lease.tried()
        assert watcher.links == [True, False]
        lease.owned = True
        await until(lambda: watcher.links == [True, False, True], seconds=8)
    finally:
        await second.close()
        await first.close()


@pytest.mark.parametrize("owned", [True, False])
async def test_an_answer_that_does_not_come_gives_nobody_the_application(
    pair: Pair, watcher: Watcher, monkeypatch: pytest.MonkeyPatch, owned: bool
) -> None:
    monkeypatch.setattr(ari_client, "_CONNECT_TIMEOUT", 0.5)
    monkeypatch.setattr(ari_client, "_DISPLACED_DELAY", DISPLACED_S)
    lease, second = Lease(owned), pair.client(Watcher())
    async with through_proxy(pair.engine, watcher, may_return=lease) as (proxy, first):
        await second.start()
        try:
            await until(lambda: watcher.links == [True, False])
            await asyncio.sleep(0.3)  # the old connection is closed, and the first question has its answer
            proxy.stalled = True
            await lease.tried()
            proxy.stalled = False
            proxy.cut()
            await lease.tried()
            assert not first.connected
            assert second.connected
            assert second.counts["replaced"] == 0
        finally:
            await second.close()


async def test_without_the_lease_a_lost_link_comes_back_to_what_nobody_else_has(
    pair: Pair, watcher: Watcher
) -> None:
    """Its own calls are up in the application, which is not to be taken for another engine in it."""
    lease, second = Lease(False), pair.client(Watcher())
    async with through_proxy(pair.engine, watcher, may_return=lease) as (proxy, first):
        customer = await originate(Commands(first), pair.prompts, "01")
        await watcher.wait(CallBroadcast, customer)
        await Commands(first).claim(customer)
        await watcher.wait(StasisStart, customer)
        proxy.cut()
        await until(lambda: watcher.links == [True, False, True])
        assert [each.id for each in await Commands(first).channels()] == [customer]

        await proxy.stop()
        await second.start()
        try:
            await proxy.start()
            await lease.tried()
            assert watcher.links == [True, False, True, False]
            assert second.counts["replaced"] == 0
            await Commands(second).hangup(customer)
            await second.close()
            await until(lambda: first.connected)
        finally:
            await second.close()


async def test_quick_restarts_among_calls_neither_deafen_nor_lock_asterisk(pair: Pair) -> None:
    """Asterisk 22.10 could deadlock for good, or leave the new connection without events."""
    for turn in range(30):
        watcher = Watcher()
        client = pair.client(watcher)
        await client.start()
        customer = await originate(Commands(client), pair.prompts, "10")
        await watcher.wait(ChannelCreated, customer)
        await asyncio.sleep(turn % 10 * 0.004)
        await Commands(client).hangup(customer)
        await client.close()


async def test_close_is_clean_and_final(pair: Pair, watcher: Watcher) -> None:
    client = pair.client(watcher)
    await client.start()
    await client.close()
    assert watcher.links == [True, False]
    assert not client.connected
    with pytest.raises(AriLinkLost):
        await client.request("GET", "/channels")
    await client.close()


async def test_wrong_password_names_the_remedy(pair: Pair) -> None:
    wrong = replace(pair.engine.secrets, ari_password="wrong")
    client = AriClient(
        pair.engine.config.ari_url,
        wrong.ari_user,
        wrong.ari_password,
        "dialer",
        on_event=lambda event: None,
        on_link=lambda up: None,
    )
    with pytest.raises(AriError, match=r"refused \(401\).*ari_password"):
        await client.start()


async def test_nobody_listening_names_the_remedy() -> None:
    port = free_ports(1)[0]
    client = AriClient(
        f"http://127.0.0.1:{port}", "engine", "x", "dialer", on_event=lambda e: None, on_link=lambda up: None
    )
    with pytest.raises(AriError, match="Is Asterisk running"):
        await client.start()


async def test_another_web_server_is_recognised(pair: Pair) -> None:
    client = AriClient(
        f"{pair.engine.config.ari_url}/elsewhere",
        "engine",
        "x",
        "dialer",
        on_event=lambda event: None,
        on_link=lambda up: None,
    )
    with pytest.raises(AriError, match="no ARI here"):
        await client.start()


@pytest.mark.parametrize(
    ("url", "app"),
    [
        ("ftp://127.0.0.1", "dialer"),
        ("http://user:secret@127.0.0.1:8088", "dialer"),
        ("http://127.0.0.1:8088", "dialer,other"),
        ("http://127.0.0.1:8088", ""),
    ],
)
def test_a_bad_address_or_application_is_refused(url: str, app: str) -> None:
    with pytest.raises(AriError):
        AriClient(url, "engine", "x", app, on_event=lambda event: None, on_link=lambda up: None)


async def test_a_refusal_carries_status_and_words(pair: Pair, watcher: Watcher) -> None:
    client = client_of(pair.engine, watcher)
    await client.start()
    try:
        with pytest.raises(AriRefused, match="404 Bridge not found") as refused:
            await client.request("GET", "/bridges/none")
        assert refused.value.status == 404
        with pytest.raises(AriRefused) as refused:
            await client.request("DELETE", "/channels")
        assert refused.value.status == 405
    finally:
        await client.close()
