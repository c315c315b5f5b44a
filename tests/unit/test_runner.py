"""One pass of a campaign's runner: how many calls it reserves, on which trunk, and what became too old to leave."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from dispatch_support import START, reservation
from recovery_support import Asterisk
from settings_support import LAB, write_config
from test_ledgers import Desk, plan

from dialer_engine.core.attempt import Attempt
from dialer_engine.core.breaker import FAULTS
from dialer_engine.core.gate import GateContext
from dialer_engine.core.outcome import EndedBy
from dialer_engine.core.pacing import Decision
from dialer_engine.engine import runner
from dialer_engine.engine.actions import Leg
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.forgotten import LOOK_S
from dialer_engine.engine.pacing_view import Dialable, snapshot
from dialer_engine.engine.plan import CampaignPlan, gate_context
from dialer_engine.engine.runner import BATCH, Runner
from dialer_engine.engine.stalls import STALL_S
from dialer_engine.engine.trunks import TrunkLine, Trunks
from dialer_engine.pbx.allow_list import AllowList
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.settings.load import load_config
from dialer_engine.settings.models import Trunk
from dialer_engine.store.reserve import Reservation, ReserveRequest, ReserveResult

pytestmark = pytest.mark.unit


@dataclass
class Node:
    """A node that is up; of its Asterisk a sign of life is asked at most."""

    name: str = "main"
    sounds: Path = Path("/sounds")
    up: bool = True
    commands: Commands = field(init=False)


class List:
    """The engine around a runner: it keeps what was to be reserved, and gives out `found` after `takes_s`."""

    def __init__(self, directory: Path) -> None:
        self.config = load_config(write_config(directory, LAB, spring=SPRING))
        self.asked: list[ReserveRequest] = []
        self.found: tuple[Reservation, ...] = ()
        self.takes_s = 0.0
        self.sent: list[str] = []
        self.is_behind = False

    def behind(self) -> bool:
        return self.is_behind

    def why_not(self) -> str | None:
        return None

    def gate(self, plan: CampaignPlan) -> GateContext:
        return gate_context(self.config, plan.settings, plan.limits, utc_now())

    def allowed(self, plan: CampaignPlan) -> AllowList:
        return AllowList(self.config.plan, frozenset(), lab=True)

    def suppressed_since(self, number: str, member_id: int, moment: float) -> bool:
        return False

    async def reserve(self, request: ReserveRequest) -> ReserveResult:
        self.asked.append(request)
        await asyncio.sleep(self.takes_s)
        return ReserveResult(reserved=self.found)

    def send(self, call: Call, leg: Leg) -> None:
        self.sent.append(call.id)


SPRING = "member: acme\nlists: [june]\ntrunks: [carrier]\ncaller_ids: [+12105550177]\n"
NAMES = ["first", "second"]


class Pass:
    """A runner with two trunks, and what it reserves when it is to place so many calls."""

    def __init__(self, directory: Path, **limits: float) -> None:
        wide = {"host": "127.0.0.1", "calls_per_second": 500, "max_channels": 100}
        self.trunks = Trunks({name: Trunk.model_validate(wide | limits) for name in NAMES})
        self.desk, self.around, self.node, self.asterisk = Desk(), List(directory), Node(), Asterisk()
        self.node.commands = Commands(self.asterisk)  # type: ignore[arg-type]
        spring = plan("spring", 1)
        spring = replace(spring, settings=spring.settings.model_copy(update={"trunks": NAMES}))
        self.runner = Runner(
            spring,
            self.desk.dispatcher,
            self.trunks,
            self.around,
            {"main": self.node},
            1,
            self.desk.ledgers,
            pacers=None,  # type: ignore[arg-type]  # the decision is the test's
            previews=SimpleNamespace(views=lambda campaign, node: ()),  # type: ignore[arg-type]  # only of mode preview
        )

    @property
    def first(self) -> TrunkLine:
        return self.trunks.lines["first"]

    async def places(self, count: int) -> tuple[str, int]:
        """Carry out a decision for so many calls; returns the trunk and how many were reserved on it."""
        await self.runner._carry_out("main", Decision(count, (), ()))
        (request,) = self.around.asked
        return request.trunk, request.limit

    def stall(self) -> None:
        """As if the process had not run for a little longer than makes a stall."""
        for node in self.runner.stalls.awake:
            self.runner.stalls.awake[node] -= STALL_S + 0.1

    def ended(self, *lines: str) -> list[bool]:
        """Which lines the engine hangs up."""
        return [self.desk.dispatcher.calls[line].attempt.hanging_up is EndedBy.ENGINE for line in lines]


async def test_no_more_calls_are_reserved_than_the_trunk_has_channels(tmp_path: Path) -> None:
    """The decision was made for the second trunk; by now the first one has a departure, and one channel."""
    run = Pass(tmp_path)
    run.first.active = run.first.settings.max_channels - 1
    assert await run.places(13) == ("first", 1)


async def test_no_more_calls_are_reserved_than_leave_the_trunk_soon(tmp_path: Path) -> None:
    run = Pass(tmp_path, calls_per_second=10)
    assert await run.places(13) == ("first", 3)


async def test_a_trunk_at_fault_gets_one_call_as_its_probe(tmp_path: Path) -> None:
    run = Pass(tmp_path)
    opened = time.monotonic() - 2.0
    for _ in range(FAULTS):
        run.first.breaker.fault(opened, opened, "503")
    assert await run.places(13) == ("first", 1)


async def test_what_the_trunk_takes_is_reserved_at_once_up_to_a_batch(tmp_path: Path) -> None:
    assert await Pass(tmp_path).places(13) == ("first", 13)
    assert await Pass(tmp_path).places(80) == ("first", BATCH)


@pytest.mark.parametrize(
    ("late_s", "sent", "ended"), [(60.0, ["x"], []), (0.05, [], [("x", 1, "cancelled")])]
)
async def test_a_reservation_whose_reply_comes_late_never_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_s: float, sent: list[str], ended: list[object]
) -> None:
    monkeypatch.setattr(runner, "LATE_S", late_s)
    run = Pass(tmp_path)
    run.around.found, run.around.takes_s = (reservation("x", number="+12145550100"),), 0.1
    await run.places(1)
    for _ in range(1000):
        if run.around.sent or run.desk.book.ended:
            break
        await asyncio.sleep(0.01)
    assert run.around.sent == sent
    assert run.desk.book.ended == ended


async def test_who_answers_while_other_lines_are_cancelled_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CANCEL_EVERY_S", 0.05)
    run = Pass(tmp_path)
    for line in ("x", "y", "z"):
        run.desk.ring(line)
    passing = asyncio.create_task(run.runner._carry_out("main", Decision(0, ("x", "y", "z"), ())))
    await asyncio.sleep(0.02)
    run.desk.answer("y", 6.0)
    await passing
    calls = run.desk.dispatcher.calls
    assert [calls[line].attempt.hanging_up for line in ("x", "y", "z")] == [
        EndedBy.ENGINE,
        None,
        EndedBy.ENGINE,
    ]


async def test_no_more_lines_are_cancelled_once_an_agent_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CANCEL_EVERY_S", 0.05)
    run = Pass(tmp_path)
    run.desk.dispatcher.assign({"alice": "spring"})
    for line in ("x", "y", "z"):
        run.desk.ring(line)
    passing = asyncio.create_task(run.runner._carry_out("main", Decision(0, ("x", "y", "z"), ())))
    await asyncio.sleep(0.02)
    run.desk.on_duty("alice")
    assert await passing, "decides again at once"
    calls = run.desk.dispatcher.calls
    assert [calls[line].attempt.hanging_up for line in ("x", "y", "z")] == [EndedBy.ENGINE, None, None]


PING = "GET /asterisk/ping"


async def test_an_engine_that_may_have_been_replaced_in_its_sleep_ends_no_line(tmp_path: Path) -> None:
    run = Pass(tmp_path)
    run.desk.ring("x")
    run.around.is_behind = True
    assert not await run.runner._carry_out("main", Decision(0, ("x",), ()))
    assert not await run.runner._settle()
    assert (run.ended("x"), run.asterisk.asked) == ([False], [])


async def test_no_line_is_ended_while_the_link_is_down(tmp_path: Path) -> None:
    """The hang-up would not be sent, and the person may answer before the link is back."""
    run = Pass(tmp_path)
    run.desk.ring("x")
    run.node.up = False
    assert not await run.runner._carry_out("main", Decision(0, ("x",), ()))
    assert run.ended("x") == [False]


async def test_after_a_stall_lines_are_ended_by_what_was_said_meanwhile(tmp_path: Path) -> None:
    run = Pass(tmp_path)
    await run.runner._settle()
    run.desk.ring("x")
    run.desk.ring("y")
    run.stall()
    run.asterisk.meanwhile["/asterisk/ping"] = lambda: run.desk.answer("x", 6.0)
    await run.runner._settle()
    assert (run.ended("x", "y"), run.asterisk.asked) == ([False, True], [PING])
    run.desk.ring("z")
    await run.runner._settle()
    assert (run.ended("z"), run.asterisk.asked) == ([True], [PING]), "once for each stall"


async def test_a_stall_without_a_line_to_end_asks_nothing_of_asterisk_before_there_is_one(
    tmp_path: Path,
) -> None:
    run = Pass(tmp_path)
    await run.runner._settle()
    run.stall()
    await run.runner._settle()
    await run.runner._settle()
    assert run.asterisk.asked == []
    run.desk.ring("x")
    await run.runner._settle()
    assert (run.ended("x"), run.asterisk.asked) == ([True], [PING])


async def test_a_node_that_gives_no_sign_of_life_after_a_stall_has_no_line_ended(tmp_path: Path) -> None:
    run = Pass(tmp_path)
    await run.runner._settle()
    run.desk.ring("x")
    run.stall()
    run.asterisk.refused[PING] = 1
    assert not await run.runner._settle(), "it does not spin"
    assert run.ended("x") == [False]
    await run.runner._settle()
    assert (run.ended("x"), run.asterisk.asked) == ([True], [PING, PING])


async def test_a_stall_while_lines_are_ended_ends_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "CANCEL_EVERY_S", 0.05)
    run = Pass(tmp_path)
    for line in ("x", "y"):
        run.desk.ring(line)
    passing = asyncio.create_task(run.runner._carry_out("main", Decision(0, ("x", "y"), ())))
    await asyncio.sleep(0.02)
    run.stall()
    assert await passing, "decides again at once"
    assert run.ended("x", "y") == [True, False]


@pytest.mark.parametrize(("window", "least"), [(None, 15), ((15, 28), 15), ((20, 60), 20)])
def test_the_pacing_is_told_how_long_a_line_must_ring(window: tuple[int, int] | None, least: int) -> None:
    desk = Desk()
    held = replace(reservation("x"), ring_window=window)
    desk.dispatcher.adopt(Call(held, "spring", Attempt("x"), START))
    seen = snapshot(plan("spring", 1), "main", desk.dispatcher, desk.ledgers, Dialable(None, None, open=True))
    assert [call.ring_min_s for call in seen.calls] == [least]


def test_what_nobody_holds_is_ended_later_than_a_reservation_may_leave() -> None:
    assert LOOK_S > runner.LATE_S
