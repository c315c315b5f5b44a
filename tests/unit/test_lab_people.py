"""The fictional contacts and the oracle that knows whom nobody may call."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from dialer_engine.lab.behaviours import HUMANS, kind_of
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.people import (
    EVEN_MIX,
    MOST_PEOPLE,
    OUT_OF_HOURS,
    PLACES,
    Held,
    Person,
    make_people,
    oracle_for,
    write_contacts,
    write_suppressed,
)
from dialer_engine.settings.rules import SHIPPED, load_rules

pytestmark = pytest.mark.unit


def called(*numbers: str) -> list[CarrierCall]:
    """Calls to these numbers, one after another."""
    return [CarrierCall(str(at), number, "", float(at)) for at, number in enumerate(numbers)]


@pytest.mark.parametrize("count", [1, 25, 300, MOST_PEOPLE])
def test_everybody_has_a_fictional_number_of_their_own(count: int) -> None:
    people = make_people(count, seed=1)
    numbers = {person.number for person in people}
    assert len(numbers) == len(people) == count
    assert all(number[5:10] == "55501" and len(number) == 12 for number in numbers)


@pytest.mark.parametrize("count", [0, -1, MOST_PEOPLE + 1])
def test_too_few_or_too_many_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=str(MOST_PEOPLE)):
        make_people(count, seed=1)


def test_same_seed_same_people() -> None:
    assert make_people(100, seed=7) == make_people(100, seed=7) != make_people(100, seed=8)


def test_area_codes_are_different_and_many() -> None:
    codes = [npa for npa, _ in (*PLACES, OUT_OF_HOURS)]
    assert len(set(codes)) == len(codes) > 70


def test_nobody_lives_where_a_machine_needs_consent() -> None:
    book, plan = load_rules(SHIPPED)
    for npa, state in PLACES:
        regions = {*plan.areas[npa].regions, f"US-{state}"}
        assert regions.isdisjoint(book.automated), npa


def test_every_twelfth_is_held_on_purpose() -> None:
    held = Counter(person.held for person in make_people(300, seed=1))
    assert held[None] == 275
    assert held[Held.SUPPRESSED] + held[Held.OUT_OF_HOURS] == 25
    assert min(held[Held.SUPPRESSED], held[Held.OUT_OF_HOURS]) >= 12


def test_those_out_of_hours_live_in_hawaii() -> None:
    people = make_people(300, seed=1)
    assert all(p.state == "HI" for p in people if p.held is Held.OUT_OF_HOURS)
    assert not [p for p in people if p.state == "HI" and p.held is not Held.OUT_OF_HOURS]


def test_life_like_mix_has_about_a_quarter_of_people() -> None:
    people = make_people(300, seed=1)
    humans = sum(kind_of(int(p.line[-2]), int(p.line[-1])) in HUMANS for p in people)
    assert 0.18 < humans / 300 < 0.35


def test_even_mix_has_half() -> None:
    people = make_people(500, seed=1, mix=EVEN_MIX)
    humans = sum(kind_of(int(p.line[-2]), int(p.line[-1])) in HUMANS for p in people)
    assert 0.43 < humans / 500 < 0.57


def test_contacts_are_written_in_several_ways_of_writing(tmp_path: Path) -> None:
    people = make_people(50, seed=1)
    write_contacts(people, tmp_path / "list.csv", seed=1)
    rows = list(csv.DictReader((tmp_path / "list.csv").open(encoding="utf-8")))
    assert [row["State"] for row in rows] == [person.state for person in people]
    assert {len(row["Phone"]) for row in rows} >= {12, 14}
    digits = ["".join(sign for sign in row["Phone"] if sign.isdigit())[-10:] for row in rows]
    assert digits == [person.number[2:] for person in people]


def test_suppressed_are_written_one_a_line(tmp_path: Path) -> None:
    people = make_people(100, seed=1)
    write_suppressed(people, tmp_path / "dnc.csv")
    lines = (tmp_path / "dnc.csv").read_text().split()
    assert lines[0] == "phone"
    assert lines[1:] == [person.number for person in people if person.held is Held.SUPPRESSED]


ANN = Person("Ann", "A", "212", "0100", "NY")
BOB = Person("Bob", "B", "212", "0101", "NY", Held.SUPPRESSED)
KAI = Person("Kai", "K", "808", "0100", "HI", Held.OUT_OF_HOURS)


def test_oracle_has_nothing_against_calls_up_to_the_cap() -> None:
    assert oracle_for([ANN, BOB, KAI], cap=2).objections(called(ANN.number, ANN.number)) == []


def test_oracle_objects_to_one_call_too_many() -> None:
    found = oracle_for([ANN], cap=2).objections(called(ANN.number, ANN.number, ANN.number))
    assert found == [f"{ANN.number}: call 3 of at most 2"]


@pytest.mark.parametrize(("person", "word"), [(BOB, "suppressed"), (KAI, "out_of_hours")])
def test_oracle_objects_to_those_held(person: Person, word: str) -> None:
    assert oracle_for([ANN, BOB, KAI]).objections(called(person.number)) == [f"{person.number}: {word}"]


def test_oracle_objects_to_strangers() -> None:
    assert oracle_for([ANN]).objections(called("+13125550100")) == ["+13125550100: not on the list"]


def test_oracle_can_be_asked_twice() -> None:
    oracle = oracle_for([ANN], cap=1)
    assert oracle.objections(called(ANN.number)) == oracle.objections(called(ANN.number)) == []


def test_dice_depend_on_seed_and_keys_only() -> None:
    one = Dice(1)
    assert one.fraction("a", 1) == Dice(1).fraction("a", 1) != one.fraction("a", 2)
    assert 3 <= one.between(3, 4, "x") <= 4
    assert one.pick("abc", "k") in "abc"


def test_dice_are_even() -> None:
    throws = Counter(Dice(1).pick(range(6), n) for n in range(6000))
    assert all(850 < count < 1150 for count in throws.values())


def test_shuffled_keeps_everything() -> None:
    assert sorted(Dice(3).shuffled(range(50), "x")) == list(range(50)) != Dice(3).shuffled(range(50), "x")
