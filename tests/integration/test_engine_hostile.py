"""Hostile names, notes and columns are called through a hostile carrier, and exported: nothing happens but calls."""

import asyncio
import csv
import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from engine_support import HUMAN, PROGRESSIVE, begin, lab, rows, status, table, until
from hostile_carrier import HostileCarrier

from dialer_engine.core.text import storable
from dialer_engine.lab.hostile import MARK, hostile
from dialer_engine.lab.scenario import CAMPAIGN, LIST, MEMBER
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

CONTACTS = 24
COLUMNS = 4
TEXTS = hostile(1000)
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
FIRST = "+12145550101"
OTHER = "+12145550199"


def number(index: int) -> str:
    return f"+1214555{110 + index:04d}"


def in_a_file(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def cells(index: int) -> list[str]:
    """First name, last name, company, note and further columns of one contact."""
    width = 4 + COLUMNS
    return [in_a_file(TEXTS[(index * width + i) % len(TEXTS)]) for i in range(width)]


def write_list(file: Path) -> None:
    header = [
        in_a_file(f"{text} #{i}".replace("\0", "")) for i, text in enumerate(TEXTS[500 : 500 + COLUMNS])
    ]
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["Phone", "First Name", "Last Name", "Company", "State", "Notes", *header])
        # A file that begins with control characters is refused as no text: here they come after the sample.
        writer.writerow([FIRST, "Ann", "First", "", "TX", "x" * 70_000])
        for index in range(CONTACTS):
            first, last, company, *rest = cells(index)
            writer.writerow([number(index), first, last, company, "TX", *rest])


async def test_hostile_texts_have_no_effect() -> None:
    scenario = replace(PROGRESSIVE, agents=4, wrap_seconds=0, calls_per_second=10.0, retry_s=7200, codes="{}")
    async with HostileCarrier(TEXTS) as carrier:
        front = replace(scenario, lines_to=(("front", carrier.port),), direct=False)
        async with lab(front, table(HUMAN), 1) as made:
            file = made.home / "hostile.csv"
            write_list(file)
            where = ("--config", str(made.config))
            said = await made.engine.run(
                "list", "import", str(file), "--member", MEMBER, "--list", LIST, *where
            )
            assert f"{CONTACTS + 1} contacts" in said
            note = "".join(storable(text) for text in TEXTS[:100])
            said += await made.engine.run("dnc", "add", OTHER, "--member", MEMBER, "--note", note, *where)
            pids, dialplan = made.pids, made.main_node.console("dialplan show")
            await begin(made)
            await until(lambda: everybody_called(made), "every contact was called", 120.0)
            await until(lambda: nothing_up(made), "no call is up", 60.0)
            assert made.pids == pids, "no process of ours ended or was started"
            assert made.main_node.console("dialplan show") == dialplan
            await nothing_at_asterisk(made)
            at_the_carrier(carrier)
            await in_the_database(made, note)
            await everything_out(made, said, where)
            no_files(made)


async def everybody_called(made: World) -> bool:
    return await count(made, "select count(*) as n from cdrs") >= CONTACTS + 2


async def count(made: World, query: str) -> int:
    """One number from the database; -1 when a busy machine did not let it answer in time."""
    try:
        return int((await rows(made, query))[0]["n"])
    except TimeoutError:
        return -1


async def nothing_up(made: World) -> bool:
    live = await count(made, "select count(*) as n from attempts where ended_at is null")
    # In a thread: the carrier has to answer meanwhile.
    channels = (await asyncio.to_thread(made.main_node.console, "core show channels concise")).splitlines()
    return live == 0 and not [line for line in channels if line.startswith("PJSIP/trunk-")]


async def nothing_at_asterisk(made: World) -> None:
    node = made.main_node
    shown = await asyncio.to_thread(node.console, "core show channels concise")
    channels = [line.split("!")[0] for line in shown.splitlines() if "!" in line]
    phones = [name for name in channels if name.startswith("PJSIP/agent")]
    assert len(phones) == 4, channels
    # The engine's own: what an agent hears whispered.
    assert all(name.startswith(("PJSIP/agent", "Snoop/main-")) for name in channels), channels
    for command in ("database show", "core show globals", "pjsip show endpoints", "manager show connected"):
        assert MARK not in (await asyncio.to_thread(node.console, command)), command
    assert sum(queue.waiting for queue in (await node.task_processors()).values()) < 10


