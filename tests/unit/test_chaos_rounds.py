"""A round that goes wrong leaves its row: what was seen until then, and what ended it, and the suite goes on."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dialer_engine.engine.control_client import EngineNotRunning
from dialer_engine.lab.behaviours import Kind, pitch_hz
from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.records import Kept, Record
from dialer_engine.lab.chaos.rounds import run_fault
from dialer_engine.lab.chaos.table import COLUMNS, evidence, table
from dialer_engine.lab.chaos.verdict import JUST_BEFORE_S, Promise, Row, Seen, Tally, Witness, row_of, tally
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.place import LabError

pytestmark = pytest.mark.unit

ADA, BOB = "+12125550100", "+12125550101"
GOOD = CarrierCall(
    "1", ADA, "+12125550198", 100.0, Kind.HUMAN, 100.0, 101.0, 101.1, None, 105.0, 16, "callee"
)
TALK = Heard("agent001", 101.02, 104.98, float(pitch_hz(ADA)))
CUT = replace(GOOD, id="2", number=BOB, ended_by="caller")


@dataclass
class World:
    """A ground on which dialing goes on, until a question that is to fail is asked for the so manieth time."""

    failing: str = ""
    at: int = 1
    error: BaseException = field(default_factory=lambda: LabError("0 of 7 agents hear anybody"))
    calls: list[CarrierCall] = field(default_factory=list)
    round: int = 0
    oracle: None = None
    wire: None = None
    message_s: float = 26.0

    def __post_init__(self) -> None:
        self.world = SimpleNamespace(phones=SimpleNamespace(heard=[], hearing=False, pressed=[]))
        self.asked: dict[str, int] = {}

    def reach(self, name: str) -> None:
        self.asked[name] = self.asked.get(name, 0) + 1
        if name == self.failing and self.asked[name] == self.at:
            raise self.error

    async def begin(self) -> None:
        self.reach("begin")

    async def busy(self) -> None:
        self.reach("busy")

    async def first_call_after(self, moment: float, seconds: float) -> float:
        return moment + 0.1

    async def deaf_agents(self, moment: float, seconds: float, *, talking: bool = True) -> list[str]:
        self.reach("deaf_agents")
        return []

    async def quiet(self) -> list[str]:
        self.reach("quiet")
        return []

    async def until(self, so: Callable[[], bool], seconds: float) -> bool:
        return so()

    async def records(self) -> list[Record]:
        return []

    async def ask(self, query: str) -> list[dict[str, str]]:
        return []

    async def settled(self) -> tuple[Kept, list[str]]:
        return Kept([Record(call.number, "bridged", call.until, TALK.agent) for call in self.calls]), []

    async def forgotten(self) -> list[str]:
        return []


async def run(world: World, rounds: int = 3) -> tuple[Row | None, BaseException | None]:
    """The row of a fault that does nothing but let a call come to its end, and what was raised."""

    async def strike(ground: Ground) -> Strike:
        world.reach("strike")
        world.calls.append(replace(GOOD, id=str(ground.round), number=f"+1212555010{ground.round}"))
        world.world.phones.heard.append(replace(TALK, pitch=float(pitch_hz(world.calls[-1].number))))
        return Strike(time.time(), time.time())

    tallies: list[Tally] = []
    raised: BaseException | None = None
    try:
        fault = Fault("x", "nothing", strike)
        await run_fault(cast(Ground, world), fault, rounds, lambda text: None, tallies)
    except (LabError, asyncio.CancelledError) as error:
        raised = error
    return (row_of("x", Promise(), tallies) if tallies else None), raised


async def test_rounds_that_go_well_break_nothing() -> None:
    row, raised = await run(World())
    assert raised is None
    assert row is not None
    assert (row.rounds, row.calls, row.broken, row.cdrs_lost) == (3, 3, (), 0)


@pytest.mark.parametrize(
    ("failing", "at", "rounds"),
    [("strike", 1, 0), ("strike", 2, 1), ("busy", 2, 1), ("deaf_agents", 1, 0), ("quiet", 1, 3)],
)
async def test_a_world_that_does_not_go_on_after_a_fault_breaks_a_promise(
    failing: str, at: int, rounds: int
) -> None:
    row, raised = await run(World(failing, at))
    assert raised is None, "other faults follow"
    assert row is not None
    assert row.rounds == rounds
    assert row.broken == (f"nothing more after {rounds} of 3 rounds: 0 of 7 agents hear anybody",)
    assert (row.cdrs_lost, row.cdrs_wrong, row.charged, row.opt_outs_lost) == (None, None, None, None)


@pytest.mark.parametrize("error", [TimeoutError(), cast(Any, EngineNotRunning)("socket"), OSError("gone")])
async def test_an_engine_that_is_gone_after_a_fault_breaks_a_promise(error: BaseException) -> None:
    row, raised = await run(World("strike", 1, error))
    assert raised is None
    assert row is not None
    assert row.broken == (f"nothing more after 0 of 3 rounds: {str(error) or 'TimeoutError'}",)


@pytest.mark.parametrize("failing", ["begin", "busy"])
async def test_a_world_that_never_went_is_the_labs(failing: str) -> None:
    row, raised = await run(World(failing))
    assert row is None
    assert isinstance(raised, LabError)


async def test_what_was_found_until_then_counts_and_the_rest_was_not_looked_at() -> None:
    world = World("deaf_agents", 1)
    world.calls.append(GOOD)  # of another fault in this world

    async def cutting() -> None:
        world.calls.append(CUT)

    world.busy = cutting  # type: ignore[method-assign]
    row, _ = await run(world)
    assert row is not None
    assert (row.calls, row.calls_cut, row.broken[0]) == (2, 1, "calls_cut")
    line = table([row])[2].split()
    assert line[6] == "1!"
    assert [name for name, cell in zip(COLUMNS, line[1:], strict=True) if cell == "-"] == [
        *("opt_outs_lost", "cdrs_lost", "cdrs_doubled", "cdrs_wrong", "charged"),
        *("recovery_p95_s", "answer_p95_ratio"),
    ]
    assert evidence([row])[0] == "x: ended early: records, charges and opt-outs (-) were not looked at"


async def test_an_interruption_prints_the_rounds_that_are_done_and_goes_on_upwards() -> None:
    row, raised = await run(World("busy", 3, asyncio.CancelledError()))
    assert isinstance(raised, asyncio.CancelledError)
    assert row is not None
    assert (row.rounds, row.broken, row.cdrs_lost, row.charged) == (2, (), None, None)
    none, raised = await run(World("busy", 1, asyncio.CancelledError()))
    assert (none, type(raised)) == (None, asyncio.CancelledError)


def test_what_was_found_in_one_world_counts_though_another_was_not_read() -> None:
    lost = tally(Witness([GOOD], (TALK,), Kept()), Seen(1, [1.0]))
    unread = tally(Witness([GOOD], (TALK,)), Seen(1, [1.0]))
    row = row_of("x", Promise(), [lost, unread])
    assert (row.cdrs_lost, row.cdrs_doubled, row.broken) == (1, None, ("cdrs_lost",))


def test_a_fault_of_one_node_excuses_only_those_who_were_on_it() -> None:
    """Two people lose their agents in the same moment; one of them was on the node that died."""
    since, promise = 102.0, Promise().excusing("left_alone", "silent_answers")
    on_it, elsewhere = replace(TALK, last=since), replace(TALK, last=since, pitch=float(pitch_hz(BOB)))
    other = replace(GOOD, id="2", number=BOB)
    span = (since - JUST_BEFORE_S, since + JUST_BEFORE_S)

    def broken(calls: list[CarrierCall], heard: tuple[Heard, ...], seen: Seen) -> tuple[str, ...]:
        kept = Kept(
            [
                Record(call.number, "bridged" if call.heard_at else "hung_up", 105.0, TALK.agent)
                for call in calls
            ]
        )
        return row_of("x", promise, [tally(Witness(calls, heard, kept), seen)]).broken

    only_ada = Seen(1, [1.0], excused_only=[(*span, frozenset({ADA}))])
    assert broken([GOOD], (on_it,), only_ada) == ()
    assert broken([GOOD, other], (on_it, elsewhere), only_ada) == ("left_alone",)
    assert broken([GOOD, other], (on_it, elsewhere), Seen(1, [1.0], excused=[span])) == ()
    silent = replace(other, heard_at=None, answered_at=since, ended_at=since + 3)
    assert broken([silent], (), Seen(1, [1.0], excused_only=[(*span, frozenset({ADA}))])) == (
        "silent_answers",
    )
    assert broken([silent], (), Seen(1, [1.0], excused_only=[(*span, frozenset({BOB}))])) == ()
    late = Seen(1, [1.0], excused_only=[(since + 1, since + 9, frozenset({ADA}))])
    assert broken([GOOD], (on_it,), late) == ("left_alone",), "outside of the time"
