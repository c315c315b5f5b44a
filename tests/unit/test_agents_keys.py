"""What agents say of a talk by their keys is not lost: over a reload, and when the key comes late."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from dispatch_support import START, reservation
from recovery_support import Rig

from dialer_engine.core import attempt as life
from dialer_engine.core import seat as chair
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.gate import Limits
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.call import Call
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.control import Refused
from dialer_engine.engine.desk import Desks
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.prompts import Prompt
from dialer_engine.settings.models import Campaign

pytestmark = pytest.mark.unit

DIGITS: dict[str, Any] = {
    "1": {"code": "sale", "label": "Sale"},
    "8": {"code": "dnc", "label": "Do not call", "suppress": True},
}


def plan(name: str = "spring", wrap_seconds: int = 60, digits: dict[str, Any] = DIGITS) -> CampaignPlan:
    settings = Campaign(
        name=name,
        member="acme",
        lists=["june"],
        trunks=["main"],
        caller_ids=["+12105550177"],
        wrap_seconds=wrap_seconds,
        dispositions=digits,
    )
    return CampaignPlan(settings, 1, 1, Prompt("x", "v"), Limits(3, 6, {}))


class Duty(Rig):
    """Alice and bob are on duty on one node, for the campaigns of the last reload."""

    async def begin(self, *plans: CampaignPlan) -> None:
        for agent in ("alice", "bob"):
            self.asterisk.seat(f"leg-{agent}", agent)
        await self.compare()
        self.reload(*plans)

    def reload(self, *plans: CampaignPlan) -> None:
        """What the floor gives to the legs and the dispatcher with a new registry."""
        self.legs.campaigns = {each.name: each.settings for each in plans}
        self.dispatcher.assign({agent: each.name for each in plans for agent in ("alice", "bob")})

    async def talk(self, attempt_id: str, by: CampaignPlan, agent: str = "alice") -> None:
        """A call of a campaign is answered and joined with an agent."""
        self.asterisk.up[attempt_id] = "Up"
        attempt = Attempt(attempt_id, Phase.RINGING, originated_at=START)
        call = Call(reservation(attempt_id), by.name, attempt, START, by, agent=agent)
        self.dispatcher.adopt(call)
        assert self.dispatcher.take_seat(call)
        for event in (life.Answered, life.Offered, life.Entered, life.Joined):
            self.dispatcher.feed(attempt_id, event(utc_now()))
            await self.quiet()
        assert self.state(agent) is SeatState.IN_CALL

    async def ends(self, attempt_id: str) -> None:
        self.dispatcher.feed(attempt_id, life.Gone(utc_now(), 16))
        await asyncio.sleep(0.01)
        await self.quiet()

    async def press(self, digit: str, agent: str = "alice") -> list[str]:
        """Press a key; returns what the agent alone hears of it."""
        before = len(self.sounds_of(f"leg-{agent}"))
        self.legs.key(f"leg-{agent}", digit)
        await self.quiet()
        return self.sounds_of(f"leg-{agent}")[before:]

    @property
    def said(self) -> list[tuple[str, str, str | None]]:
        """The dispositions: attempt, agent and code."""
        return [(attempt, agent, code) for attempt, _, agent, code in self.book.dispositions]


@pytest.fixture
async def duty() -> AsyncIterator[Duty]:
    made = Duty()
    yield made
    await made.tasks.close()


# --- a reload -----------------------------------------------------------------------------------------


async def test_a_talk_whose_campaign_a_reload_took_away_has_its_wrap_up_and_its_digits(duty: Duty) -> None:
    await duty.begin(plan())
    await duty.talk("x", plan())
    duty.reload(plan("summer", digits={}))
    await duty.ends("x")
    assert (duty.state("alice"), duty.said) == (SeatState.WRAP, [])
    assert await duty.press("8") == ["tone-noted"]
    assert duty.said == [("x", "alice", "dnc")]


async def test_a_reload_in_the_wrap_up_leaves_the_digits_of_the_campaign_that_it_takes_away(
    duty: Duty,
) -> None:
    await duty.begin(plan())
    await duty.talk("x", plan())
    await duty.ends("x")
    duty.reload()
    assert await duty.press("8") == ["tone-noted"]
    assert duty.said == [("x", "alice", "dnc")]
    duty.reload(plan(digits={"8": DIGITS["1"]}))
    assert await duty.press("8") == ["tone-refused"], "a campaign that is there goes by its newest settings"


async def test_the_desk_of_a_talk_keeps_the_digits_of_a_campaign_that_a_reload_takes_away(duty: Duty) -> None:
    campaigns = Campaigns(duty.dispatcher, duty.tasks, lambda plan: pytest.fail("nothing is started"))
    nothing: Any = None
    desks = Desks(duty.dispatcher, campaigns, nothing, nothing, GateClock(), duty.legs.pressed)
    await duty.begin(plan())
    await duty.talk("x", plan())
    campaigns.apply({}, {})
    assert desks._plan(duty.dispatcher.seats["alice"]) == plan()
    await duty.ends("x")
    assert desks._plan(duty.dispatcher.seats["alice"]) == plan()
    await duty.press("8")
    assert desks._plan(duty.dispatcher.seats["alice"]) is None


# --- a late key ---------------------------------------------------------------------------------------


async def test_a_do_not_call_is_taken_after_a_talk_without_a_wrap_up(duty: Duty) -> None:
    brief = plan(wrap_seconds=0)
    await duty.begin(brief)
    await duty.talk("x", brief)
    await duty.ends("x")
    assert (duty.state("alice"), duty.said) == (SeatState.READY, [("x", "alice", None)])
    assert await duty.press("1") == ["tone-refused"]
    assert await duty.press("7") == ["tone-refused"]
    assert await duty.press("8") == ["tone-noted"]
    assert duty.state("alice") is SeatState.READY
    assert await duty.press("0") == ["paused"]
    assert await duty.press("8") == ["tone-noted"]
    assert duty.said == [("x", "alice", None), ("x", "alice", "dnc"), ("x", "alice", "dnc")]
    assert duty.book.disposed_numbers == ["+12105550100"] * 3, "it says itself whom it forbids"
    assert await duty.press("8", "bob") == ["tone-refused"], "who had no talk"
    assert len(duty.said) == 3


async def test_a_do_not_call_of_who_looks_at_the_next_contact_already_is_not_the_last_persons(
    duty: Duty,
) -> None:
    await duty.begin(plan(wrap_seconds=0))
    await duty.talk("a", plan(wrap_seconds=0))
    await duty.ends("a")
    duty.legs.looks = lambda agent: agent == "alice"
    assert await duty.press("8") == ["tone-refused"]
    assert duty.said == [("a", "alice", None)]
    duty.legs.looks = lambda agent: False
    assert await duty.press("8") == ["tone-noted"]


async def test_a_late_do_not_call_goes_by_the_campaign_of_the_talk_also_when_that_is_gone(duty: Duty) -> None:
    brief = plan(wrap_seconds=0)
    await duty.begin(brief)
    await duty.talk("x", brief)
    duty.reload(plan("summer", digits={"7": DIGITS["8"], "8": DIGITS["1"]}))
    await duty.ends("x")
    assert await duty.press("7") == ["tone-refused"]
    assert await duty.press("8") == ["tone-noted"]
    assert duty.book.dispositions[-1] == ("x", "spring", "alice", "dnc")


async def test_a_late_do_not_call_corrects_the_digit_of_the_wrap_up(duty: Duty) -> None:
    await duty.begin(plan())
    await duty.talk("x", plan())
    await duty.ends("x")
    await duty.press("1")
    assert await duty.press("8") == ["tone-noted"]
    assert duty.said == [("x", "alice", "sale"), ("x", "alice", "dnc")]


async def test_a_key_while_the_next_talk_begins_belongs_to_nothing(duty: Duty) -> None:
    brief = plan(wrap_seconds=0)
    await duty.begin(brief)
    await duty.talk("x", brief)
    await duty.ends("x")
    duty.dispatcher.feed_seat("alice", chair.Reserved(utc_now(), "y"))
    assert await duty.press("1") == []
    assert await duty.press("8") == ["tone-refused"], "nobody takes a do-not-call for noted"
    assert duty.said == [("x", "alice", None)]


async def test_a_do_not_call_in_the_talk_itself_is_refused_to_be_heard(duty: Duty) -> None:
    await duty.begin(plan())
    await duty.talk("x", plan())
    assert await duty.press("1") == [], "digits are for menus at the other end"
    assert await duty.press("8") == ["tone-refused"]
    await duty.ends("x")
    assert await duty.press("8") == ["tone-noted"]


async def test_the_do_not_call_of_an_agent_whose_phone_died_counts_while_another_one_talks_on(
    duty: Duty,
) -> None:
    await duty.begin(plan())
    await duty.talk("x", plan())
    duty.legs.gone("leg-alice", vanished=True)
    await duty.quiet()
    duty.dispatcher.feed("x", life.Joined(utc_now()))
    assert duty.state("bob") is SeatState.IN_CALL
    duty.asterisk.seat("leg-alice", "alice")
    await duty.compare()
    assert await duty.press("8") == ["tone-noted"]
    assert duty.said == [("x", "alice", "dnc")], "at once, and not when the talk is over"
    await duty.ends("x")
    await duty.press("1", "bob")
    assert duty.said == [("x", "alice", "dnc"), ("x", "bob", "sale")]


async def test_a_do_not_call_before_the_end_of_its_attempt_is_not_overruled_by_the_default(
    duty: Duty,
) -> None:
    await duty.begin(plan())
    duty.dispatcher.feed_seat("bob", chair.PauseKey(utc_now()))
    await duty.talk("x", plan())
    duty.legs.gone("leg-alice", vanished=True)
    duty.asterisk.seat("leg-alice", "alice")
    await duty.compare()
    await duty.press("8")
    await duty.ends("x")
    assert duty.said == [("x", "alice", "dnc"), ("x", "alice", "dnc")]


# --- a digit at the desk ------------------------------------------------------------------------------


def desks_of(duty: Duty) -> Desks:
    """The desks of the agents on duty."""
    nothing: Any = None
    campaigns = Campaigns(duty.dispatcher, duty.tasks, lambda plan: pytest.fail("nothing is started"))
    campaigns.agents = {"alice": 1, "bob": 1}
    return Desks(duty.dispatcher, campaigns, nothing, nothing, GateClock(), duty.legs.pressed)


async def test_a_digit_at_the_desk_that_is_taken_is_recorded(duty: Duty) -> None:
    desks = desks_of(duty)
    await duty.begin(plan())
    await duty.talk("x", plan())
    await duty.ends("x")
    desks.act("alice", "key", {"digit": "1"})
    seat = duty.dispatcher.seats["alice"]
    duty.dispatcher.seats["alice"] = replace(seat, talk_over=utc_now() - timedelta(seconds=10))
    desks.act("alice", "key", {"digit": "8"})
    assert duty.said == [("x", "alice", "sale"), ("x", "alice", "dnc")]


async def test_a_digit_at_the_desk_that_is_not_taken_is_refused_in_words(duty: Duty) -> None:
    desks = desks_of(duty)
    brief = plan(wrap_seconds=0)

    def refused(digit: str, agent: str = "alice") -> None:
        before = list(duty.said)
        with pytest.raises(Refused, match="nothing was noted"):
            desks.act(agent, "key", {"digit": digit})
        assert duty.said == before

    refused("8")  # off duty
    await duty.begin(brief)
    refused("8")  # no talk yet
    await duty.talk("x", brief)
    refused("1")
    refused("8")
    await duty.ends("x")
    refused("1")
    refused("7")
    seat = duty.dispatcher.seats["alice"]
    duty.dispatcher.seats["alice"] = replace(seat, talk_over=utc_now() - timedelta(seconds=121))
    refused("8")
    duty.dispatcher.seats["alice"] = seat
    duty.legs.looks = lambda agent: agent == "alice"
    refused("8")
    duty.legs.looks = lambda agent: False
    duty.dispatcher.feed_seat("alice", chair.Reserved(utc_now(), "y"))
    refused("8")


async def test_a_digit_that_the_campaign_lacks_is_refused_in_the_wrap_up_too(duty: Duty) -> None:
    desks = desks_of(duty)
    await duty.begin(plan())
    await duty.talk("x", plan())
    await duty.ends("x")
    with pytest.raises(Refused, match="nothing was noted"):
        desks.act("alice", "key", {"digit": "7"})
    assert (duty.state("alice"), duty.said) == (SeatState.WRAP, [])


async def test_keys_that_say_nothing_of_a_talk_are_pressed_as_before(duty: Duty) -> None:
    desks = desks_of(duty)
    await duty.begin(plan())
    for digit in "*00":
        desks.act("alice", "key", {"digit": digit})
    assert duty.state("alice") is SeatState.READY


# --- a pause after the call ---------------------------------------------------------------------------


async def test_a_pause_that_is_asked_for_in_a_talk_is_heard_by_the_agent_alone(duty: Duty) -> None:
    await duty.begin(plan())
    await duty.talk("x", plan())
    assert await duty.press("0") == ["tone-noted"]
    assert await duty.press("0") == ["tone-cancelled"]
    assert {channel for channel, _ in duty.asterisk.heard} == {"leg-alice-whisper"}
