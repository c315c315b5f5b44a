"""The carrier's table: every kind has numbers, voices differ, and the dialplan plays the table."""

import pytest

from dialer_engine.lab.behaviours import (
    ANSWERING,
    HUMANS,
    Behaviour,
    Kind,
    Pace,
    behaviour,
    kind_of,
    life_like,
    pitch_hz,
    uniform,
)
from dialer_engine.lab.carrier import DIRECTORY, row

pytestmark = pytest.mark.unit


def test_every_kind_is_in_the_table() -> None:
    assert {does.kind for does in life_like()} == set(Kind)


def test_table_has_a_row_for_each_pair_of_last_digits() -> None:
    assert len(life_like()) == 100


@pytest.mark.parametrize(
    ("digits", "kind"),
    [
        ("00", Kind.HUMAN),
        ("91", Kind.HUMAN),
        ("42", Kind.HUMAN),
        ("13", Kind.IMPATIENT),
        ("54", Kind.NO_ANSWER),
        ("05", Kind.BUSY),
        ("66", Kind.MACHINE),
        ("27", Kind.CONGESTION),
        ("37", Kind.NOT_IN_SERVICE),
        ("08", Kind.FAX),
        ("18", Kind.EARLY_MEDIA),
        ("28", Kind.ANSWER_HANGUP),
        ("99", Kind.OPT_OUT),
    ],
)
def test_last_digits_choose_the_kind(digits: str, kind: Kind) -> None:
    assert behaviour(life_like(), f"+121255501{digits}").kind is kind
    assert kind_of(int(digits[0]), int(digits[1])) is kind


def test_half_of_the_numbers_are_people() -> None:
    assert sum(does.human for does in life_like()) == 50


def test_people_answer_and_the_busy_do_not() -> None:
    table = life_like()
    assert all(does.answers for does in table if does.kind in HUMANS)
    assert not any(does.answers for does in table if does.kind not in ANSWERING)


def test_pace_scales_ringing_and_talking() -> None:
    for slow, fast in zip(life_like(), life_like(Pace(ring=0.1, talk=0.5)), strict=True):
        assert fast.ring_s == pytest.approx(slow.ring_s * 0.1)
        if slow.kind is not Kind.ANSWER_HANGUP:
            assert fast.talk_s == pytest.approx(slow.talk_s * 0.5)


def test_life_like_rings_one_to_six_seconds_and_talks_four_to_twenty_two() -> None:
    table = life_like()
    assert {does.ring_s for does in table} == {1, 2, 3, 4, 5, 6}
    talks = [does.talk_s for does in table if does.kind is not Kind.ANSWER_HANGUP]
    assert (min(talks), max(talks)) == (4, 22)


def test_uniform_table_is_all_people() -> None:
    assert set(uniform(0.0, 1.0)) == {behaviour(uniform(0.0, 1.0), "+12125550177")}


def test_voices_of_one_area_code_all_differ() -> None:
    pitches = {pitch_hz(f"+12125550{n}") for n in range(100, 200)}
    assert len(pitches) == 100


def test_voices_stay_in_the_band_the_ears_listen_to() -> None:
    for npa in (201, 212, 405, 808, 989):
        for n in range(100, 200):
            assert 1500 <= pitch_hz(f"+1{npa}5550{n}") <= 2690


def test_a_row_names_kind_times_and_goes_to_its_part() -> None:
    lines = row(7, life_like()[7]).splitlines()
    assert lines[0] == "exten => row07,1,Set(KIND=congestion)"
    assert lines[-1] == " same => n,Goto(congestion,1)"


@pytest.mark.parametrize("listens", [False, True])
def test_a_row_says_who_keeps_note_of_hearing_somebody(listens: bool) -> None:
    lines = row(7, Behaviour(Kind.HUMAN, 1.0, 5.0, listens)).splitlines()
    assert f" same => n,Set(LISTENS={int(listens)})" in lines


def test_dialplan_has_a_part_for_every_kind() -> None:
    text = (DIRECTORY / "extensions.conf").read_text(encoding="utf-8")
    assert all(f"\nexten => {kind},1," in text for kind in Kind)
