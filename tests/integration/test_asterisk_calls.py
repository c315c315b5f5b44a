"""Calls through a real Asterisk: claimed and bridged, or left to the dialplan's own devices."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from asterisk_support import AGENT, NUMBER, Pair, Watcher, client_of, originate, until

from dialer_engine.engine.actions import GONE, JOIN_WITHIN_S
from dialer_engine.engine.agents import whisper_of
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.translate import moment
from dialer_engine.pbx.ari.client import AriClient
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriRefused
from dialer_engine.pbx.ari.models import (
    CallBroadcast,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelEnteredBridge,
    ChannelLeftBridge,
    ChannelStateChange,
    ChannelUserevent,
    PlaybackFinished,
    StasisEnd,
    StasisStart,
)

pytestmark = pytest.mark.asterisk


async def duty_leg(pair: Pair, commands: Commands, watcher: Watcher, bridge_id: str) -> tuple[str, AriClient]:
    """Let the agent's phone dial the duty extension; return its leg, already in the bridge."""
    phone = client_of(pair.carrier, Watcher())
    await phone.start()
    await dial_duty(phone, f"phone-{bridge_id}")
    start = await watcher.wait(StasisStart)
    assert start.args == ["agent", AGENT.name]
    await commands.bridge_create(bridge_id)
    await commands.bridge_add(bridge_id, start.channel.id)
    return start.channel.id, phone


async def claimed(commands: Commands, watcher: Watcher, prompts_of: Pair, ending: str = "01") -> str:
    """Call and claim; return the customer's leg once it is in the application."""
    customer = await originate(commands, prompts_of.prompts, ending)
    await watcher.wait(CallBroadcast, customer)
    await commands.claim(customer)
    start = await watcher.wait(StasisStart, customer)
    assert start.args == ["customer"]
    return customer


async def test_a_claimed_customer_joins_the_agent(pair: Pair, commands: Commands, watcher: Watcher) -> None:
    agent, phone = await duty_leg(pair, commands, watcher, "seat-1")
    try:
        customer = await claimed(commands, watcher, pair)
        await commands.bridge_add("seat-1", customer)
        entered = await watcher.wait(ChannelEnteredBridge, customer)
        assert set(entered.bridge.channels) == {agent, customer}
        await commands.hangup(customer)
        await watcher.wait(ChannelLeftBridge, customer)
        end = await watcher.wait(ChannelDestroyed, customer)
        assert (end.cause, end.tech_cause) == (16, None)
        assert await commands.channel(agent) is not None
    finally:
        await phone.close()


