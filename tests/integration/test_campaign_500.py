"""Five hundred contacts through everything, judged by the carrier's ledger and the phones."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from lab_support import lab_place, lives, processes_of

from dialer_engine.lab.agents import Manners
from dialer_engine.lab.behaviours import HUMANS, Kind, Pace, behaviour, life_like
from dialer_engine.lab.board import View
from dialer_engine.lab.ledger import CarrierCall
from dialer_engine.lab.people import EVEN_MIX, Held, Person, make_people
from dialer_engine.lab.run import run_campaign
from dialer_engine.lab.scenario import Scenario
from dialer_engine.lab.summary import Summary
from dialer_engine.lab.world import Setting, world
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

CONTACTS = 500
SECONDS = 270.0
TABLE = life_like(Pace(ring=0.25, talk=0.1))
MANNERS = Manners(ends_share=0.3, ends_after_s=(0.4, 1.2), disposes_after_s=(0.3, 0.8))
LONGEST_S = 2.6
"""What a slow machine that runs other tests too may make of the 2 s; one in a hundred may take it."""
SCENARIO = Scenario(
    agents=40, lines=3, wrap_seconds=2, ring_seconds=15, retry_s=6, calls_per_second=25, max_channels=120
)


@dataclass
class Outcome:
    """What was left when the run was over."""

    summary: Summary
    calls: list[CarrierCall]
    people: list[Person]
    views: list[View]
    lost_legs: int
    failed_presses: int
    survivors: list[int]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcome(bundle: Bundle) -> AsyncIterator[Outcome]:
    """One run of the campaign, and what is left of it."""
    people = make_people(CONTACTS, seed=500, mix=EVEN_MIX)
    views: list[View] = []
    with lab_place() as place:
        async with world(bundle, place, Setting(SCENARIO, TABLE, people, MANNERS), lambda text: None) as lab:
            summary = await run_campaign(lab, SECONDS, views.append, time.time())
            lost = sum(agent.lost_legs for agent in lab.phones.agents.values())
            presses, calls, pids = lab.phones.failed_presses, lab.ledger.calls, lab.pids
        assert len(pids) == 5
        await asyncio.sleep(0.5)
        survivors = sorted({pid for pid in pids if lives(pid)} | set(processes_of(place.directory)))
        yield Outcome(summary, calls, people, views, lost, presses, survivors)


@pytest.mark.asyncio(loop_scope="module")
async def test_list_was_worked_through(outcome: Outcome) -> None:
    called = {call.number for call in outcome.calls}
    callable_people = {person.number for person in outcome.people if person.held is None}
    assert called == callable_people


@pytest.mark.asyncio(loop_scope="module")
async def test_every_kind_of_answer_occurred(outcome: Outcome) -> None:
    assert set(outcome.summary.kinds) == {str(kind) for kind in Kind}


@pytest.mark.asyncio(loop_scope="module")
async def test_every_answered_person_is_bridged_or_abandoned(outcome: Outcome) -> None:
    summary = outcome.summary
    answered = sum(call.answered_human for call in outcome.calls)
    assert summary.answered_humans == answered
    assert summary.bridged + summary.abandoned == answered
    assert summary.bridged > 100


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_heard_silence_for_over_two_seconds(outcome: Outcome) -> None:
    silences = [
        (call.heard_at or call.until) - call.answered_at
        for call in outcome.calls
        if call.answered_human and call.answered_at is not None
    ]
    assert max(silences) < LONGEST_S
    assert outcome.summary.silent_over_2s <= len(silences) // 100


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_waited_over_two_seconds_for_an_agent(outcome: Outcome) -> None:
    delays = outcome.summary.answer_to_agent_ms
    assert delays.max is not None
    assert delays.max < LONGEST_S * 1000
    assert delays.over_2s <= delays.count // 100


@pytest.mark.asyncio(loop_scope="module")
async def test_carrier_phones_and_engine_agree_call_by_call(outcome: Outcome) -> None:
    assert outcome.summary.differences == []


@pytest.mark.asyncio(loop_scope="module")
async def test_no_number_had_two_calls_at_once(outcome: Outcome) -> None:
    assert outcome.summary.double_dials == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_was_dialed_that_must_not_be(outcome: Outcome) -> None:
    assert outcome.summary.objections == []
    assert outcome.summary.outside_gate == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_those_held_on_purpose_are_shown_as_held(outcome: Outcome) -> None:
    held = outcome.views[-1].campaign["queue"]["held"]
    on_purpose = Counter(person.held for person in outcome.people)
    assert held["calling_hours"] == on_purpose[Held.OUT_OF_HOURS]
    assert held["member_suppression"] >= on_purpose[Held.SUPPRESSED]


@pytest.mark.asyncio(loop_scope="module")
async def test_busy_numbers_were_tried_again_up_to_the_cap(outcome: Outcome) -> None:
    tries = Counter(call.number for call in outcome.calls)
    busy = {number for number in tries if behaviour(TABLE, number).kind is Kind.BUSY}
    assert {tries[number] for number in busy} == {SCENARIO.cap}


@pytest.mark.asyncio(loop_scope="module")
async def test_people_who_were_reached_were_called_once(outcome: Outcome) -> None:
    tries = Counter(call.number for call in outcome.calls)
    people = {number for number in tries if behaviour(TABLE, number).kind in HUMANS}
    assert max(tries[number] for number in people) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_one_record_per_attempt(outcome: Outcome) -> None:
    totals = outcome.views[-1].campaign["totals"]
    assert outcome.summary.cdrs == outcome.summary.attempts == len(outcome.calls) == totals["attempts"]


@pytest.mark.asyncio(loop_scope="module")
async def test_agents_stayed_on_duty_and_their_keys_worked(outcome: Outcome) -> None:
    assert outcome.lost_legs == 0
    assert outcome.failed_presses == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_left_running(outcome: Outcome) -> None:
    assert outcome.survivors == []
