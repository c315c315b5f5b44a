"""A carrier that does odd things, in a whole lab: nobody is lost, no other number is dialed, every record is true."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from engine_support import HUMAN, POWER, begin, lab, rows, status, table, until
from sip_peer import HOST, PeerCall, Script, SipPeer

from dialer_engine.lab.world import World
from dialer_engine.store.pool import connect

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

AUDIO_LOST_S = 8
SCENARIO = replace(
    POWER,
    agents=4,
    lines=3.0,
    wrap_seconds=1,
    retry_s=3600,
    codes="{}",
    direct=False,
    audio_lost_s=AUDIO_LOST_S,
)
ELSEWHERE = "+19005550123"
TALK_S = 5.0
PROGRESS_S = 3.0


def number(index: int) -> str:
    return f"+1214555{100 + index:04d}"


async def redirects(call: PeerCall) -> None:
    """The plain form: somebody else, somewhere else."""
    call.reply("302 Moved Temporarily", f"Contact: <sip:{ELSEWHERE}@{HOST}:{call.peer.port}>")


async def redirects_by_trick(call: PeerCall) -> None:
    """A user part that reads like a dial string of Asterisk's own."""
    trick = f"PJSIP%2F{ELSEWHERE}%40trunk-odd%40trunk-no-redirect"
    call.reply("302 Moved Temporarily", f"Contact: <sip:{trick}@{HOST}:{call.peer.port}>")


async def redirects_into_the_dialplan(call: PeerCall) -> None:
    """A user part that names an extension of the outgoing leg's own context."""
    call.reply("301 Moved Permanently", "Contact: <sip:Local%2F9%40drop-message@127.0.0.1>")


async def answers_when_it_is_too_late(call: PeerCall) -> None:
    """The 200 crosses the CANCEL: ring time over, or somebody's number suppressed."""
    call.reply("180 Ringing")
    await call.until(lambda: call.requests("CANCEL"), 60.0)
    await call.answer()


async def busy_in_band(call: PeerCall) -> None:
    progress(call)
    await asyncio.sleep(1.0)
    call.reply("486 Busy Here")


async def unreachable_in_band(call: PeerCall) -> None:
    progress(call)
    await asyncio.sleep(1.0)
    call.reply("487 Request Terminated")


def progress(call: PeerCall) -> None:
    """A 183 with audio: the far end's own ringing tone, or its announcement."""
    call.reply("183 Session Progress", f"Contact: <sip:peer@{HOST}:{call.peer.port}>", sdp=call.sdp())
    call.listen()


async def talks_and_is_odd(call: PeerCall) -> None:
    """Early media and an answer; then everything that a carrier may do within a call, and a proper BYE."""
    progress(call)
    await asyncio.sleep(1.0)
    await call.answer()
    await asyncio.sleep(TALK_S)
    finals = [
        await call.ask("INVITE", sdp=call.sdp(payload="0 8")),
        await call.ask("INVITE", sdp=call.sdp(direction="sendonly")),
    ]
    call.audio.speaking = False
    await asyncio.sleep(AUDIO_LOST_S + 2.0)
    finals.append(await call.ask("INVITE", sdp=call.sdp(direction="inactive")))
    call.audio.speaking = True
    finals += [await call.ask("INVITE", sdp=call.sdp()) for _ in range(5)]
    finals.append(await call.ask("UPDATE", "Session-Expires: 90;refresher=uac", "Supported: timer"))
    assert {final.code if final else None for final in finals} == {200}
    await refused_within(call)
    heard = call.audio.received
    await call.until(lambda: call.audio.received > heard + 25)
    await call.ask("BYE")


async def refused_within(call: PeerCall) -> None:
    """Nobody is moved to another number from within a call; Asterisk may leave it at not answering."""
    for request in (("REFER", f"Refer-To: <sip:{ELSEWHERE}@{HOST}:{call.peer.port}>"), ("MESSAGE",)):
        final = await call.ask(*request, tries=1)
        assert final is None or final.code >= 400


