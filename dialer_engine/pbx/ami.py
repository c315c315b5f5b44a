"""The manager interface for what it is good at: registrations, device and contact states.

It never places, moves or answers calls: those go through ARI, where a repeated command is refused by the
channel's id. Every action has a time-out and is sent once. Events go into a bounded queue; when its reader
falls behind, or the link was lost, the queue holds one `Resync` instead: events are missing, read the state.

Reloads and the work queues of Asterisk go through its console: `Node.reload`, `Node.task_processors`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from panoramisk.actions import Action

from dialer_engine.core.text import one_line
from dialer_engine.pbx.ami_link import Link

log = structlog.get_logger(__name__)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_LONGEST_VALUE = 900
# PJSIPShowRegistrationsOutbound sends passwords along.
_SECRET = frozenset(("md5cred", "oauthsecret", "password", "passworddigest", "refreshtoken"))
# Actions that place or move calls, run commands or change files: never through here.
REFUSED_ACTIONS = frozenset(
    (
        "agi",
        "atxfer",
        "blindtransfer",
        "bridge",
        "cancelatxfer",
        "command",
        "createconfig",
        "dbdel",
        "dbdeltree",
        "dbput",
        "dialplanextensionadd",
        "dialplanextensionremove",
        "localoptimizeaway",
        "login",
        "logoff",
        "messagesend",
        "moduleload",
        "originate",
        "park",
        "pjsipnotify",
        "queueadd",
        "redirect",
        "sendtext",
        "setvar",
        "updateconfig",
    )
)


class AmiError(Exception):
    """AMI cannot be reached or used, or refused an action; the text names place and remedy."""


class AmiLoginRefused(AmiError):
    """Asterisk answered the login with no: user or password are wrong, and trying again does not help."""


class AmiTimeout(AmiError):
    """No reply within the time-out: whether the action was carried out is not known."""


@dataclass(frozen=True, slots=True)
class AmiEvent:
    """An event: its name and its fields, keys in lower case."""

    name: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resync:
    """Events are missing for `reason`: read the state anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class AmiReply:
    """Asterisk's reply: its words and fields, and the rows when it answered with a list."""

    message: str
    fields: Mapping[str, str]
    rows: tuple[AmiEvent, ...] = ()


