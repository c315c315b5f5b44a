"""A reload that is refused has changed nothing, in the database as in Asterisk, whatever it was that failed."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from engine_support import HUMAN, PROGRESSIVE, lab, rows, status, table, until

from dialer_engine.lab.scenario import CAMPAIGN, LIST
from dialer_engine.lab.world import World
from dialer_engine.store.pool import connect

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

REFUSE = """
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no room for it'; end $$;
create trigger refused before insert on rule_sets for each row execute function refuse();
"""
ADMIT = "drop trigger refused on rule_sets"


async def test_a_reload_that_fails_leaves_database_asterisk_and_engine_as_they_were() -> None:
    async with lab(PROGRESSIVE, table(HUMAN), 2, on_duty=False) as made:
        before, asterisk = await in_force(made), in_asterisk(made)
        change(made)
        script = made.config / "campaigns" / "script.txt"
        told = await refused(made)
        assert "nothing was changed" in told
        assert "script.txt cannot be read" in told
        with pytest.raises(Exception, match=r"script\.txt cannot be read"):
            await made.engine.run("check", str(made.config))
        assert await in_force(made) == before

        script.write_text("Hello, this is Acme.")
        await at_database(made, REFUSE)
        assert "no room for it" in await refused(made)
        assert await in_force(made) == before, "all of it or nothing"
        assert in_asterisk(made) == asterisk
        await at_database(made, ADMIT)

        pid = made.main_node.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            assert "nothing was changed: the console of Asterisk" in await refused(made)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert await in_force(made) == before
        assert in_asterisk(made) == asterisk
        await until(lambda: connected(made), "Asterisk is back")

        assert "lists" in await made.engine.run("reload", "--config", str(made.config))
        assert await in_force(made) == [("another", "autumn offer")]
        assert in_asterisk(made) != asterisk


def change(made: World) -> None:
    """Another list and offer, a script, and a further trunk."""
    campaign = made.config / "campaigns" / f"{CAMPAIGN}.yaml"
    text = campaign.read_text()
    old = f'lists: ["{LIST}"]', "offer: solar panels"
    assert all(each in text for each in old)
    text = text.replace(old[0], "lists: [another]").replace(old[1], "offer: autumn offer")
    campaign.write_text(text + "script: script.txt\n")
    engine = made.config / "dialer.yaml"
    text = engine.read_text()
    assert "\ntrunks:\n" in text
    engine.write_text(text.replace("\ntrunks:\n", "\ntrunks:\n  spare: {host: 127.0.0.1, port: 19}\n"))


async def in_force(made: World) -> list[tuple[str, str]]:
    """The campaign's lists and offer in the database."""
    found = await rows(
        made,
        "select l.name, coalesce(c.offer, '') as offer from campaigns c join campaign_lists cl on cl.campaign_id = c.id"
        " join lists l on l.id = cl.list_id where cl.active order by l.name",
    )
    return [(row["name"], row["offer"]) for row in found]


def in_asterisk(made: World) -> str:
    path: Path = made.main.path("etc", "pjsip.conf")
    return path.read_text()


async def refused(made: World) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await made.engine.run("reload", "--config", str(made.config))
    return str(caught.value)


async def at_database(made: World, statement: str) -> None:
    conn = await connect(made.postgres.url())
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


async def connected(made: World) -> bool:
    await asyncio.sleep(0.2)
    return all(node["ari"] and node["ami"] for node in (await status(made))["nodes"])
