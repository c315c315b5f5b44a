"""The pools of one campaign learn together: twice as fast, nothing twice, and each still decides for its own agents."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import merge

import pytest
from dispatch_support import START, at, reservation

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.pacing import CallView, Goals, PacingEvent
from dialer_engine.core.pacing.doubt import TRAIL, Doubt
from dialer_engine.core.pacing.flying import Flying
from dialer_engine.core.pacing.lessons import Lessons
from dialer_engine.core.pacing.modes import make_pacer
from dialer_engine.core.pacing.predictive import Predictive
from dialer_engine.engine.call import Call
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.pacers import Pacers
from dialer_engine.lab.pacing.workload import HOUR_S
from tests.unit.dispatch_support import Notebook
from tests.unit.sim_support import logged, short_day
from tests.unit.test_pacing_predictive import NOW, moment

pytestmark = pytest.mark.unit

Told = tuple[float, str, PacingEvent]


def floor(name: str, seed: int) -> list[Told]:
    """An hour of five agents of one node, with names of its own."""
    _, log = logged("progressive", short_day(5), seed=seed)

    def named(what: str | None) -> str | None:
        return None if what is None else f"{name}-{what}"

    return [
        (event.at, name, replace(event, call=named(event.call), agent=named(event.agent))) for event in log
    ]


def in_turn() -> Iterator[Told]:
    """What happens on two nodes, as it happens."""
    return merge(floor("one", 1), floor("two", 2), key=lambda told: told[0])


def tell(pools: dict[str, Predictive], events: Iterable[Told]) -> None:
    """Tell every pool what happens there."""
    for _, name, event in events:
        pools[name].observe(event)


def known(pacer: Predictive) -> list[object]:
    """Everything that was learned."""
    learning, doubt = pacer.learning, pacer.doubt
    learnt = (learning.dialing, learning.ringing, learning.talks, learning.wraps)
    seen = [(each.seen, each.hazards()) for each in learnt]
    return [
        seen,
        learning.segments._seen,
        [(one.id, one.failed) for one in doubt._trail],
        doubt._times.hazards(),
    ]


def test_two_pools_know_what_one_with_all_their_calls_knows_and_nothing_twice() -> None:
    lessons = Lessons()
    together = {name: Predictive(lessons) for name in ("one", "two")}
    tell(together, in_turn())
    whole = Predictive()
    whole.doubt.pools = 2
    tell({"one": whole, "two": whole}, in_turn())
    assert known(together["one"]) == known(together["two"]) == known(whole)
    apart = {name: Predictive() for name in ("one", "two")}
    tell(apart, in_turn())
    seen = {name: pacer.learning.calls_seen for name, pacer in apart.items()}
    assert together["one"].learning.calls_seen == sum(seen.values()) > 400


def test_two_pools_learn_twice_as_fast() -> None:
    """The moment at which 40 calls are known and forecasts begin, in two of three seconds at most."""

    def begins(pools: dict[str, Predictive]) -> float:
        for when, name, event in in_turn():
            pools[name].observe(event)
            if all(pool.learning.calls_seen >= Goals().learn_calls for pool in pools.values()):
                return when
        raise AssertionError("never")

    lessons = Lessons()
    together = begins({name: Predictive(lessons) for name in ("one", "two")})
    apart = begins({name: Predictive() for name in ("one", "two")})
    assert together < 0.66 * apart < HOUR_S


def test_each_pool_decides_for_its_own_agents() -> None:
    lessons = Lessons()
    one, two = Predictive(lessons), Predictive(lessons)
    tell({"one": one, "two": two}, in_turn())
    many, few = moment(ready=4, busy=20), moment(ready=1)
    assert one.decide(many).place > two.decide(few).place >= 1
    assert one.price is not two.price


# --- the newest calls of the list ---------------------------------------------------------------------


def trained(pools: int = 2) -> list[Predictive]:
    """Pools of a list of which one call in twenty is answered, and the newest not."""
    lessons = Lessons()
    made = [Predictive(lessons) for _ in range(pools)]
    for number in range(400):
        call, when = f"t{number}", NOW - 8000.0 + 15.0 * number
        pool = made[number % pools]
        pool.observe(PacingEvent("placed", when, call=call))
        pool.observe(PacingEvent("ringing", when + 2.0, call=call))
        if number % 20 == 0:
            pool.observe(PacingEvent("answered", when + 8.0, call=call))
        else:
            pool.observe(PacingEvent("ended", when + 24.0, call=call, result="no_answer"))
    return made


def room(pacer: Predictive, calls: tuple[CallView, ...] = ()) -> int:
    """How many more lines the pool's turns leave to a budget of thirty abandoned calls."""
    seen = moment(ready=2, busy=10, calls=calls)
    pacer.learning.refresh()
    flying = Flying.of(seen.calls, seen.now, pacer.learning.segments.factor)
    forecast = pacer.forecast(seen, pacer.coming_back(seen), flying)
    return pacer.doubt.turns(seen, forecast, flying, pacer.learning).room(30)


def place(pacer: Predictive, name: str, count: int, ago: float, rings: bool = True) -> None:
    """Let calls leave so long ago, which have rung since two seconds later."""
    for number in range(count):
        pacer.observe(PacingEvent("placed", NOW - ago, call=f"{name}{number}"))
        if rings:
            pacer.observe(PacingEvent("ringing", NOW - ago + 2.0, call=f"{name}{number}"))


