"""A carrier that means harm: a SIP peer on a UDP socket whose every text is hostile, in and out of dialogs."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from dialer_engine.lab.hostile import MARK

Address = tuple[str, int]
CODES = (486, 480, 404, 603, 488, 410)
PLAIN_AFTER_S = 0.15
TALK_S = 0.5
_LINE_ENDS = re.compile("[\r\n\0]+")
_USER = re.compile(rb"^INVITE sips?:([^@;>]*)@")


def header(name: bytes, message: bytes) -> bytes:
    """Every header of this name, as lines, in their order."""
    found = re.findall(
        rb"^" + name + rb"[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n", message, re.MULTILINE | re.IGNORECASE
    )
    return b"".join(found)


def on_a_line(text: str) -> bytes:
    """A text as a header can hold it; what is no UTF-8 stays none."""
    return _LINE_ENDS.sub(" ", text).encode("utf-8", "surrogatepass")


class HostileCarrier(asyncio.DatagramProtocol):
    """Refuses three calls of four with a hostile reason, answers and ends the others; counts what it is asked."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.port = 0
        self.called: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.answered = 0
        self._turn = 0
        self._known: set[bytes] = set()
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> HostileCarrier:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    # --- what comes in ------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take one message of the engine's Asterisk."""
        method = data.split(b" ", 1)[0].decode("ascii", "replace")
        if not method.isalpha():
            return  # an answer, or audio, which has the same port
        self.asked[method] += 1
        if method == "INVITE":
            self._invite(data, addr)
        elif method == "CANCEL":
            self._send(self._reply(data, 200, b"OK"), addr)
        elif method != "ACK":
            self._send(self._reply(data, 200, on_a_line(self._text()), self._words()), addr)

    def _invite(self, data: bytes, addr: Address) -> None:
        call = header(b"Call-ID", data)
        if call in self._known:
            return
        self._known.add(call)
        found = _USER.match(data)
        self.called[found[1].decode() if found else "?"] += 1
        turn = len(self._known)
        later = asyncio.get_running_loop().call_later
        # First as a vandal would: malformed, with line ends where none may be; then the same, well-formed.
        self._send(
            self._reply(data, 180, self._text().encode("utf-8", "surrogatepass"), self._words(raw=True)), addr
        )
        if turn % 4:
            code = CODES[turn % len(CODES)]
            final = self._reply(data, code, on_a_line(self._text()), self._words())
        else:
            self.answered += 1
            final = self._reply(data, 200, on_a_line(self._text()), self._words(), sdp(self.port))
            later(PLAIN_AFTER_S + TALK_S / 2, self._in_dialog, data, addr, b"INFO")
            later(PLAIN_AFTER_S + TALK_S * 0.7, self._in_dialog, data, addr, b"REFER")
            later(PLAIN_AFTER_S + TALK_S, self._in_dialog, data, addr, b"BYE")
            # Until it is taken, as any carrier repeats an answer that nobody acknowledged.
            later(2 * PLAIN_AFTER_S, self._send, final, addr)
        later(PLAIN_AFTER_S, self._send, final, addr)
        self._strange(addr)

    def _in_dialog(self, invite: bytes, addr: Address, method: bytes) -> None:
        """A request within the call: digits, a transfer, the end; From and To change their places."""
        theirs = header(b"From", invite).partition(b":")[2]
        ours = header(b"To", invite).partition(b":")[2].rstrip() + b";tag=hostile\r\n"
        contact = re.search(rb"<(sip:[^>]*)>", header(b"Contact", invite))
        target = contact[1] if contact else b"sip:127.0.0.1"
        more, body = self._words(), b""
        if method == b"INFO":
            body = b"Signal=" + on_a_line(self._text()) + b"\r\nDuration=100\r\n"
            more += b"Content-Type: application/dtmf-relay\r\n"
        elif method == b"REFER":
            more += b"Refer-To: <sip:" + MARK.encode() + b"@127.0.0.1>\r\nReferred-By: <sip:x@127.0.0.1>\r\n"
        self._turn += 1
        self._send(
            method + b" " + target + b" SIP/2.0\r\n" + self._via()
            + b"From:" + ours + b"To:" + theirs + header(b"Call-ID", invite)
            + b"CSeq: %d " % (100 + self._turn) + method + b"\r\nMax-Forwards: 70\r\n" + more
            + b"Content-Length: %d\r\n\r\n" % len(body) + body,
            addr,
        )  # fmt: skip

    def _strange(self, addr: Address) -> None:
        """Requests outside of any call: to extensions with hostile names, from the trunk's own address."""
        self._turn += 1
        text = on_a_line(self._text())
        user = re.sub(rb"[^!-~]|[<>@]", b"_", text)[:60]
        for method in (b"INVITE", b"MESSAGE", b"SUBSCRIBE", b"PUBLISH"):
            self._send(
                method + b" sip:" + user + b"@127.0.0.1 SIP/2.0\r\n" + self._via()
                + b'From: "' + text.replace(b'"', b"'") + b'" <sip:' + user + b"@127.0.0.1>;tag=%d\r\n" % self._turn
                + b"To: <sip:" + user + b"@127.0.0.1>\r\nCall-ID: s%d-" % self._turn + method + b"@x\r\n"
                + b"CSeq: 1 " + method + b"\r\nMax-Forwards: 70\r\nContact: <sip:x@127.0.0.1:%d>\r\n" % self.port
                + b"Event: presence\r\n" + self._words() + b"Content-Length: 0\r\n\r\n",
                addr,
            )  # fmt: skip
        self._send(self._text().encode("utf-8", "surrogatepass") * 3, addr)

    # --- words --------------------------------------------------------------------------------------

    def _text(self) -> str:
        self._turn += 1
        return self.texts[self._turn % len(self.texts)]

    def _words(self, *, raw: bool = False) -> bytes:
        """Headers that carry text; `raw` with the line ends that are in it."""
        put: Callable[[str], bytes] = (
            (lambda text: text.encode("utf-8", "surrogatepass")) if raw else on_a_line
        )
        name = put(self._text()).replace(b'"', b"'").replace(b"\\", b"/")
        return (
            b'P-Asserted-Identity: "' + name + b'" <sip:+12125550100@127.0.0.1>\r\n'
            b'Remote-Party-ID: "' + name + b'" <sip:1@127.0.0.1>;party=called\r\n'
            b"Reason: Q.850;cause=17;text=\"" + name + b'"\r\n'
            b"User-Agent: " + put(self._text()) + b"\r\nServer: " + put(self._text()) + b"\r\n"
            b"User-to-User: " + put(self._text()) + b";encoding=hex\r\n"
            b"Subject: " + put(self._text()) + b"\r\nX-Text: " + put(self._text()) + b"\r\n"
        )  # fmt: skip

    def _reply(self, request: bytes, code: int, reason: bytes, more: bytes = b"", body: bytes = b"") -> bytes:
        to = header(b"To", request).rstrip()
        if b"tag=" not in to:
            to += b";tag=hostile"
        kind = b"Content-Type: application/sdp\r\n" if body else b""
        return (
            b"SIP/2.0 %d " % code + reason + b"\r\n" + header(b"Via", request) + header(b"From", request)
            + to + b"\r\n" + header(b"Call-ID", request) + header(b"CSeq", request)
            + b"Contact: <sip:carrier@127.0.0.1:%d>\r\n" % self.port + more + kind
            + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )  # fmt: skip

    def _via(self) -> bytes:
        self._turn += 1
        return b"Via: SIP/2.0/UDP 127.0.0.1:%d;rport;branch=z9hG4bKh%d\r\n" % (self.port, self._turn)

    def _send(self, data: bytes, addr: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data[:60_000], addr)


def sdp(port: int) -> bytes:
    """An answer with audio that nobody sends."""
    return (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=" + MARK.encode() + b"\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n" % port
    )
