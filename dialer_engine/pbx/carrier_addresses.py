"""One address for every carrier that is given by name.

Asterisk asks the DNS for every call anew, and when a name has several addresses it sends a call on to the next one
after a 503 or after silence: also when a phone rings already, and as a call more than the trunk's limit allows
(upstream issue 1716). So the name is looked up here, and Asterisk is given one address at a time. Another one takes its
place when the name has it no more, or when the carrier answers no OPTIONS there.

A name is looked up as the machine does it, so `/etc/hosts` counts. What was found last stays on disk: without DNS calls
go on. TLS is left to Asterisk, which must see the name to check the carrier's certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from dialer_engine.pbx.instance import NodeConfig, write_private
from dialer_engine.settings.trunk import Trunk

LOOKUP_S = 5.0
"""So long a start waits for names; a resolver asks a silent server for five seconds."""
LOOK_S = 30.0
"""How often names are looked up again: a carrier that moves an edge leaves the old address for a minute or more."""

Resolve = Callable[[str], Sequence[str]]
"""From a host's name to its addresses; nothing when there are none."""


def addresses_of(host: str, family: int = 0) -> list[str]:
    """Return a host's addresses, sorted; nothing when it has none now. May take as long as the DNS takes."""
    try:
        found = socket.getaddrinfo(host, None, family)
    except OSError:
        return []
    return sorted({str(each[4][0]).partition("%")[0] for each in found})


def addresses_of_ipv4(host: str) -> list[str]:
    """Return a host's IPv4 addresses, of which Asterisk's transports are."""
    return addresses_of(host, socket.AF_INET)


def pinned(trunk: Trunk) -> bool:
    """Whether Asterisk is given an address beside the name that the trunk has."""
    return trunk.transport != "tls" and not _numeric(trunk.host)


class CarrierAddresses:
    """The address in use of each carrier's name, and the others that it has."""

    def __init__(self, config: NodeConfig, resolve: Resolve = addresses_of_ipv4) -> None:
        self._config = config
        self._resolve = resolve
        self._known: dict[str, list[str]] = {}
        self._asked: dict[str, asyncio.Future[list[str]]] = {}
        self.in_use: dict[str, str] = self._kept()

    def _kept(self) -> dict[str, str]:
        try:
            kept = json.loads(self._config.path("carrier-addresses.json").read_text("utf-8"))
            return {str(host): str(ipaddress.IPv4Address(address)) for host, address in kept.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    async def find(self, trunks: Iterable[Trunk]) -> None:
        """Look those names up that have no address yet: nobody waits for the others. Raises NodeError as `look`."""
        await self.look([each for each in trunks if each.host not in self.in_use])

    async def look(self, trunks: Iterable[Trunk]) -> bool:
        """Look names up, all at once and for LOOKUP_S at most; return whether an address in use has changed.

        A name that has no address now, or is not answered for in time, keeps the one it has. Raises NodeError when
        the disk refuses what was found.
        """
        asked = {host: self._ask(host) for host in sorted({each.host for each in trunks if pinned(each)})}
        if asked:
            await asyncio.wait(asked.values(), timeout=LOOKUP_S)
        found = {host: each.result() for host, each in asked.items() if each.done()}
        return self._take({host: addresses for host, addresses in found.items() if addresses})

    def _ask(self, host: str) -> asyncio.Future[list[str]]:
        """Look one name up in a thread that nobody waits for at the end; a question still open is not asked again."""
        if host not in self._asked or self._asked[host].done():
            loop = asyncio.get_running_loop()
            answer = self._asked[host] = loop.create_future()

            def ask() -> None:
                found = list(self._resolve(host))
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(answer.set_result, found)

            threading.Thread(target=ask, name=f"addresses of {host}", daemon=True).start()
        return self._asked[host]

    def _take(self, found: Mapping[str, list[str]]) -> bool:
        self._known |= found
        new = {host: each[0] for host, each in found.items() if self.in_use.get(host) not in each}
        return self._use(new)

    def turn(self, host: str) -> bool:
        """Go over to the next address of a name; False when it has no other."""
        known, present = self._known.get(host, []), self.in_use.get(host)
        if present not in known or len(known) < 2:
            return False
        return self._use({host: known[(known.index(present) + 1) % len(known)]})

    def _use(self, new: Mapping[str, str]) -> bool:
        if new:
            in_use = {**self.in_use, **new}
            write_private(self._config.path("carrier-addresses.json"), json.dumps(in_use), self._config.user)
            self.in_use = in_use
        return bool(new)

    def several(self, host: str) -> bool:
        """Whether a name has more than the address that is in use."""
        return len(self._known.get(host, ())) > 1


def _numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
