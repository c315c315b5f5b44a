"""Rendering of Asterisk's configuration: every value in its place, none that could mean something else."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialer_engine.engine import node_link
from dialer_engine.engine.node_link import ManagedNode
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.instance import NodeConfig, NodeSecrets
from dialer_engine.pbx.node import parse_task_processors
from dialer_engine.pbx.reach import fact_lines, facts_of
from dialer_engine.pbx.render import (
    NO_REDIRECT,
    AgentAccount,
    Prompts,
    base_files,
    instance_values,
    pjsip_base,
    render_engine_node,
    trunk_endpoint,
    watch_endpoint,
)
from dialer_engine.pbx.template import TEMPLATES, Block, RenderError, checked, fill, setting_lines
from dialer_engine.settings.home import ServiceUser, service_user
from dialer_engine.settings.trunk import Trunk

pytestmark = pytest.mark.unit

SECRETS = NodeSecrets(ari_password="ari-pass", ami_password="ami-pass")
BUNDLE = Bundle(Path("/bundle"), "x86_64-linux-gnu")
PROMPTS = Prompts(Path("/s/drop"), Path("/s/removed"), Path("/s/away"), Path("/s/wrong"))
CONFIG = NodeConfig("main", Path("/srv/dialer/nodes/main"), service_user(), sip_port=5070, rtp_start=12000)
ANNA = AgentAccount("anna", "s3cret-word")
Sections = list[tuple[str, dict[str, list[str]]]]


def files(
    config: NodeConfig = CONFIG,
    trunks: dict[str, Trunk] | None = None,
    agents: tuple[AgentAccount, ...] = (ANNA,),
) -> dict[str, str]:
    return render_engine_node(BUNDLE, config, SECRETS, trunks or {}, agents, PROMPTS)


def sections(text: str) -> Sections:
    """Read a configuration file as Asterisk would: sections in order, each with its settings."""
    found: Sections = []
    for raw in text.splitlines():
        line = re.sub(r"(?<!\\);.*", "", raw).strip()
        if header := re.fullmatch(r"\[([^]]+)\](?:\((.*)\))?", line):
            found.append((header[1], {"(": [header[2]] if header[2] else []}))
        elif line:
            name, _, value = line.partition("=")
            found[-1][1].setdefault(name.strip(), []).append(value.lstrip(">").strip())
    return found


def trunk_sections(**options: object) -> dict[str, dict[str, list[str]]]:
    """The sections of one trunk by type; the endpoint has none of its own."""
    text = files(trunks={"acme": Trunk(host="203.0.113.5", **options)})["pjsip.conf"]
    mine = [body for name, body in sections(text) if name == "trunk-acme@trunk-no-redirect"]
    return {body.get("type", ["endpoint"])[0]: body for body in mine}


def test_no_placeholder_is_left_over() -> None:
    for name, text in files(trunks={"acme": Trunk(host="203.0.113.5", transport="tls")}).items():
        assert "{{" not in text, name


def test_every_instance_has_the_same_base() -> None:
    values = instance_values(BUNDLE, CONFIG, SECRETS)
    base = base_files(values, ["app_queue"])
    assert "load = app_queue.so" in base["modules.conf"]
    assert "load = app_queue.so" not in files()["modules.conf"]
    assert set(base) <= set(files())
    assert isinstance(pjsip_base(values), Block)


def test_modules_are_loaded_by_name_and_the_risky_ones_are_not_there() -> None:
    modules = dict(sections(files()["modules.conf"]))["modules"]
    assert modules["autoload"] == ["no"]
    loaded = modules["load"]
    assert len(loaded) == len(set(loaded))
    risky = "app_system func_shell func_curl pbx_spool cdr_csv res_pjsip_mwi res_phoneprov res_pjsip_refer"
    # The device state module can deadlock ARI when a connection closes.
    locking = ["res_stasis_device_state", "res_ari_device_states"]
    assert not {f"{name}.so" for name in [*risky.split(), "app_dial", *locking]} & set(loaded)


def test_hardening_settings() -> None:
    rendered = files()
    options = dict(sections(rendered["asterisk.conf"]))["options"]
    assert options["live_dangerously"] == ["no"]
    assert options["disable_remote_console_shell"] == ["yes"]
    rtp = dict(sections(rendered["rtp.conf"]))["general"]
    assert (rtp["icesupport"], rtp["strictrtp"]) == (["no"], ["yes"])
    ari = dict(sections(rendered["ari.conf"]))["general"]
    assert int(ari["websocket_write_timeout"][0]) == 1000
    manager = dict(sections(rendered["manager.conf"]))
    assert manager["general"]["webenabled"] == ["no"]
    assert int(manager["engine"]["writetimeout"][0]) >= 5000
    assert "originate" not in manager["engine"]["write"][0]
    assert "command" not in manager["engine"]["write"][0]
    for name in ("cdr.conf", "cel.conf"):
        assert dict(sections(rendered[name]))["general"]["enable"] == ["no"]


def test_control_stays_on_loopback_when_phones_are_elsewhere() -> None:
    rendered = files(replace(CONFIG, bind="192.0.2.10"))
    assert "bind = 192.0.2.10:5070" in rendered["pjsip.conf"]
    assert dict(sections(rendered["http.conf"]))["general"]["bindaddr"] == ["127.0.0.1"]
    assert dict(sections(rendered["manager.conf"]))["general"]["bindaddr"] == ["127.0.0.1"]


def test_control_beyond_loopback_is_for_the_named_engines_and_this_machine() -> None:
    for config in (CONFIG, replace(CONFIG, control_bind="127.0.0.9", control_permit=("10.0.0.4",))):
        rendered = files(config)
        assert "deny" not in rendered["http.conf"] + rendered["manager.conf"]
    rendered = files(replace(CONFIG, control_bind="10.0.0.5", control_permit=("10.0.0.4", "10.1.0.0/16")))
    permitted = ["127.0.0.1", "::1", "10.0.0.5", "10.0.0.4", "10.1.0.0/16"]
    for name, section in (("http.conf", "/"), ("manager.conf", "engine")):
        body = dict(sections(rendered[name]))[section]
        assert (body["deny"], body["permit"]) == (["0.0.0.0/0", "::/0"], permitted)
    assert dict(sections(rendered["http.conf"]))["/"]["type"] == ["restriction"]
    assert "read" in dict(sections(rendered["manager.conf"]))["engine"]


def test_an_unspecified_address_permits_itself_by_loopback() -> None:
    everywhere = replace(CONFIG, control_bind=".".join("0000"), control_permit=("10.0.0.4",))
    body = dict(sections(files(everywhere)["http.conf"]))["/"]
    assert body["permit"] == ["127.0.0.1", "::1", "10.0.0.4"]
    assert everywhere.ari_url == "http://127.0.0.1:8088"
    assert replace(CONFIG, control_bind="::").ari_url == "http://[::1]:8088"


def test_facts_are_globals_of_the_dialplan() -> None:
    assert fact_lines({}) == ""
    lines = fact_lines(facts_of("1.2.3", {"spring": "abc123"}))
    assert dict(sections(lines))["globals"] == {
        "(": [],
        "DIALER_RECORDING_spring": ["abc123"],
        "DIALER_VERSION": ["1.2.3"],
    }
    with pytest.raises(RenderError):
        fact_lines({"A": "x\ny"})


def test_addresses_and_directories_are_the_instances_own() -> None:
    config = replace(CONFIG, directory=Path("/other/place"), http_port=1234, ami_port=1235, rtp_end=12100)
    rendered = files(config)
    assert "astrundir = /other/place/run" in rendered["asterisk.conf"]
    assert "bindport = 1234" in rendered["http.conf"]
    assert "port = 1235" in rendered["manager.conf"]
    assert "rtpstart = 12000" in rendered["rtp.conf"]
    assert "rtpend = 12049" in rendered["rtp.conf"], "one half of its ports"
    assert "/srv/dialer" not in "".join(rendered.values())


def test_nat_is_written_for_every_transport_when_asked() -> None:
    config = replace(
        CONFIG, external_address="198.51.100.7", local_networks=("1192.0.2.10/8", "192.168.0.0/16")
    )
    text = files(config)["pjsip.conf"]
    transports = [body for name, body in sections(text) if name.startswith("transport-")]
    assert len(transports) == 2
    for body in transports:
        assert body["local_net"] == ["1192.0.2.10/8", "192.168.0.0/16"]
        assert body["external_media_address"] == body["external_signaling_address"] == ["198.51.100.7"]
    assert "external" not in files()["pjsip.conf"]


def test_users_are_asked_before_addresses() -> None:
    assert dict(sections(files()["pjsip.conf"]))["global"]["endpoint_identifier_order"] == ["username,ip"]


def test_an_agent_has_endpoint_auth_and_aor() -> None:
    mine = [body for name, body in sections(files()["pjsip.conf"]) if name == "anna"]
    endpoint, auth, aor = mine
    assert (endpoint["("], endpoint["aors"], endpoint["auth"]) == (["agent"], ["anna"], ["anna"])
    assert (auth["username"], auth["password"]) == (["anna"], ["s3cret-word"])
    assert aor["("] == ["agent-aor"]
    template = dict(sections(files()["pjsip.conf"]))["agent"]
    assert template["context"] == ["agents"]
    assert template["dtmf_mode"] == ["rfc4733"]
    assert "rtp_timeout" not in template


def test_a_trunk_with_ip_authentication() -> None:
    found = trunk_sections(inbound_ips=["203.0.113.0/24"])
    assert set(found) == {"endpoint", "aor", "identify"}
    assert found["aor"]["contact"] == ["sip:203.0.113.5:5060"]
    assert found["identify"]["match"] == ["203.0.113.5,203.0.113.0/24"]
    assert found["endpoint"]["send_pai"] == ["yes"]
    assert found["endpoint"]["allow"] == ["ulaw"]
    assert "outbound_auth" not in found["endpoint"]


def test_a_redirect_leads_nowhere_and_an_agent_cannot_stand_there() -> None:
    """With uri_core Asterisk would dial PJSIP/ENDPOINT/CONTACT and take what follows the @ of ENDPOINT for its name."""
    text = files(trunks={"acme": Trunk(host="203.0.113.5")})["pjsip.conf"]
    template = next(body for name, body in sections(text) if name == "trunk")
    assert template["redirect_method"] == ["uri_core"]
    assert (template["send_connected_line"], template["allow_transfer"]) == (["no"], ["no"])
    assert trunk_endpoint("acme").split("@") == ["trunk-acme", NO_REDIRECT]
    assert NO_REDIRECT not in {name for name, _ in sections(text)}
    assert "disable_multi_domain = yes" in text
    with pytest.raises(RenderError, match="reserved"):
        files(agents=(AgentAccount(NO_REDIRECT, "pw-1"),))


def test_a_call_on_hold_may_be_without_audio_for_longer() -> None:
    found = trunk_sections(audio_lost_s=12)["endpoint"]
    assert (found["rtp_timeout"], found["rtp_timeout_hold"]) == (["12"], ["60"])
    assert trunk_sections()["endpoint"]["rtp_timeout"] == ["60"]


def test_a_trunk_that_registers() -> None:
    found = trunk_sections(username="acct", password="pw-1", register=True, port=5080)
    assert found["auth"]["username"] == ["acct"]
    assert found["auth"]["password"] == ["pw-1"]
    assert found["registration"]["client_uri"] == ["sip:acct@203.0.113.5:5080"]
    assert found["registration"]["server_uri"] == ["sip:203.0.113.5:5080"]
    assert found["endpoint"]["outbound_auth"] == ["trunk-acme@trunk-no-redirect"]


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_other_transports(transport: str) -> None:
    found = trunk_sections(transport=transport)
    assert found["endpoint"]["transport"] == [f"transport-{transport}"]
    assert found["aor"]["contact"] == [f"sip:203.0.113.5:5060\\;transport={transport}"]


def test_tls_listens_only_when_a_trunk_needs_it() -> None:
    assert "transport-tls" not in files()["pjsip.conf"]
    text = files(trunks={"acme": Trunk(host="sip.example.com", transport="tls")})["pjsip.conf"]
    assert dict(sections(text))["transport-tls"]["verify_server"] == ["yes"]


@pytest.mark.parametrize(
    ("header", "pai", "rpid"), [("from", "no", "no"), ("pai", "yes", "no"), ("rpid", "no", "yes")]
)
def test_where_the_caller_id_goes(header: str, pai: str, rpid: str) -> None:
    endpoint = trunk_sections(caller_id_header=header)["endpoint"]
    assert (endpoint["send_pai"], endpoint["send_rpid"]) == ([pai], [rpid])


def test_codecs_and_from_as_the_carrier_wants_them() -> None:
    endpoint = trunk_sections(codecs=["alaw", "ulaw"], from_user="acme", from_domain="example.com")[
        "endpoint"
    ]
    assert endpoint["allow"] == ["alaw,ulaw"]
    assert (endpoint["from_user"], endpoint["from_domain"]) == (["acme"], ["example.com"])


def watching(**options: object) -> dict[str, dict[str, list[str]]]:
    """The sections of what asks a trunk's carrier with OPTIONS, by type."""
    text = files(trunks={"acme": Trunk(host="203.0.113.5", **options)})["pjsip.conf"]
    return {body["type"][0]: body for name, body in sections(text) if name == watch_endpoint("acme")}


