"""Carriers that stop to answer OPTIONS, in a whole lab: passed over before a call fails on them, and used again."""

import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from engine_support import POWER, at_carrier, begin, lab, rows, status, table, until
from lab_support import lab_place

from dialer_engine.lab.behaviours import Behaviour, Kind
from dialer_engine.lab.carrier import ledger_path, start_carrier
from dialer_engine.lab.ledger import Ledger
from dialer_engine.lab.wire import Wire
from dialer_engine.lab.world import World
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.node import Node

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

SHORT = table(Behaviour(Kind.HUMAN, 0.2, 0.5))
ASKED = replace(POWER, wrap_seconds=0, calls_per_second=5.0, codes="{}")
BACK_S = 30.0
RUNG_OUT_S = 60.0


async def trunk(made: World, name: str) -> dict[str, Any]:
    return dict(next(each for each in (await status(made))["trunks"] if each["name"] == name))


async def until_reachable(made: World, name: str, wanted: bool | None) -> float:
    """Wait until the status says so of a trunk, at its node too; returns the seconds it took."""
    began = time.monotonic()

    async def so() -> bool:
        told = await trunk(made, name)
        return told["reachable"] is wanted and told["nodes"]["main"]["reachable"] is wanted

    await until(so, f"trunk {name} has reachable {wanted}", 60.0)
    return time.monotonic() - began


async def limits(made: World) -> str:
    return "; ".join((await status(made))["campaigns"][0]["limits"])


async def departed(made: World, name: str) -> int:
    """How many calls left over a trunk."""
    found = await rows(made, f"select count(*) as n from attempts where trunk = '{name}'")  # noqa: S608
    return int(found[0]["n"])


@asynccontextmanager
async def carrier_of_ones_own(bundle: Bundle) -> AsyncIterator[tuple[Node, Ledger]]:
    """A second carrier beside the lab's."""
    with lab_place() as place:
        place.directory.mkdir(mode=0o755, exist_ok=True)
        node = Node(bundle, place.node("second", 3))
        try:
            await start_carrier(node, SHORT, place.directory / "sounds")
            yield node, Ledger(ledger_path(node))
        finally:
            await node.stop(2.0)


def count(ledger: Ledger) -> int:
    ledger.read()
    return ledger.count


def send(node: Node, what: signal.Signals) -> None:
    assert node.pid is not None
    os.kill(node.pid, what)


def grows(look: Callable[[], int | Awaitable[int]]) -> Callable[[], Awaitable[bool]]:
    """Whether a count is larger than at the first look."""
    seen: list[int] = []

    async def grown() -> bool:
        found = look()
        seen.append(found if isinstance(found, int) else await found)
        return seen[-1] > seen[0]

    return grown


async def test_a_frozen_carrier_is_passed_over_before_a_call_fails_and_comes_back(bundle: Bundle) -> None:
    async with carrier_of_ones_own(bundle) as (first, seen):
        lines = (("first", first.config.sip_port),)
        async with lab(replace(ASKED, lines_to=lines, options_every_s=2), SHORT, 400) as made:
            try:
                await until_reachable(made, "first", True)
                await until_reachable(made, "carrier", True)
                send(first, signal.SIGSTOP)
                await until_reachable(made, "first", False)
                await begin(made)
                await until(grows(lambda: len(at_carrier(made))), "the next trunk carries calls")
                assert "trunk first does not answer OPTIONS" in await limits(made)
                assert await departed(made, "first") == 0, "a call left towards a carrier known to be away"

                send(made.carrier, signal.SIGSTOP)
                await until_reachable(made, "carrier", False)

                async def said() -> bool:
                    return "no trunk can be used: trunk first does not answer OPTIONS" in await limits(made)

                await until(said, "the reason is given")
                assert "trunk carrier does not answer OPTIONS" in await limits(made)
                assert "free channels" not in await limits(made)
                assert await departed(made, "first") == 0

                send(first, signal.SIGCONT)
                assert await until_reachable(made, "first", True) < BACK_S
                # Calls that left for the frozen one hold the lines until they have rung out.
                await until(grows(lambda: count(seen)), "it carries calls again", RUNG_OUT_S)
            finally:
                send(first, signal.SIGCONT)
                send(made.carrier, signal.SIGCONT)


async def test_a_carrier_that_never_answers_options_is_used_all_the_same() -> None:
    async with Wire(swallows="OPTIONS") as wire:
        scenario = replace(ASKED, lines_to=(("deaf", wire.port),), options_every_s=1)
        async with lab(scenario, SHORT, 20) as made:
            wire.target = made.carrier.config.sip_port
            await until_reachable(made, "carrier", True)
            await until_reachable(made, "deaf", None)
            await begin(made)
            await until(grows(lambda: len(wire.invites)), "calls leave by it")
            assert (await trunk(made, "deaf"))["reachable"] is None
            assert "OPTIONS" not in await limits(made)
