"""The brake on the trunks and blockers, its words in the log and the status, and what is forgotten when it is full."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialer_engine.cli.status import overload_in_words
from dialer_engine.core.overload import Sample
from dialer_engine.engine.awakening import MOST_KEPT, Awakening
from dialer_engine.engine.measures import Asked, Cpus
from dialer_engine.engine.node_link import GROWTH, TRIM_AT_LEAST_S, Trim
from dialer_engine.engine.overload import Overload
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.trunks import Trunks
from dialer_engine.settings.trunk import Trunk

pytestmark = pytest.mark.unit

DEEP, FULL, CALM = Sample(depth=0.6), Sample(depth=1.2), Sample(depth=0.0)


def made() -> Overload:
    trunk = Trunk(host="127.0.0.1", max_channels=100, calls_per_second=50.0)
    trunks = Trunks({"a": trunk, "b": trunk})
    return Overload(trunks, Blockers(asterisk_away=False), [])


def left(one: Overload, calls: int) -> None:
    """So many calls leave within a second in which all is well."""
    one.trunks.pace.left += calls


async def test_slowing_takes_half_of_what_left_over_all_trunks_together() -> None:
    one = made()
    for second in range(11):
        one.take(float(second), CALM)
        left(one, 20)
    one.take(11.0, DEEP)
    one.take(12.0, DEEP)
    assert one.verdict.level == "slowed"
    assert one.calls_per_second == pytest.approx(10.0, abs=2.0)
    a, b = one.trunks.lines["a"], one.trunks.lines["b"]
    a.leave(100.0, "one")
    assert a.wait(100.0) == b.wait(100.0) == pytest.approx(1 / int(one.calls_per_second or 0))
    assert one.blockers.why_not() is None
    assert "calls a second at most" in (one.trunks.pace.reason or "")


async def test_a_stop_is_a_reason_for_everybody_and_full_lets_all_go() -> None:
    one = made()
    one.take(0.0, FULL)
    assert one.blockers.why_not() == (
        "overload: Asterisk's task processors are 120% full: no new calls until that is over"
    )
    for second in range(1, 16):
        one.take(float(second), CALM)
    assert one.blockers.why_not() is None
    assert one.trunks.pace.slots is None
    assert one.trunks.pace.reason is None


async def test_the_log_says_once_that_it_begins_stops_and_is_over() -> None:
    one = made()
    samples = [DEEP] * 5 + [FULL] * 5 + [DEEP] * 5 + [CALM] * 16
    with capture_logs() as lines:
        for second, sample in enumerate(samples):
            one.take(float(second), sample)
    words = [line["event"] for line in lines]
    assert words == [
        "overload: new calls are slowed",
        "overload: new calls are stopped now",
        "overload is over; new calls leave as always",
    ]
    assert one.times == 1


async def test_the_status_says_it_in_words() -> None:
    one = made()
    assert overload_in_words(one.status()) == "load: not measured yet"
    one.take(0.0, Sample(depth=1.2, answer_s=0.003, cpu=0.5))
    assert "new calls are stopped" in overload_in_words(one.status())
    assert "(task processors full 120%, Asterisk answers in 3 ms, CPUs busy 50%)" in overload_in_words(
        one.status()
    )


async def test_a_question_without_an_answer_goes_on_counting() -> None:
    asked = Asked(asyncio.Event().wait, (TimeoutError,))  # type: ignore[arg-type]
    asked.again()
    await asyncio.sleep(0)
    first = asked.took(asyncio.get_running_loop().time())
    asked.again()
    later = asked.took(asyncio.get_running_loop().time() + 5.0)
    assert first is not None
    assert later is not None
    assert later >= 5.0
    await asked.close()


def test_the_share_of_busy_cpus(tmp_path: Path) -> None:
    cpus = Cpus(tmp_path / "stat")
    assert cpus.take() is None
    (tmp_path / "stat").write_text("cpu 100 0 100 700 100 0 0 0 0 0\n")
    assert cpus.take() is None
    (tmp_path / "stat").write_text("cpu 150 0 125 715 110 0 0 0 0 0\n")
    assert cpus.take() == pytest.approx(0.75)


def test_memory_goes_back_by_growth_and_at_the_latest_after_ten_minutes() -> None:
    trim = Trim()
    assert not trim.due(500, 0.0)
    assert not trim.due(500 + GROWTH - 1, 10.0)
    assert trim.due(500 + GROWTH, 20.0)
    trim.done(600, 20.0)
    assert not trim.due(600, 20.0 + TRIM_AT_LEAST_S - 1)
    assert trim.due(600, 20.0 + TRIM_AT_LEAST_S)


class Frozen:
    """A lease that is not known again before the test says so."""

    def __init__(self) -> None:
        self.woken = True
        self.known = asyncio.Event()

    async def looked(self) -> None:
        await self.known.wait()
        self.woken = False


async def test_too_many_events_after_a_freeze_are_forgotten_and_compared_instead() -> None:
    frozen, delivered, why = Frozen(), [], []
    awakening = Awakening(
        frozen, Tasks(), lambda node, event: delivered.append(event), lambda: False, why.append
    )  # type: ignore[arg-type]
    for number in range(MOST_KEPT + 3):
        awakening.on_event("main", number)
    assert why == [f"{MOST_KEPT} events waited for the lease"]
    frozen.known.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert delivered == [MOST_KEPT, MOST_KEPT + 1, MOST_KEPT + 2]


async def test_the_engine_is_behind_until_the_kept_events_are_told_and_for_good_once_displaced() -> None:
    frozen, lost, delivered = Frozen(), asyncio.Event(), list[bool]()
    awakening = Awakening(
        frozen,  # type: ignore[arg-type]
        Tasks(),
        lambda node, event: delivered.append(awakening.behind),
        lost.is_set,
    )
    assert awakening.behind, "before anything was read"
    awakening.on_event("main", "kept")
    frozen.woken = False  # the database says nothing, and the look goes on
    assert awakening.behind
    frozen.known.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert (delivered, awakening.behind) == ([False], False)
    lost.set()
    assert awakening.behind


async def test_what_was_said_on_a_link_before_is_forgotten_when_it_is_back() -> None:
    """It is older than the comparison that follows: an arrival of a leg that is dead by now ends the one that lives."""
    frozen, delivered = Frozen(), list[tuple[str, object]]()
    awakening = Awakening(frozen, Tasks(), lambda *told: delivered.append(told), lambda: False)  # type: ignore[arg-type]
    awakening.on_event("main", "old")
    awakening.on_event("other", "of another link")
    awakening.link_up("main")
    awakening.on_event("main", "new")
    frozen.known.set()
    for _ in range(5):
        await asyncio.sleep(0)
    awakening.on_event("main", "later")
    assert delivered == [("other", "of another link"), ("main", "new"), ("main", "later")]


async def test_an_event_that_cannot_be_handled_takes_no_others_with_it() -> None:
    frozen, delivered = Frozen(), list[object]()

    def deliver(node: str, event: object) -> None:
        if event == "bad":
            raise ValueError(event)
        delivered.append(event)

    awakening = Awakening(frozen, Tasks(), deliver, lambda: False)  # type: ignore[arg-type]
    for event in ("bad", "good"):
        awakening.on_event("main", event)
    frozen.known.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert delivered == ["good"]
