"""Contacts that calling rules held are looked at again when other rules hold: new files, old ones, or another day."""

import asyncio
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from store_support import NOON, Conn, World, load_shipped, put_contacts, request

from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.core.gate import ConsentKind
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.held_watch import HeldWatch
from dialer_engine.engine.plan import gate_context
from dialer_engine.engine.prompts import Prompt
from dialer_engine.engine.registry import Prepared, Registry, look_again, write_registry
from dialer_engine.settings.load import load_config
from dialer_engine.settings.rules import SHIPPED
from dialer_engine.store import consent, stops, suppress
from dialer_engine.store.pool import connect, open_pool
from dialer_engine.store.registry.lists import subscribe
from dialer_engine.store.reserve import ReserveRequest, ReserveResult, reserve

pytestmark = pytest.mark.postgres

TEXAS, FLORIDA, NEW_YORK = "+12103450101", "+13053450101", "+12123450101"
PUERTO_RICO = "+17873450101"
DAY = timedelta(days=1)
DIALER = """\
members:
  acme: {name: Acme, callback_number: +12105550100}
trunks:
  carrier: {host: 127.0.0.1, port: 5070}
lab:
  clock: 2026-06-10T11:00:00-05:00
"""
CAMPAIGN = "member: acme\nlists: [june]\ntrunks: [carrier]\ncaller_ids: [+12105550101]\n"
WITH_CONSENT = """\
rules:
  - regions: [US-TX]
    automated_consent: [express_written]
    by: Jo Doe
    reason: counsel
"""
UNTIL_TODAY = WITH_CONSENT + "    effective_to: 2026-06-10\n"


class Engine:
    """What an engine does with its configuration, without the rest of it."""

    def __init__(self, conn: Conn, directory: Path) -> None:
        self.conn, self.directory = conn, directory
        (directory / "campaigns").mkdir(parents=True)
        (directory / "dialer.yaml").write_text(DIALER)
        (directory / "campaigns" / "spring.yaml").write_text(CAMPAIGN)
        self.registry: Registry

    async def write(self, rules: str | None = None) -> None:
        """Bring the configuration with these own rules into the database."""
        file = self.directory / "rules.yaml"
        file.unlink(missing_ok=True)
        if rules is not None:
            file.write_text(rules)
        config = load_config(self.directory)
        prepared = Prepared({"spring": Prompt("x", "1")}, {"spring": None}, {})
        async with self.conn.transaction():
            self.registry = await write_registry(self.conn, config, prepared)

    async def look(self, now: datetime = NOON) -> None:
        await look_again(self.conn, self.registry, now)

    async def start(self, rules: str | None = None, now: datetime = NOON) -> None:
        """Start, or reload, with these own rules."""
        await self.write(rules)
        await self.look(now)

    def request(self, now: datetime = NOON) -> ReserveRequest:
        plan, config = self.registry.plans["spring"], self.registry.config
        world = World({"acme": plan.member_id}, {"spring": plan.campaign_id})
        context = gate_context(config, plan.settings, plan.limits, now)
        assert plan.held_under is not None
        return request(world, now=now, context=context, held_under=plan.held_under(now))

    async def run(self, now: datetime = NOON) -> ReserveResult:
        return await reserve(self.conn, self.request(now))

    async def contacts(self, *numbers: str) -> None:
        await put_contacts(
            self.conn, self.registry.plans["spring"].member_id, "june", [[number] for number in numbers]
        )


@pytest.fixture
async def engine(conn: Conn, tmp_path: Path) -> Engine:
    made = Engine(conn, tmp_path / "config")
    await made.start()
    await made.contacts(TEXAS)
    return made


async def states(conn: Conn) -> list[str]:
    return [row["state"] for row in await conn.fetch("select state from queue")]


