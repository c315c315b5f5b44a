"""The halves of the audio ports that an instance uses in turn."""

from dataclasses import replace
from pathlib import Path

import pytest

from dialer_engine.pbx.instance import NodeConfig
from dialer_engine.pbx.rtp_ports import ports_in_use, ports_served, turn_ports
from dialer_engine.settings.home import service_user

pytestmark = pytest.mark.unit


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    (tmp_path / "etc").mkdir()
    return NodeConfig("main", tmp_path, service_user(), rtp_start=20000, rtp_end=20999)


def conf(config: NodeConfig) -> list[str]:
    text = config.path("etc", "rtp.conf").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith(("rtpstart", "rtpend"))]


def begin(config: NodeConfig) -> None:
    turn_ports(config)
    ports_served(config)


def test_each_start_takes_the_other_half_and_what_runs_keeps_its_own(config: NodeConfig) -> None:
    first, second = (20000, 20499), (20500, 20999)
    assert ports_in_use(config) == first
    begin(config)
    assert ports_in_use(config) == ports_in_use(config) == second
    assert conf(config) == ["rtpstart = 20500", "rtpend = 20999"]
    begin(config)
    assert ports_in_use(config) == first
    assert conf(config) == ["rtpstart = 20000", "rtpend = 20499"]


@pytest.mark.parametrize("failed", [1, 2, 3])
def test_starts_that_fail_never_lead_back_to_the_ports_of_the_calls_before(
    config: NodeConfig, failed: int
) -> None:
    begin(config)
    served = ports_in_use(config)
    for _ in range(failed):
        turn_ports(config)
        assert ports_in_use(config) != served
    begin(config)
    assert ports_in_use(config) != served


def test_an_instance_that_did_not_note_what_it_served_with_turns_too(config: NodeConfig) -> None:
    config.path("rtp-half").write_text("second", encoding="utf-8")
    turn_ports(config)
    assert conf(config) == ["rtpstart = 20000", "rtpend = 20499"]


@pytest.mark.parametrize("end", [20019, 20020, 20021, 20022, 20023, 21000])
def test_halves_begin_at_even_ports_cover_the_range_and_never_meet(config: NodeConfig, end: int) -> None:
    config = replace(config, rtp_end=end)
    start, middle = ports_in_use(config)
    turn_ports(config)
    after, last = ports_in_use(config)
    assert (start, last, after) == (20000, end, middle + 1)
    assert after % 2 == 0
    assert abs((middle - start) - (last - after)) <= 3
