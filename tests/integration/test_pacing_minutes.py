"""Pacing's history in a real Postgres: written through outages, summed up, reported, drawn, and forgotten at last."""

import asyncio
import csv
import io
import json
import os
import signal
import sys
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from lab_support import processes_of
from store_support import NOON, Campaign, Conn, World, fictional, make_world, put_contacts
from typer.testing import CliRunner

from dialer_engine.cli.app import build
from dialer_engine.cli.plan_forecast import Seen, Size, basis, question
from dialer_engine.core.pacing import LedgerView, PacingEvent
from dialer_engine.core.pacing.history import Bins, Book, Counts, Minute
from dialer_engine.engine.pacing_history import KEPT_MINUTES, PacingHistory, hours_in_words
from dialer_engine.settings.load import load_config
from dialer_engine.store.directory import add_agent
from dialer_engine.store.measured import measured, measured_looks
from dialer_engine.store.pacing import KEPT, MinuteRow, add_minutes, calibration, spans
from dialer_engine.store.pool import open_pool
from dialer_engine.store.retention import Policy, due, run

pytestmark = pytest.mark.postgres

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NINE = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
SHIFT = ("--from", "2026-06-10", "--to", "2026-06-10")


def minute(**changes: Any) -> Minute:
    """A usual minute: five of eight agents talk, ten live answers, one of them abandoned."""
    usual: dict[str, Any] = {
        "mode": "predictive",
        "seconds": 60.0,
        "level": 6.0,
        "level_max": 11,
        "agents": {"in_call": 5.0, "ready": 1.5, "reserved": 0.5, "wrap": 1.0, "paused": 2.0},
        "counts": Counts(40, 10, 1, 3, 9, 45.0, 9, 0.9),
        "price": 300.0,
        "bound": "risk",
        "reason": "the next line saves 1.0 idle seconds",
        "bounds": {"risk": 50.0, "budget": 10.0},
        "ledger": LedgerView(1000, 25, 0.03),
        "bins": Bins(),
    }
    return Minute(**usual | changes)


def shift(world: World, count: int = 90, name: str = "spring") -> list[MinuteRow]:
    """Minutes from nine o'clock on, half of the answers with a risk of 2.5 % and the others of 12 %."""
    bins = Bins()
    for risk, abandoned in ((0.025, False), (0.12, True)):
        bins.add(risk, abandoned=abandoned)
    return [
        MinuteRow(world.campaigns[name], NINE + n * MINUTE, 1, minute(level=6.0 + (n >= 60), bins=bins))
        for n in range(count)
    ]


async def test_hours_sum_up_their_minutes(conn: Conn) -> None:
    world = await make_world(conn)
    await add_minutes(conn, shift(world))
    late = minute(seconds=30.0, level=20.0, bound="list", bounds={"list": 30.0}, counts=Counts())
    await add_minutes(conn, [MinuteRow(world.campaigns["spring"], NINE + 90 * MINUTE, 1, late, "hours")])
    first, second = await spans(conn, NINE, NINE + 2 * HOUR, HOUR)
    assert (first.campaign, first.start, first.mode) == ("spring", NINE, "predictive")
    assert (first.seconds, first.level, first.level_max) == (3600.0, pytest.approx(6.0), 11)
    assert (first.talking, first.ready, first.wrap, first.paused) == pytest.approx((5.0, 2.0, 1.0, 2.0))
    assert (first.placed, first.live, first.abandoned, first.cancelled) == (2400, 600, 60, 180)
    assert first.agent_wait_s == pytest.approx(5.0)
    assert first.customer_wait_s == pytest.approx(0.1)
    assert first.talking_share == pytest.approx(5 / 8)
    assert first.abandoned_share == pytest.approx(0.1)
    assert (first.bound, first.reason) == ("risk", "the next line saves 1.0 idle seconds")
    assert (first.period_live, first.period_abandoned) == (1000, 25)
    assert first.abandon_limit == pytest.approx(0.03)
    assert second.level == pytest.approx((30 * 7.0 * 60 + 20.0 * 30) / (30 * 60 + 30))
    assert (second.bound, second.hours) == ("risk", "hours")
    assert await spans(conn, NINE, NINE + 2 * HOUR, HOUR, "autumn") == []
    bins = await calibration(conn, NINE, NINE + HOUR)
    assert [(b.bin, b.answers, b.abandoned) for b in bins] == [(4, 60, 0), (8, 60, 60)]
    assert [b.predicted for b in bins] == pytest.approx([1.5, 7.2])


