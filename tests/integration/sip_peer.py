"""A scripted SIP peer over UDP for what a second Asterisk cannot play: a carrier, or a phone, that behaves oddly.

It speaks just enough SIP: it parses requests and answers, keeps a dialog per call, sends and counts RTP. What a called
number does is a coroutine, chosen by the number; everything that arrived is kept for the test.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

HOST = "127.0.0.1"
COPIED = ("via", "from", "to", "call-id", "cseq", "record-route")
FRAME_S = 0.02
TONE = bytes((0x80, 0xA0, 0xFF, 0x20, 0x00, 0x20, 0xFF, 0xA0)) * 20
"""160 bytes of mu-law: a loud tone of 1000 Hz."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message; header names are lower case."""

    first: str
    headers: tuple[tuple[str, str], ...]
    body: str
    source: Address

    @property
    def method(self) -> str:
        """The request's method; of an answer the one it answers."""
        return self["cseq"].split()[-1] if self.code else self.first.split()[0]

    @property
    def code(self) -> int:
        """The answer's code, 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def user(self) -> str:
        """The user part of the request's URI."""
        found = re.match(r"\S+ sips?:([^@;>\s]*)@", self.first)
        return found[1] if found else ""

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


def parse(data: bytes, source: Address) -> Message | None:
    """Return a message, None for a keep-alive."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    lines = head.split("\r\n")
    if not lines[0].strip():
        return None
    pairs = (line.partition(":") for line in lines[1:])
    headers = tuple((key.strip().lower(), value.strip()) for key, _, value in pairs)
    return Message(lines[0], headers, body, source)


class Audio(asyncio.DatagramProtocol):
    """One RTP socket: sends a tone while `speaking`, counts what comes."""

    def __init__(self) -> None:
        self.received = 0
        self.speaking = True
        self.target: Address | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._sending: asyncio.Task[None] | None = None
        self._ssrc = secrets.token_bytes(4)

    @property
    def port(self) -> int:
        """Where this end listens."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    @classmethod
    async def open(cls) -> "Audio":
        """Open a socket and begin to send as soon as there is a target."""
        loop = asyncio.get_running_loop()
        transport, audio = await loop.create_datagram_endpoint(cls, local_addr=(HOST, 0))
        audio._transport = transport
        audio._sending = asyncio.create_task(audio._send())
        return audio

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Count a packet."""
        self.received += 1

    async def _send(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(FRAME_S)
            number += 1
            if self.speaking and self.target and self._transport is not None:
                stamp = (number * 160 & 0xFFFFFFFF).to_bytes(4, "big")
                head = b"\x80\x00" + (number & 0xFFFF).to_bytes(2, "big") + stamp + self._ssrc
                self._transport.sendto(head + TONE, self.target)

    def close(self) -> None:
        """Stop and close."""
        if self._sending is not None:
            self._sending.cancel()
        if self._transport is not None:
            self._transport.close()


@dataclass
class PeerCall:
    """One call that the engine's Asterisk placed here."""

    peer: "SipPeer"
    invite: Message
    audio: Audio
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    got: list[Message] = field(default_factory=list)
    cseq: int = 100
    answered: bool = False
    dead: bool = False

    @property
    def number(self) -> str:
        """The called number."""
        return self.invite.user

    def requests(self, method: str) -> list[Message]:
        """What came of one method after the first INVITE."""
        return [m for m in self.got if not m.code and m.method == method]

    def answers(self, method: str) -> list[Message]:
        """Final answers to our own requests of one method."""
        return [m for m in self.got if m.code >= 200 and m.method == method]

    async def until(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until something is so."""
        end = asyncio.get_running_loop().time() + seconds
        while not what():
            assert asyncio.get_running_loop().time() < end, f"not so within {seconds:g} s"
            await asyncio.sleep(0.02)

    def sdp(self, *, direction: str = "sendrecv", payload: str = "0", port: int | None = None) -> str:
        """Return a description of our audio."""
        names = {"0": "PCMU", "8": "PCMA"}
        listed = "".join(f"a=rtpmap:{each} {names[each]}/8000\r\n" for each in payload.split())
        return (
            f"v=0\r\no=- {self.cseq} {self.cseq} IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {port or self.audio.port} RTP/AVP {payload} 101\r\n{listed}"
            f"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na={direction}\r\n"
        )

    def reply(self, words: str, *more: str, to: Message | None = None, sdp: str = "") -> None:
        """Answer the INVITE, or another request."""
        self.peer.reply(to or self.invite, words, *more, tag=self.tag, body=sdp)

    def listen(self) -> None:
        """Send audio to where the other side said."""
        found = re.search(r"m=audio (\d+)", self.invite.body)
        assert found is not None
        self.audio.target = (HOST, int(found[1]))

    async def answer(self, *more: str, speaking: bool = True) -> None:
        """Answer with 200 until the ACK comes, and speak."""
        self.audio.speaking = speaking
        self.answered = True
        self.listen()
        for _ in range(40):
            self.reply("200 OK", *more, f"Contact: <sip:peer@{HOST}:{self.peer.port}>", sdp=self.sdp())
            for _ in range(25):
                if self.requests("ACK"):
                    return
                await asyncio.sleep(0.02)
        raise AssertionError("the 200 was never acknowledged")

    async def ask(self, method: str, *more: str, sdp: str = "", tries: int = 20) -> Message | None:
        """Send a request within the dialog and return its final answer, acknowledged; None after `tries` seconds."""
        self.cseq += 1
        before = len(self.answers(method))
        target = re.search(r"<([^>]+)>", self.invite["contact"])
        assert target is not None
        head = [
            f"{method} {target[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{self.peer.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
            f"From: {self.invite['to']};tag={self.tag}",
            f"To: {self.invite['from']}",
            f"Call-ID: {self.invite['call-id']}",
            f"CSeq: {self.cseq} {method}",
            f"Contact: <sip:peer@{HOST}:{self.peer.port}>",
            "Max-Forwards: 70",
            *more,
        ]
        for _ in range(tries):
            self.peer.send(head, sdp, self.invite.source)
            for _ in range(50):
                if len(self.answers(method)) > before:
                    final = self.answers(method)[-1]
                    if method == "INVITE":
                        ack = [f"ACK {target[1]} SIP/2.0", *head[1:5], f"CSeq: {self.cseq} ACK", head[7]]
                        self.peer.send(ack, "", self.invite.source)
                    return final
                await asyncio.sleep(0.02)
        return None


Script = Callable[[PeerCall], Awaitable[None]]


class SipPeer(asyncio.DatagramProtocol):
    """The peer's SIP socket; `script(number)` says what a call to that number meets. An async context manager."""

    def __init__(self, script: Callable[[str], Script] | None = None) -> None:
        self.script = script
        self.calls: list[PeerCall] = []
        self.others: list[Message] = []
        self.failures: list[BaseException] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "SipPeer":
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for call in self.calls:
            call.audio.close()
        assert self._transport is not None
        self._transport.close()

    @property
    def port(self) -> int:
        """Where this peer listens."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def call(self, number: str) -> PeerCall | None:
        """The newest call to a number."""
        return next((call for call in reversed(self.calls) if call.number == number), None)

    def send(self, head: list[str], body: str, target: Address) -> None:
        """Send one message."""
        kind = ["Content-Type: application/sdp"] if body else []
        text = "\r\n".join([*head, *kind, f"Content-Length: {len(body)}", "", body])
        assert self._transport is not None
        self._transport.sendto(text.encode(), target)

    def reply(self, to: Message, words: str, *more: str, tag: str = "peer", body: str = "") -> None:
        """Answer a request."""
        kept = [f"{key}: {value}" for key, value in to.headers if key in COPIED]
        tagged = [
            f"{line};tag={tag}" if line.startswith("to:") and "tag=" not in line else line for line in kept
        ]
        self.send([f"SIP/2.0 {words}", *tagged, *more], body, to.source)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take a message in."""
        message = parse(data, addr)
        if message is None:
            return
        call = next((c for c in self.calls if c.invite["call-id"] == message["call-id"]), None)
        if call is not None:
            self._within(call, message)
        elif message.method == "INVITE" and not message.code and self.script is not None:
            self._keep(self._play(message, self.script))
        else:
            self.others.append(message)
            if message.method in ("OPTIONS", "BYE") and not message.code:
                self.reply(message, "200 OK")

    def _within(self, call: PeerCall, message: Message) -> None:
        if message.first == call.invite.first and message["cseq"] == call.invite["cseq"]:
            return
        if call.dead:
            return
        call.got.append(message)
        if message.method in ("BYE", "CANCEL") and not message.code:
            call.reply("200 OK", to=message)
            call.audio.speaking = False

    async def _play(self, invite: Message, script: Callable[[str], Script]) -> None:
        if any(c.invite["call-id"] == invite["call-id"] for c in self.calls):
            return
        call = PeerCall(self, invite, await Audio.open())
        self.calls.append(call)
        call.reply("100 Trying")
        await script(call.number)(call)

    def _keep(self, doing: Awaitable[None]) -> None:
        async def run() -> None:
            await doing

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)

    # --- as a phone -------------------------------------------------------------------------------

    async def request(
        self,
        line: str,
        server: Address,
        *more: str,
        user: str = "nobody",
        password: str = "",
        body: str = "",
        seconds: float = 10.0,
    ) -> Message:
        """Send a request of our own, with the digest the server asks for, and return its final answer."""
        method, uri = line.split(" ", 1)
        call_id, tag = secrets.token_hex(8), secrets.token_hex(4)
        login: tuple[str, ...] = ()
        for number in (1, 2):
            head = [
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
                f"From: <sip:{user}@{HOST}>;tag={tag}",
                f"To: <sip:{user}@{HOST}>" if method == "REGISTER" else f"To: <{uri}>",
                f"Call-ID: {call_id}",
                f"CSeq: {number} {method}",
                f"Contact: <sip:{user}@{HOST}:{self.port}>",
                "Max-Forwards: 70",
                *more,
                *login,
            ]
            final = await self._final(head, body, server, call_id, number, seconds)
            if method == "INVITE":
                taken = re.search(r"<([^>]+)>", final["contact"]) if final.code < 300 else None
                ack = [
                    f"ACK {taken[1] if taken else uri} SIP/2.0",
                    head[1],
                    head[2],
                    f"To: {final['to']}",
                    head[4],
                ]
                self.send([*ack, f"CSeq: {number} ACK", head[7]], "", server)
            if final.code not in (401, 407) or not password or login:
                break
            login = (_digest(final, method, uri, user, password),)
        return final

    async def _final(
        self, head: list[str], body: str, server: Address, call_id: str, number: int, seconds: float
    ) -> Message:
        def found() -> Message | None:
            mine = (m for m in self.others if m["call-id"] == call_id and m.code >= 200)
            return next((m for m in mine if m["cseq"].split()[0] == str(number)), None)

        async with asyncio.timeout(seconds):
            while True:
                self.send(head, body, server)
                for _ in range(40):
                    if (final := found()) is not None:
                        return final
                    await asyncio.sleep(0.02)


def _digest(challenge: Message, method: str, uri: str, user: str, password: str) -> str:
    """Return the header that answers a challenge."""
    asked = challenge["www-authenticate"] or challenge["proxy-authenticate"]
    parts = dict(re.findall(r'(\w+)="?([^",]+)"?', asked))
    name = "Authorization" if challenge.code == 401 else "Proxy-Authorization"

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    first, second = md5(f"{user}:{parts['realm']}:{password}"), md5(f"{method}:{uri}")
    answer = md5(f"{first}:{parts['nonce']}:00000001:cafe:auth:{second}")
    opaque = f', opaque="{parts["opaque"]}"' if "opaque" in parts else ""
    return (
        f'{name}: Digest username="{user}", realm="{parts["realm"]}", nonce="{parts["nonce"]}", uri="{uri}", '
        f'response="{answer}", algorithm=MD5, qop=auth, nc=00000001, cnonce="cafe"{opaque}'
    )