async def test_the_agent_alone_hears_a_whispered_tone(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    agent, phone = await duty_leg(pair, commands, watcher, "seat-2")
    try:
        await commands.whisper(agent, "whisper-2")
        start = await watcher.wait(StasisStart, "whisper-2")
        assert start.args == ["whisper"]
        await commands.play("whisper-2", f"sound:{pair.prompts.removed}", "tone-2")
        finished = await watcher.wait(PlaybackFinished)
        assert (finished.playback.id, finished.playback.state) == ("tone-2", "done")
        await commands.hangup(agent)
        await watcher.wait(ChannelDestroyed, "whisper-2")
    finally:
        await phone.close()


async def test_every_leg_gets_a_side_channel_whatever_others_are_called(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    """Asterisk takes an id that is the beginning of one in use for the same."""
    agent, phone = await duty_leg(pair, commands, watcher, "seat-2")
    try:
        for leg in ("engine-7.12", "engine-7.1"):
            await commands.whisper(agent, whisper_of(leg))
            await watcher.wait(StasisStart, whisper_of(leg))
    finally:
        await phone.close()


async def test_digits_of_a_bridged_customer_arrive(pair: Pair, commands: Commands, watcher: Watcher) -> None:
    _agent, phone = await duty_leg(pair, commands, watcher, "seat-3")
    try:
        customer = await claimed(commands, watcher, pair, "09")
        await commands.bridge_add("seat-3", customer)
        digit = await watcher.wait(ChannelDtmfReceived, customer)
        assert digit.digit == "4"
    finally:
        await phone.close()


async def test_a_claimed_call_can_be_sent_to_the_message(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    customer = await claimed(commands, watcher, pair)
    await commands.continue_at(customer, "outbound", "drop")
    await watcher.wait(StasisEnd, customer)
    mark = await watcher.wait(ChannelUserevent, customer)
    assert mark.eventname == "DropMessageStarted"


async def test_a_claimed_call_that_nobody_joins_falls_to_the_message(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    """An engine that claimed and died: the dialplan takes the call back within 2 s of the answer."""
    customer = await claimed(commands, watcher, pair)
    mark = await watcher.wait(ChannelUserevent, customer)
    assert mark.eventname == "DropMessageStarted"
    answered = await watcher.wait(CallBroadcast, customer)
    assert (moment(mark.timestamp) - moment(answered.timestamp)).total_seconds() < 2.0
    with pytest.raises(AriRefused) as refused:
        await commands.keep(customer)
    assert refused.value.status in GONE
    await asyncio.sleep(1.0)
    assert not watcher.of(ChannelDestroyed, customer), "the message plays on"


async def test_a_joined_call_whose_time_out_was_switched_off_stays(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    _agent, phone = await duty_leg(pair, commands, watcher, "seat-4")
    try:
        customer = await claimed(commands, watcher, pair)
        await commands.bridge_add("seat-4", customer)
        await commands.keep(customer)
        await asyncio.sleep(2.5)
        assert not watcher.of(ChannelUserevent, customer)
        assert not watcher.of(ChannelLeftBridge, customer)
    finally:
        await phone.close()


async def test_a_call_whose_time_out_is_put_off_falls_to_the_message_that_much_later(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    """An engine that died when a person who had waited was to be joined, but before the join: silence does not last."""
    customer = await claimed(commands, watcher, pair)
    await asyncio.sleep(1.0)
    before = utc_now()
    await commands.put_off(customer, JOIN_WITHIN_S)
    after = utc_now()
    mark = await watcher.wait(ChannelUserevent, customer)
    assert mark.eventname == "DropMessageStarted"
    late = timedelta(seconds=JOIN_WITHIN_S)
    assert (
        before + late - timedelta(seconds=0.05)
        < moment(mark.timestamp)
        < after + late + timedelta(seconds=0.3)
    )


async def test_only_one_claim_wins(pair: Pair, commands: Commands, watcher: Watcher) -> None:
    customer = await claimed(commands, watcher, pair)
    with pytest.raises(AriRefused) as refused:
        await commands.claim(customer)
    assert refused.value.status == 409


async def test_an_unclaimed_call_hears_the_message_and_opts_out(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    customer = await originate(commands, pair.prompts, "08")
    broadcast = await watcher.wait(CallBroadcast, customer)
    assert broadcast.channel.state == "Up"
    await watcher.wait(ChannelDestroyed, customer, seconds=10)
    marks = watcher.of(ChannelUserevent, customer)
    assert [mark.eventname for mark in marks] == ["DropMessageStarted", "OptOut", "MessageOver"]
    assert marks[1].userevent["Saved"] == "1"
    entry = json.loads((pair.records / f"{customer}.json").read_text())
    assert entry["number"] == f"{NUMBER}08"
    assert (entry["member_id"], entry["key"], entry["attempt_id"]) == ("7", "9", customer)


async def test_a_claim_after_the_wait_is_too_late(pair: Pair, commands: Commands, watcher: Watcher) -> None:
    customer = await originate(commands, pair.prompts, "01", MAX_WAIT_MS="100")
    await watcher.wait(ChannelUserevent, customer)
    with pytest.raises(AriRefused) as refused:
        await commands.claim(customer)
    assert refused.value.status == 404


async def test_other_keys_do_not_stop_the_message(pair: Pair, commands: Commands, watcher: Watcher) -> None:
    customer = await originate(commands, pair.prompts, "09", MAX_WAIT_MS="50")
    await watcher.wait(ChannelDtmfReceived, customer)
    await asyncio.sleep(1.0)
    assert not watcher.of(ChannelDestroyed, customer)
    assert [mark.eventname for mark in watcher.of(ChannelUserevent, customer)] == ["DropMessageStarted"]


async def test_an_opt_out_survives_the_customer_hanging_up_at_once(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    customer = await originate(commands, pair.prompts, "11", MAX_WAIT_MS="50")
    await watcher.wait(ChannelDestroyed, customer, seconds=10)
    assert (pair.records / f"{customer}.json").exists()


async def test_a_missing_prompt_falls_back_to_the_default(
    pair: Pair, commands: Commands, watcher: Watcher, node_home: Path
) -> None:
    gone = str(node_home / "prompts" / "nowhere")
    customer = await originate(commands, pair.prompts, "08", MAX_WAIT_MS="50", DROP_PROMPT=gone)
    await watcher.wait(ChannelDestroyed, customer, seconds=10)
    assert [mark.eventname for mark in watcher.of(ChannelUserevent, customer)][-2:] == [
        "OptOut",
        "MessageOver",
    ]


async def test_without_an_engine_the_message_still_comes_within_two_seconds(pair: Pair) -> None:
    """The engine dies after the originate: another application watches what the dialplan does alone."""
    seen, gone = Watcher(), Watcher()
    observer = client_of(pair.engine, seen, app="observer")
    engine = pair.client(gone)
    await observer.start()
    await engine.start()
    try:
        customer = await originate(Commands(engine), pair.prompts, "01", MAX_WAIT_MS="1900")
        await engine.close()
        await seen.wait(ChannelUserevent, customer, seconds=6)
        [answered] = [e for e in seen.of(ChannelStateChange, customer) if e.channel.state == "Up"]
        [mark] = seen.of(ChannelUserevent, customer)
        assert (moment(mark.timestamp) - moment(answered.timestamp)).total_seconds() < 2.0
        await Commands(observer).hangup(customer)
    finally:
        await engine.close()
        await observer.close()


@pytest.mark.parametrize(
    ("ending", "cause", "sip"),
    [("03", 17, 486), ("04", 34, 503), ("05", 1, 404), ("06", 21, 403), ("07", 21, 603)],
)
async def test_refusals_carry_cause_and_sip_code(
    pair: Pair, commands: Commands, watcher: Watcher, ending: str, cause: int, sip: int
) -> None:
    customer = await originate(commands, pair.prompts, ending)
    end = await watcher.wait(ChannelDestroyed, customer)
    assert (end.cause, end.tech_cause) == (cause, sip)


async def test_the_ring_time_counts_from_creation(pair: Pair, commands: Commands, watcher: Watcher) -> None:
    began = time.monotonic()
    customer = await originate(commands, pair.prompts, "02", timeout_s="1")
    ringing = await watcher.wait(ChannelStateChange, customer)
    assert ringing.channel.state == "Ringing"
    end = await watcher.wait(ChannelDestroyed, customer)
    assert end.cause == 19
    assert 0.9 < time.monotonic() - began < 10.0, "the carrier rings for ever, the time of 1 s ended it"


async def test_a_live_id_is_refused_and_causes_no_second_call(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    customer = await originate(commands, pair.prompts, "02")
    endpoint = f"PJSIP/{NUMBER}02@trunk-lab@trunk-no-redirect"
    with pytest.raises(AriRefused) as refused:
        await commands.originate(
            customer,
            endpoint,
            context="outbound",
            extension="answered",
            caller_id="Acme <+12105550199>",
            timeout_s=5,
            variables={},
        )
    assert refused.value.status == 409
    assert len([each for each in await commands.channels() if each.name.startswith("PJSIP/trunk-lab")]) == 1


async def test_an_unknown_trunk_is_refused_and_leaves_no_channel(commands: Commands) -> None:
    with pytest.raises(AriRefused, match="500 Allocation failed"):
        await commands.originate(
            "no-trunk",
            f"PJSIP/{NUMBER}01@trunk-nowhere",
            context="outbound",
            extension="answered",
            caller_id="Acme <+12105550199>",
            timeout_s=5,
            variables={},
        )
    assert await commands.channel("no-trunk") is None


async def test_a_channel_that_is_gone_and_a_bridge_that_is_there_are_no_errors(commands: Commands) -> None:
    await commands.hangup("never-was")
    first = await commands.bridge_create("twice")
    second = await commands.bridge_create("twice")
    assert first.id == second.id == "twice"


async def test_an_agent_reaches_nothing_but_the_duty_extension(
    pair: Pair, commands: Commands, watcher: Watcher
) -> None:
    phone = client_of(pair.carrier, Watcher())
    await phone.start()
    try:
        await Commands(phone).originate(
            "phone-fraud",
            "PJSIP/+19005550100@engine",
            context="phone",
            extension="talk",
            caller_id="anna <100>",
            timeout_s=10,
            variables={},
        )
        await asyncio.sleep(1.2)
        assert not watcher.of(StasisStart)
        assert await Commands(phone).channel("phone-fraud") is None
        assert not [each for each in await commands.channels() if "trunk-lab" in each.name]
    finally:
        await phone.close()


async def dial_duty(phone: AriClient, leg: str) -> None:
    """Let the agent's phone dial the duty extension."""
    await Commands(phone).originate(
        leg,
        "PJSIP/100@engine",
        context="phone",
        extension="talk",
        caller_id="anna <100>",
        timeout_s=10,
        variables={},
    )


async def test_an_agent_hears_why_when_the_engine_stays_away(pair: Pair) -> None:
    phone_events = Watcher()
    phone = client_of(pair.carrier, phone_events)
    await phone.start()
    try:
        await dial_duty(phone, "phone-early")
        await phone_events.wait(ChannelDestroyed, "phone-early", seconds=40)
    finally:
        await phone.close()


async def test_an_agent_who_comes_before_the_engine_is_kept_until_it_is_there(
    pair: Pair, watcher: Watcher
) -> None:
    """After a restart of Asterisk phones are often quicker than the engine's link."""
    phone_events = Watcher()
    phone = client_of(pair.carrier, phone_events)
    engine = pair.client(watcher)
    await phone.start()
    try:
        await dial_duty(phone, "phone-first")
        await until(lambda: "!Wait!" in pair.engine.console("core show channels concise"), 30)
        await engine.start()
        start = await watcher.wait(StasisStart, seconds=20)
        assert start.args == ["agent", AGENT.name]
        assert not phone_events.of(ChannelDestroyed, "phone-first")
        await Commands(engine).hangup(start.channel.id)
        await phone_events.wait(ChannelDestroyed, "phone-first", seconds=20)
    finally:
        await engine.close()
        await phone.close()
