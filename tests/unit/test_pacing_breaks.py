"""Pauses that are known beforehand: whom the pacing counts on, of those who asked for one while they work."""

from dataclasses import replace
from datetime import timedelta

import pytest
from test_ledgers import Desk, plan

from dialer_engine.core import seat as chair
from dialer_engine.core.pacing import MODES, PacingEvent, Snapshot, make_pacer
from dialer_engine.core.pacing.flying import Flying
from dialer_engine.core.pacing.predictive import Predictive
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.pacing_view import Dialable, snapshot
from dialer_engine.engine.trunks import Trunks
from dialer_engine.settings.models import Trunk
from tests.unit.test_pacing_predictive import trained

pytestmark = pytest.mark.unit

TRUNK = Trunk.model_validate({"host": "127.0.0.1", "calls_per_second": 500, "max_channels": 100})
LINE = Trunks({"main": TRUNK}).lines["main"]
TEAM = [f"a{number}" for number in range(10)]


def floor(state: SeatState, seconds: float, wishes: int, budget: int = 0) -> Snapshot:
    """Ten agents who began this so many seconds ago, of whom so many pressed `0`."""
    desk, now = Desk(**dict.fromkeys(TEAM, "spring")), utc_now()
    for agent in TEAM:
        since = now - timedelta(seconds=seconds)
        desk.dispatcher.seats[agent] = Seat(agent, state, since, attempt=f"of {agent}", node="main")
    for agent in TEAM[:wishes]:
        desk.dispatcher.feed_seat(agent, chair.PauseKey(now))
    seen = snapshot(plan("spring", 1), "main", desk.dispatcher, desk.ledgers, Dialable(LINE, None, open=True))
    return replace(seen, budget=budget)


def pacer_of(talk_s: float, wrap_s: float) -> Predictive:
    """A pacer that saw talks of one length, and wrap-ups of so long and up to 4 s more."""
    pacer = trained(2)
    for number in range(400):
        over = 200.0 * number + talk_s
        for state, at in (("in_call", over - talk_s), ("wrap", over), ("ready", over + wrap_s + number % 5)):
            pacer.observe(PacingEvent("agent", at, agent="m", result=state))
    return pacer


@pytest.mark.parametrize(
    ("state", "seconds", "wrap_s"), [(SeatState.WRAP, 5.0, 6.0), (SeatState.IN_CALL, 62.0, 0.0)]
)
def test_who_asked_for_a_pause_is_not_counted_on_to_come_back(
    state: SeatState, seconds: float, wrap_s: float
) -> None:
    pacer = pacer_of(60.0, wrap_s)
    placed = [pacer.decide(floor(state, seconds, wishes, budget=9)).place for wishes in (0, 5, 10)]
    assert placed[0] > placed[1] > placed[2] == 0


def test_the_guard_takes_nobody_off_twice() -> None:
    """Talks that just began are not counted on to end; who leaves after one was not counted on before."""
    pacer, flying = pacer_of(8.0, 0.0), Flying.of((), 0.0, lambda segments: 1.0)
    seen = floor(SeatState.IN_CALL, 5.0, len(TEAM))
    back = pacer.coming_back(seen)
    turns = pacer.turns(seen, pacer.forecast(seen, back, flying), flying)
    assert [max(turn.means) for turn in turns.found] == pytest.approx([0.0] * len(turns.found))


@pytest.mark.parametrize("mode", sorted(MODES))
def test_no_mode_has_a_line_for_who_asked_for_a_pause(mode: str) -> None:
    pacer = pacer_of(60.0, 6.0) if mode == "predictive" else make_pacer(mode)
    assert pacer.decide(floor(SeatState.WRAP, 5.0, len(TEAM))).place == 0


@pytest.mark.parametrize(("state", "leaves"), [(SeatState.WRAP, True), (SeatState.IN_CALL, False)])
def test_a_phone_on_hold_in_the_wrap_up_is_a_pause_to_come(state: SeatState, leaves: bool) -> None:
    """One in a talk is mostly over before the talk is."""
    desk = Desk(alice="spring")
    desk.dispatcher.seats["alice"] = Seat("alice", state, utc_now(), attempt="x", node="main")
    desk.dispatcher.feed_seat("alice", chair.Held(utc_now()))
    seen = snapshot(plan("spring", 1), "main", desk.dispatcher, desk.ledgers, Dialable(LINE, None, open=True))
    assert [agent.leaves for agent in seen.agents] == [leaves]
