"""What panoramisk does by itself and the adapter must not let through, against a scripted AMI peer.

The peer is a plain TCP server that speaks AMI's lines: only so can replies be lost, letters be cut in two or
events be poured out at will. A real Asterisk is used in the integration tests.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dialer_engine.pbx.ami import (
    REFUSED_ACTIONS,
    AmiAdapter,
    AmiError,
    AmiEvent,
    AmiLoginRefused,
    AmiTimeout,
    Resync,
    checked_action,
)

pytestmark = pytest.mark.unit

Answer = Callable[[dict[str, str], asyncio.StreamWriter], None]


class Peer:
    """Accepts logins, remembers every action, and answers as the test says."""

    def __init__(self, answer: Answer | None = None, login: str = "Success") -> None:
        self.actions: list[dict[str, str]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.login = login
        self.door = "open"
        self._answer = answer or reply_success

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        if self.door == "closed":
            writer.transport.abort()
            return
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                frame = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in frame.strip().split("\r\n"))
                self.actions.append(action)
                if action["Action"] == "Login" and self.door == "mute":
                    continue
                if action["Action"] == "Login":
                    send(
                        writer, f"Response: {self.login}\r\nActionID: {action['ActionID']}\r\nMessage: words"
                    )
                else:
                    self._answer(action, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def stop(self) -> None:
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    def named(self, name: str) -> list[dict[str, str]]:
        return [action for action in self.actions if action["Action"] == name]


def send(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(text.encode() + b"\r\n\r\n")


def reply_success(action: dict[str, str], writer: asyncio.StreamWriter) -> None:
    send(writer, f"Response: Success\r\nActionID: {action['ActionID']}\r\nMessage: done")


def reply_nothing(action: dict[str, str], writer: asyncio.StreamWriter) -> None:
    return None


@asynccontextmanager
async def connected(peer: Peer, **options: object) -> AsyncIterator[AmiAdapter]:
    adapter = AmiAdapter("127.0.0.1", await peer.start(), "engine", "pw", **options)  # type: ignore[arg-type]
    await adapter.start()
    try:
        yield adapter
    finally:
        await adapter.close()
        await peer.stop()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not so within 5 s")


async def test_an_action_whose_reply_was_lost_is_never_sent_again() -> None:
    peer = Peer(reply_nothing)
    async with connected(peer) as ami:
        waiting = asyncio.create_task(ami.action("Hangup", Channel="PJSIP/x"))
        await until(lambda: len(peer.named("Hangup")) == 1)
        peer.writers[0].transport.abort()
        with pytest.raises(AmiError, match="lost before the reply"):
            await waiting
        await until(lambda: ami.connected and len(peer.named("Login")) == 2)
        send(peer.writers[1], "Event: FullyBooted\r\nStatus: Fully Booted")
        await asyncio.sleep(0.2)
        assert len(peer.named("Hangup")) == 1


@pytest.mark.parametrize("door", ["closed", "mute"])
async def test_a_link_comes_back_from_an_asterisk_that_ends_or_leaves_new_connections(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts and ends at once, as when it refuses an address or starts, or it is frozen with open ports."""
    monkeypatch.setattr("dialer_engine.pbx.ami_link._LONGEST_DELAY", 0.05)
    monkeypatch.setattr("dialer_engine.pbx.ami_link._SHORTEST_DELAY", 0.02)
    monkeypatch.setattr("dialer_engine.pbx.ami_link.LOGIN_S", 0.2)
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def slowly(*arguments: Any, **options: Any) -> Any:
        made = await connect(*arguments, **options)
        await asyncio.sleep(0.02)  # the loop has other things to do before the manager is told
        return made

    monkeypatch.setattr(loop, "create_connection", slowly)
    peer = Peer()
    async with connected(peer) as ami:
        peer.door = door
        peer.writers[0].transport.abort()
        await until(lambda: len(peer.writers) > 5)
        assert not ami.connected
        peer.door = "open"
        await until(lambda: ami.connected)
        assert (await ami.action("Ping")).message == "done"


async def test_a_missing_reply_times_out_and_is_forgotten() -> None:
    peer = Peer(reply_nothing)
    async with connected(peer, timeout_s=0.1) as ami:
        for _ in range(5):
            with pytest.raises(AmiTimeout):
                await ami.action("Ping")
        assert ami._link is not None
        assert not ami._link.protocol.responses
        assert not ami._pending


@pytest.mark.parametrize("name", sorted(REFUSED_ACTIONS))
def test_actions_that_place_calls_or_change_files_are_refused(name: str) -> None:
    for spelling in (name, name.upper(), name.capitalize()):
        with pytest.raises(AmiError, match="not allowed"):
            checked_action(spelling, {})