async def silent(call: PeerCall) -> None:
    """An answer, and then not one packet, and no BYE ever."""
    await call.answer(speaking=False)


async def vanishes(call: PeerCall) -> None:
    """A talk, then nothing more, of SIP neither."""
    await call.answer()
    await asyncio.sleep(TALK_S)
    call.audio.speaking = False
    call.dead = True


async def rings_after_early_media(call: PeerCall) -> None:
    """A 183 at once, and the phone rings only later."""
    progress(call)
    await asyncio.sleep(PROGRESS_S)
    call.reply("180 Ringing")
    await asyncio.sleep(1.0)
    call.reply("486 Busy Here")


async def hangs_up_with_a_reason(call: PeerCall) -> None:
    """A person's hang-up, with the cause that some gateways put into every BYE."""
    await call.answer()
    await asyncio.sleep(2.0)
    await call.ask("BYE", f"Reason: Q.850;cause={Q850_UNSPECIFIED}")


PLAN: dict[str, Script] = {
    number(index): script
    for index, script in enumerate(
        (
            redirects,
            redirects_by_trick,
            redirects_into_the_dialplan,
            answers_when_it_is_too_late,
            answers_when_it_is_too_late,
            busy_in_band,
            unreachable_in_band,
            talks_and_is_odd,
            silent,
            vanishes,
            rings_after_early_media,
            hangs_up_with_a_reason,
        )
    )
}
TIMED_OUT, SUPPRESSED, TALKS, SILENT, VANISHES = (number(index) for index in (3, 4, 7, 8, 9))
RINGS_LATE, HANGS_UP = number(10), number(11)
Q850_UNSPECIFIED, Q850_NO_CHANNEL = 31, 44


async def suppress(made: World, who: str) -> None:
    conn = await connect(made.postgres.url())
    try:
        await conn.execute(
            "insert into suppressions (number, member_id, source, since) values ($1, null, 'elsewhere', now())",
            who,
        )
    finally:
        await conn.close()


async def records(made: World) -> dict[str, dict[str, Any]]:
    found = await rows(made, "select * from cdrs order by reserved_at")
    assert len({row["called_number"] for row in found}) == len(found)
    return {row["called_number"]: dict(row) for row in found}


def warnings(made: World) -> list[dict[str, Any]]:
    """The engine's words about talks without audio."""
    lines = (json.loads(line) for line in made.engine.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == "no audio in a talk"]


def lab_of(peer: SipPeer) -> AbstractAsyncContextManager[World]:
    """A lab whose only carrier is the peer."""
    return lab(replace(SCENARIO, lines_to=(("odd", peer.port),)), table(HUMAN), len(PLAN))


async def test_an_odd_carrier_harms_nobody_and_every_record_is_true() -> None:
    async with SipPeer(lambda called: PLAN[called]) as peer, lab_of(peer) as made:
        await begin(made)
        await until(lambda: _at(peer, SUPPRESSED), "one rings whose number is suppressed", 40.0)
        await suppress(made, SUPPRESSED)

        async def all_ended() -> bool:
            assert [repr(error) for error in peer.failures] == []
            return len(await rows(made, "select attempt_id from cdrs")) == len(PLAN)

        await until(all_ended, "every call has its record", 60.0)
        assert [repr(error) for error in peer.failures] == []
        found = await records(made)
        assert {(c.number, c.invite.user) for c in peer.calls} == {(each, each) for each in PLAN}
        _redirects_are_results(found)
        _early_media_is_no_answer(found)
        _a_phone_rings_since_the_180(found)
        _late_answers_end_at_once(peer, found)
        _talks(peer, found)
        _a_hang_up_is_the_persons(found)
        _audio_is_flagged(made, found)
        last_hour = (await status(made))["trunks"][0]["last_hour"]
        assert (last_hour["no_audio_from_carrier"], last_hour["no_audio_to_carrier"]) == (1, 0)
        told = await made.engine.run("status", "--config", str(made.config))
        assert "talks without audio: 1 from the carrier, 0 to it" in told
        await _agents_are_free(made)


