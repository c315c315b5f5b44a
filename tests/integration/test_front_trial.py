"""Whether a front would start, found out without touching one that runs."""

from pathlib import Path

import pytest
from front_support import front_settings
from lab_support import processes_of

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front import Front
from dialer_engine.pbx.front_config import BackNode, FrontConfig
from dialer_engine.pbx.front_trial import try_front
from dialer_engine.pbx.instance import NodeError
from dialer_engine.settings.home import service_user

pytestmark = pytest.mark.asterisk

NODES = (BackNode("n0", "127.0.0.1", 5999),)


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