def test_options_are_asked_by_an_endpoint_that_can_stand_in_a_from_header_and_has_no_calls() -> None:
    found = watching(transport="tcp", from_user="acct", from_domain="example.com", username="u", password="p")
    assert "@" not in watch_endpoint("acme")
    assert found["aor"]["contact"] == ["sip:203.0.113.5:5060\\;transport=tcp"]
    assert found["aor"]["qualify_frequency"] == ["10"]
    assert found["endpoint"]["aors"] == [watch_endpoint("acme")]
    assert found["endpoint"]["transport"] == ["transport-tcp"]
    assert (found["endpoint"]["from_user"], found["endpoint"]["from_domain"]) == (["acct"], ["example.com"])
    assert found["endpoint"]["identify_by"] == ["ip"], "and no section of type identify leads to it"
    assert set(found) == {"endpoint", "aor"}


def test_the_trunks_own_contact_is_not_asked() -> None:
    """Asterisk places no call to a contact that is asked and does not answer; many carriers never answer."""
    assert "qualify_frequency" not in trunk_sections()["aor"]


def test_a_carrier_that_is_not_to_be_asked() -> None:
    assert watching(options_every_s=0) == {}


def test_order_of_names_does_not_change_the_text() -> None:
    one = {"b": Trunk(host="203.0.113.5"), "a": Trunk(host="203.0.113.6")}
    other = dict(reversed(one.items()))
    berta = AgentAccount("berta", "pw-2")
    assert files(trunks=one, agents=(ANNA, berta)) == files(trunks=other, agents=(berta, ANNA))


