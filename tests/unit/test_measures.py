"""What is measured at a further node: how late its events come by its own clock, and what its keeper tells."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dialer_engine.core.overload import Brake, Sample
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.measures import OLD_S, Lateness, Told
from dialer_engine.engine.node_link import Access
from dialer_engine.engine.overload import Overload
from dialer_engine.engine.station import Station
from dialer_engine.engine.surroundings import Blockers
from dialer_engine.engine.trunks import Trunks
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriLinkLost
from dialer_engine.pbx.ari.models import StasisEnd

pytestmark = pytest.mark.unit


class Far:
    """A further node with a clock of its own, `ahead` of ours by so many seconds, and the station that watches it."""

    def __init__(self, ahead: float) -> None:
        self.ahead, self.cut = ahead, False
        self.variables: dict[str, str] = {}
        access = Access("far", "http://127.0.0.1:1", "u", "p", "127.0.0.1", 1, "u", "p")
        self.station = Station(
            access, Path("/"), None, Trunks({}), lambda node, event: None, lambda node, up: None, lambda: True
        )
        self.station.commands = Commands(self)  # type: ignore[arg-type]

    @property
    def time(self) -> str:
        """What its clock says, as it stands in answers and events."""
        return (utc_now() + timedelta(seconds=self.ahead)).isoformat(timespec="milliseconds")

    async def request(self, method: str, path: str, **more: Any) -> bytes:
        if self.cut:
            raise AriLinkLost("cut")
        if (method, path) == ("GET", "/asterisk/variable"):
            return json.dumps({"value": self.variables.get(more["query"]["variable"], "")}).encode()
        assert (method, path) == ("GET", "/asterisk/ping")
        return json.dumps({"asterisk_id": "far", "ping": "pong", "timestamp": self.time}).encode()

    def event(self, late: float = 0.0) -> None:
        """An event comes `late` seconds after it was stamped there."""
        self.ahead -= late
        channel: Any = None
        self.station._on_event(StasisEnd(application="dialer", timestamp=self.time, channel=channel))
        self.ahead += late


@pytest.mark.parametrize(
    ("before", "after"), [(2.0, 0.0), (-2.0, 0.0), (0.0, 2.0), (0.0, -2.0), (3600.0, 0.0)]
)
async def test_a_clock_that_is_set_brakes_nobody(before: float, after: float) -> None:
    far, brake, levels = Far(before), Brake(), []
    for second in range(20):
        await far.station.ping(5.0)
        far.event()
        if second == 9:  # in the middle of it
            far.ahead = after
            far.event()
        late = far.station.lateness.take()
        levels.append(brake.decide(float(second), Sample(event_late_s=late)).level)
    assert set(levels) == {"full"}
    assert late == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("ahead", [2.0, 0.0, -2.0])
async def test_late_events_of_a_node_brake_whatever_its_clock_says_and_for_as_long_as_they_come(
    ahead: float,
) -> None:
    far, brake = Far(ahead), Brake()
    for second in range(600):
        await far.station.ping(5.0)
        far.event(late=1.6)
        late = far.station.lateness.take()
        assert late == pytest.approx(1.6, abs=0.1)
        assert brake.decide(float(second), Sample(event_late_s=late)).level == (
            "stopped" if second else "full"
        )


async def test_before_its_clock_is_known_nothing_is_said() -> None:
    far = Far(-3600.0)
    far.event()
    assert far.station.lateness.take() is None


def test_a_slow_answer_says_nothing_about_the_clock() -> None:
    lateness = Lateness(ahead_s=None)
    lateness.compare(utc_now(), 0.02, utc_now() + timedelta(seconds=2.01))
    assert lateness.ahead_s == pytest.approx(2.0, abs=0.01)
    lateness.compare(utc_now(), 4.0, utc_now())
    assert lateness.ahead_s == pytest.approx(2.0, abs=0.01)


# --- task processors ----------------------------------------------------------------------------------


async def test_the_task_processors_of_a_further_node_are_as_full_as_its_keeper_tells() -> None:
    far = Far(0.0)
    assert await far.station.depth() is None, "nobody tells of an Asterisk that somebody else runs"
    far.variables["DIALER_DEPTH"] = "1764470000.1:1.250"
    assert await far.station.depth() == 1.25
    far.variables["DIALER_DEPTH"] = "1764470001.1:0.004"
    assert await far.station.depth() == 0.004
    far.cut = True
    assert await far.station.depth() is None


async def test_a_node_that_cannot_be_asked_hides_no_other_one() -> None:
    far, full = Far(0.0), Far(0.0)
    far.cut = True
    full.variables["DIALER_DEPTH"] = "1764470000.1:1.250"
    brake = Overload(Trunks({}), Blockers(), [far.station, full.station])
    assert await brake._depth() == 1.25


def test_a_keeper_that_has_ended_leaves_no_word_for_ever() -> None:
    told = Told()
    assert told.take("1.0:0.6", 100.0) == 0.6
    assert told.take("1.0:0.6", 100.0 + OLD_S) == 0.6
    assert told.take("1.0:0.6", 100.1 + OLD_S) is None
    assert told.take("2.0:0.6", 101.0 + OLD_S) == 0.6
    assert told.take("", 102.0) is None
