"""The last look at a number: an independent wall behind the gate, for every number there is."""

import pytest
from gate_support import CALLABLE, PLAN
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.numbers import NumberClass, NumberPlan, classify
from dialer_engine.engine.runner import ring_time
from dialer_engine.pbx.allow_list import AllowList, NumberRefused
from dialer_engine.settings.models import Trunk

pytestmark = pytest.mark.unit

ALLOWED = AllowList(PLAN)
LAB = AllowList(PLAN, lab=True)
ISLANDS = AllowList(PLAN, ["US-PR"])


@pytest.mark.parametrize("npa", CALLABLE)
def test_every_area_code_of_the_plan_may_leave(npa: str) -> None:
    assert ALLOWED.holds(f"+1{npa}2345678")


@pytest.mark.parametrize(
    "number",
    [
        "911",
        "+1911",
        "+12129112345",
        "+12124112345",
        "+19002345678",
        "+12129762345",
        "+18002345678",
        "+18092345678",
        "+18762345678",
        "+15002345678",
        "+17002345678",
        "+12125551212",
        "+12125550100",
        "+12129582345",
        "+12129592345",
        "+12129502345",
        "+12121345678",
        "+12120345678",
        "+1212234567",
        "+121223456789",
        "12122345678",
        "2122345678",
        "+442071234567",
        "+01144207123456",
        "+12122345678\n",
        "+1212234567８",
        "+12122345678@evil",
        "+12122345678,,9",
        "",
        "+17872345678",
    ],
)
def test_what_may_never_leave(number: str) -> None:
    assert not ALLOWED.holds(number)
    with pytest.raises(NumberRefused):
        ALLOWED.endpoint("main", Trunk(host="127.0.0.1"), number)


def test_fiction_leaves_in_the_lab_only_and_territories_when_named() -> None:
    assert LAB.holds("+12125550100")
    assert LAB.holds("+12125550199")
    assert not LAB.holds("+12125550200")
    assert not LAB.holds("+12125551212")
    assert not LAB.holds("+17875550100")
    assert ISLANDS.holds("+17872345678")
    assert not ISLANDS.holds("+13402345678")


@pytest.mark.parametrize(
    ("format_", "prefix", "expected"),
    [
        ("e164", "", "PJSIP/+12102345678@trunk-main@trunk-no-redirect"),
        ("plus_less", "99", "PJSIP/9912102345678@trunk-main@trunk-no-redirect"),
        ("ten_digit", "", "PJSIP/2102345678@trunk-main@trunk-no-redirect"),
    ],
)
def test_the_dial_string_is_the_carriers(format_: str, prefix: str, expected: str) -> None:
    trunk = Trunk.model_validate({"host": "127.0.0.1", "number_format": format_, "prefix": prefix})
    assert ALLOWED.endpoint("main", trunk, "+12102345678") == expected


def test_an_empty_plan_lets_nothing_out() -> None:
    assert not AllowList(NumberPlan({})).holds("+12102345678")


@given(st.from_regex(r"\+1[0-9]{10}", fullmatch=True))
def test_both_walls_agree_on_any_number(number: str) -> None:
    """Two ways to the same answer: a fault in one of them shows here."""
    kind = classify(number, PLAN)
    assert ALLOWED.holds(number) is (kind is NumberClass.geographic)
    assert LAB.holds(number) is (kind in (NumberClass.geographic, NumberClass.fictional))


@given(st.sampled_from(sorted(PLAN.areas)), st.from_regex(r"[0-9]{7}", fullmatch=True))
def test_both_walls_agree_in_every_area_code(npa: str, rest: str) -> None:
    number = f"+1{npa}{rest}"
    assert ALLOWED.holds(number) is (classify(number, PLAN) is NumberClass.geographic)


@pytest.mark.parametrize(
    ("wanted", "window", "seconds"),
    [
        (22, (15, 60), 22),
        (15, (15, 60), 20),  # five seconds until it rings, then the law's fifteen
        (60, (15, 60), 60),
        (40, (15, 28), 28),
        (15, (15, 28), 20),
        (22, (28, 28), 28),
        (22, None, 22),
    ],
)
def test_ring_time_lies_in_the_window(wanted: int, window: tuple[int, int] | None, seconds: int) -> None:
    assert ring_time(wanted, window) == seconds


@pytest.mark.parametrize(
    ("setup_s", "window", "seconds"),
    [
        (4.9, (15, 60), 22),
        (7.2, (15, 60), 23),  # eight seconds until it rings, then the law's fifteen
        (30.0, (15, 60), 25),  # a carrier without a 180 tells of the answer instead
        (7.2, (15, 22), 22),
        (7.2, None, 22),
    ],
)
def test_a_slow_trunk_takes_nothing_from_the_laws_ring_time(
    setup_s: float, window: tuple[int, int] | None, seconds: int
) -> None:
    assert ring_time(22, window, setup_s) == seconds
