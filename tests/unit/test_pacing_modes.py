"""Progressive and power: levels, limits, surplus lines, and what must never happen."""

from collections.abc import Sequence
from dataclasses import replace
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.pacing import (
    MODES,
    AgentView,
    CallView,
    Decision,
    PacingEvent,
    Snapshot,
    make_pacer,
)

pytestmark = pytest.mark.unit

AGENT_STATES = ["ready", "in_call", "wrap", "paused", "reserved"]
CALL_STATES = ["reserved", "dialing", "ringing", "waiting", "bridged", "message"]
FLYING = {"reserved", "dialing", "ringing", "waiting"}


def agents(*states: Any) -> tuple[AgentView, ...]:
    """Agents in these states."""
    return tuple(AgentView(f"a{n}", state, 0.0) for n, state in enumerate(states))


def calls(*states: Any, rang: float = 0.0) -> tuple[CallView, ...]:
    """Calls in these states, the ringing ones for `rang` seconds."""
    ages = (rang if state == "ringing" else 0.0 for state in states)
    return tuple(
        CallView(f"c{n}", state, 0.0, age) for n, (state, age) in enumerate(zip(states, ages, strict=True))
    )


def snapshot(
    on_duty: Sequence[AgentView] = (), up: Sequence[CallView] = (), *, lines: float = 2.0
) -> Snapshot:
    """A running campaign with room on the trunk and a long queue."""
    return Snapshot(
        now=100.0,
        agents=tuple(on_duty),
        calls=tuple(up),
        lines_per_agent=lines,
        channels_free=50,
        rate_tokens=50,
        queue_due=1000,
        cancel_before_15s=False,
        open=True,
    )


def power(state: Snapshot) -> Decision:
    """Decide in power mode."""
    return make_pacer("power").decide(state)


def progressive(state: Snapshot) -> Decision:
    """Decide in progressive mode."""
    return make_pacer("progressive").decide(state)


@pytest.mark.parametrize(
    ("ready", "up", "expected"),
    [
        (0, (), 0),
        (1, (), 1),
        (5, (), 5),
        (5, ("dialing", "ringing"), 3),
        (5, ("reserved", "dialing", "ringing", "waiting"), 1),
        (2, ("ringing", "ringing"), 0),
        (2, ("ringing", "ringing", "ringing"), 0),
        (2, ("bridged", "bridged", "message"), 2),
    ],
)
def test_progressive_places_one_call_per_ready_agent(ready: int, up: tuple[str, ...], expected: int) -> None:
    assert progressive(snapshot(agents(*["ready"] * ready), calls(*up))).place == expected


@pytest.mark.parametrize(
    ("ready", "lines", "up", "expected"),
    [
        (1, 3.0, (), 3),
        (5, 3.0, (), 15),
        (5, 3.0, ("ringing",) * 12, 3),
        (5, 3.0, ("ringing",) * 20, 0),
        (3, 1.5, (), 5),  # 4.5 is rounded up
        (1, 1.5, (), 2),
        (1, 1.4, (), 1),
        (4, 1.0, ("waiting",), 3),
        (0, 10.0, (), 0),
        (2, 2.0, ("bridged",) * 9, 4),
    ],
)
def test_power_places_lines_per_ready_agent(
    ready: int, lines: float, up: tuple[str, ...], expected: int
) -> None:
    assert power(snapshot(agents(*["ready"] * ready), calls(*up), lines=lines)).place == expected


@pytest.mark.parametrize("state", ["in_call", "wrap", "paused", "reserved"])
@pytest.mark.parametrize("mode", list(MODES))
def test_only_ready_agents_justify_calls(mode: str, state: str) -> None:
    assert make_pacer(mode).decide(snapshot(agents(*[state] * 9))).place == 0


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ({"channels_free": 2}, 2, "trunk has 2 free channels: held to 2"),
        ({"rate_tokens": 0}, 0, "trunk's calls per second leave 0 calls now: held to 0"),
        ({"no_trunk": "no trunk can be used", "channels_free": 0}, 0, "no trunk can be used: held to 0"),
        ({"rate_tokens": 1}, 1, "leave 1 calls now: held to 1"),
        ({"queue_due": 4}, 4, "queue has 4 contacts due: held to 4"),
        ({"queue_due": 0}, 0, "queue has 0 contacts due: held to 0"),
        ({"queue_due": None}, 10, "10 lines wanted, 0 in flight: 10 to place"),
        ({"channels_free": -3}, 0, "held to 0"),
        ({"channels_free": 7, "rate_tokens": 5, "queue_due": 6}, 5, "held to 5"),
        ({"open": False}, 0, "campaign is not running: 0 to place"),
    ],
)
def test_limits_hold_the_level_and_say_so(change: dict[str, Any], expected: int, words: str) -> None:
    decision = power(replace(snapshot(agents(*["ready"] * 5)), **change))
    assert decision.place == expected
    assert words in " | ".join(decision.reasons)


