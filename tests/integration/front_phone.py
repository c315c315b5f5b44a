"""A softphone of few words, over UDP: it registers, dials, hangs up, answers OPTIONS, and can lie about who it is."""

import asyncio
import hashlib
import re
import secrets
from dataclasses import dataclass, field

from sip_peer import Message, parse

REPEAT_S = 0.5
SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _parts(challenge: str) -> dict[str, str]:
    return {
        key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\w+))', challenge)
    }


def credentials(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """The value of an Authorization that answers a challenge."""
    asked = _parts(challenge)
    realm, nonce = asked["realm"], asked["nonce"]
    first, second = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    said = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", algorithm=MD5'
    if "opaque" in asked:
        said += ', opaque="' + asked["opaque"] + '"'
    if "qop" not in asked:
        answer = _md5(f"{first}:{nonce}:{second}")
        return f'{said}, response="{answer}"'
    own = secrets.token_hex(4)
    answer = _md5(f"{first}:{nonce}:00000001:{own}:auth:{second}")
    return f'{said}, qop=auth, nc=00000001, cnonce="{own}", response="{answer}"'


@dataclass
class Dialog:
    """One call: who is at the other end, and by which way."""

    call_id: str
    tag: str
    invite: str
    cseq: int
    final: Message | None = None
    ended: bool = False
    refreshed: int = 0

    @property
    def code(self) -> int:
        """The final answer's code, 0 without one."""
        return self.final.code if self.final else 0

    @property
    def target(self) -> str:
        """The other end's Contact."""
        found = re.search(r"<([^>]+)>", self.final["contact"] if self.final else "")
        return found[1] if found else ""

    @property
    def route(self) -> list[str]:
        """The way there, as Route lines."""
        lines = [value for key, value in self.final.headers if key == "record-route"] if self.final else []
        return [each.strip() for line in reversed(lines) for each in reversed(line.split(","))]


@dataclass
class FrontPhone(asyncio.DatagramProtocol):
    """One phone at an address of its own."""

    name: str
    password: str
    server: tuple[str, int]
    host: str = "127.0.0.1"
    silent: bool = False
    ignores: tuple[str, ...] = ()
    patience: float = 6.0
    got: list[Message] = field(default_factory=list)
    dialogs: dict[str, Dialog] = field(default_factory=dict)
    _way: asyncio.DatagramTransport | None = None
    _waiting: dict[tuple[str, int], asyncio.Future[Message]] = field(default_factory=dict)
    _cseq: int = 0
    _registration: str = field(default_factory=lambda: secrets.token_hex(8))

    async def open(self) -> "FrontPhone":
        """Open the socket."""
        loop = asyncio.get_running_loop()
        self._way, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        return self

    def close(self) -> None:
        """Close the socket."""
        if self._way is not None:
            self._way.close()

    @property
    def at(self) -> str:
        """Where it listens."""
        assert self._way is not None
        host, port = self._way.get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    @property
    def uri(self) -> str:
        """The server's address."""
        return f"sip:{self.server[0]}:{self.server[1]}"

    # --- what it does -----------------------------------------------------------------------------

    async def register(
        self,
        expires: int = 60,
        *,
        user: str | None = None,
        to: str | None = None,
        password: str | None = None,
    ) -> int:
        """Register and return the last answer's code, 0 for silence; the name in From and To may be another's."""
        who, owner = user or self.name, to or user or self.name
        contact = f"Contact: <sip:{owner}@{self.at}>\r\nExpires: {expires}\r\n"
        first = await self._ask("REGISTER", self.uri, owner, self._registration, contact)
        if first is None or first.code != 401:
            return first.code if first else 0
        said = credentials(first["www-authenticate"], "REGISTER", self.uri, who, password or self.password)
        more = f"Authorization: {said}\r\n{contact}"
        second = await self._ask("REGISTER", self.uri, owner, self._registration, more)
        return second.code if second else 0

    async def register_as(self, victim: str) -> int:
        """Try to register as somebody else by two Authorizations: one's own name first, the other's after it."""
        contact = f"Contact: <sip:{victim}@{self.at}>\r\nExpires: 60\r\n"
        call_id = secrets.token_hex(8)
        first = await self._ask("REGISTER", self.uri, victim, call_id, contact)
        assert first is not None
        asked, code = first["www-authenticate"], 0
        own = credentials(asked, "REGISTER", self.uri, self.name, self.password)
        forged = own.replace(f'username="{self.name}"', f'username="{victim}"')
        elsewhere = own.replace('realm="asterisk"', 'realm="other"')
        for pair in ((elsewhere, forged), (forged, elsewhere), (own, forged), (forged, own)):
            more = "".join(f"Authorization: {each}\r\n" for each in pair) + contact
            answer = await self._ask("REGISTER", self.uri, victim, call_id, more, seconds=1.0)
            code = max(code, 200 if answer is not None and answer.code == 200 else 0)
        return code

    async def dial(
        self,
        extension: str = "100",
        *,
        from_: str | None = None,
        user: str | None = None,
        password: str | None = None,
        seconds: float = 12.0,
    ) -> Dialog:
        """Dial and answer the challenge; the dialog holds the last answer."""
        caller, call_id, tag = from_ or self.name, secrets.token_hex(8), secrets.token_hex(4)
        uri = f"sip:{extension}@{self.server[0]}:{self.server[1]}"
        body = SDP.format(host=self.host)
        more = f"Contact: <sip:{caller}@{self.at}>\r\nContent-Type: application/sdp\r\n"
        dialog = Dialog(call_id, tag, uri, 0)
        self.dialogs[call_id] = dialog
        for _ in range(3):
            answer = await self._ask("INVITE", uri, caller, call_id, more, body, tag=tag, seconds=seconds)
            dialog.final, dialog.cseq = answer, self._cseq
            if answer is None:
                return dialog
            self._ack(dialog, caller)
            if answer.code not in (401, 407):
                return dialog
            header, said = ("Authorization", answer["www-authenticate"])
            if answer.code == 407:
                header, said = ("Proxy-Authorization", answer["proxy-authenticate"])
            made = credentials(said, "INVITE", uri, user or self.name, password or self.password)
            more = (
                f"{header}: {made}\r\nContact: <sip:{caller}@{self.at}>\r\nContent-Type: application/sdp\r\n"
            )
        return dialog

    async def hang_up(self, dialog: Dialog) -> int:
        """Send BYE the way the call went; return the answer's code."""
        return await self.within(dialog, "BYE")

    async def within(
        self, dialog: Dialog, method: str, route: list[str] | None = None, target: str = ""
    ) -> int:
        """Send a request within a call, perhaps by another way; return the answer's code, 0 for silence."""
        lines = "".join(f"Route: {each}\r\n" for each in (dialog.route if route is None else route))
        to = dialog.final["to"] if dialog.final else ""
        answer = await self._ask(
            method,
            target or dialog.target,
            self.name,
            dialog.call_id,
            lines,
            tag=dialog.tag,
            to=to,
        )
        return answer.code if answer else 0

    async def offer(self, dialog: Dialog, direction: str) -> int:
        """Offer the call's audio anew (`sendonly`: on hold); return the answer's code, 0 for silence."""
        assert dialog.final is not None
        version = self._cseq + 1
        body = SDP.format(host=self.host).replace("o=- 1 1 ", f"o=- 1 {version} ")
        more = "".join(f"Route: {each}\r\n" for each in dialog.route)
        more += f"Contact: <sip:{self.name}@{self.at}>\r\nContent-Type: application/sdp\r\n"
        answer = await self._ask(
            "INVITE",
            dialog.target,
            self.name,
            dialog.call_id,
            more,
            body.replace("sendrecv", direction),
            tag=dialog.tag,
            to=dialog.final["to"],
        )
        if answer is None:
            return 0
        if answer.code == 200:
            dialog.final, dialog.cseq = answer, self._cseq
            self._ack(dialog, self.name)
        return answer.code

    def send(self, text: str | bytes) -> None:
        """Send anything."""
        assert self._way is not None
        self._way.sendto(text.encode() if isinstance(text, str) else text, self.server)

    async def options(self, user: str = "") -> int:
        """Ask the server itself; return the answer's code, 0 for silence."""
        answer = await self._ask("OPTIONS", self.uri, user or self.name, secrets.token_hex(6), seconds=1.5)
        return answer.code if answer else 0

    # --- the wire ---------------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        uri: str,
        user: str,
        call_id: str,
        more: str = "",
        body: str = "",
        *,
        tag: str = "t",
        to: str = "",
        seconds: float | None = None,
    ) -> Message | None:
        self._cseq += 1
        cseq = self._cseq
        text = self._request(method, uri, user, call_id, cseq, more, body, tag, to)
        answer = self._waiting[call_id, cseq] = asyncio.get_running_loop().create_future()
        end = asyncio.get_running_loop().time() + (self.patience if seconds is None else seconds)
        try:
            while (left := end - asyncio.get_running_loop().time()) > 0:
                self.send(text)
                done, _ = await asyncio.wait([answer], timeout=min(REPEAT_S, left))
                if done:
                    return answer.result()
            return None
        finally:
            self._waiting.pop((call_id, cseq), None)

    def _request(
        self,
        method: str,
        uri: str,
        user: str,
        call_id: str,
        cseq: int,
        more: str,
        body: str,
        tag: str,
        to: str,
    ) -> str:
        at = f"{self.server[0]}:{self.server[1]}"
        target = to or (f"<sip:{user}@{at}>" if method == "REGISTER" else f"<{uri}>")
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.at};rport;branch=z9hG4bK{call_id}{cseq}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{at}>;tag={tag}\r\nTo: {target}\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{more}"
            f"User-Agent: phone\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )

    def _ack(self, dialog: Dialog, caller: str) -> None:
        assert dialog.final is not None
        good = dialog.final.code < 300
        uri = dialog.target if good else dialog.invite
        lines = "".join(f"Route: {each}\r\n" for each in dialog.route) if good else ""
        text = self._request(
            "ACK", uri, caller, dialog.call_id, dialog.cseq, lines, "", dialog.tag, dialog.final["to"]
        )
        # The ACK of a refusal belongs to the INVITE's transaction, that of an answer is one of its own.
        self.send(text if not good else text.replace("branch=z9hG4bK", "branch=z9hG4bKack"))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take an answer, or answer a request."""
        if self.silent:
            return
        message = parse(data, addr)
        if message is None:
            return
        self.got.append(message)
        if message.method in self.ignores and not message.code:
            return
        if message.code:
            self._take(message)
        elif message.method != "ACK":
            self._reply(message)

    def _take(self, message: Message) -> None:
        if message.code < 200:
            return
        key = (message["call-id"], int(message["cseq"].split()[0]))
        waiting = self._waiting.get(key)
        dialog = self.dialogs.get(message["call-id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(message)
        elif dialog is not None and message.method == "INVITE" and dialog.final is not None:
            self._ack(dialog, self.name)

    def _reply(self, request: Message) -> None:
        dialog = self.dialogs.get(request["call-id"])
        if dialog is not None:
            dialog.ended = dialog.ended or request.method == "BYE"
            dialog.refreshed += request.method in ("INVITE", "UPDATE")
        kept = [
            f"{key}: {value}"
            for key, value in request.headers
            if key in ("via", "from", "to", "call-id", "cseq", "record-route")
        ]
        body = SDP.format(host=self.host) if request.method == "INVITE" else ""
        sort = "Content-Type: application/sdp\r\n" if body else ""
        contact = f"Contact: <sip:{self.name}@{self.at}>\r\n{sort}Content-Length: {len(body)}"
        assert self._way is not None
        text = "\r\n".join(["SIP/2.0 200 OK", *kept, contact, "", body])
        self._way.sendto(text.encode(), request.source)
