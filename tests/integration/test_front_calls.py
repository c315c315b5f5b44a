"""Phones reach the nodes through the front: passwords, names, spreading, what is passed and what is not."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from front_phone import credentials
from front_support import FrontStage, account, front_stage, until

from dialer_engine.pbx.ari.models import ContactStatusChange
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.render import AgentAccount

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(bundle: Bundle, kamailio: Bundle, node_home: Path) -> AsyncIterator[FrontStage]:
    """One front with two nodes for all tests of this file."""
    async with front_stage(bundle, kamailio, node_home / "fc", agents=12) as made:
        yield made


async def test_right_password_registers_and_the_call_reaches_a_node_as_that_agent(stage: FrontStage) -> None:
    phone = await stage.registered(0)
    assert stage.front.registered()[phone.name] == phone.at
    call = await phone.dial()
    assert call.code == 200
    await until(lambda: len(stage.where(phone.name)) == 1, "the agent is on duty on one node")
    assert await phone.hang_up(call) == 200


async def test_wrong_password_unknown_name_and_other_names_are_refused_alike(stage: FrontStage) -> None:
    phone = await stage.phone(1, host="127.0.0.11")
    assert await phone.register(password="wrong") == 401
    assert await phone.register(user="nobody") == 401
    assert await phone.register(user=phone.name, to=account(2).name) == 401
    assert phone.name not in stage.front.registered()
    assert account(2).name not in stage.front.registered()
    assert await phone.register() == 200


async def test_forged_names_come_on_duty_nowhere(stage: FrontStage) -> None:
    thief = await stage.registered(3, host="127.0.0.12")
    away, near = account(4).name, account(5).name
    await stage.registered(5, host="127.0.0.12")
    assert (await thief.dial(from_=away)).code == 403, "not registered anywhere"
    await stage.registered(4, host="127.0.0.13")
    assert (await thief.dial(from_=away)).code == 403, "registered from another address"
    assert (await thief.dial(from_=near)).code == 401, "same address: the node asks for the password"
    assert (await thief.dial(from_=near, user=near, password="guess")).code == 401
    assert (await thief.dial(user=near)).code == 401, "other credentials than the name"
    assert stage.where(away) == stage.where(near) == stage.where(thief.name) == []


async def test_who_is_not_registered_gets_no_answer_and_reaches_no_node(stage: FrontStage) -> None:
    stranger = await stage.phone(6, host="127.0.0.14")
    assert (await stranger.dial(seconds=2.0)).final is None
    assert await stranger.options() == 0
    assert stage.where(stranger.name) == []


async def test_nodes_take_agents_from_the_front_only(stage: FrontStage) -> None:
    for each in stage.behind:
        past = await stage.phone(6, host="127.0.0.15")
        past.server = ("127.0.0.1", each.node.config.sip_port)
        assert await past.register() != 200
        assert (await past.dial()).code in (401, 403), "with the right password, but past the front"
    inside = await stage.phone(6)
    inside.server = ("127.0.0.1", stage.behind[0].node.config.sip_port)
    assert await inside.register() == 403, "an address of the front, but phones register at the front"
    assert stage.where(account(6).name) == []


async def test_nothing_but_the_duty_extension_is_passed(stage: FrontStage) -> None:
    phone = await stage.registered(6)
    assert (await phone.dial("101")).code == 404
    assert (await phone.dial("0118005550100")).code == 404
    assert await phone.options() == 200
    call = await phone.dial()
    assert call.code == 200
    outside = await stage.phone(7, host="127.0.0.16")
    elsewhere, phone.patience = f"sip:x@{outside.at}", 1.0
    assert await phone.within(call, "BYE", target=elsewhere) == 0
    assert await phone.within(call, "BYE", route=[*call.route, f"<{elsewhere};lr>"]) == 0
    assert outside.got == []
    phone.patience = 6.0
    assert await phone.hang_up(call) == 200


async def test_agents_are_spread_evenly_and_keep_their_node(stage: FrontStage) -> None:
    phones = [await stage.registered(number) for number in range(7, 11)]
    first = [await phone.dial() for phone in phones]
    assert [call.code for call in first] == [200] * 4
    await until(lambda: all(stage.where(phone.name) for phone in phones), "all are on duty")
    homes = {phone.name: stage.where(phone.name)[0] for phone in phones}
    assert set(Counter(homes.values()).values()) == {2}
    for phone in phones:
        again = await phone.dial()
        assert again.code == 200
        home = homes[phone.name]
        await until(lambda p=phone, h=home: stage.where(p.name) == [h, h], "on duty again")  # type: ignore[misc]
        await phone.hang_up(again)
    for phone, call in zip(phones, first, strict=True):
        assert await phone.hang_up(call) == 200


async def test_the_node_hangs_up_through_the_front(stage: FrontStage) -> None:
    phone = await stage.registered(11)
    call = await phone.dial()
    assert call.code == 200
    await until(lambda: bool(stage.where(phone.name)), "on duty")
    behind = stage.behind[stage.where(phone.name)[0]]
    for channel in await behind.commands.channels():
        await behind.commands.hangup(channel.id)
    await until(lambda: call.ended, "the phone got BYE")


async def test_a_vanished_phone_is_noticed_by_the_nodes(stage: FrontStage) -> None:
    phone = await stage.registered(11)

    def said(status: str) -> int:
        events = [event for each in stage.behind for event in each.watcher.of(ContactStatusChange)]
        mine = [event for event in events if event.endpoint.resource == phone.name]
        return sum(event.contact_info.contact_status == status for event in mine)

    await until(lambda: said("Reachable") >= 2, "both nodes reach it")
    before = said("Unreachable")
    phone.silent = True
    took = await until(lambda: said("Unreachable") >= before + 2, "both nodes miss it")
    assert took < 15, "8 s on a machine that has nothing else to do"


async def test_a_phone_that_leaves_gets_no_answer_in_its_place(stage: FrontStage) -> None:
    phone = await stage.registered(11)
    assert await phone.register(0) == 200
    assert phone.name not in stage.front.registered()
    seen = len(phone.got)
    for each in stage.behind:
        await asyncio.to_thread(each.node.console, f"pjsip qualify {phone.name}")
    await asyncio.sleep(1.0)
    assert len(phone.got) == seen
    listed = await asyncio.to_thread(stage.behind[0].node.console, "pjsip show contacts")
    line = next(line for line in listed.splitlines() if f"{phone.name}@" in line)
    assert "Avail" not in line.replace("Unavail", "")


async def test_agents_come_change_and_go_without_a_restart(stage: FrontStage) -> None:
    pid, number = stage.front.pid, len(stage.agents)
    phone = await stage.phone(number)
    assert await phone.register() == 401
    await stage.add(number)
    assert await phone.register() == 200
    call = await phone.dial()
    assert call.code == 200
    stage.agents[-1] = AgentAccount(phone.name, "another-1")
    await asyncio.to_thread(stage.front.apply, stage.agents)
    assert await phone.register() == 401
    assert await phone.register(password="another-1") == 200
    stage.agents.pop()
    await asyncio.to_thread(stage.front.apply, stage.agents)
    assert await phone.register(password="another-1") == 401
    assert phone.name not in stage.front.registered()
    assert stage.front.pid == pid
    assert await phone.hang_up(call) in (0, 403), "who is no agent any more has no way to a node"


async def test_a_second_authorization_makes_nobody_somebody_else(stage: FrontStage) -> None:
    thief, victim = await stage.phone(0, host="127.0.0.17"), account(1).name
    before = stage.front.registered().get(victim)
    assert await thief.register() == 200
    code = await thief.register_as(victim)
    assert code != 200
    assert stage.front.registered().get(victim) == before


async def test_agents_file_holds_no_password_and_is_private(stage: FrontStage) -> None:
    file = stage.front.config.agents
    assert file.stat().st_mode & 0o077 == 0
    assert not any(agent.password in file.read_text() for agent in stage.agents)
    await asyncio.to_thread(stage.front.check)


async def test_a_phone_over_tcp_is_reached_by_its_own_connection(stage: FrontStage) -> None:
    who = account(10)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    uri, at = f"sip:127.0.0.1:{stage.port}", "127.0.0.1:{}".format(writer.get_extra_info("sockname")[1])

    def register(number: int, more: str = "") -> None:
        lines = (
            f"REGISTER {uri} SIP/2.0",
            f"Via: SIP/2.0/TCP {at};rport;branch=z9hG4bKtcp{number}",
            "Max-Forwards: 70",
            f"From: <sip:{who.name}@127.0.0.1>;tag=t",
            f"To: <sip:{who.name}@127.0.0.1>",
            "Call-ID: tcp",
            f"CSeq: {number} REGISTER",
            f"{more}Contact: <sip:{who.name}@10.255.255.1:9;transport=tcp>",
            "Expires: 60",
            "Content-Length: 0",
        )
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def message(first: str) -> str:
        async with asyncio.timeout(15):
            while not (text := (await reader.readuntil(b"\r\n\r\n")).decode()).startswith(first):
                pass
        return text

    register(1)
    challenge = re.search(r"WWW-Authenticate: (.*)", await message("SIP/2.0 401"))
    assert challenge is not None
    register(2, f"Authorization: {credentials(challenge[1], 'REGISTER', uri, who.name, who.password)}\r\n")
    await message("SIP/2.0 200")
    assert stage.front.registered()[who.name].startswith(at)
    assert who.name in await message("OPTIONS sip:")
    writer.close()
    await writer.wait_closed()
    await until(
        lambda: who.name not in stage.front.registered(), "a phone that hung up its connection is gone", 40
    )


async def test_a_whole_office_registers_at_once_and_every_registration_is_kept(stage: FrontStage) -> None:
    phones = [await stage.phone(number, host=f"127.0.0.{30 + number}") for number in range(12)]
    for _ in range(6):
        codes = await asyncio.gather(*(phone.register() for phone in phones))
        assert codes == [200] * len(phones)
        gone = await asyncio.gather(*(phone.register(expires=0) for phone in phones[::2]))
        assert set(gone) == {200}
    words = stage.front.config.path("log", "console.log").read_text("utf-8", "replace")
    assert "database is locked" not in words