def test_reasons_begin_with_agents_and_lines_in_numbers() -> None:
    decision = power(snapshot(agents("ready", "ready", "wrap"), calls("ringing"), lines=3))
    assert decision.reasons == ("2 agents ready, 3 lines each", "6 lines wanted, 1 in flight: 5 to place")


@pytest.mark.parametrize("mode", list(MODES))
def test_surplus_lines_end_only_after_they_rang_15_seconds(mode: str) -> None:
    young, old = CallView("young", "ringing", 0.0, 14.9), CallView("old", "ringing", 0.0, 15.0)
    decision = make_pacer(mode).decide(snapshot(agents("in_call", "wrap"), (young, old)))
    assert decision.cancel == ("old",)
    assert "no agent ready for 2 ringing lines: 1 cancelled" in decision.reasons
    assert "1 lines ring on until they rang 15 s" in decision.reasons


@pytest.mark.parametrize("mode", list(MODES))
def test_surplus_lines_ring_as_long_as_the_rules_of_their_places_say(mode: str) -> None:
    up = tuple(
        CallView(f"{least}-{rang}", "ringing", 0.0, rang, ring_min_s=least)
        for least in (15, 20)
        for rang in (14.9, 15.0, 19.9, 20.0)
    )
    decision = make_pacer(mode).decide(snapshot(agents("in_call"), up))
    assert set(decision.cancel) == {"15-15.0", "15-19.9", "15-20.0", "20-20.0"}
    assert "4 lines ring on until they rang 15 to 20 s" in decision.reasons
    strict = make_pacer(mode).decide(snapshot(agents("in_call"), up[4:]))
    assert strict.cancel == ("20-20.0",)
    assert "3 lines ring on until they rang 20 s" in strict.reasons


def test_a_campaign_may_allow_earlier_ends() -> None:
    state = replace(
        snapshot(agents("in_call"), calls("ringing", "ringing", rang=1.0)), cancel_before_15s=True
    )
    assert power(state).cancel == ("c0", "c1")


def test_no_line_is_cancelled_while_an_agent_is_ready() -> None:
    state = snapshot(agents("ready"), calls(*["ringing"] * 9, rang=20.0), lines=1)
    assert power(state).cancel == ()
    assert power(state).place == 0


def test_only_ringing_lines_are_ever_cancelled() -> None:
    every = calls(*CALL_STATES, rang=30.0)
    state = replace(snapshot(agents("wrap"), every), cancel_before_15s=True)
    assert power(state).cancel == ("c2",)


def test_unknown_mode_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="progressive, power"):
        make_pacer("psychic")


@pytest.mark.parametrize("mode", list(MODES))
def test_pacers_take_note_of_events_without_changing_their_mind(mode: str) -> None:
    pacer, state = make_pacer(mode), snapshot(agents("ready"))
    before = pacer.decide(state)
    pacer.observe(PacingEvent("answered", 100.0, call="c0"))
    assert pacer.decide(state) == before


states_of_agents = st.lists(st.sampled_from(AGENT_STATES), max_size=12)
some_calls = st.lists(st.tuples(st.sampled_from(CALL_STATES), st.floats(0, 60)), max_size=30)


@given(
    st.sampled_from(list(MODES)),
    states_of_agents,
    some_calls,
    st.floats(1, 10),
    st.integers(0, 40),
    st.integers(0, 40),
    st.none() | st.integers(0, 40),
    st.booleans(),
    st.booleans(),
)
def test_what_must_never_happen(
    mode: str,
    on_duty: list[str],
    up: list[tuple[Any, float]],
    lines: float,
    channels: int,
    tokens: int,
    due: int | None,
    early: bool,
    running: bool,
) -> None:
    views = tuple(CallView(f"c{n}", kind, 0.0, rang) for n, (kind, rang) in enumerate(up))
    state = Snapshot(100.0, agents(*on_duty), views, lines, channels, tokens, due, early, running)
    decision = make_pacer(mode).decide(state)
    ready, flying = on_duty.count("ready"), sum(kind in FLYING for kind, _ in up)
    level = floor(lines * ready + 0.5) if mode == "power" else ready
    level += on_duty.count("reserved") if mode == "preview" else 0
    assert 0 <= decision.place <= min(channels, tokens, due if due is not None else 40)
    assert decision.place + flying <= max(level, flying)
    assert running or decision.place == 0
    assert ready or decision.place == 0
    cancelled = [view for view in views if view.id in decision.cancel]
    assert len(cancelled) == len(decision.cancel)
    ringing = sum(view.state == "ringing" for view in views)
    assert not decision.cancel or len(decision.cancel) <= ringing - ready * (mode == "preview" or ringing)
    assert all(view.state == "ringing" and (early or view.rang >= 15) for view in cancelled)
    assert decision.reasons
