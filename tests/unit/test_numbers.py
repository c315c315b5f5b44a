"""Number classes and the number plan."""

import pytest
from gate_support import PLAN
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.numbers import (
    CARIBBEAN,
    NON_GEOGRAPHIC,
    PREMIUM,
    TOLL_FREE,
    NumberClass,
    classify,
    is_e164_nanp,
    npa,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+12122345678", NumberClass.geographic),
        ("+14162345678", NumberClass.geographic),
        ("+16892345678", NumberClass.geographic),
        ("+17292345678", NumberClass.geographic),
        ("+12125550100", NumberClass.fictional),
        ("+12125550199", NumberClass.fictional),
        ("+12125550200", NumberClass.non_geographic),
        ("+12129501234", NumberClass.non_geographic),
        ("+18005550100", NumberClass.toll_free),
        ("+18332345678", NumberClass.toll_free),
        ("+19002345678", NumberClass.premium),
        ("+12129761234", NumberClass.premium),
        ("+19112345678", NumberClass.n11),
        ("+12129111234", NumberClass.n11),
        ("+15002345678", NumberClass.non_geographic),
        ("+16222345678", NumberClass.non_geographic),
        ("+18762345678", NumberClass.caribbean),
        ("+18092345678", NumberClass.caribbean),
        ("+17872345678", NumberClass.territory),
        ("+17875550100", NumberClass.territory),
        ("+16712345678", NumberClass.territory),
        ("+442071234567", NumberClass.foreign),
        ("+525512345678", NumberClass.foreign),
        ("+15552345678", NumberClass.invalid),
        ("+12992345678", NumberClass.invalid),
        ("+11232345678", NumberClass.invalid),
        ("+12121345678", NumberClass.invalid),
        ("+1212234567", NumberClass.invalid),
        ("+121223456789", NumberClass.invalid),
        ("2122345678", NumberClass.invalid),
        ("911", NumberClass.invalid),
        ("", NumberClass.invalid),
        ("+1212234567a", NumberClass.invalid),
        ("+1212234567٣", NumberClass.invalid),
        ("+12122345678\n", NumberClass.invalid),
        ("+01122345678", NumberClass.invalid),
    ],
)
def test_class_of_a_number(number: str, expected: NumberClass) -> None:
    assert classify(number, PLAN) is expected


def test_special_codes_never_shadow_a_geographic_area_code() -> None:
    special = TOLL_FREE | PREMIUM | NON_GEOGRAPHIC | CARIBBEAN
    assert special.isdisjoint(PLAN.areas)


@given(st.text(max_size=16))
def test_any_text_has_a_class_and_only_plan_numbers_are_geographic(text: str) -> None:
    if classify(text, PLAN) is NumberClass.geographic:
        assert is_e164_nanp(text)
        assert text[2:5] in PLAN.areas


@given(st.integers(2_000_000_000, 9_999_999_999))
def test_ten_digits_are_geographic_only_inside_the_plan(digits: int) -> None:
    number = f"+1{digits}"
    kind = classify(number, PLAN)
    if kind in (NumberClass.geographic, NumberClass.fictional, NumberClass.territory):
        assert PLAN.area(number) is not None
    if PLAN.area(number) is None:
        assert kind is not NumberClass.geographic


def test_npa_returns_three_digits_and_refuses_anything_else() -> None:
    assert npa("+12122345678") == "212"
    with pytest.raises(ValueError, match="form"):
        npa("12122345678")


def test_zones_of_a_region_and_of_a_country() -> None:
    assert PLAN.zones_of("US-NY") == ("America/New_York",)
    assert {"America/Chicago", "America/New_York"} <= set(PLAN.zones_of("US-FL"))
    assert "Pacific/Honolulu" in PLAN.zones_of("US")
    assert "Pacific/Guam" not in PLAN.zones_of("US")
    assert PLAN.zones_of("US-XX") == ()
