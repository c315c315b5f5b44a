"""One typed connection to one Asterisk: events in, commands out, both over the same websocket; long lists over HTTP.

The life of the link: `start` connects or says why it cannot. From then on a background task reads. Whenever
the connection ends it tells everybody who waits for a reply (`AriLinkLost`), reports `on_link(False)`, and
connects again: at once, then with pauses of at most half a second, for nothing is dialed meanwhile. Events of
the time between are gone: on `on_link(True)` the owner must compare its view with `GET /channels` and
`/bridges`. Nothing is ever sent twice; the outcome of a command without a reply is unknown.

When another engine connects for the same application, Asterisk sends it all events and us none. The link then
counts as lost, and comes back only when the other engine is gone and `may_return` says that the calls are ours.
While it says no, a lost link comes back only to an application that nobody has: its new owner may be connected.

`beat` (monotonic seconds) tells when the reader last moved: it read something, or tries to come back.

Heartbeats are websocket pings: a peer that stays silent for half a heartbeat after a ping counts as gone. What it has
not received by then it never receives.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog

from dialer_engine.pbx.ari.errors import AriError, AriLinkLost, AriRefused, AriTimeout
from dialer_engine.pbx.ari.models import ApplicationReplaced
from dialer_engine.pbx.ari.proof import prove
from dialer_engine.pbx.ari.sockets import open_socket
from dialer_engine.pbx.ari.wire import Incoming, RawEvent, Reply, decode, encode_command, failure_text

_Connection: TypeAlias = tuple[aiohttp.ClientWebSocketResponse, list[Incoming]]
log = structlog.get_logger(__name__)
_BIGGEST_MESSAGE = 64 * 1024 * 1024
MOST_WAITING = 5000
"""Commands that may wait for their replies at once; so many mean that Asterisk answers nothing."""
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 0.5
_DISPLACED_DELAY = 2.5
_TELL_EVERY = 20
_CONNECT_TIMEOUT = 5.0
_FIRST_TRIES = 5
_CLOSE_TIMEOUT = 2.0
"""A peer that goes on sending and never answers the end of the connection is not waited for."""
_MOST_IN_VAIN = 3
_IN_VAIN_TIMEOUTS = 2
"""A link is dropped after so many commands in vain, and so many time-outs, without a reply to anything."""
_JITTER = random.SystemRandom()


class AriClient:
    """A connection to Asterisk's REST interface that heals itself and never repeats a command."""

    def __init__(
        self,
        base_url: str,
        user: str,
        password: str,
        app: str,
        *,
        on_event: Callable[[Incoming], None],
        on_link: Callable[[bool], None],
        may_return: Callable[[], bool] = lambda: True,
        subscribe_all: bool = True,
        event_types: Sequence[str] | None = None,
        reply_timeout: float = 5.0,
        heartbeat: float = 5.0,
    ) -> None:
        """Prepare a link to `base_url` (`http://host:port`) for the application `app`; time-outs in seconds.

        With `event_types` Asterisk sends only those; the choice is renewed on every reconnect. `may_return` says
        whether nobody else can own the calls at this moment.
        """
        self._base_url = _clean_url(base_url)
        self._user = user
        self._headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
        self.app = _clean_app(app)
        self._on_event = on_event
        self._on_link = on_link
        self._may_return = may_return
        self._subscribe_all = subscribe_all
        self._event_types = event_types
        self._reply_timeout = reply_timeout
        self._heartbeat = heartbeat
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._closing = False
        self._displaced = False
        self._closer: asyncio.Task[None] | None = None
        self._vain = 0
        self._vain_since: float | None = None
        self.counts: Counter[str] = Counter()
        self.beat = time.monotonic()

    @property
    def started(self) -> bool:
        """Whether it was connected once: from then on it comes back by itself."""
        return self._task is not None

    @property
    def connected(self) -> bool:
        """Whether the link is up at this moment."""
        return self._socket is not None

    async def start(self) -> None:
        """Connect and begin to read; raise AriError with the remedy when the first connection fails."""
        if self._task is not None:
            raise AriError("this ARI client was already started")
        connector = aiohttp.TCPConnector(socket_factory=open_socket)
        self._session = aiohttp.ClientSession(headers=self._headers, connector=connector)
        try:
            if await self._must_wait():
                raise AriError(f"ARI at {self._base_url}: another engine may own the calls there by now")
            socket, early = await self._first_connect()
        except BaseException:
            await self._session.close()
            raise
        self._task = asyncio.create_task(self._keep(socket, early), name=f"ari {self._base_url}")
        await self._up.wait()

    async def close(self) -> None:
        """End the link; everybody who still waits for a reply gets AriLinkLost."""
        self._closing = True
        task, self._task = self._task, None
        if self._socket is not None:
            await _close(self._socket)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """Send one command once and return the body of the reply (JSON, or empty); `timeout` in seconds."""
        socket = self._socket
        if socket is None:
            raise AriLinkLost(f"{method} {path} was not sent: the connection to Asterisk is down")
        if len(self._waiting) >= MOST_WAITING:
            self.resynchronise(f"{MOST_WAITING} commands wait for a reply")
            raise AriLinkLost(f"{method} {path} was not sent: {MOST_WAITING} commands wait for a reply")
        request_id = str(next(self._ids))
        reply = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            return await self._exchange(
                socket,
                reply,
                f"{method} {path}",
                encode_command(request_id, method, path, query, body),
                timeout,
            )
        finally:
            self._waiting.pop(request_id, None)

    async def fetch(self, path: str) -> bytes:
        """Return a list that may be long (JSON) once every event that Asterisk sent before it is delivered.

        It comes by plain HTTP: Asterisk 22 dies of a websocket message that is bigger than a thread's stack (496 KiB).
        """
        if self._socket is None or self._session is None:
            raise AriLinkLost(f"GET {path} was not sent: the connection to Asterisk is down")
        patience = aiohttp.ClientTimeout(self._reply_timeout)
        try:
            async with self._session.get(f"{self._base_url}/ari{path}", timeout=patience) as reply:
                body = await reply.read()
        except TimeoutError:
            self.counts["timeouts"] += 1
            raise AriTimeout(f"GET {path}: no reply from Asterisk within {self._reply_timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise AriLinkLost(f"GET {path}: the connection to Asterisk broke ({error})") from error
        if reply.status >= 400:
            raise AriRefused(reply.status, failure_text(body) or str(reply.reason), f"GET {path}")
        await self.request("GET", "/asterisk/ping")
        return body

    def resynchronise(self, why: str) -> None:
        """Drop the connection, because what it brought cannot be kept: the reconnect compares everything."""
        socket = self._socket
        if socket is None or (self._closer is not None and not self._closer.done()):
            return
        self.counts["resynchronised"] += 1
        log.error("ari_link_dropped", url=self._base_url, why=why)
        self._closer = asyncio.create_task(_close(socket))

    async def _exchange(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        reply: asyncio.Future[Reply],
        command: str,
        text: str,
        timeout: float | None,
    ) -> bytes:
        seconds = self._reply_timeout if timeout is None else timeout
        if self._vain_since is None:
            self._vain_since = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await socket.send_str(text)
                answer = await reply
        except TimeoutError:
            self.counts["timeouts"] += 1
            self._in_vain()
            raise AriTimeout(f"{command}: no reply from Asterisk within {seconds:g} s") from None
        except (ConnectionError, aiohttp.ClientError) as error:
            raise AriLinkLost(f"{command}: the connection to Asterisk broke ({error})") from error
        if answer.status_code >= 400:
            reason = failure_text(answer.message_body) or answer.reason_phrase
            raise AriRefused(answer.status_code, reason, command)
        return answer.message_body.encode("utf-8")

    def _in_vain(self) -> None:
        """A command had no reply in its time: drop a link on which nothing was answered since the first such one."""
        self._vain += 1
        silent = time.monotonic() - (self._vain_since or time.monotonic())
        if self._vain >= _MOST_IN_VAIN and silent >= _IN_VAIN_TIMEOUTS * self._reply_timeout:
            self.resynchronise(f"no command was answered for {silent:.0f} s")

    def _answered(self) -> None:
        self._vain, self._vain_since = 0, None

    async def _first_connect(self) -> _Connection:
        for _ in range(_FIRST_TRIES - 1):
            try:
                return await self._connect()
            except AriTimeout:
                await asyncio.sleep(_FIRST_DELAY)
        return await self._connect()

    async def _connect(self) -> _Connection:
        if self._session is None:
            raise AriError("this ARI client was not started")
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                socket = await self._session.ws_connect(
                    f"{self._base_url}/ari/events",
                    params={"app": self.app, "subscribeAll": "true" if self._subscribe_all else "false"},
                    heartbeat=self._heartbeat,
                    max_msg_size=_BIGGEST_MESSAGE,
                    autoping=True,
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AriError(self._explain(error)) from error
        try:
            return socket, await prove(socket, self.app, self._event_types)
        except BaseException:
            self.counts["deaf_connections"] += 1
            await _close(socket)
            raise

    def _explain(self, error: BaseException) -> str:
        place = f"ARI at {self._base_url}"
        if isinstance(error, aiohttp.WSServerHandshakeError):
            return f"{place}: {_handshake_text(error.status, self._user, self.app)}"
        if isinstance(error, TimeoutError):
            return (
                f"{place}: no answer within {_CONNECT_TIMEOUT:g} s. Is Asterisk overloaded or stopped, "
                "or is a firewall in the way?"
            )
        return f"{place} cannot be reached ({error}). Is Asterisk running, are address and http_port right?"

    async def _keep(self, socket: aiohttp.ClientWebSocketResponse, early: list[Incoming]) -> None:
        await self._serve(socket, early)
        while not self._closing:
            await self._serve(*await self._reconnect())

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse, early: list[Incoming]) -> None:
        self._socket = socket
        self._answered()
        self.beat = time.monotonic()
        self._up.set()
        self._report(True)
        for event in early:
            self._deliver(event)
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
        finally:
            self._down()
            await _close(socket)
        if not self._closing:
            reason = str(socket.exception() or f"close code {socket.close_code}")
            log.warning("ari_link_lost", url=self._base_url, reason=reason)

    async def _reconnect(self) -> _Connection:
        delay, tries = 0.0, 0
        while True:
            self.beat = time.monotonic()
            await asyncio.sleep(delay * _JITTER.uniform(0.5, 1.0))
            if await self._must_wait():
                delay = _DISPLACED_DELAY if self._displaced else _LONGEST_DELAY
                if tries % _TELL_EVERY == 0:
                    log.warning("ari_reconnect_waits", displaced=self._displaced, tries=tries + 1)
                tries += 1
                continue
            try:
                connection = await self._connect()
            except AriError as error:
                delay = min(max(delay * 2, _FIRST_DELAY), _LONGEST_DELAY)
                self.counts["failed_connects"] += 1
                if tries % _TELL_EVERY == 0:
                    log.warning("ari_reconnect_failed", error=str(error), tries=tries + 1)
                tries += 1
            else:
                self.counts["reconnects"] += 1
                log.info("ari_reconnected", url=self._base_url)
                return connection

    def _take(self, text: str) -> None:
        self.beat = time.monotonic()
        try:
            message = decode(text)
        except msgspec.DecodeError as error:
            self.counts["undecodable"] += 1
            log.error("ari_message_undecodable", error=str(error))
            return
        if isinstance(message, Reply):
            self._settle(message)
        else:
            self._deliver(message)

    def _settle(self, reply: Reply) -> None:
        self._answered()
        waiting = self._waiting.get(reply.request_id)
        if waiting is None or waiting.done():
            self.counts["late_replies"] += 1
        else:
            waiting.set_result(reply)

    def _deliver(self, event: Incoming) -> None:
        if isinstance(event, RawEvent):
            self._note_unknown(event)
        elif isinstance(event, ApplicationReplaced) and event.application == self.app:
            self._replaced()
        self.counts["events"] += 1
        try:
            self._on_event(event)
        except Exception:
            self.counts["handler_errors"] += 1
            log.exception("ari_event_handler_failed", event_type=type(event).__name__)

    def give_way(self, why: str) -> None:
        """Leave the application to another engine, as if it had taken it: drop the link until `may_return`."""
        self._displaced = True
        log.error("ari_application_taken", app=self.app, why=why)
        if self._socket is not None:
            self._closer = asyncio.create_task(_close(self._socket))

    def _replaced(self) -> None:
        """Another engine took the application: this socket would get no event any more."""
        self.counts["replaced"] += 1
        self.give_way("another engine uses the same Asterisk: stop one of them")

    async def _must_wait(self) -> bool:
        """Whether the application is another engine's, or may be: without a clear answer it is not taken away."""
        if self._may_return():
            if not self._displaced:
                return False
        elif self._displaced:
            return True
        free = await self._nobody_has_it()
        self._displaced = self._displaced and not free
        return not free

    async def _nobody_has_it(self) -> bool:
        """Whether Asterisk says that no engine has the application; asked over HTTP, which displaces nobody."""
        if self._session is None:
            return False
        address = f"{self._base_url}/ari/applications/{self.app}"
        try:
            async with self._session.get(address, timeout=aiohttp.ClientTimeout(_CONNECT_TIMEOUT)) as reply:
                return reply.status == HTTPStatus.NOT_FOUND
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    def _note_unknown(self, event: RawEvent) -> None:
        self.counts[f"unknown:{event.type}"] += 1
        if self.counts[f"unknown:{event.type}"] == 1:
            log.warning("ari_event_unknown", event_type=event.type, remedy="regenerate the ARI models")

    def _down(self) -> None:
        was_up, self._socket = self._socket is not None, None
        self._up.clear()
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(AriLinkLost("the connection to Asterisk went down before the reply came"))
        if was_up:
            self._report(False)

    def _report(self, up: bool) -> None:
        try:
            self._on_link(up)
        except Exception:
            self.counts["handler_errors"] += 1
            log.exception("ari_link_handler_failed", up=up)


async def _close(socket: aiohttp.ClientWebSocketResponse) -> None:
    """End a connection in an orderly way, or else at once."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await socket.close()


def _handshake_text(status: int, user: str, app: str) -> str:
    if status in (401, 403):
        return f"user {user!r} or its password was refused ({status}). Check ari_user and ari_password."
    if status == 404:
        return "no ARI here (404). Is another web server on this port, or is res_ari not loaded?"
    return f"the event connection for application {app!r} was refused with status {status}."


def _clean_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise AriError(
            f"ARI address {base_url!r} must look like http://127.0.0.1:8088, without user or password"
        )
    return base_url.rstrip("/")


def _clean_app(app: str) -> str:
    if not app or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in app):
        raise AriError(f"ARI application name {app!r} may hold only letters, digits, '-' and '_'")
    return app