async def _at(peer: SipPeer, who: str) -> bool:
    return peer.call(who) is not None


async def _agents_are_free(made: World) -> None:
    async def free() -> bool:
        return {agent["state"] for agent in (await status(made))["agents"]} == {"ready"}

    await until(free, "all agents are free", 20.0)


def _redirects_are_results(found: dict[str, dict[str, Any]]) -> None:
    told = [(found[number(i)]["result"], found[number(i)]["sip_code"]) for i in range(3)]
    assert told == [("failed", 302), ("failed", 302), ("failed", 301)]


def _early_media_is_no_answer(found: dict[str, dict[str, Any]]) -> None:
    busy, gone = found[number(5)], found[number(6)]
    assert (busy["result"], busy["sip_code"], busy["ended_by"]) == ("busy", 486, "carrier")
    assert (gone["result"], gone["sip_code"], gone["ended_by"]) == ("no_answer", 487, "carrier")
    assert [row["answered_at"] for row in (busy, gone)] == [None, None]
    talk = found[TALKS]
    assert (talk["answered_at"] - talk["ringing_at"]).total_seconds() > 0.5, (
        "early media counted as the answer"
    )


def _a_phone_rings_since_the_180(found: dict[str, dict[str, Any]]) -> None:
    late = found[RINGS_LATE]
    assert (late["result"], late["sip_code"]) == ("busy", 486)
    assert (late["ringing_at"] - late["originated_at"]).total_seconds() >= PROGRESS_S
    assert 0.5 < late["ring_ms"] / 1000 < PROGRESS_S


def _late_answers_end_at_once(peer: SipPeer, found: dict[str, dict[str, Any]]) -> None:
    for who, result in ((TIMED_OUT, "no_answer"), (SUPPRESSED, "cancelled")):
        call = peer.call(who)
        assert call is not None
        assert [m.method for m in call.got if not m.code][-2:] == ["ACK", "BYE"]
        record = found[who]
        assert (record["result"], record["ended_by"]) == (result, "engine")
        assert (record["answered_at"], record["joined_at"], record["message_at"]) == (None, None, None)
        assert record["sip_code"] is None, "Asterisk's own code was taken for the carrier's"


def _talks(peer: SipPeer, found: dict[str, dict[str, Any]]) -> None:
    talk = found[TALKS]
    assert (talk["result"], talk["ended_by"], talk["cause"]) == ("bridged", "customer", 16)
    assert talk["talk_ms"] > (TALK_S + AUDIO_LOST_S + 2.0) * 1000, "a hold was taken for the end"
    call = peer.call(TALKS)
    assert call is not None
    assert call.requests("INVITE") == [], "a join is no news for the carrier"
    for who in (SILENT, VANISHES):
        lost = found[who]
        assert (lost["result"], lost["ended_by"], lost["cause"]) == ("bridged", "carrier", Q850_NO_CHANNEL)
        assert lost["talk_ms"] > (AUDIO_LOST_S - 2) * 1000


def _a_hang_up_is_the_persons(found: dict[str, dict[str, Any]]) -> None:
    end = found[HANGS_UP]
    assert (end["result"], end["ended_by"], end["sip_code"]) == ("bridged", "customer", None)
    assert end["cause"] == Q850_UNSPECIFIED


def _audio_is_flagged(made: World, found: dict[str, dict[str, Any]]) -> None:
    (said,) = warnings(made)
    assert said["attempt"] == str(found[SILENT]["attempt_id"])
    assert (said["trunk"], said["from_carrier"], said["to_carrier"]) == ("odd", False, True)
    assert found[SILENT]["ended_at"].isoformat() > said["timestamp"][:19]
    assert {who: found[who]["audio"] for who in (SILENT, TALKS, VANISHES, TIMED_OUT)} == {
        SILENT: "none_from_customer",
        TALKS: "ok",
        VANISHES: "ok",
        TIMED_OUT: None,
    }
