"""Whom a node lets at its ARI and AMI: the engines that its settings name, and nobody else."""

import asyncio
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from asterisk_support import make_prompts, node_config

from dialer_engine.pbx.ami import AmiAdapter, AmiError
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.instance import NodeError
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.reach import look
from dialer_engine.pbx.render import render_engine_node

pytestmark = [pytest.mark.asterisk]

SECONDS = 60.0


async def test_only_permitted_engines_reach_ari_and_ami(bundle: Bundle, node_home: Path) -> None:
    everywhere = ".".join("0000")
    config = replace(node_config(node_home, "open"), control_bind=everywhere, control_permit=("127.0.0.3",))
    node = Node(bundle, config)
    prompts = make_prompts(node_home / "prompts")
    node.render(render_engine_node(bundle, config, node.secrets, {}, [], prompts))
    await node.ensure_running()
    try:
        assert [await ari_from(host, node) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3")] == [
            200,
            403,
            200,
        ]
        assert [await ami_from(host, node) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3")] == [
            True,
            False,
            True,
        ]
        ours = AmiAdapter("127.0.0.1", config.ami_port, node.secrets.ami_user, node.secrets.ami_password)
        await ours.start()
        await ours.close()
        with pytest.raises(AmiError):
            await AmiAdapter("127.0.0.1", config.ami_port, node.secrets.ami_user, "wrong").start()
        with pytest.raises(NodeError, match="cannot be reached"):
            await look("http://127.0.0.1:9", "u", "p")
    finally:
        await node.stop(2.0)


async def ari_from(host: str, node: Node) -> int:
    """The status of a request from one of this machine's loopback addresses."""
    login = aiohttp.encode_basic_auth(node.secrets.ari_user, node.secrets.ari_password)
    way = aiohttp.TCPConnector(local_addr=(host, 0))
    url = f"http://127.0.0.1:{node.config.http_port}/ari/asterisk/ping"
    async with (
        aiohttp.ClientSession(connector=way, headers={"Authorization": login}) as session,
        session.get(url) as reply,
    ):
        return reply.status


async def ami_from(host: str, node: Node) -> bool:
    """Whether AMI lets the engine's account in from one of this machine's loopback addresses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.config.ami_port, local_addr=(host, 0))
    secrets = node.secrets
    writer.write(
        f"Action: Login\r\nUsername: {secrets.ami_user}\r\nSecret: {secrets.ami_password}\r\n\r\n".encode()
    )
    try:
        async with asyncio.timeout(SECONDS):
            await reader.readline()
            return (await reader.readline()).strip() == b"Response: Success"
    finally:
        writer.close()
