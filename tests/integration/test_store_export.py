"""Export and report, and the commands on stored data as a person uses them."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_support import WALL, Campaign, Conn, World, end_of, fictional, make_world, put_contacts, request
from typer.testing import CliRunner

from dialer_engine.cli.app import build
from dialer_engine.store.attempts import Disposed, dispose, write
from dialer_engine.store.cdr import CdrQuery, export
from dialer_engine.store.ledger import load_ledger
from dialer_engine.store.report import campaign_days
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

ALWAYS = CdrQuery(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
SETTINGS = """
members:
  acme: {{name: Acme, callback_number: "+12105550199"}}
trunks:
  carrier: {{host: 127.0.0.1}}
database: {{url: "{url}"}}
control: {{socket: {socket}}}
lab: {{clock: 2026-06-10T13:00:00-05:00}}
"""


async def some_calls(conn: Conn, offer: str | None = "roof repair") -> World:
    """Ten calls: five bridged after 10 to 50 ms, one after 2,500 ms, one abandoned, three not answered."""
    world = await make_world(conn, {"spring": Campaign(offer=offer)})
    await put_contacts(conn, world.members["acme"], "june", fictional(10))
    got = (await reserve(conn, request(world, 10))).reserved
    answered = WALL + timedelta(seconds=5)
    waits = (10, 20, 30, 40, 50, 2500)
    ends = [
        end_of(
            one,
            "bridged",
            final=True,
            answered_at=answered,
            joined_at=answered + timedelta(milliseconds=wait),
        )
        for one, wait in zip(got, waits, strict=False)
    ]
    ends.append(end_of(got[6], "abandoned", answered_at=answered, message_at=answered + timedelta(seconds=2)))
    ends += [end_of(one) for one in got[7:]]
    await write(conn, [], ends, 1)
    await dispose(conn, [Disposed(got[0].attempt_id, "sale", "=1+1", "agent", WALL, WALL, final=True)])
    return world


async def test_csv_is_complete_and_formula_safe(conn: Conn) -> None:
    await some_calls(conn, offer='=HYPERLINK("x")')
    file = io.StringIO()
    assert await export(conn, ALWAYS, file, "csv") == 10
    found = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert len(found) == 10
    assert all(row["offer"] == '\'=HYPERLINK("x")' for row in found)
    assert [row["disposition_label"] for row in found if row["disposition"]] == ["'=1+1"]
    assert all(row["called_number"].startswith("+1") for row in found)
    assert found[0]["reserved_at"] == "2026-11-23T16:00:00.000Z"


async def test_jsonl_and_limits_of_time_and_campaign(conn: Conn) -> None:
    await some_calls(conn)
    file = io.StringIO()
    assert await export(conn, ALWAYS, file, "jsonl") == 10
    records = [json.loads(line) for line in file.getvalue().splitlines()]
    assert {record["result"] for record in records} == {"bridged", "abandoned", "no_answer"}
    assert {record["answer_to_agent_ms"] for record in records} == {None, 10, 20, 30, 40, 50, 2500}
    for query in (
        CdrQuery(ALWAYS.start, WALL),
        CdrQuery(WALL + timedelta(milliseconds=1), ALWAYS.end),
        CdrQuery(ALWAYS.start, ALWAYS.end, campaign="autumn"),
        CdrQuery(ALWAYS.start, ALWAYS.end, member="bolt"),
    ):
        assert await export(conn, query, io.StringIO(), "jsonl") == 0
    assert await export(conn, CdrQuery(WALL, ALWAYS.end, "spring", "acme"), io.StringIO(), "csv") == 10


async def test_an_empty_export_still_names_its_columns(conn: Conn) -> None:
    file = io.StringIO()
    assert await export(conn, ALWAYS, file, "csv") == 0
    assert file.getvalue().startswith("attempt_id,member_id,member,seller,")


async def test_report_sums(conn: Conn) -> None:
    await some_calls(conn)
    [day] = await campaign_days(conn, ALWAYS.start, ALWAYS.end)
    assert (day.attempts, day.answered, day.bridged, day.result_abandoned, day.no_answer) == (10, 7, 6, 1, 3)
    assert day.wait_p50_ms == 35
    assert day.over_2s_share == pytest.approx(1 / 6)
    assert await campaign_days(conn, ALWAYS.start, ALWAYS.end, "autumn") == []


async def test_the_report_counts_abandonment_as_the_ledger_does(conn: Conn) -> None:
    """A machine and talks without a disposition are no live answers; who waited longer than 2 s was abandoned."""
    world = await some_calls(conn)
    [day] = await campaign_days(conn, ALWAYS.start, ALWAYS.end)
    assert (day.live, day.abandoned, day.doubtful) == (3, 2, 4)
    attempts = await conn.fetch("select attempt_id::text as id from cdrs order by answer_to_agent_ms")
    said = [("machine", False), ("no", True), ("no", True), ("no", True)]
    given = [
        Disposed(row["id"], code, code, "agent", WALL, WALL, final=True, person=person)
        for row, (code, person) in zip(attempts[1:5], said, strict=True)
    ]
    await dispose(conn, given)
    [day] = await campaign_days(conn, ALWAYS.start, ALWAYS.end)
    assert (day.live, day.abandoned, day.doubtful) == (6, 2, 1)
    assert day.abandoned_share == pytest.approx(1 / 3)
    ledger = await load_ledger(conn, world.campaigns["spring"], lambda npa: "US", None)
    counts = ledger.counts("US", WALL.date())
    assert (counts.live, counts.counted_abandoned, counts.doubtful) == (day.live, day.abandoned, day.doubtful)


@pytest.fixture
def config(pg_url: str, tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "dialer.yaml").write_text(SETTINGS.format(url=pg_url, socket=tmp_path / "none.sock"))
    return directory


def dialer(config: Path, *words: str, status: int = 0) -> str:
    """Run a command as a person would and return what it printed."""
    app = build(("list_", "dnc", "cdr", "report"))
    result = CliRunner().invoke(app, [*words, "--config", str(config)])
    assert result.exit_code == status, result.output
    return result.output


def test_lists_from_the_command_line(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text("Name,Mobile,Other\nAna Ruiz,2105550101,\nBo,8005550101,\n")
    into = (str(file), "--member", "acme", "--list", "june")
    told = dialer(config, "list", "import", *into, "--dry-run")
    assert "Mobile: phone (mobile)" in told
    assert "1 contacts with 1 numbers would be imported" in told
    assert "no lists yet" in dialer(config, "list", "ls")
    told = dialer(config, "list", "import", *into)
    assert "1  toll-free number" in told
    assert (tmp_path / "june.rejected.csv").exists()
    assert "june" in dialer(config, "list", "ls", "--member", "acme")
    assert "no Member is called 'acne'" in dialer(
        config, "list", "import", str(file), "--member", "acne", "--list", "x", status=1
    )
    assert "field=Column" in dialer(config, "list", "import", *into, "--map", "Mobile", status=1)
    assert "say which import" in dialer(config, "list", "undo", status=1)
    assert "1 contacts removed" in dialer(config, "list", "undo", "--member", "acme", "--list", "june")


def test_do_not_call_from_the_command_line(config: Path, tmp_path: Path) -> None:
    assert "+12105550101 will not be called by anybody" in dialer(config, "dnc", "add", "(210) 555-0101")
    dialer(config, "dnc", "add", "2105550101", "--member", "acme", "--note", "asked by letter")
    shown = dialer(config, "dnc", "check", "2105550101")
    assert "must not be called" in shown
    assert "asked by letter" in shown
    document = json.loads(dialer(config, "dnc", "check", "2105550101", "--json"))
    assert [entry["member"] for entry in document["entries"]] == [None, "acme"]
    assert "may be called again by anybody" in dialer(config, "dnc", "remove", "2105550101")
    assert "does not stand on that list" in dialer(config, "dnc", "remove", "2105550101", status=1)
    assert "not a phone number" in dialer(config, "dnc", "add", "hello", status=1)
    file = tmp_path / "dnc.txt"
    file.write_text("2105550101\n+1 (210) 555-0102\nnonsense\n2105550102\n")
    told = dialer(config, "dnc", "import", str(file), status=1)
    assert "4 rows: 2 numbers added, 0 stood there already" in told
    assert "row 3: no number in the columns that were read" in told
    file.write_text("2105550101\n2105550102\n")
    assert "0 numbers added, 2 stood there already" in dialer(config, "dnc", "import", str(file))


def test_export_and_report_from_the_command_line(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "cdr.csv"
    assert "0 records" in dialer(config, "cdr", "export", "--from", "2026-11-01", "--output", str(target))
    assert target.read_text().startswith("attempt_id,")
    assert dialer(config, "cdr", "export", "--format", "jsonl") == ""
    assert "cannot be written" in dialer(
        config, "cdr", "export", "--output", str(tmp_path / "no" / "x.csv"), status=1
    )
    assert "neither a date" in dialer(config, "cdr", "export", "--from", "yesterday", status=2)
    assert "no calls in this time" in dialer(config, "report")
    assert json.loads(dialer(config, "report", "--json")) == {"campaigns": [], "agents": []}


async def test_the_first_day_of_a_report_is_a_whole_day(conn: Conn, config: Path) -> None:
    """Whatever the time of day at which it is asked for, so that a day's figures do not change."""
    world = await make_world(conn)
    await put_contacts(conn, world.members["acme"], "june", fictional(2))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=7)
    for reserved_at in (first + timedelta(minutes=5), first - timedelta(minutes=5)):
        [one] = (await reserve(conn, request(world, 1, wall=reserved_at))).reserved
        await write(conn, [], [end_of(one, ended_at=reserved_at + timedelta(seconds=20), final=True)], 1)
    told = json.loads(await asyncio.to_thread(dialer, config, "report", "--json"))
    assert [(day["day"], day["attempts"]) for day in told["campaigns"]] == [(first.date().isoformat(), 1)]
