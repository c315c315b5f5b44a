"""One address for every carrier that is given by name.

Asterisk asks the DNS for every call anew, and when a name has several addresses it sends a call on to the next one
after a 503 or after silence: also when a phone rings already, and as a call more than the trunk's limit allows
(upstream issue 1716). So the name is looked up here, and Asterisk is given one address at a time. Another one takes its
place when the name has it no more, or when the carrier answers no OPTIONS there.

A name is looked up as the machine does it, so `/etc/hosts` counts. Names that are told with other addresses every time
keep the one in use while it was told within REMEMBER_S. What is in use stays on disk: without DNS calls go on.
TLS is left to Asterisk, which must see the name to check the carrier's certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from dialer_engine.pbx.instance import NodeConfig, write_private
from dialer_engine.settings.trunk import Trunk

LOOKUP_S = 5.0
"""So long a start waits for names; a resolver asks a silent server for five seconds."""
LOOK_S = 30.0
"""How often names are looked up again: a carrier that moves an edge leaves the old address for a minute or more."""
REMEMBER_S = 300.0
"""So long a name has an address that it was told with: many are told with another part of them every time."""
SAME_LOOKS = 3
"""A name that was told with the same addresses so often in a row, without the one in use, has that one no more."""
QUALIFY_S = 3.0
"""So long Asterisk waits for the answer to OPTIONS, see `asterisk/engine/trunk_watch.conf`."""
LOOKS_S = 5.0
"""How often it is looked whether carriers answer."""
PATIENCE_S = 300.0
"""When every address of a name was silent they are tried ever more slowly, down to one in so many seconds."""
SLOWER = 10
"""So often the time is doubled at most: PATIENCE_S is reached long before."""

Resolve = Callable[[str], Sequence[str]]
"""From a host's name to its addresses; nothing when there are none."""


def addresses_of(host: str, family: int = 0) -> list[str]:
    """Return a host's addresses, sorted; nothing when it has none now. May take as long as the DNS takes."""
    try:
        found = socket.getaddrinfo(host, None, family)
    except (OSError, UnicodeError):
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

    def __init__(
        self,
        config: NodeConfig,
        resolve: Resolve = addresses_of_ipv4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._resolve = resolve
        self._clock = clock
        self._told: dict[str, dict[str, float]] = {}
        self._same: dict[str, tuple[frozenset[str], int]] = {}
        self._turned: dict[str, tuple[float, int]] = {}
        self._answered: set[str] = set()
        self._applying: set[str] = set()
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
        return self._take({host: addresses for host, addresses in found.items() if addresses}, self._clock())

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

    def _take(self, found: Mapping[str, list[str]], now: float) -> bool:
        new = {}
        for host, addresses in found.items():
            told = self._told.setdefault(host, {})
            told |= dict.fromkeys(addresses, now)
            before, times = self._same.get(host, (frozenset(), 0))
            again = times + 1 if before == frozenset(addresses) else 1
            self._same[host] = (frozenset(addresses), again)
            if again >= SAME_LOOKS:
                self._told[host] = dict.fromkeys(addresses, now)
            if self.in_use.get(host) not in self._recent(host, now):
                new[host] = addresses[0]
        return self._use(new)

    def _recent(self, host: str, now: float) -> list[str]:
        """The addresses that a name was told with in the last minutes, sorted."""
        return sorted(each for each, at in self._told.get(host, {}).items() if now - at < REMEMBER_S)

    def heard(self, hosts: Mapping[str, tuple[bool, float]]) -> bool:
        """Go over to the next address of every carrier that is silent; return whether there was any.

        `hosts`: whether any trunk's OPTIONS are answered there, and how many seconds pass between two of them: a new
        address is given the time to be asked. One that never answered is tried at each of its addresses once: many
        carriers take calls and ignore OPTIONS. Raises NodeError as `look`.
        """
        now = self._clock()
        for host in [host for host, (answers, _) in hosts.items() if answers]:
            self._answered.add(host)
            self._turned.pop(host, None)
        silent = {host: every_s for host, (answers, every_s) in hosts.items() if not answers}
        new = {host: self._following(host, every_s, now) for host, every_s in silent.items()}
        turned = self._use({host: address for host, address in new.items() if address is not None})
        for host in [host for host, address in new.items() if address is not None]:
            self._turned[host] = (now, self._turned.get(host, (0.0, 0))[1] + 1)
            self._applying.add(host)
        return turned

    def applied(self) -> None:
        """Asterisk has the addresses in use: from now on it asks there."""
        now, applying, self._applying = self._clock(), self._applying, set()
        for host in applying & self._turned.keys():
            self._turned[host] = (now, self._turned[host][1])

    def _following(self, host: str, every_s: float, now: float) -> str | None:
        recent, present = self._recent(host, now), self.in_use.get(host)
        others = [each for each in recent if each != present]
        if present is None or not others:
            return None
        turned, turns = self._turned.get(host, (-math.inf, 0))
        if turns >= len(recent) and host not in self._answered:
            return None
        round_s = every_s + QUALIFY_S + LOOKS_S
        slower = min(turns // len(recent), SLOWER) - 1
        if now - turned < max(round_s, min(PATIENCE_S, round_s * 2**slower)):
            return None
        return next((each for each in others if each > present), others[0])

    def _use(self, new: Mapping[str, str]) -> bool:
        if new:
            in_use = {**self.in_use, **new}
            write_private(self._config.path("carrier-addresses.json"), json.dumps(in_use), self._config.user)
            self.in_use = in_use
        return bool(new)


def _numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
