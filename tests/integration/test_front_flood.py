"""Floods at the front: strangers are held off, agents who are known go on working, nodes hear nothing of it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from front_phone import FrontPhone
from front_support import FrontStage, account, front_stage, until

from dialer_engine.lab.flood import SOURCES, Rates
from dialer_engine.lab.flooding import Flooding, flooding
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]
SECONDS = 8.0
RATES = Rates(500, 2000, 100)
FULL_S = 2.5
"""By then the front has counted a whole span of the flood and no longer hears its addresses."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(bundle: Bundle, kamailio: Bundle, node_home: Path) -> AsyncIterator[FrontStage]:
    """A front with one node and narrow limits."""
    limits = {
        "wrong_passwords": 4,
        "connections_per_address": 5,
        "message_bytes": 2048,
        "requests_per_second": 20,
    }
    async with front_stage(bundle, kamailio, node_home / "ff", agents=10, nodes=1, limits=limits) as made:
        yield made


async def test_a_flood_cuts_no_call_and_keeps_no_agent_from_working(stage: FrontStage) -> None:
    phone, colleague = await stage.registered(0), await stage.registered(1)
    call = await phone.dial()
    assert call.code == 200
    async with flooding(("127.0.0.1", stage.port), account(2).name, SECONDS, RATES) as flood:
        await _works_on(stage, flood, colleague)
    assert not call.ended
    assert stage.where(account(2).name) == []
    notices = stage.behind[0].node.config.path("log", "notices.log")
    assert not any(source in notices.read_text() for source in SOURCES), "the node heard of a stranger"
    assert await phone.hang_up(call) == 200


async def _works_on(stage: FrontStage, flood: Flooding, colleague: FrontPhone) -> None:
    await asyncio.sleep(FULL_S)
    assert await colleague.register() == 200
    busy = await colleague.dial()
    assert busy.code == 200
    assert await colleague.hang_up(busy) == 200
    newcomer = await stage.phone(8, host="127.0.0.48")
    assert await newcomer.register() == 200, "the flood takes nothing of what strangers may send together"
    sent = await flood.sent()
    assert sent.invites > 100


async def test_guesses_are_no_longer_heard_after_some(stage: FrontStage) -> None:
    guesser = await stage.phone(3, host="127.0.0.41")
    assert [await guesser.register(password=f"guess-{n}") for n in range(4)] == [401] * 4
    guesser.patience = 1.0
    assert await guesser.register() == 0, "not even with the right one, from there"
    elsewhere = await stage.phone(3, host="127.0.0.42")
    assert await elsewhere.register() == 200, "the agent works on at another place"


async def test_one_who_forgot_a_password_does_not_shut_out_the_office(stage: FrontStage) -> None:
    colleague = await stage.registered(4, host="127.0.0.43")
    forgetful = await stage.phone(5, host="127.0.0.43")
    assert [await forgetful.register(password="old") for _ in range(4)] == [401] * 4
    forgetful.patience = 1.0
    assert await forgetful.register() in (0, 401)
    assert await colleague.register() == 200
    assert (await colleague.dial()).code == 200


async def test_more_requests_than_allowed_silence_an_address(stage: FrontStage) -> None:
    noisy = await stage.registered(6, host="127.0.0.44")
    for _ in range(400):
        noisy.send(noisy._request("OPTIONS", noisy.uri, noisy.name, "flood", 1, "", "", "t", ""))
    await asyncio.sleep(0.5)
    assert await noisy.options() == 0
    calm = await stage.registered(6, host="127.0.0.45")
    assert await calm.options() == 200


async def test_answers_of_an_office_do_not_silence_it(stage: FrontStage) -> None:
    phone = await stage.registered(6, host="127.0.0.49")
    said = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {phone.at};branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n\r\n".encode()
    )
    for _ in range(400):
        phone.send(said)
    assert await phone.options() == 200


async def test_too_many_requests_over_tcp_are_not_heard_and_end_no_connection(stage: FrontStage) -> None:
    ask = (
        "REGISTER sip:front SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.51;branch=z9hG4bK{0}\r\nMax-Forwards: 70\r\n"
        "From: <sip:x@front>;tag=a\r\nTo: <sip:x@front>\r\nCall-ID: {0}\r\nCSeq: 1 REGISTER\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, local_addr=("127.0.0.51", 0))
    try:
        writer.write("".join(ask.format(n) for n in range(200)).encode())
        answers = (await reader.readuntil(b"Call-ID: 30\r\n")).count(b"SIP/2.0 401")
        assert answers > 30, "the first are heard"
        end = asyncio.get_running_loop().time() + 1.0
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                piece = await asyncio.wait_for(reader.read(65536), left)
            except TimeoutError:
                break
            assert piece, "the connection stays"
            answers += piece.count(b"SIP/2.0 401")
        assert answers < 150
    finally:
        writer.close()


async def test_what_is_no_sip_gets_no_answer(stage: FrontStage) -> None:
    phone = await stage.registered(7, host="127.0.0.46")
    good = phone._request("OPTIONS", phone.uri, phone.name, "odd", 1, "", "", "t", "")
    odd = (
        b"\0" * 500,
        b"OPTIONS sip:x SIP/2.0\r\n\r\n",
        good.replace("SIP/2.0\r\n", "SIP/3.0\r\n", 1),
        good.replace("CSeq: 1", "CSeq: 99999999999999"),
        good.replace("User-Agent: phone", "User-Agent: friendly-scanner"),
        good.replace("Content-Length: 0", "Content-Length: 90"),
        good.replace("User-Agent: phone", "X-Long: " + "x" * 3000),
        good.replace("From: <sip:", "From: <sip:%00%ff:"),
        good.replace("Max-Forwards: 70", "Max-Forwards: 0"),
    )
    seen = len(phone.got)
    for each in odd:
        phone.send(each)
    await asyncio.sleep(0.5)
    answers = [message.code for message in phone.got[seen:] if message.code]
    assert set(answers) <= {403}, "an odd name, but SIP: from a known address it hears that it is nobody"
    assert await phone.options() == 200


async def test_one_address_holds_only_so_many_connections(stage: FrontStage) -> None:
    def connect() -> socket.socket:
        way = socket.create_connection(("127.0.0.1", stage.port), 2.0, ("127.0.0.47", 0))
        way.settimeout(3.0)
        return way

    ways = [connect() for _ in range(12)]
    try:
        closed = 0
        for way in ways:
            try:
                way.settimeout(0.3)
                closed += way.recv(1) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                closed += 1
        assert closed >= 6
    finally:
        for way in ways:
            way.close()
    await until(lambda: stage.front.alive(), "the front lives")
