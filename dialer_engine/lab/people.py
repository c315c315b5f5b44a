"""Fictional contacts for the lab, and an oracle of its own that says whom nobody may call.

Numbers are NPA-555-01XX, which belong to nobody. The oracle shares no code with the engine's gate: it only
remembers which contacts were made uncallable on purpose, and counts the calls the carrier saw.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ledger import CarrierCall

LAB_CLOCK = "2026-06-10T11:00:00-05:00"
CALLS_PER_NUMBER = 2
NUMBERS_PER_AREA = 100
MOST_PEOPLE = 2000
HELD_EVERY = 12
OUT_OF_HOURS = ("808", "HI")

# Places where it is 10:00 to 12:00 on a Wednesday at the lab's clock, and one, Hawaii, where it is 06:00. None
# where a machine may dial only people who consented: Connecticut, Florida, Maryland, Oklahoma, Wyoming.
PLACES: tuple[tuple[str, str], ...] = (
    ("212", "NY"), ("716", "NY"), ("518", "NY"), ("201", "NJ"), ("609", "NJ"), ("215", "PA"), ("412", "PA"),
    ("302", "DE"), ("804", "VA"), ("703", "VA"), ("304", "WV"), ("919", "NC"), ("704", "NC"), ("803", "SC"),
    ("843", "SC"), ("404", "GA"), ("912", "GA"), ("617", "MA"), ("508", "MA"), ("401", "RI"), ("207", "ME"),
    ("603", "NH"), ("802", "VT"), ("216", "OH"), ("614", "OH"), ("513", "OH"), ("313", "MI"), ("616", "MI"),
    ("312", "IL"), ("217", "IL"), ("414", "WI"), ("608", "WI"), ("612", "MN"), ("218", "MN"), ("515", "IA"),
    ("319", "IA"), ("314", "MO"), ("816", "MO"), ("501", "AR"), ("479", "AR"), ("504", "LA"), ("318", "LA"),
    ("601", "MS"), ("205", "AL"), ("334", "AL"), ("615", "TN"), ("901", "TN"), ("214", "TX"), ("713", "TX"),
    ("512", "TX"), ("316", "KS"), ("402", "NE"), ("303", "CO"), ("719", "CO"), ("801", "UT"), ("505", "NM"),
    ("406", "MT"), ("416", "ON"), ("613", "ON"), ("514", "QC"), ("418", "QC"), ("204", "MB"), ("403", "AB"),
    ("780", "AB"), ("585", "NY"), ("610", "PA"), ("757", "VA"), ("864", "SC"), ("706", "GA"), ("781", "MA"),
    ("440", "OH"), ("630", "IL"), ("210", "TX"), ("817", "TX"),
)  # fmt: skip
FIRST_NAMES = (
    "Ada", "Amos", "Boris", "Clara", "Cyrus", "Dora", "Edgar", "Elsa", "Felix", "Greta", "Hugo", "Ida",
    "Jonas", "Karla", "Leon", "Mona", "Nils", "Olga", "Otis", "Petra", "Quinn", "Rosa", "Silas", "Tilda",
    "Ugo", "Vera", "Wim", "Xenia", "Yves", "Zelda",
)  # fmt: skip
LAST_NAMES = (
    "Ashgrove", "Birchwood", "Copperfield", "Dunmore", "Elderberry", "Fairweather", "Goldfinch", "Hollowell",
    "Inkpen", "Juniper", "Kettlewell", "Larkspur", "Merriweather", "Nightingale", "Oakenshaw", "Pennyfeather",
    "Quillfeather", "Rosewater", "Silverlock", "Thistlewood", "Underhill", "Violet", "Wintergreen", "Yarrow",
)  # fmt: skip
# Weights of the last digits: many do not answer, some are machines, about a quarter are people.
LIFE_LIKE_MIX = (6, 6, 6, 3, 34, 10, 14, 10, 7, 4)
EVEN_MIX = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
FORMATS = ("({npa}) 555-{line}", "{npa}-555-{line}", "+1{npa}555{line}", "1 {npa} 555 {line}")


class Held(StrEnum):
    """Why a contact must not be called at all."""

    SUPPRESSED = "suppressed"
    OUT_OF_HOURS = "out_of_hours"


@dataclass(frozen=True, slots=True)
class Person:
    """One fictional contact."""

    first: str
    last: str
    npa: str
    line: str
    state: str
    held: Held | None = None

    @property
    def number(self) -> str:
        """The E.164 number."""
        return f"+1{self.npa}555{self.line}"


@dataclass(frozen=True, slots=True)
class Oracle:
    """What the lab itself knows of who may be called, and how often."""

    held: Mapping[str, Held]
    known: frozenset[str]
    cap: int = CALLS_PER_NUMBER

    def objections(self, calls: Iterable[CarrierCall]) -> list[str]:
        """One line for every call at the carrier that should not have been."""
        counts: Counter[str] = Counter()
        found = []
        for call in sorted(calls, key=lambda each: each.came_at):
            counts[call.number] += 1
            reason = self._objection(call.number, counts[call.number])
            if reason is not None:
                found.append(f"{call.number}: {reason}")
        return found

    def _objection(self, number: str, count: int) -> str | None:
        if number not in self.known:
            return "not on the list"
        if number in self.held:
            return str(self.held[number])
        return f"call {count} of at most {self.cap}" if count > self.cap else None


def make_people(count: int, seed: int, mix: Sequence[int] = LIFE_LIKE_MIX) -> list[Person]:
    """`count` people with different numbers; every 12th is made uncallable, by suppression or by the hour.

    `mix` gives the weights of the last digits 0 to 9, and with them of what the carrier will do.
    """
    if not 1 <= count <= MOST_PEOPLE:
        raise ValueError(f"{count} contacts: the lab has numbers for 1 to {MOST_PEOPLE}")
    dice = Dice(seed)
    lines_of = {npa: _lines(dice, npa, mix) for npa, _ in (*PLACES, OUT_OF_HOURS)}
    return [_person(dice, index, lines_of) for index in range(count)]


def _lines(dice: Dice, npa: str, mix: Sequence[int]) -> list[str]:
    """All last four digits of an area code; taken from the end they follow the mix while it lasts."""
    lines = [f"{100 + n:04d}" for n in range(NUMBERS_PER_AREA)]
    return sorted(lines, key=lambda line: dice.fraction(npa, line) ** (1 / mix[int(line[-1])]))


def _person(dice: Dice, index: int, lines_of: dict[str, list[str]]) -> Person:
    held = _held(index)
    npa, state = OUT_OF_HOURS if held is Held.OUT_OF_HOURS else PLACES[index % len(PLACES)]
    return Person(
        first=dice.pick(FIRST_NAMES, "first", index),
        last=dice.pick(LAST_NAMES, "last", index),
        npa=npa,
        line=lines_of[npa].pop(),
        state=state,
        held=held,
    )


def _held(index: int) -> Held | None:
    turn, rest = divmod(index, HELD_EVERY)
    if rest != HELD_EVERY - 1:
        return None
    return Held.SUPPRESSED if turn % 2 == 0 else Held.OUT_OF_HOURS


def oracle_for(people: Iterable[Person], cap: int = CALLS_PER_NUMBER) -> Oracle:
    """The oracle that belongs to these people."""
    listed = list(people)
    held = {person.number: person.held for person in listed if person.held is not None}
    return Oracle(held, frozenset(person.number for person in listed), cap)


def write_contacts(people: Sequence[Person], path: Path, seed: int) -> None:
    """Write the contact list as a CSV, with numbers in the several ways in which people write them."""
    dice = Dice(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("First name", "Last name", "Phone", "State"))
        for person in people:
            phone = dice.pick(FORMATS, person.number).format(npa=person.npa, line=person.line)
            writer.writerow((person.first, person.last, phone, person.state))


def write_suppressed(people: Sequence[Person], path: Path) -> None:
    """Write the numbers that are to be suppressed, one per line, for `dialer dnc import`."""
    numbers = [person.number for person in people if person.held is Held.SUPPRESSED]
    path.write_text("phone\n" + "".join(f"{number}\n" for number in numbers), encoding="utf-8")