async def test_rules_that_are_taken_back_free_whom_they_held(engine: Engine) -> None:
    await engine.start(WITH_CONSENT)
    assert (await engine.run()).held == {"automated_dialing": 1}
    await engine.start()
    assert [each.number for each in (await engine.run()).reserved] == [TEXAS]
    rows = await engine.conn.fetch("select object from audit where action = 'rules in force' order by id")
    assert len(rows) == 3
    assert rows[0]["object"] == rows[2]["object"] != rows[1]["object"]
    await engine.start()
    count = await engine.conn.fetchval("select count(*) from audit where action = 'rules in force'")
    assert count == 3, "nothing changed"


async def test_the_end_of_a_dated_rule_frees_whom_it_held(engine: Engine) -> None:
    await engine.start(UNTIL_TODAY)
    assert (await engine.run()).held == {"automated_dialing": 1}
    await engine.look()
    assert await states(engine.conn) == ["held"], "the same day, the same rules"
    await engine.look(NOON + DAY)
    assert [each.number for each in (await engine.run(NOON + DAY)).reserved] == [TEXAS]


async def test_the_day_changes_while_the_engine_runs_on_and_a_pass_is_under_way(
    engine: Engine, pg_url: str
) -> None:
    await engine.start(UNTIL_TODAY)
    clock, owned = GateClock.starting_at(NOON), False
    pool, under_way = await open_pool(pg_url, 1), await connect(pg_url, batch=True)
    async with pool.acquire() as session:
        pid = session.get_server_pid()
    watch = HeldWatch(pool, clock, lambda: engine.registry, asyncio.Lock(), lambda: owned)
    async with under_way.transaction():
        assert (await reserve(under_way, engine.request())).held == {"automated_dialing": 1}
        clock.step_to(NOON + DAY)
        await watch.look()
        owned = True
        looking = asyncio.create_task(watch.look())
        for _ in range(1000):
            if await engine.conn.fetchval("select cardinality(pg_blocking_pids($1)) > 0", pid):
                break
            await asyncio.sleep(0.02)
        assert not looking.done(), "it waits for the pass"
    await looking
    assert await states(engine.conn) == ["due"]
    old = await engine.run(NOON)
    assert old.held == {"automated_dialing": 1}
    assert await states(engine.conn) == ["due"], "a pass that began the day before holds nothing for good"
    await under_way.close()
    pool.terminate()


async def a_list_that_nobody_may_use(conn: Conn, file: Path, area: int = 210) -> None:
    """The national registry is loaded, and its subscription has ended."""
    await subscribe(conn, "us_national", "10203040", None, [area], NOON, "op")
    file.write_text(f"{area},3459999\n")
    asked = LoadRequest("us_national", (file,), NOON - DAY, NOON, "op", account="10203040", numbers=1)
    await load(conn, asked, load_shipped()[1])
    await conn.execute("update registry_subscriptions set ended_at = now()")


async def without_the_national_registry(engine: Engine) -> None:
    """Start with rules that do not require it."""
    own = engine.directory / "rules"
    shutil.copytree(SHIPPED, own)
    rows = (own / "registries.csv").read_text().splitlines(keepends=True)
    (own / "registries.csv").write_text("".join(row for row in rows if not row.startswith("US,us_national")))
    await engine.start()


async def test_a_list_that_is_required_no_more_frees_whom_its_want_held(
    engine: Engine, tmp_path: Path
) -> None:
    await a_list_that_nobody_may_use(engine.conn, tmp_path / "n.txt")
    assert (await engine.run()).held == {"list_freshness": 1}
    await without_the_national_registry(engine)
    assert [each.number for each in (await engine.run()).reserved] == [TEXAS]


@pytest.fixture
async def two_rules(conn: Conn, tmp_path: Path) -> Engine:
    """A contact whose numbers two rules hold: no consent for Florida, no subscription for New York."""
    made = Engine(conn, tmp_path / "config")
    await made.start()
    await put_contacts(conn, made.registry.plans["spring"].member_id, "june", [[FLORIDA, NEW_YORK]])
    await a_list_that_nobody_may_use(conn, tmp_path / "n.txt", 212)
    assert (await made.run()).held == {"several": 1}
    return made


