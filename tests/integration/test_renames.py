"""Members and campaigns that go on under another name: said loudly, and kept by a command."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from cli_support import Commands, commands_on
from store_support import NOON, WALL, Conn, World, end_of, put_contacts, request

from dialer_engine.cli.doctor_names import names
from dialer_engine.cli.finding import CRITICAL, OK, WARNING
from dialer_engine.engine.ownership import FAMILY
from dialer_engine.engine.renames import renames
from dialer_engine.settings.load import Config, load_config
from dialer_engine.store import lease, suppress
from dialer_engine.store.attempts import Talk, talks_without_disposition, write
from dialer_engine.store.cdr import CdrQuery, export
from dialer_engine.store.directory import add_agent, sync_campaigns, sync_members
from dialer_engine.store.errors import LeaseHeld, StoreError, UnknownName
from dialer_engine.store.renames import copy_suppressions, rename_campaign, rename_member
from dialer_engine.store.report import campaign_days
from dialer_engine.store.reserve import reserve

pytestmark = pytest.mark.postgres

NUMBER, OTHER = "+12105550101", "+12105550102"
ACME = "acme: {name: Acme, callback_number: +18005550100}"
BOLT = "bolt: {name: Bolt, callback_number: +18005550111}"


@pytest.fixture
def place(tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration over the test's database."""
    return commands_on(tmp_path, pg_url, monkeypatch).config


def config_of(place: Path, members: str, **campaigns: str) -> Config:
    """Write these Members and campaigns (name -> Member) into the configuration, and read it."""
    engine = place / "dialer.yaml"
    url = engine.read_text("utf-8").rsplit("database:", 1)[1]
    engine.write_text(
        f"members: {{{members}}}\ntrunks: {{main: {{host: 127.0.0.1}}}}\ndatabase:{url}", encoding="utf-8"
    )
    (place / "campaigns").mkdir(exist_ok=True)
    for old in (place / "campaigns").iterdir():
        old.unlink()
    for name, member in campaigns.items():
        (place / "campaigns" / f"{name}.yaml").write_text(
            f"member: {member}\nlists: [june]\ntrunks: [main]\ncaller_ids: [+12125560100]\n", encoding="utf-8"
        )
    return load_config(place)


async def start(conn: Conn, config: Config) -> World:
    """What an engine does with its settings at its start and at every reload."""
    members = await sync_members(conn, config.settings.members)
    return World(members, await sync_campaigns(conn, config.campaigns))


async def warned(conn: Conn, config: Config) -> list[str]:
    """What an engine says of names after that."""
    await start(conn, config)
    return await renames(conn, config.settings.members, config.campaigns)


async def asked_not_to_call(conn: Conn, world: World, member: str, *numbers: str) -> None:
    """These numbers asked a Member to stop."""
    for number in numbers:
        await suppress.add(conn, number, world.members[member], "drop_message", WALL, who="called party")


async def called(conn: Conn, config: Config, end: str = "bridged") -> World:
    """The campaign spring of acme has called its contact and is finished with it."""
    world = await start(conn, config)
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER]])
    (one,) = (await reserve(conn, request(world))).reserved
    await write(conn, [], [end_of(one, end, retry_at=None, final=True)], 1)
    return world


async def rename(conn: Conn, old: str, new: str) -> None:
    """Rename a Member as the command does."""
    await rename_member(conn, old, new, WALL, who="ann", engines=FAMILY)


# --- Members --------------------------------------------------------------------------------------


async def test_a_member_under_another_name_loses_its_opt_outs_and_this_is_said(
    conn: Conn, place: Path
) -> None:
    old = config_of(place, ACME, spring="acme")
    world = await called(conn, old)
    await asked_not_to_call(conn, world, "acme", NUMBER, OTHER)
    assert await warned(conn, old) == []
    assert (await names(place)).state == OK
    new = config_of(place, ACME.replace("acme", "acme2"), spring="acme2")
    assert (await names(place)).state == CRITICAL, "before anything is reloaded"
    (words,) = await warned(conn, new)
    assert "Member acme is not in dialer.yaml any more, but 2 numbers asked it not to call" in words
    assert "'dialer member rename acme acme2'" in words
    found = await names(place)
    assert (found.state, found.words) == (CRITICAL, words)


async def test_the_engines_own_role_may_ask(conn: Conn, place: Path) -> None:
    world = await start(conn, config_of(place, f"{ACME}, {BOLT}", spring="acme"))
    await asked_not_to_call(conn, world, "acme", NUMBER)
    new = config_of(place, BOLT)
    await conn.execute("set role dialer_engine")
    assert len(await renames(conn, new.settings.members, new.campaigns)) == 1


async def test_a_member_that_left_is_named_too_and_one_without_opt_outs_is_not(
    conn: Conn, place: Path
) -> None:
    world = await start(conn, config_of(place, f"{ACME}, {BOLT}"))
    await asked_not_to_call(conn, world, "acme", NUMBER, OTHER)
    await suppress.add(conn, OTHER, None, "request", WALL, who="ann")
    (words,) = await warned(conn, config_of(place, BOLT))
    assert "acme is not in dialer.yaml any more, but 1 numbers asked it" in words, (
        "what all may not call is kept"
    )
    assert "'dialer member rename acme NEW'" in words
    assert (await names(place)).state == WARNING
    assert await warned(conn, config_of(place, ACME)) == []