class AmiAdapter:
    """One supervised AMI connection."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        queue_size: int = 1000,
        timeout_s: float = 5.0,
        heartbeat_s: float = 10.0,
    ) -> None:
        """Prepare a connection; `events` holds at most `queue_size` entries."""
        self._place = f"AMI at {host}:{port}"
        self._account = (host, port, user, password)
        self._timeout = timeout_s
        self._heartbeat = heartbeat_s
        self.events: asyncio.Queue[AmiEvent | Resync] = asyncio.Queue(queue_size)
        self.resyncs = 0
        self._pending: set[asyncio.Future[Any]] = set()
        self._link: Link | None = None
        self._login: asyncio.Future[tuple[bool, str]] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the link is up and logged in."""
        return self._link is not None and bool(self._link.authenticated)

    async def start(self) -> None:
        """Connect and log in; raise AmiError with the remedy when that fails, AmiLoginRefused for a wrong password."""
        host, port, user, password = self._account
        self._login = asyncio.get_running_loop().create_future()
        self._link = Link(
            host,
            port,
            user,
            password,
            on_login=self._on_login,
            on_lost=self._on_lost,
            on_event=self._on_event,
        )
        try:
            async with asyncio.timeout(self._timeout):
                await self._link.connect()
                accepted, words = await self._login
        except OSError as error:
            reason = str(error) or f"no answer within {self._timeout:g} s"
            await self.close()
            raise AmiError(
                f"{self._place} cannot be reached ({reason}). Is Asterisk running, is ami_port right?"
            ) from error
        if not accepted:
            await self.close()
            raise AmiLoginRefused(
                f"{self._place} refused user {user!r}: {words}. Check ami_user and ami_password."
            )
        self._watch = asyncio.create_task(self._keep_alive(), name=self._place)

    async def close(self) -> None:
        """End the connection; whoever waits for a reply gets AmiError."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])
        link, self._link = self._link, None
        if link is not None:
            link.end()
        self._drop_pending()

    async def action(self, name: str, **fields: str) -> AmiReply:
        """Send one action once; raise AmiError when it is refused, AmiTimeout when no reply comes."""
        message = Action(checked_action(name, fields))
        link = self._link
        if link is None or not link.authenticated:
            raise AmiError(f"{self._place}: {name} was not sent, the connection is down")
        reply: asyncio.Future[Any] = link.send_action(message)
        self._pending.add(reply)
        try:
            async with asyncio.timeout(self._timeout):
                return _reply(name, await reply)
        except TimeoutError:
            raise AmiTimeout(f"{self._place}: no reply to {name} within {self._timeout:g} s") from None
        finally:
            self._pending.discard(reply)
            # panoramisk itself keeps actions without a reply for ever.
            link.protocol.responses.pop(message.id, None)

    async def contacts(self) -> dict[str, str]:
        """Return the status of every contact by agent or trunk endpoint: Reachable, NonQualified ..."""
        rows = await self._list("PJSIPShowContacts", "ContactList")
        return {_endpoint(row.fields): row.fields.get("status", "") for row in rows}

    async def endpoints(self) -> dict[str, str]:
        """Return every endpoint's device state: Unavailable when no contact answers, else Not in use, In use ...

        Contacts that stand in the configuration are in no list of contacts.
        """
        rows = await self._list("PJSIPShowEndpoints", "EndpointList")
        return {row.fields["objectname"]: row.fields.get("devicestate", "") for row in rows}

    async def contact_status(self, endpoint: str) -> str:
        """Return the status of an endpoint's configured contact: Reachable, Unreachable ...; "" without one."""
        try:
            rows = (await self.action("PJSIPShowEndpoint", Endpoint=endpoint)).rows
        except AmiError as error:
            if "unable to retrieve endpoint" in str(error).lower():
                return ""
            raise
        return next((row.fields.get("status", "") for row in rows if row.name == "ContactStatusDetail"), "")

    async def registrations(self) -> dict[str, str]:
        """Return our registration's state at each carrier by trunk endpoint: Registered, Rejected ..."""
        rows = await self._list("PJSIPShowRegistrationsOutbound", "OutboundRegistrationDetail")
        return {
            row.fields["objectname"]: row.fields.get("status", "")
            for row in rows
            if "objectname" in row.fields
        }

    async def _list(self, name: str, row_name: str) -> tuple[AmiEvent, ...]:
        try:
            return tuple(row for row in (await self.action(name)).rows if row.name == row_name)
        except AmiError as error:
            # An empty list comes as an error that says so.
            if "no " in str(error).lower() and "found" in str(error).lower():
                return ()
            raise

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            if self.connected:
                try:
                    await self.action("Ping")
                except AmiError as error:
                    log.warning("ami_heartbeat_failed", error=str(error))
                    if self._link is not None:
                        self._link.cut()

    def _on_login(self, accepted: bool, words: str) -> None:
        if self._login is not None and not self._login.done():
            self._login.set_result((accepted, words))
        elif accepted:
            log.info("ami_reconnected", place=self._place)
            self._resync("reconnected")
        else:
            log.error("ami_login_refused", place=self._place, remedy="check ami_user and ami_password")

    def _on_lost(self) -> None:
        if self._login is not None and not self._login.done():
            self._login.set_exception(ConnectionResetError("the connection was closed during the login"))
        self._drop_pending()

    def _drop_pending(self) -> None:
        for reply in self._pending:
            if not reply.done():
                reply.set_exception(AmiError(f"{self._place}: the connection was lost before the reply"))

    def _on_event(self, message: Any) -> None:
        try:
            self.events.put_nowait(_event(message))
        except asyncio.QueueFull:
            self._resync("the reader of the events fell behind")

    def _resync(self, reason: str) -> None:
        while not self.events.empty():
            self.events.get_nowait()
        self.resyncs += 1
        self.events.put_nowait(Resync(reason))


def checked_action(name: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the action as a table; refuse forbidden actions and values that would begin another line."""
    if not _NAME.fullmatch(name) or name.lower() in REFUSED_ACTIONS:
        raise AmiError(f"action {name!r} is not allowed through AMI")
    for key, value in fields.items():
        if not _NAME.fullmatch(key) or key.lower() in ("action", "actionid"):
            raise AmiError(f"action {name}: {key!r} is not a field name")
        if len(value) > _LONGEST_VALUE or not one_line(value):
            raise AmiError(f"action {name}: the value of {key} is too long or holds control characters")
    return {"Action": name, **fields}


def _reply(name: str, answer: Any) -> AmiReply:
    messages = answer if isinstance(answer, list) else [answer]
    first = messages[0]
    if not first.success:
        raise AmiError(f"Asterisk refused {name}: {first.message or 'no reason given'}")
    rows = [_event(each) for each in messages[1:] if "event" in each]
    listed = tuple(row for row in rows if not row.name.endswith("Complete"))
    return AmiReply(str(first.message), _fields(first), listed)


def _event(message: Any) -> AmiEvent:
    return AmiEvent(str(message.event), _fields(message))


def _fields(message: Any) -> dict[str, str]:
    pairs = ((str(key).lower(), value) for key, value in message.items() if str(key).lower() not in _SECRET)
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in pairs
    }


def _endpoint(fields: Mapping[str, str]) -> str:
    return fields.get("endpoint") or fields.get("aor") or fields.get("objectname", "").partition(";@")[0]