def test_the_dialplan_waits_for_the_claim_and_then_plays_the_message() -> None:
    text = files()["extensions.conf"]
    assert "StasisBroadcast(${MAX_WAIT_MS},^dialer$,customer)" in text
    assert "/srv/dialer/nodes/main/agi/optout.py,/srv/dialer/nodes/main/journal/optout,${UNIQUEID}" in text
    assert "exten => 100,1,Answer()" in text
    contexts = [name for name, _ in sections(text)]
    assert contexts == ["general", "outbound", "drop-message", "agents", "from-trunk"]


def test_agents_and_carriers_cannot_dial_out() -> None:
    text = files()["extensions.conf"]
    assert not re.search(r"\b(Dial|System|Originate|Exec|TrySystem|Macro|Gosub|SHELL|CURL)\b", text)


@pytest.mark.parametrize(
    "value", ["a\nb", "a\rb", "a\0b", "a;b", "a[b", "${SHELL(x)}", "$[1+1]", " a", "a ", "", ">a", "a\x1b"]
)
def test_values_that_could_mean_more_are_refused_by_name(value: str) -> None:
    with pytest.raises(RenderError, match=r"^trunks\.acme\.password: "):
        checked(value, "trunks.acme.password")


@pytest.mark.parametrize("value", ["a", "a b", "p@ss=w,rd#!%&()*", "ünïcode", "a'b\"c", "a]b"])
def test_ordinary_values_pass(value: str) -> None:
    assert checked(value, "x") == value