async def test_a_contact_whose_numbers_two_rules_hold_is_held_for_good(two_rules: Engine) -> None:
    row = await two_rules.conn.fetchrow("select state, held_rule, held_reason, next_at from queue")
    assert row is not None
    assert (row["state"], row["held_rule"], row["next_at"]) == ("held", "several", None)
    assert row["held_reason"].startswith("automated_dialing: ")
    assert "; list_freshness: " in row["held_reason"]
    later = await two_rules.run(NOON + 2 * DAY)
    assert (later.held, later.exhausted) == ({}, True)


async def test_a_subscription_frees_such_a_contact_at_once(two_rules: Engine) -> None:
    await subscribe(two_rules.conn, "us_national", "10203040", None, [212], NOON, "op")
    assert [each.number for each in (await two_rules.run()).reserved] == [NEW_YORK]


async def test_a_list_that_is_loaded_frees_such_a_contact_at_once(two_rules: Engine, tmp_path: Path) -> None:
    await two_rules.conn.execute("update registry_subscriptions set ended_at = null")
    file = tmp_path / "newer.txt"
    file.write_text("212,3459998\n")
    asked = LoadRequest("us_national", (file,), NOON, NOON, "op", account="10203040", numbers=1)
    await load(two_rules.conn, asked, load_shipped()[1])
    assert [each.number for each in (await two_rules.run()).reserved] == [NEW_YORK]


async def test_rules_that_require_less_free_such_a_contact_at_once(two_rules: Engine) -> None:
    await without_the_national_registry(two_rules)
    assert [each.number for each in (await two_rules.run()).reserved] == [NEW_YORK]


async def test_what_is_let_go_in_vain_is_held_again(two_rules: Engine) -> None:
    await two_rules.start(WITH_CONSENT)
    assert await states(two_rules.conn) == ["due"]
    assert (await two_rules.run()).held == {"several": 1}
    assert await states(two_rules.conn) == ["held"]


async def test_a_pass_that_goes_by_old_settings_holds_such_a_contact_for_a_minute_only(
    two_rules: Engine,
) -> None:
    old = two_rules.request()
    await two_rules.start(WITH_CONSENT)
    await reserve(two_rules.conn, old)
    assert await two_rules.conn.fetchval("select next_at from queue") == NOON + timedelta(minutes=1)


async def test_a_consent_for_one_of_several_numbers_counts_at_once(two_rules: Engine) -> None:
    member = two_rules.registry.plans["spring"].member_id
    signed = consent.NewConsent(
        FLORIDA, ConsentKind.express_written, NOON - DAY, "form", text_shown="I agree"
    )
    await consent.add(two_rules.conn, member, [signed], NOON, who="op")
    assert [each.number for each in (await two_rules.run()).reserved] == [FLORIDA]


@pytest.fixture
async def in_puerto_rico(conn: Conn, tmp_path: Path) -> Engine:
    """A contact with a number of a territory, where nobody asked to call, and one of Texas."""
    made = Engine(conn, tmp_path / "config")
    await made.start()
    await put_contacts(conn, made.registry.plans["spring"].member_id, "june", [[PUERTO_RICO, TEXAS]])
    return made


async def test_a_number_that_leaves_the_do_not_call_list_is_called_at_once(in_puerto_rico: Engine) -> None:
    await suppress.add(in_puerto_rico.conn, TEXAS, None, "asked", NOON, who="op")
    assert (await in_puerto_rico.run()).held == {"several": 1}
    await suppress.remove(in_puerto_rico.conn, TEXAS, None, NOON, who="op")
    assert [each.number for each in (await in_puerto_rico.run()).reserved] == [TEXAS]


async def test_the_end_of_a_stop_frees_a_contact_whose_other_number_another_rule_holds(
    in_puerto_rico: Engine,
) -> None:
    await stops.stop(in_puerto_rico.conn, "US-TX", "a storm", NOON, who="op")
    assert (await in_puerto_rico.run()).held == {"several": 1}
    await stops.resume(in_puerto_rico.conn, "US-TX", "it is over", NOON, who="op")
    assert [each.number for each in (await in_puerto_rico.run()).reserved] == [TEXAS]
