"""An agent's presses and the engine's timers against a real database: who is shown what, and what is given back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from store_support import NOON, Conn, fictional, make_world, put_contacts, request

from dialer_engine.core import seat as chair
from dialer_engine.core.gate import Limits
from dialer_engine.core.preview import PreviewState
from dialer_engine.core.seat import SeatState
from dialer_engine.engine.clock import GateClock, utc_now
from dialer_engine.engine.control import Refused
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.partners import Partners
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.previews import Previews, Showing
from dialer_engine.engine.prompts import Prompt
from dialer_engine.engine.tasks import Tasks
from dialer_engine.engine.writer import Writer
from dialer_engine.settings.models import Campaign
from dialer_engine.store.directory import add_agent
from dialer_engine.store.errors import StaleEpoch
from dialer_engine.store.held import held_directory, rejected_file
from dialer_engine.store.pool import ENGINE_ROLE, connect, open_pool

pytestmark = pytest.mark.postgres

SETTINGS = {
    "member": "acme",
    "lists": ["june"],
    "mode": "preview",
    "trunks": ["main"],
    "caller_ids": ["+12105550177"],
}


class Elsewhere:
    """Asterisk and the records, which have no part in this."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words, **more: None


@dataclass
class Runner:
    """Where a campaign's runner would reserve: counts what it is asked, and refuses."""

    dialed: list[str] = field(default_factory=list)
    fault: Exception | None = None

    async def dial(self, showing: Showing) -> str | None:
        self.dialed.append(showing.agent)
        if self.fault is not None:
            raise self.fault
        return "calling_hours: closed"


@dataclass
class Desk:
    """One agent of a preview campaign with two contacts."""

    previews: Previews
    dispatcher: Dispatcher
    runner: Runner
    conn: Conn
    plan: CampaignPlan
    heard: list[tuple[str, str]]
    asked: object
    writer: Writer

    async def show(self) -> Showing:
        found = await self.previews.show(self.plan, "alice", self.asked)  # type: ignore[arg-type]
        assert found.contact is not None
        return self.previews.showings["alice"]

    async def settled(self) -> list[tuple[str | None, str | None]]:
        """Wait for what is under way, and return how the previews ended."""
        for _ in range(1000):
            if not len(self.previews.tasks):
                break
            await asyncio.sleep(0.01)
        await self.writer.flushed()
        found = await self.conn.fetch("select outcome, reason from previews order by shown_at, expires_at")
        return [(row["outcome"], row["reason"]) for row in found]


async def _anybody(conn: object) -> None:
    """A lease that nobody else ever takes."""


