"""What a contact's last result means for each of its numbers."""

import pytest

from dialer_engine.core.outcome import Result
from dialer_engine.store.candidates import result_for_number

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("last", [None, *Result])
def test_a_dead_number_is_dead_whatever_another_number_got_since(last: str | None) -> None:
    assert result_for_number(last, dead=True) == "not_in_service"


@pytest.mark.parametrize("last", [None, *Result])
def test_not_in_service_is_no_other_numbers_result(last: str | None) -> None:
    expected = None if last == "not_in_service" else last
    assert result_for_number(last, dead=False) == expected
