"""What `dialer doctor` says of the age of do-not-call lists."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialer_engine.cli.doctor_registries import judged
from dialer_engine.cli.finding import CRITICAL, OK, WARNING
from dialer_engine.core.gate.lists import Age, ListState
from dialer_engine.store.registry.overview import ListRow

pytestmark = pytest.mark.unit

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)


def a_list(name: str, days: int | None, *, needed: bool = True) -> ListRow:
    """One list, loaded so many days ago or never; warned of after 21 days, stopped after 31."""
    as_of = None if days is None else NOW - timedelta(days=days)
    state = ListState(name, as_of)
    return ListRow(
        name=name,
        needed=needed,
        age=state.age(NOW, 21, 31),
        version=None if days is None else 1,
        as_of=as_of,
        age_days=state.age_days(NOW),
        stop_days=31,
        numbers=None if days is None else 7,
        area_codes=1,
        missing=0,
        accounts=(),
        waivers=(),
    )


def test_fresh_lists_are_well_and_those_never_loaded_are_named() -> None:
    found = judged([a_list("us_national", 3), a_list("ca_dncl", None)])
    assert found.state == OK
    assert found.words == "fresh: us_national; never loaded, so calls that need them stop: ca_dncl"


def test_a_list_that_grows_old_is_a_warning_before_calls_stop() -> None:
    found = judged([a_list("us_national", 24), a_list("ca_dncl", 3)])
    assert found.state == WARNING
    assert "calls stop soon that need us_national (24 days, stop after 31)" in found.words
    assert "ca_dncl" not in found.words


def test_a_list_that_stopped_calls_is_critical_with_its_remedy() -> None:
    found = judged([a_list("us_national", 40), a_list("ca_dncl", 24)])
    assert found.state == CRITICAL
    assert "us_national (40 days, stop after 31), ca_dncl (24 days, stop after 31)" in found.words
    assert "dialer registry import" in found.words


def test_a_list_that_no_call_needs_is_no_matter() -> None:
    assert a_list("us_state:ZZ", 99).age is Age.stale
    waived = replace(a_list("ca_dncl", 99), waived=True)
    found = judged([a_list("us_state:ZZ", 99, needed=False), waived])
    assert (found.state, found.words) == (OK, "none is needed")