async def test_a_renamed_member_keeps_everything(conn: Conn, place: Path) -> None:
    world = await called(conn, config_of(place, ACME, spring="acme"))
    await asked_not_to_call(conn, world, "acme", NUMBER)
    new = config_of(place, ACME.replace("acme", "acme2"), spring="acme2")
    held = await start(conn, new)
    await add_agent(conn, held.members["acme2"], "ana", "secret")
    await rename(conn, "acme", "acme2")
    assert await warned(conn, new) == []
    again = await start(conn, new)
    assert again.members["acme2"] == world.members["acme"]
    assert again.campaigns == world.campaigns
    (entry,) = await suppress.check(conn, NUMBER)
    assert entry.member == "acme2"
    assert await conn.fetchval("select member_id from agents") == world.members["acme"]
    audited = await conn.fetchrow("select who, action, detail from audit order by id desc limit 1")
    assert audited is not None
    assert (audited["who"], audited["action"]) == ("ann", "member renamed")
    taken_away = await conn.fetchval("select count(*) from queue where held_rule = 'list'")
    assert taken_away == 0, "the lists are the campaign's again"


async def test_a_member_is_renamed_before_the_new_name_was_ever_read(conn: Conn, place: Path) -> None:
    world = await start(conn, config_of(place, ACME))
    await rename(conn, "acme", "acme2")
    again = await start(conn, config_of(place, ACME.replace("acme", "acme2")))
    assert again.members["acme2"] == world.members["acme"]


@pytest.mark.parametrize("what", ["contacts", "do-not-call entries"])
async def test_a_member_that_was_used_takes_nobodys_place(conn: Conn, place: Path, what: str) -> None:
    world = await start(conn, config_of(place, f"{ACME}, {BOLT}"))
    await asked_not_to_call(conn, world, "acme", NUMBER)
    if what == "contacts":
        await put_contacts(conn, world.members["bolt"], "june", [[OTHER]])
    else:
        await asked_not_to_call(conn, world, "bolt", OTHER)
    with pytest.raises(StoreError, match=rf"bolt has {what} of its own.*dialer dnc copy acme bolt"):
        await rename(conn, "acme", "bolt")
    with pytest.raises(UnknownName, match="no Member is called 'acne'"):
        await rename(conn, "acne", "bolt")
    assert await start(conn, config_of(place, f"{ACME}, {BOLT}")) == world


async def test_nothing_is_renamed_while_an_engine_works(conn: Conn, place: Path) -> None:
    world = await start(conn, config_of(place, ACME, spring="acme"))
    taken = await lease.take(conn, "engine:main", "here", timedelta(seconds=30), FAMILY)
    with pytest.raises(LeaseHeld, match="the engine here works on this database; stop it"):
        await rename(conn, "acme", "acme2")
    with pytest.raises(LeaseHeld):
        await rename_campaign(conn, "spring", "autumn", "acme", WALL, who="ann", engines=FAMILY)
    await conn.execute("update leases set expires_at = now() - interval '1 second'")
    await rename(conn, "acme", "acme2")
    # It was only frozen, and comes back with the rows that it knows.
    assert await lease.heartbeat(conn, "engine:main", "here", taken, timedelta(seconds=30)) is None
    assert (await start(conn, config_of(place, ACME.replace("acme", "acme2")))).members["acme2"] in [
        *world.members.values()
    ]


async def test_entries_are_copied_to_who_takes_a_members_place(conn: Conn, place: Path) -> None:
    world = await start(conn, config_of(place, f"{ACME}, {BOLT}"))
    await asked_not_to_call(conn, world, "acme", NUMBER, OTHER)
    await asked_not_to_call(conn, world, "bolt", OTHER)
    assert await copy_suppressions(conn, "acme", "bolt", WALL, who="ann") == (1, [])
    assert {entry.member for entry in await suppress.check(conn, NUMBER)} == {"acme", "bolt"}
    assert await warned(conn, config_of(place, BOLT)) == []


def test_the_command_wants_the_new_name_in_the_settings(place: Path) -> None:
    commands = Commands(place)
    assert "change the name there" in commands.refused("member", "rename", "acme", "acme2")
    config_of(place, f"{ACME}, {BOLT}")
    assert "acme is a Member of dialer.yaml still" in commands.refused("member", "rename", "acme", "bolt")
    commands.run("dnc", "add", NUMBER, "--member", "acme")
    config_of(place, ACME.replace("acme", "acme2"))
    assert "Member acme is acme2 now" in commands.run("member", "rename", "acme", "acme2")
    assert "by acme2: request" in commands.run("dnc", "check", NUMBER)
    assert "no Member is called 'acme'" in commands.refused("member", "rename", "acme", "acme2")
    config_of(place, f"{ACME.replace('acme', 'acme2')}, {BOLT}")
    assert "1 numbers of acme2 will not be called by bolt" in commands.run("dnc", "copy", "acme2", "bolt")


