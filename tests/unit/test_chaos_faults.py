"""What single faults of the suite call wrong: each check sees the harm, and lets the harmless pass."""

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dialer_engine.lab.behaviours import Kind, uniform
from dialer_engine.lab.chaos import (
    asterisk_faults,
    boundaries,
    config_faults,
    disk_faults,
    link_faults,
    node_faults,
)
from dialer_engine.lab.chaos.catalogue import catalogue
from dialer_engine.lab.chaos.fault import Strike
from dialer_engine.lab.chaos.flood_faults import dialed_less, enough_to_compare, expected_answers, flood
from dialer_engine.lab.chaos.ground import Ground, Talks
from dialer_engine.lab.chaos.link_faults import DELAY_S, ON_ITS_WAY_S, unseen
from dialer_engine.lab.chaos.records import Record
from dialer_engine.lab.chaos.split_faults import ownerless
from dialer_engine.lab.chaos.trunk_faults import HALF_PERIODS, HALF_S, Limit, halved
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.place import LabError
from dialer_engine.lab.proxy import Proxy

pytestmark = pytest.mark.unit

GUARD_S = 0.05
"""What the engine adds to each period."""
RATES = (0.3, 0.8, 1.0, 1.5, 1.9, 2.0, 3.1, 6.2, 7.5)


def spaced(limit: Limit, seconds: float) -> list[float]:
    """Calls as an engine spaces them that keeps to a limit."""
    gap = (limit.seconds + GUARD_S) / limit.calls
    return [gap * number for number in range(int(seconds / gap) + 1)]


def stretch(limit: Limit) -> float:
    return max(HALF_S, HALF_PERIODS * limit.seconds)


@pytest.mark.parametrize("rate", RATES)
def test_an_engine_that_keeps_the_whole_rate_does_not_keep_half_of_it(rate: float) -> None:
    whole, half = Limit.of(rate), Limit.of(halved(rate))
    seconds = stretch(half)
    kept, ignored = spaced(half, seconds), spaced(whole, seconds)
    assert (half.passed_by(kept), half.unused_by(kept, seconds)) == ((), ())
    assert whole.passed_by(ignored) == ()
    (words,) = half.passed_by(ignored)
    assert words.endswith(f"{half.calls} are allowed")


@pytest.mark.parametrize("rate", RATES)
def test_who_hardly_dials_was_not_held_back_by_the_limit(rate: float) -> None:
    half = Limit.of(halved(rate))
    few = spaced(half, stretch(half))[::3]
    assert half.passed_by(few) == ()
    assert half.unused_by(few, stretch(half)) != ()


def test_a_rate_below_one_is_one_call_in_a_longer_period() -> None:
    assert Limit.of(0.5) == Limit(1, 2.0)
    assert Limit.of(0.5).passed_by([0.0, 1.5]) == ("2 calls in 2.00 s, 1 are allowed",)
    assert Limit.of(0.5).passed_by([0.0, 2.05]) == ()
    assert Limit.of(2.9).passed_by([0.0, 0.4, 0.8]) == ("3 calls in 1.00 s, 2 are allowed",)


def call(came_at: float) -> CarrierCall:
    return CarrierCall("1", "+12125550100", "+12125550198", came_at, Kind.HUMAN)


def test_nobody_dials_between_the_death_of_one_owner_and_the_start_of_the_next() -> None:
    on_its_way, before, after = call(100.0 + ON_ITS_WAY_S / 2), call(99.0), call(110.1)
    assert ownerless([on_its_way, before, after], 100.0, 110.0) == []
    assert ownerless([call(103.0)], 100.0, 110.0) == [
        "dialed +12125550100 while no engine owned the campaigns"
    ]


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ((), 0),
        ((99.0, 100.05, 100.1, 101.0, 102.0), 0),
        ((101.0, 102.0, 103.0), 1),
        ((101.0, 108.5), 1),
        ((101.0, 102.0, 103.0, 108.5), 2),
        ((112.5, 113.0, 114.0), 0),
    ],
)
def test_a_blind_engine_lets_few_calls_leave_before_it_knows_and_none_afterwards(
    asked: Sequence[float], wrong: int
) -> None:
    assert len(unseen(asked, 100.0, 112.0, 2)) == wrong


async def test_a_call_that_was_on_its_way_does_not_prove_that_dialing_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, log = tmp_path / "dialer.yaml", tmp_path / "engine.log"
    file.write_text("good: true\n")
    log.write_text("")
    sent: list[float] = []

    def send(number: signal.Signals) -> None:
        assert number is signal.SIGHUP
        sent.append(time.time())
        log.write_text(config_faults.REFUSED)

    world = SimpleNamespace(config=tmp_path, engine=SimpleNamespace(send=send, log=log))
    monkeypatch.setattr(config_faults, "READS_S", 0.05)
    strike: Strike = await config_faults.broken_yaml(cast(Ground, SimpleNamespace(world=world)))
    assert strike.broken == ()
    assert strike.since == strike.able >= sent[0] + 0.05
    assert file.read_text() == "good: true\n"