async def test_a_minute_written_twice_stands_once_and_a_take_over_adds_its_own(conn: Conn) -> None:
    world = await make_world(conn)
    [row] = shift(world, 1)
    await add_minutes(conn, [row])
    await add_minutes(conn, [row])
    other = MinuteRow(row.campaign_id, row.at, 2, minute(seconds=20.0, level=0.0))
    await add_minutes(conn, [other])
    [hour] = await spans(conn, NINE, NINE + HOUR, HOUR)
    assert (hour.placed, hour.seconds) == (80, 80.0)
    assert hour.level == pytest.approx(6.0 * 60 / 80)


async def test_minutes_leave_after_four_hundred_days(conn: Conn) -> None:
    world = await make_world(conn)
    await add_minutes(conn, shift(world, 3))
    now = NINE + KEPT + 2 * MINUTE
    assert (await due(conn, Policy(), now))["pacing"] == 2
    assert (await run(conn, Policy(), now, who="ann"))["pacing"] == 2
    assert (await due(conn, Policy(), now + HOUR))["pacing"] == 1


# --- the engine's side --------------------------------------------------------------------------------------


@dataclass
class Books:
    """Books of campaigns without an engine around them."""

    books: dict[str, Book] = field(default_factory=dict)

    def book(self, campaign: str) -> Book:
        return self.books.setdefault(campaign, Book())


@pytest.fixture
async def pool(pg_url: str) -> AsyncIterator[Any]:
    opened = await open_pool(pg_url, 1)
    yield opened
    opened.terminate()


def history(pool: Any, world: World) -> PacingHistory:
    """The history of campaign `spring`, whose queue waits for its hours."""
    plans: Any = {"spring": SimpleNamespace(campaign_id=world.campaigns["spring"])}
    queues = {"spring": {"due": 0, "held": {"calling_hours": 1200}}}
    books: Any = Books()
    return PacingHistory(books, pool, 7, lambda: plans, lambda: queues)


def happen(kept: PacingHistory, count: int) -> None:
    """Let so many minutes pass, each with one call."""
    for n in range(count):
        kept.pacers.book("spring").observe(PacingEvent("placed", float(n), f"c{n}"))
        kept.take(NINE + n * MINUTE, 60.0 * n)


async def minutes(conn: Conn) -> int:
    found: int = await conn.fetchval("select count(*) from pacing_minutes")
    return found


async def test_minutes_are_written_with_the_engines_epoch(conn: Conn, pool: Any) -> None:
    kept = history(pool, await make_world(conn))
    kept.take(NINE, 0.0)
    assert len(kept) == 0, "nothing happened"
    happen(kept, 3)
    await kept.flush()
    assert len(kept) == 0
    found = await conn.fetch("select minute, epoch, placed from pacing_minutes order by minute")
    assert [tuple(row) for row in found] == [(NINE + n * MINUTE, 7, 1) for n in range(3)]


async def test_an_outage_keeps_the_newest_minutes_and_counts_what_it_drops(conn: Conn, pool: Any) -> None:
    world = await make_world(conn)

    class Away:
        def acquire(self) -> Any:
            raise ConnectionRefusedError("no server")

    kept = history(Away(), world)
    happen(kept, KEPT_MINUTES + 10)
    await kept.flush()
    assert (len(kept), kept.dropped) == (KEPT_MINUTES, 10)
    kept.pool = pool
    await kept.flush()
    assert (len(kept), kept.dropped) == (0, 0)
    assert await minutes(conn) == KEPT_MINUTES
    assert await conn.fetchval("select min(minute) from pacing_minutes") == NINE + 10 * MINUTE


async def test_a_refused_minute_does_not_hold_up_the_next(conn: Conn, pool: Any) -> None:
    world = await make_world(conn)
    kept = history(pool, world)
    kept._waiting.append([MinuteRow(999_999, NINE, 7, minute())])
    kept._waiting.append([MinuteRow(world.campaigns["spring"], NINE, 7, minute(level_max=2**40))])
    happen(kept, 1)
    await kept.flush()
    assert len(kept) == 0
    assert await minutes(conn) == 1


