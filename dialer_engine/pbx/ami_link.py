"""panoramisk with its sharp edges covered: what the AMI adapter builds on, and nothing else may use.

What is changed, and why:
- after a lost link panoramisk sends unanswered actions again; here nothing is ever kept for that;
- it reconnects at a fixed pace, also after `close`; here with back-off and jitter, and never after `close`;
- it decodes each network read alone and breaks letters that span two; here the decoder remembers;
- it lets a message without end grow for ever; here the link is cut;
- it never tries again when a new connection is lost before it took it over, or its login is not answered; here it does.
"""

from __future__ import annotations

import asyncio
import codecs
import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

_LONGEST_MESSAGE = 1_000_000
_SHORTEST_DELAY = 0.2
_LONGEST_DELAY = 5.0
LOGIN_S = 5.0
"""So long may Asterisk take to answer a login; then the connection is dropped for a new one."""
_JITTER = random.SystemRandom()
# The adapter reports what happens; panoramisk's own lines would only repeat it on stderr.
logging.getLogger("panoramisk").addHandler(logging.NullHandler())


class Everything:
    """A collection that contains whatever is asked for: every action is forgotten when the link is lost."""

    def __contains__(self, name: object) -> bool:
        """Say yes."""
        return True


class Protocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """AMI's wire with letters kept whole across reads and with a bound on a message's length."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin with a fresh decoder."""
        super().connection_made(transport)
        self.lost_early = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def data_received(self, data: bytes) -> None:
        """Take what the network gave; a letter whose end is missing waits for the next read."""
        super().data_received(self._decoder.decode(data).encode("utf-8"))
        if self.queue and len(self.queue[0]) > _LONGEST_MESSAGE:
            self.transport.abort()

    def connection_lost(self, exc: object) -> None:
        """Tell the link; one that has not taken the connection over yet finds out when it does."""
        if self.factory is None:
            self.lost_early = True
        else:
            super().connection_lost(exc)


class Link(Manager):  # type: ignore[misc]  # panoramisk has no types
    """A manager connection that never repeats an action, and stays closed once closed."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        on_login: Callable[[bool, str], None],
        on_lost: Callable[[], None],
        on_event: Callable[[Any], None],
    ) -> None:
        """Prepare a link; the callbacks are called from the event loop and must not block."""
        super().__init__(
            host=host,
            port=port,
            username=user,
            secret=password,
            loop=asyncio.get_running_loop(),
            protocol_factory=Protocol,
            forgetable_actions=Everything(),
            ping_delay=3600,
            ping_interval=3600,
        )
        self.awaiting_actions: deque[Any] = deque(maxlen=0)
        self.ended = False
        self._delay = _SHORTEST_DELAY
        self._told_login = on_login
        self._told_lost = on_lost
        self.register_event("*", lambda _manager, event: on_event(event))

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Open the connection, unless the link was closed meanwhile."""
        return None if self.ended else super().connect(*arguments, **options)

    def connection_made(self, f: asyncio.Task[Any]) -> None:
        """Go on after an attempt to connect; one that succeeds after `close` is dropped."""
        protocol = None if f.cancelled() or f.exception() is not None else f.result()[1]
        if self.ended:
            if protocol is not None:
                protocol.transport.abort()
        elif protocol is not None and protocol.lost_early:
            self.connection_lost(None)
        else:
            self.reconnect_timeout = self._next_delay()
            super().connection_made(f)
            if protocol is not None:
                self.loop.call_later(LOGIN_S, self._give_up_login, protocol)

    def _give_up_login(self, protocol: Protocol) -> None:
        if protocol is self.protocol and not self.authenticated:
            self.cut()

    def login(self, future: asyncio.Future[Any]) -> bool:
        """Report how Asterisk took our name and password."""
        accepted = bool(super().login(future))
        if accepted:
            self._delay = _SHORTEST_DELAY
        self._told_login(accepted, str(future.result().message))
        return accepted

    def connection_lost(self, exc: object) -> None:
        """Report the loss and try again later, unless the link was closed."""
        self.authenticated = False
        self.reconnect_timeout = self._next_delay()
        self._told_lost()
        if not self.ended:
            super().connection_lost(exc)

    def cut(self) -> None:
        """Drop a connection that no longer answers, so that a new one is made."""
        if self.protocol is not None and not self.protocol.closed:
            self.protocol.transport.abort()

    def end(self) -> None:
        """Close for good."""
        self.ended = True
        self.authenticated = False
        self.close()

    def _next_delay(self) -> float:
        delay, self._delay = self._delay, min(self._delay * 2, _LONGEST_DELAY)
        return delay * _JITTER.uniform(0.5, 1.0)
