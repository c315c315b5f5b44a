"""A flood of SIP requests from strangers, sent by a process of its own: guesses at passwords, probes, calls.

    python -m dialer_engine.lab.flood HOST PORT USER SECONDS REGISTERS OPTIONS INVITES

The last three are requests a second. Half of the REGISTERs name users that do not exist, half `USER` with a wrong
password and a right nonce, the dearest kind. All come from loopback addresses that are no trunk's; answers are not
read, as a flood does not. What was sent is written as JSON at the end.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import count

SOURCES = ("127.0.0.66", "127.0.0.67", "127.0.0.68", "127.0.0.69")
STEP_S = 0.004
NONCE_S = 15.0
"""How long a nonce is used; Asterisk takes one for 32 s."""
ANSWER_S = 2.0
"""How long an answer with a new nonce is looked for."""
_NONCE = re.compile(rb'realm="([^"]*)".*?nonce="([^"]*)"', re.DOTALL)
_UNKNOWN = "1000"


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a second."""

    registers: int = 1000
    options: int = 5000
    invites: int = 100

    def of(self, method: str) -> int:
        """The rate of one method."""
        return {"REGISTER": self.registers, "OPTIONS": self.options, "INVITE": self.invites}[method]


@dataclass(slots=True)
class Sent:
    """How many requests left, and how many the kernel did not take."""

    registers: int = 0
    options: int = 0
    invites: int = 0
    refused: int = 0
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        """All requests that left."""
        return self.registers + self.options + self.invites


@dataclass(slots=True)
class Stranger:
    """One source address, and what it learned for its guesses."""

    way: socket.socket
    address: tuple[str, int]
    user: str
    asked_at: float = -NONCE_S
    secret: str = ""
    _listening: bool = False
    _numbers: count[int] = field(default_factory=count)

    @property
    def host(self) -> str:
        """The address with the port, as it stands in SIP."""
        name, port = self.way.getsockname()
        return f"{name}:{port}"

    def request(self, method: str, user: str, more: str = "", body: str = "") -> bytes:
        """One request of its own transaction and dialog."""
        n, (server, port) = next(self._numbers), self.address
        at = f"{server}:{port}"
        uri = f"sip:{at}" if method == "REGISTER" else f"sip:{user}@{at}"
        return (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.host};rport;branch=z9hG4bK{n}.{self.host}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{at}>;tag=f{n}\r\nTo: <sip:{user}@{at}>\r\n"
            f"Call-ID: flood{n}@{self.host}\r\nCSeq: 1 {method}\r\nContact: <sip:{user}@{self.host}>\r\n"
            f"User-Agent: flood\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def guess(self) -> bytes:
        """A REGISTER with a wrong password, or without one while no nonce is known."""
        now = time.monotonic()
        if now - self.asked_at > NONCE_S:
            self.asked_at, self._listening = now, True
            drain(self.way)
        elif self._listening:
            self._listen(now)
        return self.request("REGISTER", self.user, self.secret)

    def _listen(self, now: float) -> None:
        """Take the nonce of the first answer that has one; nobody waits for it, and it may never come."""
        self._listening = now - self.asked_at < ANSWER_S
        try:
            found = _NONCE.search(self.way.recv(65535))
        except BlockingIOError:
            return
        if found is not None:
            self._listening = False
            self._learn(*(part.decode("ascii", "replace") for part in found.groups()))

    def _learn(self, realm: str, nonce: str) -> None:
        uri = f"sip:{self.address[0]}:{self.address[1]}"
        first, second = _md5(f"{self.user}:{realm}:wrong"), _md5(f"REGISTER:{uri}")
        self.secret = (
            f'Authorization: Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{_md5(f"{first}:{nonce}:{second}")}", algorithm=MD5\r\n'
        )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def drain(way: socket.socket) -> None:
    """Throw away what has arrived."""
    way.setblocking(False)
    try:
        while way.recv(65535):
            pass
    except BlockingIOError:
        pass


def flood(host: str, port: int, user: str, seconds: float, rates: Rates) -> Sent:
    """Send for `seconds` seconds; requests that are late are sent at once, at most a tenth of a second's worth."""
    strangers = [_stranger(source, (host, port), user) for source in SOURCES]
    sent, started = Sent(), time.monotonic()
    due = dict.fromkeys(("REGISTER", "OPTIONS", "INVITE"), 0.0)
    turn, last = 0, started
    while (now := time.monotonic()) < started + seconds:
        for method in due:
            due[method] = min(due[method] + (now - last) * rates.of(method), rates.of(method) / 10 + 1)
            while due[method] >= 1:
                due[method] -= 1
                turn += 1
                _send(strangers[turn % len(strangers)], method, turn, sent)
        last = now
        time.sleep(STEP_S)
    sent.seconds = round(time.monotonic() - started, 2)
    return sent


def _send(stranger: Stranger, method: str, turn: int, sent: Sent) -> None:
    makers: dict[str, Callable[[], bytes]] = {
        "REGISTER": lambda: (
            stranger.guess()
            if turn // len(SOURCES) % 2
            else stranger.request(method, f"{_UNKNOWN}{turn % 97}")
        ),
        "OPTIONS": lambda: stranger.request(method, _UNKNOWN),
        "INVITE": lambda: stranger.request(method, f"011441{turn % 10_000_000:07d}"),
    }
    try:
        stranger.way.sendto(makers[method](), stranger.address)
    except BlockingIOError:
        sent.refused += 1
        return
    sent.registers += method == "REGISTER"
    sent.options += method == "OPTIONS"
    sent.invites += method == "INVITE"


def _stranger(source: str, address: tuple[str, int], user: str) -> Stranger:
    way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    way.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    way.bind((source, 0))
    way.setblocking(False)
    return Stranger(way, address, user)


def main(words: list[str]) -> None:
    """Flood as the command line says."""
    host, port, user, seconds, *rates = words
    sent = flood(host, int(port), user, float(seconds), Rates(*map(int, rates)))
    print(json.dumps(asdict(sent)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