async def test_the_constraints_hold(conn: Conn) -> None:
    world = await make_world(conn)
    wrong = (
        MinuteRow(world.campaigns["spring"], NINE + timedelta(seconds=1), 1, minute()),
        MinuteRow(world.campaigns["spring"], NINE, 1, minute(counts=Counts(live=1, abandoned=2))),
        MinuteRow(world.campaigns["spring"], NINE, 1, minute(bins=Bins([1], [0.1], [0]))),
    )
    for row in wrong:
        with pytest.raises(asyncpg.CheckViolationError):
            await add_minutes(conn, [row])


def test_hours_are_named_only_when_they_are_the_reason() -> None:
    empty = minute(bound="list")
    held = {"calling_hours": 1200, "holiday": 3, "internal_suppression": 5}
    assert hours_in_words(empty, {"due": 0, "held": held}) == (
        "no contact may be called now; waiting: 1,200 for calling hours, 3 for holiday"
    )
    assert hours_in_words(empty, {"due": 4, "held": held}) is None
    assert hours_in_words(empty, {"due": 0, "held": {"internal_suppression": 5}}) is None
    assert hours_in_words(minute(), {"due": 0, "held": held}) is None


# --- commands -----------------------------------------------------------------------------------------------


@pytest.fixture
def config(pg_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A laboratory with one predictive campaign; no engine runs."""
    monkeypatch.setenv("DIALER_HOME", str(tmp_path / "home"))
    directory = tmp_path / "config"
    (directory / "campaigns").mkdir(parents=True)
    (directory / "dialer.yaml").write_text(
        "members: {acme: {name: Acme, callback_number: +18005550100}}\n"
        "trunks: {main: {host: 127.0.0.1}}\n"
        f"database: {{url: '{pg_url}'}}\n"
        f"lab: {{clock: '{NOON.isoformat()}'}}\n",
        encoding="utf-8",
    )
    (directory / "campaigns" / "spring.yaml").write_text(
        "member: acme\nlists: [june]\ntrunks: [main]\ncaller_ids: [+12125550100]\nmode: predictive\n",
        encoding="utf-8",
    )
    return directory


def dialer(config: Path, *words: str, status: int = 0) -> Any:
    """Run a command as a person would."""
    result = CliRunner().invoke(build(("report",)), [*words, "--config", str(config)], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output
    return result


def report(config: Path, *words: str, status: int = 0) -> Any:
    return dialer(config, "report", "pacing", *words, status=status)


async def test_the_report_of_a_shift(conn: Conn, config: Path, tmp_path: Path) -> None:
    await add_minutes(conn, shift(await make_world(conn)))
    await conn.close()
    # The commands run a loop of their own.
    shown = await _in_thread(report, config, *SHIFT)
    for words in ("06-10 09h", "predictive", "risk of abandoning", "2,400", "10.0%", "2-3 %", "10-15 %"):
        assert words in shown.stdout, words
    table = list(csv.DictReader(io.StringIO((await _in_thread(report, config, *SHIFT, "--csv")).stdout)))
    assert [row["start"] for row in table] == ["2026-06-10T09:00:00+00:00", "2026-06-10T10:00:00+00:00"]
    assert table[0]["live"] == "600"
    file = tmp_path / "out.svg"
    document = json.loads((await _in_thread(report, config, *SHIFT, "--json", "--plot", str(file))).stdout)
    assert [hour["placed"] for hour in document["hours"]] == [2400, 1200]
    assert document["calibration"][0] | {"predicted": None} == {
        "campaign": "spring",
        "bin": 4,
        "answers": 90,
        "predicted": None,
        "abandoned": 0,
        "from": 0.02,
        "to": 0.03,
    }
    root = ET.fromstring(file.read_text("utf-8"))  # noqa: S314
    assert root.tag.endswith("svg")
    nothing = await _in_thread(report, config, "--from", "2020-01-01", "--to", "2020-01-01")
    assert "no minutes of pacing" in nothing.stdout
    assert "excludes" not in nothing.stdout
    await _in_thread(report, config, "--csv", "--json", status=1)
    away = str(tmp_path / "nowhere" / "out.svg")
    assert "cannot be written" in (await _in_thread(report, config, *SHIFT, "--plot", away, status=1)).output


async def test_a_drawing_wants_one_campaign(conn: Conn, config: Path, tmp_path: Path) -> None:
    world = await make_world(conn, {"spring": Campaign(), "autumn": Campaign()})
    await add_minutes(conn, [*shift(world, 2), *shift(world, 2, "autumn")])
    file = tmp_path / "out.svg"
    told = await _in_thread(report, config, *SHIFT, "--plot", str(file), status=1)
    assert "there are autumn, spring; name one with --campaign" in told.output
    assert not file.exists()
    await _in_thread(report, config, *SHIFT, "--campaign", "autumn", "--plot", str(file))
    assert "autumn" in file.read_text("utf-8")


async def _in_thread(command: Any, *words: Any, **more: Any) -> Any:
    return await asyncio.to_thread(command, *words, **more)


# --- the forecast -------------------------------------------------------------------------------------------

CALLS: Sequence[tuple[str, float | None, float | None]] = (
    *([("bridged", 6.0, 60.0)] * 25),
    *([("no_answer", 20.0, None)] * 50),
    *([("busy", None, None)] * 25),
)
"""A hundred calls by result, seconds of ringing, and seconds of talk."""


async def past_calls(conn: Conn, world: World, times: int) -> None:
    """Put `times` hundreds of calls of today into the records, and a wrap-up of 10 s after each talk."""
    await put_contacts(conn, world.members["acme"], "june", fictional(300))
    now = datetime.now(UTC) - HOUR
    rows = []
    for result, rang, talked in [*CALLS] * times:
        rings = now + timedelta(seconds=2) if rang is not None else None
        until = (rings or now) + timedelta(seconds=rang or 1.0)
        answered = until if talked is not None else None
        rows.append((result, now, rings, answered, until + timedelta(seconds=talked or 0.0)))
    await conn.executemany(
        "with a as (insert into attempts (campaign_id, member_id, contact_id, number_id, number, caller_id, trunk,"
        " node, epoch, state, gate_at, local_time, zone, rule_versions, list_versions, reserved_at, originated_at,"
        " ended_at, result) select $6, $7, c.id, 1, '+12105550100', '+12125550100', 'main', 'main', 1, 'ended', $2,"
        " '', '', '', '', $2, $2, $5, $1 from contacts c limit 1 returning *)"
        " insert into cdrs (attempt_id, member_id, member, seller, campaign_id, campaign, contact_id,"
        " calling_number, called_number, used_prerecorded, trunk, node, reserved_at, originated_at, ringing_at,"
        " answered_at, joined_at, ended_at, gate_at, local_time, zone, rule_versions, list_versions, result,"
        " ended_by, epoch) select id, member_id, 'Acme', 'Acme', campaign_id, 'spring', contact_id, caller_id,"
        " number, false, trunk, node, $2, $2, $3::timestamptz, $4::timestamptz, $4::timestamptz, $5, $2, '', '',"
        " '', '', $1, 'carrier', 1 from a",
        [(*row, world.campaigns["spring"], world.members["acme"]) for row in rows],
    )


async def begin_plan(config: Path, *words: str) -> asyncio.subprocess.Process:
    """Begin `dialer plan spring` as a process of its own, which Ctrl-C can reach."""
    command = (sys.executable, "-m", "dialer_engine", "plan", "spring", *words, "--config", str(config))
    pipe = asyncio.subprocess.PIPE
    environment = os.environ | {"COLUMNS": "200"}
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)


async def plan(config: Path, *words: str) -> tuple[str, str]:
    """Run it and return what it printed and what it said meanwhile."""
    process = await begin_plan(config, *words)
    told, said = await asyncio.wait_for(process.communicate(), 240.0)
    assert process.returncode == 0, said.decode()
    return told.decode(), said.decode()


async def test_a_campaigns_own_calls_are_measured(conn: Conn) -> None:
    world = await make_world(conn)
    await past_calls(conn, world, 3)
    since = datetime.now(UTC) - timedelta(days=30)
    seen, sent = await measured(conn, world.campaigns["spring"], since, 25.0)
    assert sent == 300
    assert seen is not None
    assert (seen.answer_rate, seen.machine_rate, seen.fail_rate) == pytest.approx((0.25, 0.0, 0.25))
    assert [s.mean_s if s else None for s in (seen.dial, seen.ring, seen.fail, seen.talk)] == pytest.approx(
        [2.0, 6.0, 1.0, 60.0], abs=0.01
    )
    assert seen.wrap is None
    assert await measured(conn, world.campaigns["spring"], datetime.now(UTC), 25.0) == (None, 0)


async def test_plan_forecasts_from_the_campaigns_own_calls(conn: Conn, config: Path) -> None:
    world = await make_world(conn)
    await past_calls(conn, world, 3)
    told, progress = await plan(config, "--agents", "3", "--hours", "0.25", "--json")
    forecast = json.loads(told)["forecast"]
    assert forecast["measured"]["calls"] == 300
    assert forecast["complete"] is True
    assert "simulating 0.25 h with 3 agents: predictive and progressive" in progress
    by_mode = {way["mode"]: way for way in forecast["ways"]}
    assert set(by_mode) == {"predictive", "progressive"}
    for way in by_mode.values():
        assert 20 < way["talk_percent"] < 95
        assert way["abandoned_percent"] <= 10
        assert 40 < way["calls_per_hour"] < 140
        assert way["list_lasts_hours"] == pytest.approx(300 / way["attempts_per_hour"], abs=0.06)
    assert by_mode["progressive"]["abandoned_percent"] == 0


async def looks_in_words(conn: Conn, config: Path, world: World) -> str:
    """What the forecast says of looking at contacts before it simulates anything."""
    read, since = load_config(config), datetime.now(UTC) - timedelta(days=30)
    seen = Seen(None, 0, await measured_looks(conn, world.campaigns["spring"], since))
    asked = question(read, read.campaigns["spring"], Size(2, 0.25), seen)
    return "\n".join(basis(asked, seen, None))


async def test_plan_of_preview_counts_the_time_to_look(conn: Conn, config: Path) -> None:
    """First as usual, then as the campaign's own agents looked, then as somebody says."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(300))
    process = await begin_plan(config, "--agents", "2", "--look", "20")
    assert b"--look is for mode preview; spring dials in mode predictive" in (await process.communicate())[1]
    campaign = config / "campaigns" / "spring.yaml"
    campaign.write_text(campaign.read_text().replace("predictive", "preview"))
    told = await looks_in_words(conn, config, world)
    assert "look at each contact for 15.0 s, the time to read about 60 words: fewer than 30 previews" in told

    agent = await add_agent(conn, None, "ana", "secret")
    begun = datetime.now(UTC) - HOUR
    looks = [(30.0, "dialed")] * 30 + [(40.0, "skipped")] * 10 + [(600.0, "expired")] * 10
    await conn.executemany(
        "insert into previews (campaign_id, member_id, contact_id, number, agent_id, node, epoch, shown_at,"
        " expires_at, ended_at, outcome) select $1, $2, id, '+12105550100', $3, 'main', 1, $4, $4, $5, $6"
        " from contacts limit 1",
        [
            (
                world.campaigns["spring"],
                world.members["acme"],
                agent,
                begun,
                begun + timedelta(seconds=s),
                how,
            )
            for s, how in looks
        ],
    )
    told = await looks_in_words(conn, config, world)
    assert (
        "look at each contact for 32.5 s and do not call 25 % of them, as in 40 previews of 30 days" in told
    )
    told, _ = await plan(config, "--agents", "2", "--hours", "0.25", "--look", "5", "--json")
    forecast = json.loads(told)["forecast"]
    assert (forecast["look_s"], forecast["skip_percent"]) == (5.0, 25.0)
    assert forecast["looks_measured"]["seen"] == 40
    by_mode = {way["mode"]: way for way in forecast["ways"]}
    assert by_mode["preview"]["attempts_per_hour"] < by_mode["progressive"]["attempts_per_hour"]


async def test_plan_says_when_it_has_to_assume(conn: Conn, config: Path) -> None:
    world = await make_world(conn)
    await past_calls(conn, world, 1)
    told, _ = await plan(config, "--agents", "1", "--hours", "0.25")
    assert "100 calls in the last 30 days are fewer than 200: the usual figures" in told
    assert "with 1 agents on duty (simulated; nobody was called)" in told
    assert "contacts open" in told


async def test_an_interrupted_forecast_leaves_nothing_behind(conn: Conn, config: Path) -> None:
    await make_world(conn)
    process = await begin_plan(config, "--agents", "200", "--hours", "8")
    assert process.stderr is not None
    assert b"Ctrl-C ends it" in await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = await asyncio.wait_for(process.stderr.read(), 60.0)
    assert await process.wait() == 130
    assert b"interrupted" in rest
    assert b"Traceback" not in rest
    assert processes_of(config) == []
