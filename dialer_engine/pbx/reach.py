"""An Asterisk of another machine, looked at from here: does it answer, which one is it, what does its clock say?

`dialer node run` leaves facts with its Asterisk, as global variables of the dialplan: what ARI tells of an Asterisk is
not enough to know whether the recordings of today's campaigns are on its disk.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.template import checked

TIMEOUT_S = 5.0
PINGS = 5
"""The clock is read from the ping that came back soonest: the wrong it can be is half the time that took."""
PROGRAM = "DIALER_VERSION"
RECORDING = "DIALER_RECORDING_"
DEPTH = "DIALER_DEPTH"
"""A fact that is new every second: the time there, a colon, and how full the fullest task processor is (see `Told`)."""
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen: Asterisk's version, how far its clock is ahead of ours (s) give or take, the facts asked for."""

    version: str
    ahead_s: float
    give_or_take_s: float
    facts: Mapping[str, str]


def facts_of(program: str, recordings: Mapping[str, str]) -> dict[str, str]:
    """Return the facts that a node tells: its program's version, and the version of each campaign's drop message."""
    return {PROGRAM: program} | {f"{RECORDING}{name}": version for name, version in recordings.items()}


def fact_lines(facts: Mapping[str, str]) -> str:
    """Return the dialplan's part that holds the facts; nothing without any."""
    if not facts:
        return ""
    lines = (f"{name} = {checked(value, name)}\n" for name, value in sorted(facts.items()))
    return "\n; What this node tells whoever looks after it: `dialer doctor`.\n[globals]\n" + "".join(lines)


async def look(url: str, user: str, password: str, names: Iterable[str] = ()) -> Seen:
    """Look at the Asterisk behind an ARI address. Raises NodeError with the remedy when it cannot be looked at."""
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    base = f"{url.rstrip('/')}/ari/asterisk"
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            system = (await _get(session, f"{base}/info", only="system"))["system"]
            ahead, half = min([await _clock(session, base) for _ in range(PINGS)], key=lambda one: one[1])
            facts = {name: await _fact(session, base, name) for name in names}
    except aiohttp.ClientResponseError as error:
        raise NodeError(f"{url}: {_refusal(error.status)}") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {TIMEOUT_S:g} s"
        raise NodeError(
            f"{url}: cannot be reached ({reason}); is the node up, does a firewall forbid it?"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise NodeError(f"{url}: this is no Asterisk's ARI ({error}); correct ari_url") from error
    found = _VERSION.search(str(system["version"]))
    return Seen(found[0] if found else str(system["version"]), ahead, half, facts)


async def _clock(session: aiohttp.ClientSession, base: str) -> tuple[float, float]:
    """Return how far the other clock is ahead, and half of the time that asking took, in seconds."""
    before, began = datetime.now(UTC), time.monotonic()
    answer = await _get(session, f"{base}/ping")
    half = (time.monotonic() - began) / 2
    there = datetime.fromisoformat(str(answer["timestamp"]))
    return (there - before).total_seconds() - half, half


async def _fact(session: aiohttp.ClientSession, base: str, name: str) -> str:
    return str((await _get(session, f"{base}/variable", variable=name)).get("value", ""))


async def _get(session: aiohttp.ClientSession, url: str, **query: str) -> dict[str, Any]:
    async with session.get(url, params=query, raise_for_status=True) as reply:
        answer = await reply.json(content_type=None)
    if not isinstance(answer, dict):
        raise TypeError("the answer is no object")
    return answer


def _refusal(status: int) -> str:
    if status == 401:
        return (
            "refuses the account; correct ari_user and ari_password by what 'dialer node show' prints there"
        )
    if status == 403:
        return "refuses this machine's address; add it to asterisk.node.control_permit there"
    return f"answers with status {status}; is ari_url that of an Asterisk?"
