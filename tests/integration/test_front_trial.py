"""Whether a front would start, found out without touching one that runs; and a change that it does not start by."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from front_support import front_settings
from lab_support import processes_of

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_config import BackNode, FrontConfig
from dialer_engine.pbx.front_trial import try_front
from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.render import AgentAccount
from dialer_engine.settings.home import service_user

pytestmark = pytest.mark.asterisk

NODES = (BackNode("n0", "127.0.0.1", 5999),)
ANA, BO = AgentAccount("ana", "first-1"), AgentAccount("bo", "second-2")


def config(directory: Path, **settings: object) -> FrontConfig:
    return FrontConfig(directory, service_user(), front_settings(**settings), NODES)


def test_a_front_that_would_start_leaves_nothing_behind(kamailio: Bundle, node_home: Path) -> None:
    wanted = config(node_home / "never")
    try_front(kamailio, wanted)
    assert not wanted.directory.exists()
    assert processes_of(Path("/tmp/front-")) == [], "processes of the trial are left"


def test_an_address_of_another_machine_passes_kamailios_own_check_only(
    kamailio: Bundle, node_home: Path
) -> None:
    foreign = config(node_home / "foreign", bind="192.0.2.7", node_bind="127.0.0.1")
    front = Front(kamailio, foreign)
    front.render()
    front.check()
    with pytest.raises(NodeError, match=r"cannot listen on 192\.0\.2\.7.*Set front\.bind"):
        try_front(kamailio, foreign)


@pytest.fixture
def running(kamailio: Bundle, node_home: Path) -> Iterator[Front]:
    """A front that runs, with one agent."""
    front = Front(kamailio, config(node_home / "running"))
    front.render([ANA])
    front.ensure_running()
    yield front
    front.stop()


def written(front: Front) -> dict[str, str]:
    """The files of a front by name."""
    return {path.name: path.read_text("utf-8") for path in front.config.path("etc").iterdir()}


def changed(front: Front, **settings: object) -> FrontConfig:
    """The front's configuration with other settings."""
    return replace(front.config, settings=front.config.settings.model_copy(update=settings))


def test_a_foreign_address_is_refused_while_the_front_runs_on(running: Front) -> None:
    before, files, pid = running.config, written(running), running.pid
    with pytest.raises(NodeError, match=r"(?s)192\.0\.2\.1.*front\.node_port.*goes on as it was before"):
        running.apply([ANA], changed(running, node_bind="192.0.2.1"))
    assert (running.config, written(running), running.pid) == (before, files, pid)
    assert running.apply([ANA]) == set(), "what was refused is not tried again"


def test_what_kamailio_refuses_is_taken_back_while_the_front_runs_on(running: Front) -> None:
    files, pid = written(running), running.pid
    with pytest.raises(NodeError, match=r"(?s)refuses it.*goes on as it was before"):
        running.apply([ANA], changed(running, external_address="no host"))
    assert (written(running), running.pid) == (files, pid)


def test_a_front_that_does_not_start_by_a_change_starts_as_before(running: Front) -> None:
    before, files, pid = running.config, written(running), running.pid
    unprobed = changed(running, external_address="127.0.0.1\nlisten = 192.0.2.1")
    with pytest.raises(NodeError, match=r"(?s)did not start.*goes on as it was before"):
        running.apply([ANA], unprobed)
    assert running.alive()
    assert running.pid != pid
    assert (running.config, written(running)) == (before, files)
    assert running.apply([ANA], changed(running, workers=3)) == {"kamailio.cfg"}


def test_agents_that_a_front_could_not_be_told_of_are_tried_again(running: Front) -> None:
    files, pid, aside = written(running), running.pid, running.config.path("run", "aside.sock")
    running.config.control.rename(aside)
    with pytest.raises(NodeError, match="goes on as it was before"):
        running.apply([ANA, BO])
    assert (written(running), running.pid) == (files, pid)
    aside.rename(running.config.control)
    assert running.apply([ANA, BO]) == {"agents"}