@pytest.mark.parametrize(
    "value", ["a\r\nAction: Command", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\tb", "x" * 901]
)
def test_values_that_would_begin_another_line_are_refused(value: str) -> None:
    with pytest.raises(AmiError, match="value of Channel"):
        checked_action("Hangup", {"Channel": value})


@pytest.mark.parametrize("key", ["", "A B", "A:B", "A\r\nB", "ActionID", "action", "Ä"])
def test_field_names_are_checked(key: str) -> None:
    with pytest.raises(AmiError):
        checked_action("Hangup", {key: "x"})


@pytest.mark.parametrize("name", ["", "Two Words", "Ping\r\nAction: Originate", "1Ping"])
def test_action_names_are_checked(name: str) -> None:
    with pytest.raises(AmiError, match="not allowed"):
        checked_action(name, {})


async def test_refused_values_never_reach_the_wire() -> None:
    peer = Peer()
    async with connected(peer) as ami:
        with pytest.raises(AmiError):
            await ami.action("Hangup", Channel="x\r\nAction: Originate")
        await ami.action("Ping")
        assert [action["Action"] for action in peer.actions] == ["Login", "Ping"]


async def test_a_letter_cut_in_two_by_the_network_stays_whole() -> None:
    peer = Peer()
    async with connected(peer) as ami:
        wire = "Event: Hangup\r\nCallerIDName: José\r\n\r\n".encode()
        middle = wire.index("é".encode()) + 1
        peer.writers[0].write(wire[:middle])
        await asyncio.sleep(0.05)
        peer.writers[0].write(wire[middle:])
        event = await asyncio.wait_for(ami.events.get(), 2)
        assert isinstance(event, AmiEvent)
        assert event.fields["calleridname"] == "José"


async def test_a_flood_of_events_becomes_one_resync_and_the_order_stays() -> None:
    peer = Peer()
    async with connected(peer, queue_size=50) as ami:
        for number in range(1000):
            send(peer.writers[0], f"Event: Hangup\r\nNumber: {number}")
        await until(lambda: ami.resyncs >= 19)
        await asyncio.sleep(0.05)
        assert ami.events.qsize() <= 50
        seen = []
        while not ami.events.empty():
            seen.append(ami.events.get_nowait())
        assert isinstance(seen[0], Resync)
        numbers = [int(each.fields["number"]) for each in seen if isinstance(each, AmiEvent)]
        assert numbers == sorted(numbers)


async def test_a_message_without_end_cuts_the_link() -> None:
    peer = Peer()
    async with connected(peer) as ami:
        peer.writers[0].write(b"Event: Endless\r\n" + b"X: " + b"y" * 1_200_000)
        await until(lambda: len(peer.named("Login")) == 2)
        assert ami.resyncs <= 1


async def test_a_refused_login_is_an_error_and_not_a_quiet_link() -> None:
    peer = Peer(login="Error")
    adapter = AmiAdapter("127.0.0.1", await peer.start(), "engine", "pw")
    with pytest.raises(AmiLoginRefused, match=r"refused user 'engine': words\. Check"):
        await adapter.start()
    await asyncio.sleep(0.5)
    assert len(peer.named("Login")) == 1
    await peer.stop()


@pytest.mark.parametrize(("door", "words"), [("closed", "during the login"), ("mute", "no answer within")])
async def test_an_asterisk_that_says_nothing_to_a_login_has_not_refused_it(door: str, words: str) -> None:
    peer = Peer()
    peer.door = door
    adapter = AmiAdapter("127.0.0.1", await peer.start(), "engine", "pw", timeout_s=0.2)
    with pytest.raises(AmiError, match=words) as raised:
        await adapter.start()
    assert not isinstance(raised.value, AmiLoginRefused)
    await peer.stop()


async def test_nothing_reconnects_after_close() -> None:
    peer = Peer()
    async with connected(peer) as ami:
        peer.writers[0].transport.abort()
        await asyncio.sleep(0.02)
        await ami.close()
        await asyncio.sleep(0.6)
        assert len(peer.named("Login")) == 1


async def test_lists_are_complete_and_without_secrets() -> None:
    def listing(action: dict[str, str], writer: asyncio.StreamWriter) -> None:
        mark = f"ActionID: {action['ActionID']}"
        send(writer, f"Response: Success\r\n{mark}\r\nEventList: start\r\nMessage: Following are Events")
        send(
            writer, f"Event: OutboundRegistrationDetail\r\n{mark}\r\nObjectName: trunk-a\r\nStatus: Rejected"
        )
        send(writer, f"Event: AuthDetail\r\n{mark}\r\nObjectName: trunk-a\r\nPassword: hush-hush")
        send(writer, f"Event: OutboundRegistrationDetailComplete\r\n{mark}\r\nEventList: Complete")

    async with connected(Peer(listing)) as ami:
        assert await ami.registrations() == {"trunk-a": "Rejected"}
        assert "hush-hush" not in repr(await ami.action("PJSIPShowRegistrationsOutbound"))


async def test_an_empty_list_sent_as_an_error_is_empty() -> None:
    def nothing(action: dict[str, str], writer: asyncio.StreamWriter) -> None:
        send(writer, f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: No Contacts found")

    async with connected(Peer(nothing)) as ami:
        assert await ami.contacts() == {}
        with pytest.raises(AmiError, match="No Contacts found"):
            await ami.action("PJSIPShowContacts")


async def test_a_list_cut_short_by_a_lost_link_is_an_error() -> None:
    def half(action: dict[str, str], writer: asyncio.StreamWriter) -> None:
        mark = f"ActionID: {action['ActionID']}"
        send(writer, f"Response: Success\r\n{mark}\r\nEventList: start\r\nMessage: Following")
        writer.transport.abort()

    async with connected(Peer(half), timeout_s=1.0) as ami:
        with pytest.raises(AmiError):
            await ami.contacts()


def test_the_adapter_alone_uses_panoramisk() -> None:
    """The manager is reached through the adapter; call managers and FastAGI are never used."""
    package = Path(__file__).resolve().parents[2] / "dialer_engine"
    pattern = re.compile(r"^(from|import) panoramisk", re.MULTILINE)
    users = {path.name for path in package.rglob("*.py") if pattern.search(path.read_text())}
    assert users == {"ami.py", "ami_link.py"}