def at_the_carrier(carrier: HostileCarrier) -> None:
    expected = {number(index) for index in range(CONTACTS)} | {"+12145550100", FIRST}
    assert set(carrier.called) == expected, "nobody else was called"
    assert set(carrier.called.values()) == {1}
    assert carrier.answered >= CONTACTS // 4
    assert set(carrier.asked) <= {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"}


async def in_the_database(made: World, note: str) -> None:
    found = await rows(
        made,
        "select row_number, first_name, last_name, company, extra from contacts order by id",
    )
    hostile_rows = [row for row in found if json.loads(row["extra"]) and row["row_number"] > 2]
    assert len(hostile_rows) == CONTACTS
    for row in hostile_rows:
        index = row["row_number"] - 3
        kept = [storable(text).strip() or None for text in cells(index)]
        extra = json.loads(row["extra"])
        assert [row["first_name"], row["last_name"], row["company"], extra.get("Notes")] == kept[:4]
    counts = await rows(
        made,
        "select (select count(*) from attempts) as attempts, (select count(*) from cdrs) as cdrs, "
        "(select count(*) from contacts) as contacts, (select count(*) from consents) as consents, "
        "(select count(*) from agents) as agents, (select count(*) from lists) as lists, "
        "(select count(*) from campaigns) as campaigns, (select count(*) from members) as members",
    )
    assert dict(counts[0]) == {
        "attempts": CONTACTS + 2,
        "cdrs": CONTACTS + 2,
        "contacts": CONTACTS + 2,
        "consents": 0,
        "agents": 4,
        "lists": 1,
        "campaigns": 1,
        "members": 1,
    }
    suppressed = await rows(made, "select number, note from suppressions where source = 'request'")
    assert [(row["number"], row["note"]) for row in suppressed] == [(OTHER, note)]
    for row in await rows(made, "select cause_text, result from cdrs"):
        assert re.fullmatch(r"[A-Za-z0-9 ._-]*", row["cause_text"] or "")
    assert not await rows(made, "select 1 from suppressions where source = 'drop_message'")


async def everything_out(made: World, said: str, where: tuple[str, str]) -> None:
    run = made.engine.run
    pack = made.home / "pack"
    told = await asyncio.gather(
        run("status", *where),
        run("dnc", "check", OTHER, *where),
        run("why", number(3), *where),
        run("evidence", "--campaign", CAMPAIGN, "--out", str(pack), *where),
    )
    for text in (said, *told):
        assert not ACTS.search(text), text
    assert MARK in told[1], "the note is shown"
    table_text = await run("cdr", "export", *where)
    records = list(csv.DictReader(io.StringIO(table_text)))
    assert len(records) == CONTACTS + 2
    assert {record["called_number"] for record in records} >= {number(index) for index in range(CONTACTS)}
    lines = (await run("cdr", "export", "--format", "jsonl", *where)).splitlines()
    assert len([json.loads(line) for line in lines]) == CONTACTS + 2
    reader = Tags()
    (page,) = pack.rglob("index.html")
    reader.feed(page.read_text("utf-8"))
    assert reader.seen <= {
        "html",
        "meta",
        "title",
        "style",
        "h1",
        "h2",
        "p",
        "code",
        "table",
        "tr",
        "th",
        "td",
    }
    log = made.engine.log.read_text("utf-8")
    assert all(json.loads(line)["event"] for line in log.splitlines())
    assert (await status(made))["engine"]["dialing"] is True


class Tags(HTMLParser):
    """Which elements a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def no_files(made: World) -> None:
    places = (
        {made.home, Path.cwd()}
        | {Path(f"/proc/{pid}/cwd").resolve() for pid in made.pids}
        | {Path("/tmp"), Path("/")}
    )
    assert not [path for place in places for path in (place / MARK, place / f"{MARK}.wav") if path.exists()]
    assert not [
        os.path.join(top, name) for top, _, names in os.walk(made.home) for name in names if MARK in name
    ]