@pytest.mark.parametrize("password", ["semi;colon", "line\nbreak", "brack[et"])
def test_bad_passwords_name_their_owner(password: str) -> None:
    with pytest.raises(RenderError, match="password of agent berta"):
        files(agents=(AgentAccount("berta", password),))


def test_bad_trunk_values_name_the_setting() -> None:
    bad = Trunk.model_construct(
        **(Trunk(host="203.0.113.5", username="u", password="p").model_dump() | {"password": "a;b"})
    )
    with pytest.raises(RenderError, match=r"trunks\.acme\.password"):
        files(trunks={"acme": bad})


@pytest.mark.parametrize(
    "name", ["", "an na", "anna]", "anna\n", "a;b", "ünna", "trunk-acme", "transport-udp", "agent", "global"]
)
def test_bad_or_reserved_agent_names_are_refused(name: str) -> None:
    with pytest.raises(RenderError):
        files(agents=(AgentAccount(name, "pw"),))


def test_one_bad_account_is_left_out_and_told_once(tmp_path: Path) -> None:
    node = ManagedNode(BUNDLE, replace(CONFIG, directory=tmp_path / "n"), tmp_path)
    agents = [
        AgentAccount("global", "pw-1"),
        AgentAccount("berta", "semi;colon"),
        AgentAccount("ana", "pw-2"),
    ]
    with capture_logs() as logs:
        assert "pjsip.conf" in node.render({}, agents)
        node.render({}, agents)
    text = (tmp_path / "n" / "etc" / "pjsip.conf").read_text()
    assert [name for name, _ in sections(text) if name in ("ana", "berta")] == ["ana"] * 3
    assert [each["agent"] for each in logs if "account" in each["event"]] == ["global", "berta"]