@asynccontextmanager
async def desk(conn: Conn, url: str, home: Path, **preview: object) -> AsyncIterator[Desk]:
    """Ana's desk, with the campaign's settings for previews."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(3))
    await add_agent(conn, None, "alice", "secret")
    settings = Campaign.model_validate({**SETTINGS, "name": "spring", "preview": preview})
    limits = Limits(3, 6, {})
    plan = CampaignPlan(
        settings, world.campaigns["spring"], world.members["acme"], Prompt("x", "1"), limits, None
    )
    nothing, runner, heard = Elsewhere(), Runner(), list[tuple[str, str]]()
    dispatcher = Dispatcher(nothing, nothing)
    dispatcher.assign({"alice": "spring"})
    pool, tasks = await open_pool(url, 2, ENGINE_ROLE), Tasks()
    writer = Writer(
        lambda: connect(url, role=ENGINE_ROLE), held_directory(home), rejected_file(home), 1, _anybody
    )
    writing = asyncio.create_task(writer.run())
    partners = Partners(pool, tasks)
    previews = Previews(
        dispatcher,
        pool,
        tasks,
        GateClock.starting_at(NOON),
        "main",
        writer.put,
        partners,
        lambda agent, what: heard.append((agent, what)),
        lambda agent: 1,
        lambda campaign: runner,
        lambda number, member_id, moment: False,
    )
    previews.review({"spring": plan})
    dispatcher.on_seat = lambda seat, campaign: previews.seat_stepped(seat)
    dispatcher.feed_seat("alice", chair.LegUp(utc_now(), "main"))
    await conn.execute("insert into leases values ('main', 'test', 1, now() + interval '1 hour', now())")
    try:
        yield Desk(previews, dispatcher, runner, conn, plan, heard, request(world, 1), writer)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await writer.close()
        await tasks.close()
        pool.terminate()


async def test_contacts_nobody_looks_at_run_out_and_then_the_agent_is_paused(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    async with desk(conn, pg_url, tmp_path, skip_retry="1h") as at:
        for _ in range(2):
            showing = await at.show()
            at.previews._time_over(showing)
        ended = await at.settled()
        assert ended == [("expired", "the time to look was over")] * 2
        assert at.dispatcher.seats["alice"].state is SeatState.PAUSED
        assert "ran out" in at.previews.notices["alice"]
        waits = await conn.fetch("select next_at from queue where held_rule = 'skipped'")
        assert len(waits) == 2
        assert all(row["next_at"] >= NOON + timedelta(minutes=59) for row in waits)


async def test_a_press_between_shows_that_somebody_is_there(conn: Conn, pg_url: str, tmp_path: Path) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        at.previews._time_over(await at.show())
        at.previews.skip("alice", (await at.show()).preview.id, None)
        at.previews._time_over(await at.show())
        assert [one for one, _ in await at.settled()] == ["expired", "skipped", "expired"]
        assert at.dispatcher.seats["alice"].state is SeatState.READY


async def test_at_its_end_a_preview_dials_only_when_the_campaign_says_so(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    async with desk(conn, pg_url, tmp_path, at_end="dial") as at:
        showing = await at.show()
        at.previews._time_over(showing)
        at.previews._time_over(showing)
        assert await at.settled() == [("refused", "calling_hours: closed")]
        assert at.runner.dialed == ["alice"]
        assert at.previews.notices["alice"] == "refused: calling_hours: closed"


async def test_two_presses_ask_once_and_a_late_one_is_told_so(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        showing = await at.show()
        at.previews.dial("alice", showing.preview.id)
        at.previews.dial("alice", showing.preview.id)
        await at.settled()
        assert at.runner.dialed == ["alice"]
        with pytest.raises(Refused, match="not on show any more"):
            at.previews.dial("alice", showing.preview.id)
        assert at.heard == [("alice", "shown"), ("alice", "refused")]
        following = await at.show()
        assert following.preview.id != showing.preview.id
        at.previews.key("alice", "#")
        assert following.preview.state is PreviewState.SHOWN, "a key so soon was meant for the contact before"


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (chair.PauseKey(utc_now()), "the agent is paused"),
        (chair.LegDown(utc_now()), "the agent is off"),
        (chair.Reserved(utc_now(), "other"), "the agent is reserved"),
    ],
)
async def test_an_agent_who_is_not_ready_looks_at_nothing(
    conn: Conn, pg_url: str, tmp_path: Path, event: chair.SeatEvent, why: str
) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        await at.show()
        at.dispatcher.feed_seat("alice", event)
        assert await at.settled() == [("withdrawn", why)]
        assert at.previews.showings == {}
        due = "select count(*) from queue where held_rule is null and next_at = '-infinity'"
        assert await conn.fetchval(due) == 1, "the contact is due at once for others"


async def test_what_happened_while_a_contact_was_chosen_counts(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        at.previews.suppressed_since = lambda number, member_id, moment: True
        await at.previews.show(at.plan, "alice", at.asked)  # type: ignore[arg-type]
        assert await at.settled() == [("withdrawn", "the number was suppressed")]
        assert at.heard == []


@pytest.mark.parametrize("change", ["agent", "campaign", "mode"])
async def test_a_contact_of_a_campaign_that_a_reload_changed_while_it_was_chosen_is_not_shown(
    conn: Conn, pg_url: str, tmp_path: Path, change: str
) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        pool, plans = at.previews.pool, {"spring": at.plan}
        async with pool.acquire(), pool.acquire():
            showing = asyncio.create_task(at.previews.show(at.plan, "alice", at.asked))  # type: ignore[arg-type]
            await asyncio.sleep(0.05)
            if change == "agent":
                at.dispatcher.assign({"alice": "autumn"})
            elif change == "campaign":
                plans = {}
            else:
                other = at.plan.settings.model_copy(update={"mode": "progressive"})
                plans = {"spring": replace(at.plan, settings=other)}
            at.previews.review(plans)
            assert not showing.done()
        assert (await showing).contact is not None
        assert await at.settled() == [("withdrawn", "the campaign or its agents were changed")]
        assert (at.previews.showings, at.heard) == ({}, [])
        due = "select count(*) from queue where held_rule is null and next_at = '-infinity'"
        assert await conn.fetchval(due) == 1, "the contact is due at once for others"


async def test_a_halt_and_a_changed_mode_clear_the_desk(conn: Conn, pg_url: str, tmp_path: Path) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        await at.show()
        at.previews.withdraw("spring", "the campaign was paused")
        assert at.previews.showings == {}
        await at.show()
        at.previews.review({"spring": at.plan})
        assert list(at.previews.showings) == ["alice"]
        at.previews.review({})
        assert [one for one, _ in await at.settled()] == ["withdrawn", "withdrawn"]


async def test_a_halt_in_the_middle_of_showing_gives_the_contact_back(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        showing = asyncio.create_task(at.previews.show(at.plan, "alice", at.asked))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        showing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await showing
        for _ in range(500):
            if await conn.fetchval("select count(*) from previews where outcome = 'withdrawn'"):
                break
            await asyncio.sleep(0.02)
        assert [one for one, _ in await at.settled()] == ["withdrawn"]
        assert at.previews.showings == {}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (StaleEpoch("campaign 1 belongs to an engine of epoch 7"), "belongs to an engine of epoch 7"),
        (OSError("gone"), "the database did not answer"),
        (KeyError("bug"), "a fault of the engine"),
    ],
)
async def test_dialing_that_fails_leaves_nobody_stuck(
    conn: Conn, pg_url: str, tmp_path: Path, fault: Exception, words: str
) -> None:
    async with desk(conn, pg_url, tmp_path) as at:
        at.runner.fault = fault
        at.previews.dial("alice", (await at.show()).preview.id)
        ((outcome, reason),) = await at.settled()
        assert outcome == "refused"
        assert words in (reason or "")
        assert at.previews.showings == {}
        assert await at.show()
