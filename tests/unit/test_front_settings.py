"""The front's settings and the files they become: who stands behind it, and what may not be said."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.front_config import BackNode, FrontConfig, back_nodes, front_address, front_config
from dialer_engine.pbx.front_render import ha1, render_agents, render_front, render_nodes
from dialer_engine.pbx.instance import FrontAddress, NodeConfig, NodeError, NodeSecrets
from dialer_engine.pbx.render import FRONT_ENDPOINT, AgentAccount, Prompts, render_engine_node
from dialer_engine.pbx.template import RenderError
from dialer_engine.settings.home import ServiceUser
from dialer_engine.settings.load import load_config
from dialer_engine.settings.models import Settings

pytestmark = pytest.mark.unit
NOBODY = ServiceUser(65534, 65534, "nobody")
BUNDLE = Bundle(Path("/nowhere"), "x86_64-linux-gnu")
EVERYWHERE = "0.0.0.0"  # noqa: S104
NODE = {
    "name": "b",
    "ari_url": "http://10.0.0.5:8088",
    "ari_user": "u",
    "ari_password": "p",
    "ami_host": "10.0.0.5",
    "ami_user": "u",
    "ami_password": "p",
}


def settings(**more: object) -> Settings:
    """Settings with a front at 10.0.0.2 and two nodes."""
    return Settings.model_validate(
        {
            "asterisk": {"node": {"bind": "10.0.0.4", "sip_port": 5070}, "nodes": [NODE]},
            "front": {"bind": "10.0.0.2", **more},
        }
    )


def place(made: Settings, home: Path) -> FrontConfig:
    """The front of these settings in a directory."""
    config = front_config(made, home, NOBODY)
    config.directory.mkdir(exist_ok=True)
    return config


def test_every_node_stands_behind_the_front() -> None:
    assert render_nodes(back_nodes(settings().asterisk)) == (
        "1 sip:10.0.0.4:5070 0 0 duid=main\n1 sip:10.0.0.5:5060 0 0 duid=b\n"
    )


def test_a_machine_of_its_own_needs_three_sections_and_no_password_of_a_node(tmp_path: Path) -> None:
    document = {
        "asterisk": {"node": {"bind": "10.0.0.4", "sip_port": 5070}, "nodes": [NODE]},
        "front": {"bind": "203.0.113.10", "node_bind": "10.0.0.2"},
        "database": {"url": "postgresql://dialer_app:x@10.0.0.3:5432/dialer"},
    }
    (tmp_path / "dialer.yaml").write_text(yaml.safe_dump(document))
    found = front_config(load_config(tmp_path).settings, tmp_path, NOBODY)
    assert [node.name for node in found.nodes] == ["main", "b"]


def test_without_a_front_there_is_none() -> None:
    assert front_address(None) is None
    with pytest.raises(NodeError, match="has no `front`"):
        front_config(Settings(), Path("/home"), NOBODY)


def test_addresses_stand_in_the_configuration(tmp_path: Path) -> None:
    made = settings(external_address="203.0.113.9", node_bind="10.0.1.2", node_port=5099)
    text = render_front(BUNDLE, place(made, tmp_path))["kamailio.cfg"]
    assert 'listen = udp:10.0.0.2:5060 advertise 203.0.113.9:5060 name "phones"' in text
    assert 'listen = udp:10.0.1.2:5099 name "nodes"' in text
    assert "{{" not in text


def test_ipv6_addresses_get_brackets() -> None:
    assert render_nodes([BackNode("b", "2001:db8::1", 5060)]) == "1 sip:[2001:db8::1]:5060 0 0 duid=b\n"


def test_rendering_again_changes_nothing(tmp_path: Path) -> None:
    config = place(settings(), tmp_path)
    assert render_front(BUNDLE, config) == render_front(BUNDLE, config)


def test_agents_are_written_without_their_passwords() -> None:
    ana = AgentAccount("ana", "a:b c")
    assert render_agents([ana]).splitlines()[1] == f"ana:0:0:{ha1(ana)}:0"
    assert "a:b c" not in render_agents([ana])


@pytest.mark.parametrize("name", ["a:b", "a b", "a\nb", "", "ä", '"', "a\\n"])
def test_names_that_would_be_more_than_a_name_are_refused(name: str) -> None:
    with pytest.raises(RenderError, match="agent name"):
        render_agents([AgentAccount(name, "x")])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"bind": EVERYWHERE}, "names no address"),
        ({"node_port": 5060}, "are both 5060"),
        ({"bind": "10.0.0.4", "sip_port": 5070}, "both listen on 10.0.0.4 port 5070"),
        ({"bind": "2001:db8::1"}, "'2001:db8::1' is an IPv6 address"),
        ({"node_bind": "::1"}, "'::1' is an IPv6 address"),
    ],
)
def test_what_cannot_work_is_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(**more)


@pytest.mark.parametrize("bind", ["::", "::1", "2001:db8::1", "::ffff:10.0.0.4"])
def test_a_node_speaks_sip_by_ipv4_only(bind: str) -> None:
    with pytest.raises(ValidationError, match="is an IPv6 address") as caught:
        Settings.model_validate({"asterisk": {"node": {"bind": bind}}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("asterisk", "node", "bind")
    assert "an IPv4 address of this machine" in error["ctx"]["allowed"]


def test_a_node_is_controlled_by_ipv6_too() -> None:
    node = {"control_bind": "fd00::5", "control_permit": ["fd00::4"]}
    assert Settings.model_validate({"asterisk": {"node": node}}).asterisk.node.control_bind == "fd00::5"


def test_a_node_must_have_one_address() -> None:
    with pytest.raises(ValidationError, match="the front cannot reach a node at"):
        Settings.model_validate({"asterisk": {"node": {"bind": EVERYWHERE}}, "front": {"bind": "10.0.0.2"}})


def node(tmp_path: Path, front: FrontAddress | None) -> str:
    """A node's pjsip.conf."""
    config = NodeConfig("main", tmp_path, NOBODY, bind="10.0.0.4", front=front)
    paths = Prompts(*(Path(f"/{word}") for word in ("a", "b", "c", "d")))
    agents = [AgentAccount("ana", "secret")]
    return render_engine_node(BUNDLE, config, NodeSecrets("x", "y"), {}, agents, paths)["pjsip.conf"]


def test_behind_a_front_a_node_takes_agents_from_it_alone(tmp_path: Path) -> None:
    text = node(tmp_path, FrontAddress("10.0.0.2", 5062))
    assert "[ana](agent-behind-front)" in text
    assert "contact = sip:ana@10.0.0.2:5062" in text
    assert "permit = 10.0.0.2" in text
    assert f"[{FRONT_ENDPOINT}]" in text
    assert "media_address = 10.0.0.4" in text


def test_without_a_front_a_node_is_as_ever(tmp_path: Path) -> None:
    text = node(tmp_path, None)
    assert "[ana](agent)" in text
    assert FRONT_ENDPOINT not in text
    assert "behind-front" not in text


def test_audio_goes_to_the_public_address_of_a_node(tmp_path: Path) -> None:
    config = NodeConfig("m", tmp_path, NOBODY, bind="10.0.0.4", front=FrontAddress("10.0.0.2", 5062))
    config = replace(config, external_address="203.0.113.4")
    paths = Prompts(*(Path(f"/{word}") for word in ("a", "b", "c", "d")))
    text = render_engine_node(BUNDLE, config, NodeSecrets("x", "y"), {}, [], paths)["pjsip.conf"]
    assert "media_address = 203.0.113.4" in text