def flying(count: int, ago: float) -> tuple[CallView, ...]:
    """The pool's own calls, which ring."""
    return tuple(CallView(f"own{n}", "ringing", NOW - ago + 2.0, ago - 2.0, NOW - ago) for n in range(count))


def answered(pacer: Predictive) -> None:
    """Eight of eight newest calls are answered."""
    for number in range(8):
        pacer.observe(PacingEvent("placed", NOW - 6.0, call=f"new{number}"))
        pacer.observe(PacingEvent("ringing", NOW - 5.0, call=f"new{number}"))
        pacer.observe(PacingEvent("answered", NOW - 2.0, call=f"new{number}"))


def test_a_turn_that_one_node_sees_is_reckoned_with_on_the_other() -> None:
    left = []
    for where in (0, 1):
        pools = trained()
        place(pools[0], "own", 30, 12.0)
        before = room(pools[0], flying(30, 12.0))
        answered(pools[where])
        left.append(room(pools[0], flying(30, 12.0)))
        assert left[-1] < before
    assert left[0] == left[1], "wherever the list's newest calls left from"


def test_long_ringing_calls_of_another_node_speak_against_a_turn_and_are_no_risk_here() -> None:
    one, two = trained()
    place(one, "own", 12, 4.0)
    before = room(one, flying(12, 4.0))
    place(two, "theirs", 40, 22.0)
    after = room(one, flying(12, 4.0))
    assert after >= before
    place(two, "fresh", 200, 1.0, rings=False)
    assert room(one, flying(12, 4.0)) == after, "lines of another node come to other agents"


def test_the_memory_of_newest_calls_grows_with_the_pools() -> None:
    for pools in (1, 3):
        doubt = Doubt()
        doubt.pools = pools
        for number in range(4 * TRAIL):
            doubt.observe(PacingEvent("placed", NOW, call=str(number)))
        assert len(doubt._trail) == pools * TRAIL


# --- in the engine ------------------------------------------------------------------------------------


class Recall:
    """Takes down what is recalled; there is no database here."""

    def __init__(self) -> None:
        self.begun: list[object] = []

    def begin(self, plan: object, learning: object) -> None:
        self.begun.append(learning)


class Plan:
    """As much of a campaign as a pacer needs."""

    name = "spring"

    def __init__(self, mode: str) -> None:
        self.settings = self
        self.mode = mode


class Regions:
    """Every area code lies in Texas."""

    def region_of(self, npa: str) -> str:
        return "TX"


def test_the_nodes_of_a_campaign_share_what_is_learned_until_its_mode_changes() -> None:
    recall = Recall()
    pacers = Pacers(Regions(), recall)  # type: ignore[arg-type]
    one, two = (pacers.of(Plan("predictive"), node).pacer for node in ("main", "east"))  # type: ignore
    assert one is not two
    assert one.lessons is two.lessons
    assert recall.begun == [one.learning], "the days before are told once"
    dispatcher = Dispatcher(Notebook(), Notebook())
    dispatcher.assign({"ana": "spring", "ben": "spring"})
    dispatcher.on_step, dispatcher.on_seat = pacers.call_stepped, pacers.seat_stepped
    for node, agent, attempt in (("main", "ana", "x"), ("east", "ben", "y")):
        dispatcher.feed_seat(agent, chair.LegUp(START, node))
        dispatcher.adopt(Call(reservation(attempt, node=node), "spring", Attempt(attempt), START))
        dispatcher.feed(attempt, life.Sent(at(1), 22))
        dispatcher.feed(attempt, life.Ringing(at(2)))
        dispatcher.feed(attempt, life.Gone(at(30), 19))
    assert one.learning.calls_seen == 2
    assert [call.id for call in one.doubt._trail] == ["x", "y"]
    assert pacers.of(Plan("power"), "main") is not pacers.of(Plan("power"), "east")
    again = [pacers.of(Plan("predictive"), node).pacer for node in ("east", "main")]  # type: ignore
    assert again[0].lessons is again[1].lessons is not one.lessons
    assert len(recall.begun) == 2


def test_how_long_phones_ring_is_learned_since_the_180_that_comes_after_a_183() -> None:
    """As the snapshot tells how long a call has rung."""
    learned = []
    for signs in ((1.0, 7.0), (7.0,)):
        lessons = Lessons()
        lessons.observe(PacingEvent("placed", 0.0, call="x"))
        for moment_s in signs:
            lessons.observe(PacingEvent("ringing", moment_s, call="x"))
        lessons.observe(PacingEvent("answered", 12.0, call="x"))
        learned.append((lessons.learning.ringing.hazards(), lessons.doubt._times.hazards()))
    assert learned[0] == learned[1]


def test_the_pacing_is_told_of_both_signs() -> None:
    dispatcher, told = Dispatcher(Notebook(), Notebook()), list[tuple[Phase, Phase]]()
    dispatcher.on_step = lambda call, before: told.append((before, call.phase))
    dispatcher.adopt(Call(reservation("x"), "spring", Attempt("x", Phase.DIALING), START))
    for event in (life.Ringing(at(1), alerting=False), life.Ringing(at(7)), life.Ringing(at(8))):
        dispatcher.feed("x", event)
    assert told == [(Phase.DIALING, Phase.RINGING), (Phase.RINGING, Phase.RINGING)]


def test_only_what_learns_takes_lessons() -> None:
    lessons = Lessons()
    for mode in ("preview", "progressive", "power", "predictive"):
        make_pacer(mode, lessons)
    assert lessons.doubt.pools == 1
