"""The wire between the engine and a carrier: counts INVITEs by the kernel's clock, can be cut, can refuse.

Every datagram of a trunk passes through it. The judge of a calls-per-second limit must stand where the carrier
stands, and must not be late itself: the arrival of each packet is the kernel's stamp and not the moment at which
a busy program got to read it. Cut, it swallows everything; told to refuse, it answers INVITEs as a carrier at
its limit does.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from dialer_engine.lab.ports import BIND

SO_TIMESTAMPNS = 35
STAMP = struct.Struct("@qq")
LARGEST = 65_535
KEPT = ("via", "from", "to", "call-id", "cseq")

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Invite:
    """A call's first INVITE as it arrived: its Call-ID and seconds since 1970; `refused` with which answer.

    `number` (E.164, +1NPANXXXXXX) is whom it is for, by the last ten digits of its request's user.
    """

    call: str
    at: float
    refused: str | None
    number: str


@dataclass(slots=True)
class Wire:
    """One wire; `target` is the carrier's port, None while there is none. Use as an async context manager.

    `swallows` is a method that never arrives, such as OPTIONS.
    """

    target: int | None = None
    cut: bool = False
    refuses: str | None = None
    swallows: str | None = None
    invites: list[Invite] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _engine: Address | None = None
    _near: socket.socket = field(init=False)
    _far: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._near, self._far = _open(), _open()
        self._near.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    @property
    def port(self) -> int:
        """Where the engine's trunk leads."""
        return int(self._near.getsockname()[1])

    async def __aenter__(self) -> Wire:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._near, self._from_engine)
        loop.add_reader(self._far, self._from_carrier)
        return self

    async def __aexit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for end in (self._near, self._far):
            loop.remove_reader(end)
            end.close()

    def _from_engine(self) -> None:
        data, ancillary, _flags, self._engine = self._near.recvmsg(LARGEST, 128)
        head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
        method = head[0].partition(" ")[0]
        if method == "INVITE":
            self._note(head, _stamp(ancillary))
        if self.cut or method == self.swallows or self._answers(method, head):
            return
        if self.target is not None:
            self._far.sendto(data, (BIND, self.target))

    def _from_carrier(self) -> None:
        data = self._far.recv(LARGEST)
        if self._engine is not None and not self.cut:
            self._near.sendto(data, self._engine)

    def _note(self, head: Sequence[str], at: float) -> None:
        """Note a call's first INVITE; repetitions and those within the call are none."""
        call = _header(head, "call-id")
        if call not in self._seen:
            self._seen.add(call)
            self.invites.append(Invite(call, at, "cut" if self.cut else self.refuses, _number(head[0])))

    def _answers(self, method: str, head: Sequence[str]) -> bool:
        """Refuse an INVITE when told so, and swallow the ACK of a refusal; returns whether it was for us."""
        refused = {invite.call for invite in self.invites if invite.refused not in (None, "cut")}
        if _header(head, "call-id") not in refused:
            return False
        words = next(i.refused for i in self.invites if i.call == _header(head, "call-id"))
        if method == "INVITE" and self._engine is not None:
            self._near.sendto(refusal(words or "", head), self._engine)
        return True


def refusal(words: str, head: Sequence[str]) -> bytes:
    """Return a final answer such as `503 Service Unavailable` to a request with these header lines."""
    kept = [line for line in head[1:] if line.partition(":")[0].strip().lower() in KEPT]
    tagged = [f"{line};tag=wire" if line.lower().startswith("to:") else line for line in kept]
    return "\r\n".join([f"SIP/2.0 {words}", *tagged, "Content-Length: 0", "", ""]).encode()


def most_in_a_second(times: Sequence[float], seconds: float = 1.0) -> int:
    """Return the largest number of these moments that any rolling period of so many seconds holds."""
    ordered, first, most = sorted(times), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _header(head: Sequence[str], name: str) -> str:
    lines = (line.partition(":") for line in head[1:])
    return next((value.strip() for key, _, value in lines if key.strip().lower() == name), "")


def _number(request: str) -> str:
    """Return whom a request such as `INVITE sip:+12125550100@host SIP/2.0` is for."""
    return "+1" + request.partition("@")[0][-10:]


def _stamp(ancillary: Sequence[tuple[int, int, bytes]]) -> float:
    """Return the kernel's moment of arrival, seconds since 1970."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = STAMP.unpack(data[: STAMP.size])
            return float(seconds) + float(nanoseconds) / 1e9
    raise OSError("the kernel gave no time of arrival")


def _open() -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setblocking(False)
    end.bind((BIND, 0))
    return end
