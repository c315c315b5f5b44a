"""Start, adoption, reload and end of a real Asterisk instance, and what goes wrong with them."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from asterisk_support import (
    AGENT,
    Pair,
    Watcher,
    build_pair,
    make_prompts,
    node_config,
    originate,
    until,
)

from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.models import CallBroadcast, ChannelDestroyed, StasisStart
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.console import ask
from dialer_engine.pbx.instance import NodeConfig, NodeError
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.process import host_name_problem, is_instance, pid_file
from dialer_engine.pbx.render import AgentAccount, render_engine_node
from dialer_engine.pbx.rtp_ports import ports_in_use

pytestmark = pytest.mark.asterisk


def rendered(bundle: Bundle, config: NodeConfig) -> Node:
    """A node with its files written, not started."""
    node = Node(bundle, config)
    prompts = make_prompts(config.directory.parent / "prompts")
    node.render(render_engine_node(bundle, config, node.secrets, {}, [AGENT], prompts))
    return node


async def test_a_second_handle_adopts_the_running_instance(pair: Pair) -> None:
    pid = pair.engine.pid
    other = Node(pair.engine.bundle, pair.engine.config)
    assert other.secrets == pair.engine.secrets
    assert other.alive()
    assert await other.ensure_running() is True
    assert other.pid == pid


def test_asterisk_is_neither_root_nor_our_process_group(pair: Pair) -> None:
    pid = pair.engine.pid
    assert pid is not None
    owner = Path(f"/proc/{pid}").stat().st_uid
    assert owner == pair.engine.config.user.uid != 0
    assert os.getsid(pid) == pid


def test_secrets_and_configuration_are_private(pair: Pair) -> None:
    directory = pair.engine.config.directory
    for path in (directory / "secrets.json", *(directory / "etc").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert (directory / "etc" / "pjsip.conf").stat().st_uid == pair.engine.config.user.uid


def test_control_ports_listen_on_loopback_only(pair: Pair) -> None:
    config = pair.engine.config
    listening = subprocess.run(
        ["/bin/cat", "/proc/net/tcp"], capture_output=True, text=True, check=True
    ).stdout
    for port in (config.http_port, config.ami_port):
        addresses = [
            line.split()[1] for line in listening.splitlines() if f":{port:04X} 00000000:0000 0A" in line
        ]
        assert addresses == [f"0100007F:{port:04X}"]


async def test_it_outlives_the_process_that_started_it(bundle: Bundle, node_home: Path) -> None:
    node = rendered(bundle, node_config(node_home, "orphan"))
    config = node.config
    values = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in ((f, getattr(config, f)) for f in ("name", "directory", "sip_port", "http_port"))
    }
    values |= {"ami_port": config.ami_port, "rtp_start": config.rtp_start, "rtp_end": config.rtp_end}
    program = (
        "import asyncio, json, os, signal, sys\n"
        "from pathlib import Path\n"
        "from dialer_engine.pbx.bundle import Bundle\n"
        "from dialer_engine.pbx.node import Node, NodeConfig\n"
        "from dialer_engine.settings.home import service_user\n"
        "given = json.loads(sys.argv[1])\n"
        "given['directory'] = Path(given['directory'])\n"
        "config = NodeConfig(user=service_user(), **given)\n"
        "asyncio.run(Node(Bundle(Path(sys.argv[2]), sys.argv[3]), config).ensure_running())\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program, json.dumps(values), str(bundle.root), bundle.triple]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    try:
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert await node.ensure_running() is True
    finally:
        await node.stop(2.0)
    assert not node.alive()
    assert not pid_file(config).exists()


async def test_a_port_in_use_is_named_with_its_setting(bundle: Bundle, node_home: Path) -> None:
    config = node_config(node_home, "clash")
    for setting, kind in (("http_port", socket.SOCK_STREAM), ("sip_port", socket.SOCK_DGRAM)):
        node = rendered(bundle, config)
        port = getattr(config, setting)
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", port))
            if kind is socket.SOCK_STREAM:
                taken.listen()
            with pytest.raises(NodeError, match=rf"port {port}: .*asterisk.node.{setting}"):
                await node.ensure_running()
        assert not node.alive()


async def test_a_configuration_that_asterisk_refuses_gives_its_reason(
    bundle: Bundle, node_home: Path
) -> None:
    node = rendered(bundle, node_config(node_home, "broken"))
    modules = node.config.path("etc", "modules.conf")
    modules.write_text("[modules]\nautoload = no\nrequire = res_nothing.so\n")
    with pytest.raises(NodeError, match=r"Its last words:[\s\S]*res_nothing"):
        await node.ensure_running()
    assert not node.alive()


async def test_starting_unrendered_is_refused(bundle: Bundle, node_home: Path) -> None:
    node = Node(bundle, node_config(node_home, "empty"))
    with pytest.raises(NodeError, match="render the configuration"):
        await node.ensure_running()


async def test_foreign_secrets_are_noticed_at_adoption(pair: Pair) -> None:
    other = Node(pair.engine.bundle, pair.engine.config)
    other.secrets = replace(other.secrets, ari_password="changed")
    with pytest.raises(NodeError, match=r"does not answer us \(401"):
        await other.ensure_running()
    assert pair.engine.alive()


async def test_a_stale_pid_file_is_not_believed(bundle: Bundle, node_home: Path) -> None:
    node = rendered(bundle, node_config(node_home, "stale"))
    pid_file(node.config).write_text(f"{os.getpid()}\n")
    assert not node.alive()
    assert not is_instance(os.getpid(), node.config)
    await node.stop()
    pid_file(node.config).write_text("not a number")
    assert node.pid is None


def test_a_directory_too_long_for_the_socket_is_refused(bundle: Bundle, node_home: Path) -> None:
    config = replace(node_config(node_home, "long"), directory=node_home / ("x" * 120))
    with pytest.raises(NodeError, match="too long"):
        Node(bundle, config)


def test_unreadable_secrets_are_an_error_and_not_replaced(bundle: Bundle, node_home: Path) -> None:
    config = node_config(node_home, "secret")
    Node(bundle, config)
    path = config.path("secrets.json")
    path.write_text("{")
    with pytest.raises(NodeError, match="cannot be read"):
        Node(bundle, config)
    assert path.read_text() == "{"


def test_this_machine_resolves_its_own_name() -> None:
    assert host_name_problem() is None


def test_the_console_answers_and_refuses_two_commands(pair: Pair) -> None:
    assert "22." in pair.engine.console("core show version")
    with pytest.raises(NodeError):
        pair.engine.console("core show version\ncore stop now")


async def test_memory_can_be_given_back(pair: Pair) -> None:
    await pair.engine.trim_memory()
    assert pair.engine.alive()


async def test_task_processors_are_read(pair: Pair) -> None:
    found = await pair.engine.task_processors()
    assert any(name.startswith("stasis") for name in found)
    assert all(each.waiting < 500 and each.depth < 1.0 for each in found.values())
    assert {each.high_water for each in found.values()} >= {500}


async def test_the_console_socket_says_what_the_console_says_and_refuses_two_commands(pair: Pair) -> None:
    assert "22." in await pair.engine.ask("core show version")
    words = await pair.engine.ask("core show taskprocessors")
    assert "\x7f" not in words
    assert words.rstrip().endswith("taskprocessors")
    with pytest.raises(NodeError):
        await pair.engine.ask("core show version\ncore stop now")


async def test_a_frozen_console_is_an_error_and_not_a_wait(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="does not answer"):
        await ask(tmp_path / "asterisk.ctl", "core show version")
    pid = pair.engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(NodeError, match="does not answer"):
            await ask(pair.engine.config.path("run", "asterisk.ctl"), "core show version", 0.2)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "22." in await pair.engine.ask("core show version")


def test_only_listed_modules_are_loaded(pair: Pair) -> None:
    listed = (pair.engine.config.path("etc", "modules.conf")).read_text()
    running = pair.engine.console("module show")
    loaded = {
        line.split()[0] for line in running.splitlines() if line.split()[:1] and ".so" in line.split()[0]
    }
    asked = {line.partition("= ")[2] for line in listed.splitlines() if line.startswith("load")}
    assert loaded <= asked
    assert asked - loaded == set()


async def test_the_log_of_a_good_start_has_no_errors(pair: Pair) -> None:
    assert pair.first_words, "nothing was logged"
    assert not [line for line in pair.first_words if "ERROR" in line]


async def test_agents_come_and_go_by_reload_with_a_call_up(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    customer = await originate(commands, pair.prompts, "01")
    await watcher.wait(CallBroadcast, customer)
    await commands.claim(customer)
    await watcher.wait(StasisStart, customer)
    pid = pair.engine.pid
    changed = pair.engine.render(pair.files((AGENT, AgentAccount("berta", "correct-horse-2"))))
    assert changed == {"pjsip.conf"}
    assert await pair.engine.reload(changed) == set()
    assert "berta" in pair.engine.console("pjsip show endpoints")
    back = pair.engine.render(pair.files())
    await pair.engine.reload(back)
    assert "berta" not in pair.engine.console("pjsip show endpoints")
    assert not watcher.of(ChannelDestroyed, customer)
    channel = await commands.channel(customer)
    assert channel is not None
    assert channel.state == "Up"
    assert pair.engine.pid == pid


def test_unchanged_files_are_left_alone_and_foreign_ones_removed(pair: Pair) -> None:
    assert pair.engine.render(pair.files()) == set()
    stray = pair.engine.config.path("etc", "users.conf")
    stray.write_text("[general]\n")
    assert pair.engine.render(pair.files()) == {"users.conf"}
    assert not stray.exists()


async def test_what_needs_a_restart_is_named_until_there_is_one_or_it_is_taken_back(pair: Pair) -> None:
    port = pair.engine.config.sip_port
    other = pair.files()
    other["modules.conf"] += "load = app_sms.so\n"
    other["pjsip.conf"] = other["pjsip.conf"].replace(f":{port}\n", f":{port + 1}\n")
    late = {"modules.conf", "pjsip.conf [transport-udp]", "pjsip.conf [transport-tcp]"}
    assert await pair.engine.reload(pair.engine.render(other)) == late
    again = Node(pair.engine.bundle, pair.engine.config)
    assert await again.reload(again.render(other)) == late, "nothing changed since, and Asterisk is the same"
    assert f":{port}" in pair.engine.console("pjsip show transports")
    assert await pair.engine.reload(pair.engine.render(pair.files())) == set()


async def test_an_instance_that_is_started_again_takes_other_audio_ports(
    bundle: Bundle, node_home: Path
) -> None:
    node = rendered(bundle, node_config(node_home, "turns"))
    try:
        assert await node.ensure_running() is False
        first = ports_in_use(node.config)
        again = Node(bundle, node.config)
        assert await again.ensure_running() is True
        assert ports_in_use(again.config) == first, "adopted, it keeps them"
        await node.stop(2.0)
        assert await again.ensure_running() is False
        second = ports_in_use(node.config)
        assert not set(range(first[0], first[1] + 1)) & set(range(second[0], second[1] + 1))
        text = node.config.path("etc", "rtp.conf").read_text(encoding="utf-8")
        assert f"rtpstart = {second[0]}\n" in text
        assert f"rtpend = {second[1]}\n" in text
    finally:
        await node.stop(2.0)


async def test_two_pairs_live_side_by_side(pair: Pair, bundle: Bundle, node_home: Path) -> None:
    directory = node_home / "second"
    directory.mkdir(mode=0o755)
    second = build_pair(bundle, directory)
    try:
        assert await second.engine.ensure_running() is False
        watcher = Watcher()
        client = second.client(watcher)
        await client.start()
        assert await Commands(client).channels() == []
        await client.close()
        assert pair.engine.pid != second.engine.pid
    finally:
        await second.engine.stop(2.0)
    await until(lambda: not second.engine.alive())


async def test_a_lost_pid_file_does_not_hide_the_instance(pair: Pair) -> None:
    pid = pair.engine.pid
    pid_file(pair.engine.config).unlink()
    try:
        assert pair.engine.pid == pid
        assert await Node(pair.engine.bundle, pair.engine.config).ensure_running() is True
    finally:
        pid_file(pair.engine.config).write_text(f"{pid}\n")


def test_it_may_open_many_files(pair: Pair) -> None:
    limits = Path(f"/proc/{pair.engine.pid}/limits").read_text()
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    assert soft == hard
    assert int(soft) >= min(65536, int(hard))


async def test_packets_without_sense_leave_no_warning(pair: Pair) -> None:
    """A stranger would fill messages.log with them; what pjproject says of them is a notice."""
    log, notices = (pair.engine.config.path("log", f"{name}.log") for name in ("messages", "notices"))
    before, noted = log.stat().st_size, notices.stat().st_size if notices.exists() else 0
    config = pair.engine.config
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for packet in (
            b"INVITE nonsense\r\n\r\n",
            b"OPTIONS sip:x SIP/2.0\r\nVia: none\r\n\r\n",
            b"SIP/2.0 x\r\n\r\n",
        ):
            for _ in range(20):
                stranger.sendto(packet, (config.bind, config.sip_port))
    await until(lambda: notices.stat().st_size > noted + 1000)
    assert log.stat().st_size == before, log.read_text()[-1000:]
    assert b"pjproject" in notices.read_bytes()[noted:]


async def test_long_logs_are_rotated(pair: Pair) -> None:
    log = pair.engine.config.path("log", "messages.log")
    assert await pair.engine.rotate_logs() is False
    for _ in range(5):
        assert await pair.engine.rotate_logs(limit_bytes=-1) is True
    assert log.exists()
    assert len(list(log.parent.glob("messages.log.*"))) <= 3