# --- campaigns ------------------------------------------------------------------------------------


async def test_a_campaign_under_another_name_is_said(conn: Conn, place: Path) -> None:
    old = config_of(place, ACME, spring="acme")
    await start(conn, old)
    assert await warned(conn, config_of(place, ACME, autumn="acme")) == [], "nobody was called yet"
    await called(conn, old)
    new = config_of(place, ACME, autumn="acme")
    (words,) = await warned(conn, new)
    assert "campaign spring is gone and autumn is new" in words
    assert "'dialer campaign rename spring autumn'" in words
    found = await names(place)
    assert (found.state, found.words) == (WARNING, words)
    assert await warned(conn, config_of(place, ACME, spring="acme", autumn="acme")) == []


async def test_a_renamed_campaign_keeps_whom_it_has_called(conn: Conn, place: Path) -> None:
    world = await called(conn, config_of(place, ACME, spring="acme"))
    new = config_of(place, ACME, autumn="acme")
    aside = (await start(conn, new)).campaigns["autumn"]
    await rename_campaign(conn, "spring", "autumn", "acme", WALL, who="ann", engines=FAMILY)
    assert await warned(conn, new) == []
    again = await start(conn, new)
    assert again.campaigns["autumn"] == world.campaigns["spring"]
    asked = request(World(again.members, {"spring": again.campaigns["autumn"]}), now=NOON + timedelta(days=1))
    assert (await reserve(conn, asked)).reserved == ()
    assert await conn.fetchval("select name from campaigns where id = $1", aside) == f"autumn#{aside}"


async def test_a_renamed_campaigns_records_are_found_by_its_name(conn: Conn, place: Path) -> None:
    """The records keep the name of their time, and the report has one row for what is one campaign."""
    await called(conn, config_of(place, ACME, spring="acme"))
    await rename_campaign(conn, "spring", "autumn", "acme", WALL, who="ann", engines=FAMILY)
    world = await start(conn, config_of(place, ACME, autumn="acme", other="acme"))
    await put_contacts(conn, world.members["acme"], "june", [[OTHER]])
    (one,) = (
        await reserve(conn, request(World(world.members, {"spring": world.campaigns["autumn"]})))
    ).reserved
    await write(conn, [], [end_of(one)], 1)
    span = (WALL, WALL + timedelta(days=1))
    exported = StringIO()
    assert await export(conn, CdrQuery(*span, "autumn"), exported, "csv") == 2
    assert {row["campaign"] for row in csv.DictReader(StringIO(exported.getvalue()))} == {"spring", "autumn"}
    for name, days in (("autumn", [("autumn", 2)]), (None, [("autumn", 2)]), ("spring", []), ("other", [])):
        assert [(day.campaign, day.attempts) for day in await campaign_days(conn, *span, name)] == days
        assert await export(conn, CdrQuery(*span, name), StringIO(), "jsonl") == 2 * len(days)


async def test_a_renamed_campaigns_talks_get_its_default_disposition(conn: Conn, place: Path) -> None:
    """An engine looks for it by the name that the settings have."""
    world = await start(conn, config_of(place, ACME, spring="acme"))
    await put_contacts(conn, world.members["acme"], "june", [[NUMBER]])
    (one,) = (await reserve(conn, request(world, wall=datetime.now(UTC)))).reserved
    await write(conn, [], [end_of(one, "bridged", joined_at=WALL)], 1)
    await rename_campaign(conn, "spring", "autumn", "acme", WALL, who="ann", engines=FAMILY)
    assert await talks_without_disposition(conn, "main") == [Talk(one.attempt_id, "autumn", "")]


async def test_a_campaign_that_called_or_is_anothers_takes_no_place(conn: Conn, place: Path) -> None:
    both = config_of(place, f"{ACME}, {BOLT}", spring="acme", autumn="bolt")
    await called(conn, both)
    with pytest.raises(StoreError, match="spring has calls of its own"):
        await rename_campaign(conn, "autumn", "spring", "bolt", WALL, who="ann", engines=FAMILY)
    with pytest.raises(StoreError, match="spring is a campaign of acme, and autumn one of bolt"):
        await rename_campaign(conn, "spring", "autumn", "bolt", WALL, who="ann", engines=FAMILY)
    with pytest.raises(UnknownName, match="no campaign is called 'sping'"):
        await rename_campaign(conn, "sping", "autumn", "bolt", WALL, who="ann", engines=FAMILY)


def test_the_command_for_campaigns_wants_the_file_renamed(place: Path) -> None:
    commands = Commands(place)
    config_of(place, ACME, spring="acme")
    assert "rename its file first" in commands.refused("campaign", "rename", "spring", "autumn")
    config_of(place, ACME, spring="acme", autumn="acme")
    assert "spring is a campaign of the configuration still" in commands.refused(
        "campaign", "rename", "spring", "autumn"
    )
    config_of(place, ACME, autumn="acme")
    assert "no campaign is called 'spring'" in commands.refused("campaign", "rename", "spring", "autumn")