async def test_a_long_log_is_seen_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_link, "HOUSEKEEPING_S", 0.01)
    node = ManagedNode(BUNDLE, replace(CONFIG, directory=tmp_path / "n"), tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(node.node, "console", asked.append)
    house = asyncio.create_task(node.keep_house())
    await asyncio.sleep(0.1)
    assert asked == []
    with node.config.path("log", "messages.log").open("wb") as log:
        log.truncate(60_000_000)
    for _ in range(1000):
        if asked:
            break
        await asyncio.sleep(0.01)
    house.cancel()
    assert asked[0] == "logger rotate"


def test_bad_node_values_are_refused() -> None:
    with pytest.raises(RenderError, match="node name"):
        files(replace(CONFIG, name="a b"))
    with pytest.raises(RenderError, match="external_address"):
        files(replace(CONFIG, external_address="1.2.3.4\n[x]"))
    with pytest.raises(RenderError, match="local_networks"):
        files(replace(CONFIG, local_networks=("1192.0.2.10/8;x",)))


def test_trunk_endpoints_cannot_collide_with_agents() -> None:
    assert trunk_endpoint("acme") == "trunk-acme@trunk-no-redirect"
    with pytest.raises(RenderError):
        trunk_endpoint("a@b")


def test_a_template_needs_all_its_values() -> None:
    assert fill("a {{ b }} {{c}}", {"b": 1, "c": Block("x\ny")}) == "a 1 x\ny"
    with pytest.raises(RenderError, match="no value for"):
        fill("{{ missing }}", {})


def test_setting_lines_check_every_value() -> None:
    assert setting_lines({"a": "1", "b": "2"}, "w").text == "a = 1\nb = 2\n"
    with pytest.raises(RenderError, match=r"^w\.b: "):
        setting_lines({"a": "1", "b": ";"}, "w")


def test_secrets_do_not_show_in_representations() -> None:
    assert "ari-pass" not in repr(SECRETS)


def test_every_template_explains_itself() -> None:
    for path in sorted((TEMPLATES / "shared").glob("*.conf")):
        assert path.read_text().startswith(";"), path.name


def test_task_processors_of_the_console_are_read() -> None:
    text = (
        "Processor                      Processed   In Queue  Max Depth  Low water High water\n"
        "ast_msg_queue                          0          0          0        450        500\n"
        "stasis/m:channel:all-0000001b        120          3         41        450        500\n\n"
        "2 taskprocessors\n"
    )
    found = parse_task_processors(text)
    assert found["stasis/m:channel:all-0000001b"].waiting == 3
    assert found["stasis/m:channel:all-0000001b"].most_waiting == 41
    assert len(found) == 2


def test_a_user_without_any_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = ServiceUser(65534, 65534, "nobody")
    monkeypatch.setattr("dialer_engine.pbx.render.unreachable", lambda path, user: path)
    with pytest.raises(Exception, match="install /usr/bin/python3"):
        files(replace(CONFIG, user=nobody))


def test_a_release_laid_over_the_checkout_changes_nothing_of_what_runs(tmp_path: Path) -> None:
    for part in ("asterisk", "dialer_engine/core", "dialer_engine/pbx/template.py"):
        source, target = TEMPLATES.parent / part, tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    program = """
from dialer_engine.pbx.template import TEMPLATES, fill_file, templates_in
path = TEMPLATES / "shared" / "features.conf"
before = fill_file(path, {}), templates_in(path.parent)
path.write_text("; of the next release {{ unknown }}")
(path.parent / "next.conf").write_text("")
assert (fill_file(path, {}), templates_in(path.parent)) == before
print(path.parents[2])
"""
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.strip() == str(tmp_path), told.stderr
