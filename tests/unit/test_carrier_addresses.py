"""One address for every carrier that is given by name: which one, how long, and what Asterisk is told."""

import asyncio
import threading
from pathlib import Path

import pytest
from test_render import BUNDLE, CONFIG, PROMPTS, SECRETS, sections

from dialer_engine.engine.node_link import ManagedNode
from dialer_engine.pbx import carrier_addresses
from dialer_engine.pbx.carrier_addresses import CarrierAddresses, addresses_of
from dialer_engine.pbx.instance import NodeConfig, NodeError
from dialer_engine.pbx.node import silent_contacts
from dialer_engine.pbx.render import render_engine_node
from dialer_engine.settings.home import service_user
from dialer_engine.settings.trunk import Trunk

pytestmark = pytest.mark.unit

NAME = "sip.carrier.example"
TRUNK = Trunk(host=NAME, port=5080)
ONE, TWO, THREE = "203.0.113.1", "203.0.113.2", "203.0.113.3"


class Names:
    """What names resolve to."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        return list(self.addresses)


def place(tmp_path: Path) -> NodeConfig:
    return NodeConfig("main", tmp_path, service_user())


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_one_address_is_in_use_and_stays_while_the_name_has_it(tmp_path: Path) -> None:
    names, clock = Names(TWO, THREE), Clock()
    carriers = CarrierAddresses(place(tmp_path), names, clock)
    assert await carriers.look([TRUNK])
    assert carriers.in_use == {NAME: TWO}
    names.addresses = [ONE, TWO]
    assert not await carriers.look([TRUNK])
    names.addresses = [ONE, THREE]
    for _ in range(2):
        clock.now += 30
        assert not await carriers.look([TRUNK]), "it was told a moment ago"
    clock.now += 30
    assert await carriers.look([TRUNK])
    assert carriers.in_use == {NAME: ONE}
    assert carriers.heard({NAME: (False, 10.0)})
    assert carriers.in_use == {NAME: THREE}, "what it was told with before is not its own any more"


async def test_an_address_that_a_changing_name_was_not_told_with_for_minutes_is_left(tmp_path: Path) -> None:
    names, clock = Names(TWO), Clock()
    carriers = CarrierAddresses(place(tmp_path), names, clock)
    await carriers.look([TRUNK])
    for turn in range(9):
        clock.now += 30
        names.addresses = [(ONE, THREE)[turn % 2]]
        assert not await carriers.look([TRUNK])
    clock.now += 30
    assert await carriers.look([TRUNK])
    assert carriers.in_use == {NAME: ONE}


async def test_a_name_that_is_told_with_another_address_each_time_keeps_one(tmp_path: Path) -> None:
    names, clock, changes = Names(), Clock(), 0
    carriers = CarrierAddresses(place(tmp_path), names, clock)
    for turn in range(100):
        names.addresses = [(ONE, TWO, THREE)[turn % 3]]
        changes += await carriers.look([TRUNK])
        clock.now += 30
    assert (changes, carriers.in_use) == (1, {NAME: ONE})
    assert carriers.heard({NAME: (False, 10.0)}), "the others are known"
    assert carriers.in_use == {NAME: TWO}


async def test_without_an_answer_the_address_stays_also_over_a_restart(tmp_path: Path) -> None:
    names = Names(TWO)
    await CarrierAddresses(place(tmp_path), names).look([TRUNK])
    names.addresses = []
    again = CarrierAddresses(place(tmp_path), names)
    assert not await again.look([TRUNK])
    assert again.in_use == {NAME: TWO}


async def test_whoever_writes_the_settings_waits_only_for_names_without_an_address(tmp_path: Path) -> None:
    names = Names(TWO)
    carriers = CarrierAddresses(place(tmp_path), names)
    for _ in range(2):
        await carriers.find([TRUNK, Trunk(host=ONE)])
    assert (carriers.in_use, names.asked) == ({NAME: TWO}, [NAME])


@pytest.mark.parametrize("text", ["", "no json", "[1]", '{"sip.carrier.example": "sip:evil"}'])
async def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "carrier-addresses.json").write_text(text)
    carriers = CarrierAddresses(place(tmp_path), Names(TWO))
    assert carriers.in_use == {}
    assert await carriers.look([TRUNK])


async def test_a_silent_carrier_is_called_at_its_next_address_when_that_was_asked(tmp_path: Path) -> None:
    """Asterisk says of a contact what it last knew, also when it is asked at another address since."""
    clock = Clock()
    carriers = CarrierAddresses(place(tmp_path), Names(ONE, TWO), clock)
    await carriers.look([TRUNK])
    carriers.heard({NAME: (True, 10.0)})
    turned_at = []
    for second in range(0, 120, 5):
        clock.now = 1000.0 + second
        if carriers.heard({NAME: (False, 10.0)}):
            turned_at.append((second, carriers.in_use[NAME]))
    assert turned_at == [(0, TWO), (20, ONE), (40, TWO), (60, ONE), (100, TWO)]


async def test_a_carrier_that_ignores_options_is_tried_at_each_address_once(tmp_path: Path) -> None:
    clock = Clock()
    carriers = CarrierAddresses(place(tmp_path), Names(ONE, TWO, THREE), clock)
    await carriers.look([TRUNK])
    used = []
    for second in range(0, 3600, 5):
        clock.now = 1000.0 + second
        await carriers.look([TRUNK])
        if carriers.heard({NAME: (False, 10.0)}):
            used.append(carriers.in_use[NAME])
    assert used == [TWO, THREE, ONE]


async def test_a_carrier_that_is_away_for_weeks_is_still_tried(tmp_path: Path) -> None:
    clock = Clock()
    carriers = CarrierAddresses(place(tmp_path), Names(ONE, TWO), clock)
    carriers.heard({NAME: (True, 10.0)})
    for _ in range(5000):
        await carriers.look([TRUNK])
        assert carriers.heard({NAME: (False, 10.0)})
        clock.now += 310.0


async def test_a_new_address_has_its_time_from_when_asterisk_was_told(tmp_path: Path) -> None:
    clock = Clock()
    carriers = CarrierAddresses(place(tmp_path), Names(ONE, TWO), clock)
    await carriers.look([TRUNK])
    assert carriers.heard({NAME: (False, 10.0)})
    clock.now += 17
    carriers.applied()
    clock.now += 17
    assert not carriers.heard({NAME: (False, 10.0)})
    carriers.applied()
    clock.now += 1
    assert carriers.heard({NAME: (False, 10.0)})


async def test_a_turn_that_the_disk_refuses_costs_no_try(tmp_path: Path) -> None:
    away, here = tmp_path / "away", tmp_path / "node"
    here.mkdir()
    carriers = CarrierAddresses(place(here), Names(ONE, TWO), Clock())
    await carriers.look([TRUNK])
    here.rename(away)
    with pytest.raises(NodeError):
        carriers.heard({NAME: (False, 10.0)})
    away.rename(here)
    assert carriers.heard({NAME: (False, 10.0)})
    assert carriers.in_use == {NAME: TWO}


async def test_a_carrier_of_which_no_address_answers_is_tried_ever_more_slowly(tmp_path: Path) -> None:
    clock = Clock()
    names = Names(ONE, TWO, THREE)
    carriers = CarrierAddresses(place(tmp_path), names, clock)
    carriers.heard({NAME: (True, 10.0)})
    turns = 0
    for second in range(0, 3600, 5):
        clock.now = 1000.0 + second
        await carriers.look([TRUNK])
        turns += carriers.heard({NAME: (False, 10.0)})
    assert 15 <= turns <= 25
    assert not carriers.heard({NAME: (True, 10.0)})
    assert carriers.heard({NAME: (False, 10.0)}), "one that answered has all its tries again"


async def test_a_carrier_with_one_address_has_nowhere_to_turn(tmp_path: Path) -> None:
    carriers = CarrierAddresses(place(tmp_path), Names(ONE))
    await carriers.look([TRUNK])
    assert not carriers.heard({NAME: (False, 10.0), "never.looked.up.example": (False, 10.0)})
    assert carriers.in_use == {NAME: ONE}


@pytest.mark.parametrize(
    ("silent", "in_use"), [({"a", "b"}, TWO), ({"a"}, ONE), (set[str](), ONE)], ids=["both", "one", "none"]
)
async def test_a_name_of_two_trunks_is_left_only_when_neither_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: set[str], in_use: str
) -> None:
    (tmp_path / "sounds").mkdir()
    node = ManagedNode(BUNDLE, place(tmp_path / "node"), tmp_path / "sounds")
    node.addresses = CarrierAddresses(node.config, Names(ONE, TWO))
    trunks = {"a": TRUNK, "b": Trunk(host=NAME, port=5081), "other": Trunk(host=ONE)}
    await node.addresses.look(trunks.values())

    async def ask(command: str) -> str:
        assert command == "pjsip show contacts"
        states = {name: "Unavail" if name in silent else "Avail" for name in trunks}
        return "".join(
            f"  Contact:  options.{name}/sip:x  1f {state} nan\n" for name, state in states.items()
        )

    monkeypatch.setattr(node.node, "ask", ask)
    monkeypatch.setattr(node.node, "alive", lambda: True)
    assert await node._turned(trunks) is (in_use == TWO)
    assert node.addresses.in_use == {NAME: in_use}


async def test_addresses_and_tls_are_not_looked_up(tmp_path: Path) -> None:
    names = Names(ONE)
    carriers = CarrierAddresses(place(tmp_path), names)
    assert not await carriers.look([Trunk(host=TWO), Trunk(host=NAME, transport="tls")])
    assert names.asked == []


async def test_a_name_server_that_does_not_answer_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_addresses, "LOOKUP_S", 0.2)
    answers, asked = threading.Event(), []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        answers.wait(30.0)
        return [ONE]

    carriers = CarrierAddresses(place(tmp_path), resolve)
    assert not await carriers.look([TRUNK])
    assert not await carriers.look([TRUNK])
    assert asked == [NAME], "a question that is still open was asked again"
    answers.set()
    for _ in range(200):
        if await carriers.look([TRUNK]):
            break
        await asyncio.sleep(0.01)
    assert carriers.in_use == {NAME: ONE}


async def test_what_the_disk_refuses_is_an_error_and_not_forgotten(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    carriers = CarrierAddresses(place(gone), Names(ONE))
    with pytest.raises(NodeError, match=r"carrier-addresses\.json"):
        await carriers.look([TRUNK])
    gone.mkdir()
    assert await carriers.look([TRUNK])
    assert CarrierAddresses(place(gone), Names()).in_use == {NAME: ONE}


def rendered(trunk: Trunk, addresses: dict[str, str]) -> list[tuple[str, str, list[str]]]:
    """Every section of one trunk that has an `outbound_proxy`, with its type."""
    text = render_engine_node(BUNDLE, CONFIG, SECRETS, {"acme": trunk}, (), PROMPTS, addresses)["pjsip.conf"]
    return [
        (name, body.get("type", ["endpoint"])[0], body["outbound_proxy"])
        for name, body in sections(text)
        if "outbound_proxy" in body
    ]


def test_asterisk_is_told_the_address_wherever_it_speaks_to_the_carrier() -> None:
    proxy = [f"sip:{TWO}:5080\\;transport=tcp\\;lr\\;hide"]
    trunk = Trunk(host=NAME, port=5080, transport="tcp", register=True, username="u", password="p")
    assert rendered(trunk, {NAME: TWO}) == [
        ("trunk-acme@trunk-no-redirect", "endpoint", proxy),
        ("trunk-acme@trunk-no-redirect", "registration", proxy),
        ("options.acme", "endpoint", proxy),
        ("options.acme", "aor", proxy),
    ]


@pytest.mark.parametrize(
    ("trunk", "addresses"),
    [
        (Trunk(host=ONE), {ONE: TWO}),
        (Trunk(host=NAME, transport="tls"), {NAME: TWO}),
        (Trunk(host=NAME), {}),
    ],
)
def test_a_numeric_host_tls_and_an_unknown_name_stay_as_they_are(
    trunk: Trunk, addresses: dict[str, str]
) -> None:
    assert rendered(trunk, addresses) == []


def test_contacts_that_answer_no_options_are_read_from_the_console() -> None:
    table = """
  Contact:  <Aor/ContactUri..............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================

  Contact:  options.acme/sip:sip.carrier.example:5080      b6c2a1d3ff Unavail         nan
  Contact:  options.other/sip:203.0.113.9:5060             1b2c3d4e5f Avail        12.345
  Contact:  trunk-acme@trunk-no-redirect/sip:sip.carrier.e 7aa1bd0c11 NonQual         nan

Objects found: 3
"""
    assert silent_contacts(table) == {"options.acme"}


def test_this_machine_is_found_by_its_own_names() -> None:
    assert "127.0.0.1" in addresses_of("localhost")
    for nobody in ("name.that.is.nobodys.invalid", "x" * 70 + ".example"):
        assert addresses_of(nobody) == []