async def test_a_call_that_never_comes_to_a_boundary_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(world: object) -> None:
        await asyncio.sleep(10.0)

    async def soon(world: object) -> None:
        return

    monkeypatch.setattr(boundaries, "LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr(boundaries, "_reservation", soon)
    await boundaries.next_boundary(cast(Any, None), "reserved")
    monkeypatch.setattr(boundaries, "_reservation", never)
    with pytest.raises(LabError, match="no call was reserved within"):
        await boundaries.next_boundary(cast(Any, None), "reserved")


@pytest.mark.parametrize(
    ("dialed", "written", "broken"),
    [
        (201.0, True, ()),
        (None, True, ("nobody was dialed with a database and a full disk",)),
        (201.0, False, ("1 calls that ended while nothing took records have none, such as +12125550100",)),
    ],
)
async def test_a_database_that_is_back_takes_what_a_full_disk_did_not(
    monkeypatch: pytest.MonkeyPatch, dialed: float | None, written: bool, broken: tuple[str, ...]
) -> None:
    """Of those who hung up while nothing took records one is on the disk of before; one still talks."""
    monkeypatch.setattr(disk_faults, "WRITTEN_S", 0.02)
    monkeypatch.setattr(disk_faults, "LOOK_S", 0.01)
    ada, bob, eve = replace(call(180.0), ended_at=195.0), replace(call(150.0), ended_at=160.0), call(190.0)
    bob, eve = replace(bob, number="+12125550101"), replace(eve, number="+12125550102")

    async def records() -> list[Record]:
        return [Record(ada.number, "bridged", 195.0)] if written else []

    async def first(moment: float, seconds: float) -> float | None:
        assert moment == 200.0
        return dialed

    ground = SimpleNamespace(calls=[ada, bob, eve], records=records, first_call_after=first)
    assert await disk_faults.without_room(cast(Ground, ground), 190.0, 200.0) == broken


def test_the_floods_whose_answers_are_promised_have_enough_of_them_to_compare() -> None:
    def ground(wanted: int) -> Ground:
        setting = SimpleNamespace(table=Talks.SHORT.table(1.0))
        return cast(Ground, SimpleNamespace(wanted=wanted, world=SimpleNamespace(setting=setting)))

    assert enough_to_compare(expected_answers(ground(25), 12.0))
    assert enough_to_compare(expected_answers(ground(6), 60.0))
    assert not enough_to_compare(expected_answers(ground(6), 12.0))


@pytest.mark.parametrize(
    ("earlier", "meanwhile", "less"),
    [
        *((200, 140, False), (200, 139, True), (30, 21, False), (30, 20, True)),
        *((9, 6, False), (9, 2, False), (9, 1, True), (2, 0, True), (2, 1, False), (0, 0, True)),
    ],
)
def test_dialing_goes_on_but_for_what_chance_explains(earlier: int, meanwhile: int, less: bool) -> None:
    assert dialed_less(earlier, meanwhile) == less


@pytest.mark.parametrize(("wanted", "breaks"), [(6, False), (25, True)])
async def test_an_unmeasured_answer_breaks_the_promise_where_it_could_be_measured(
    monkeypatch: pytest.MonkeyPatch, wanted: int, breaks: bool
) -> None:
    async def send(ground: object, target: object, seconds: float, rates: Any) -> object:
        return SimpleNamespace(requests=seconds * (rates.registers + rates.options + rates.invites))

    async def until(so: object, seconds: float) -> bool:
        return True

    world = SimpleNamespace(
        setting=SimpleNamespace(table=uniform(0.75, 7.2)),
        sip_address=("127.0.0.1", 5060),
        phones=SimpleNamespace(heard=[]),
    )
    ground = SimpleNamespace(wanted=wanted, world=world, calls=[], until=until, longest_talk_s=24.0)
    monkeypatch.setattr("dialer_engine.lab.chaos.flood_faults._send", send)
    rates = SimpleNamespace(registers=300, options=1500, invites=30)
    words = "answer p95 not measured: 0 answers before the flood, 0 in it"
    strike = await flood(cast(Ground, ground), 12.0, cast(Any, rates), compares=True)
    assert (words in strike.broken, words in strike.notes) == (breaks, not breaks)
    assert "1,830 of 1,830 requests a second were sent" in strike.notes
    bare = await flood(cast(Ground, ground), 12.0, cast(Any, rates))
    assert words not in (*bare.broken, *bare.notes), "nothing is promised of it"


@pytest.mark.parametrize(
    ("fault", "dialed", "away", "broken"),
    [
        ("ari-delay", 1.0, "", ()),
        ("ami-delay", 1.0, "", ()),
        ("ari-delay", None, "", ("nobody was dialed by a slow link",)),
        ("ami-delay", 1.0, "ami", ("the status says that ami is away",)),
        ("ari-delay", None, "ari", ("the status says that ari is away", "nobody was dialed by a slow link")),
    ],
)
async def test_by_a_slow_link_dialing_goes_on(
    monkeypatch: pytest.MonkeyPatch, fault: str, dialed: float | None, away: str, broken: tuple[str, ...]
) -> None:
    ari, ami = Proxy("127.0.0.1", 0), Proxy("127.0.0.1", 0)
    delayed = ari if fault == "ari-delay" else ami
    held_back: list[bool] = []

    async def first(moment: float, seconds: float) -> float | None:
        held_back.append(delayed.delay_s == DELAY_S and ari.delay_s + ami.delay_s == DELAY_S)
        return dialed

    async def status() -> dict[str, object]:
        return {"nodes": [{"ari": away != "ari", "ami": away != "ami"}]}

    async def agree(ground: object) -> tuple[str, ...]:
        return ()

    engine = SimpleNamespace(control=SimpleNamespace(status=status))
    world = SimpleNamespace(proxies={"ari_port": ari, "ami_port": ami}, engine=engine)
    monkeypatch.setattr(link_faults, "differences", agree)
    monkeypatch.setattr(link_faults, "SLOW_S", 0.01)
    strike = await catalogue()[fault].strike(
        cast(Ground, SimpleNamespace(world=world, first_call_after=first))
    )
    assert strike.broken == broken
    assert held_back == [True]
    assert ari.delay_s == ami.delay_s == 0.0


async def test_a_lost_node_excuses_whose_calls_it_had_when_it_died(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob, eve = "+12125550100", "+12125550101", "+12125550102"
    live = [{"number": ada, "node": "node2"}, {"number": bob, "node": "main"}]

    def die() -> None:
        live.append({"number": eve, "node": "node2"})  # reserved when we had looked

    async def ask(query: str) -> list[dict[str, str]]:
        return list(live)

    async def until(so: object, seconds: float) -> bool:
        return True

    async def status() -> dict[str, list[object]]:
        return {"agents": []}

    async def elsewhere(names: object, seconds: float) -> None:
        return

    async def unrecorded(ground: object, cut: set[str], since: float, back: float) -> list[str]:
        return sorted(cut)

    monkeypatch.setattr(node_faults, "unrecorded", unrecorded)
    monkeypatch.setattr(node_faults, "AWAY_S", 0.0)
    monkeypatch.setattr(node_faults, "NOTICES_S", 0.0)
    lost = SimpleNamespace(name="node2", die=die, keep=lambda: None, node=SimpleNamespace(pid=1))
    world = SimpleNamespace(
        setting=SimpleNamespace(table=uniform(0.75, 7.2)),
        further=[lost],
        engine=SimpleNamespace(control=SimpleNamespace(status=status)),
        phones=SimpleNamespace(dial_elsewhere=elsewhere),
    )
    calls = [call(99.0), replace(call(99.0), number=bob)]
    ground = SimpleNamespace(world=world, round=1, ask=ask, until=until, calls=calls)
    strike = await node_faults.lose_node(cast(Ground, ground))
    assert strike.only == frozenset({ada, eve})
    assert strike.stuck == (ada,), "who had not come yet needs no record of a lost node"


async def test_a_dead_asterisk_excuses_only_the_calls_that_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is called by the next one, and who had hung up before, are nobody that it lost."""

    async def none(*_: object) -> tuple[str, ...]:
        return ()

    ada, bob, eve, gone = "+12125550100", "+12125550101", "+12125550102", "+12125550103"
    now = time.time()
    process = await asyncio.create_subprocess_exec("sleep", "60")
    node = SimpleNamespace(pid=process.pid)
    calls = [call(now - 1.0), replace(call(now - 9.0), number=gone, ended_at=now - 1.0)]

    async def until(so: object, seconds: float) -> bool:
        calls.append(replace(call(time.time()), number=bob))  # it had left before
        node.pid = 0
        return True

    async def agents_return(ground: object) -> float:
        calls.append(replace(call(time.time()), number=eve))
        return time.time()

    monkeypatch.setattr(asterisk_faults, "unrecorded", none)
    monkeypatch.setattr(asterisk_faults, "_agents_return", agents_return)
    world = SimpleNamespace(setting=SimpleNamespace(table=uniform(0.75, 7.2)), main_node=node)
    strike = await asterisk_faults.kill_asterisk(
        cast(Ground, SimpleNamespace(world=world, calls=calls, until=until))
    )
    assert await process.wait() == -signal.SIGKILL
    assert strike.only == frozenset({ada, bob})
