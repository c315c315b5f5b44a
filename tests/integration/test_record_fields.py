"""A call record names what was in force when its call was reserved, whatever a reload says until the call ends."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from held_support import Desk, on_disk, outage, until
from store_support import NOON, WALL, Conn, end_of, fictional, gate, put_contacts

from dialer_engine.core import attempt as life
from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.core.outcome import Result
from dialer_engine.core.seat import Seat, SeatState
from dialer_engine.engine.actions import Leg
from dialer_engine.engine.adoption import Adoption
from dialer_engine.engine.call import Call
from dialer_engine.engine.campaigns import Campaigns
from dialer_engine.engine.clock import GateClock
from dialer_engine.engine.desk import Desks
from dialer_engine.engine.dispatcher import Dispatcher
from dialer_engine.engine.ledger import Ledgers
from dialer_engine.engine.plan import CampaignPlan
from dialer_engine.engine.prompts import Prompt
from dialer_engine.engine.record import Records
from dialer_engine.engine.registry import Prepared, write_registry
from dialer_engine.engine.runner import Runner
from dialer_engine.engine.trunks import Trunks
from dialer_engine.engine.writer import Writer
from dialer_engine.pbx.allow_list import AllowList
from dialer_engine.settings.load import Config, load_config
from dialer_engine.store.attempts import AttemptEvent, adopt, live_attempts, write
from dialer_engine.store.directory import add_agent
from dialer_engine.store.kept_text import KeptText
from dialer_engine.store.pool import connect
from dialer_engine.store.preview import ShowRequest, show
from dialer_engine.store.reserve import ReserveRequest, ReserveResult, reserve

pytestmark = pytest.mark.postgres

NOBODY: Any = None
RECORD = (
    "select member, seller, offer, telemarketer, script_version, caller_id_proof, called_party, prompt_version, "
    "caller_id_name from cdr_export order by reserved_at"
)


def fields(n: int) -> tuple[str, ...]:
    """What records say by the settings number `n`: those of number 1 call businesses."""
    words = ("Acme", "Seller", "Offer", "Calls", "script", "contract", "prompt", "Name")
    said = [f"{word} {n}" for word in words]
    return (*said[:-2], "business" if n == 1 else "consumer", *said[-2:])


def config(directory: Path, n: int) -> Config:
    """The settings number `n`."""
    (directory / "campaigns").mkdir(exist_ok=True)
    (directory / "dialer.yaml").write_text(
        f"members: {{acme: {{name: Acme {n}, callback_number: '+12105550100'}}}}\n"
        "trunks: {main: {host: 127.0.0.1, port: 5070}}\n"
        "lab: {clock: 2026-06-10T13:00:00-05:00}\n"
    )
    (directory / "campaigns" / "spring.yaml").write_text(
        "member: acme\nlists: [june]\ntrunks: [main]\ncaller_ids: ['+12105550177']\n"
        f"caller_id_name: Name {n}\noffer: Offer {n}\ntelemarketer: Calls {n}\ncaller_id_proof: contract {n}\n"
        f"drop_message: {{seller: Seller {n}}}\naudience: {'businesses' if n == 1 else 'consumers'}\n"
    )
    return load_config(directory)


async def load(conn: Conn, directory: Path, n: int) -> CampaignPlan:
    """Start or reload with the settings number `n`, as the engine does once the recordings are made."""
    prompt = Prompt(f"campaigns/spring-{n}", f"prompt {n}", "This was a call.")
    script = KeptText(f"script {n}", "script", f"Say {n}.", "script.txt")
    async with conn.transaction():
        registry = await write_registry(
            conn, config(directory, n), Prepared({"spring": prompt}, {"spring": script}, {})
        )
    return registry.plans["spring"]


@dataclass
class Around:
    """A database and an Asterisk around a runner; `meanwhile` happens once a reservation is committed."""

    conn: Conn
    directory: Path
    legs: list[tuple[Call, Leg]] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None
    name, up, sounds = "main", True, Path("/sounds")

    def why_not(self) -> None: ...

    def suppressed_since(self, number: str, member_id: int, moment: float) -> bool:
        return False

    def allowed(self, plan: CampaignPlan) -> AllowList:
        return AllowList(load_config(self.directory).plan, frozenset(), lab=True)

    async def reserve(self, request: ReserveRequest) -> ReserveResult:
        result = await reserve(self.conn, request)
        if self.meanwhile is not None:
            await self.meanwhile()
        return result

    def send(self, call: Call, leg: Leg) -> None:
        self.legs.append((call, leg))


@dataclass
class Engine:
    """An engine's runner of one campaign, without an Asterisk, and its records."""

    around: Around
    runner: Runner
    dispatcher: Dispatcher

    async def call(self) -> tuple[Call, Leg]:
        """Reserve a call and let it leave."""
        [line] = self.runner.trunks.lines.values()
        left = len(self.around.legs)
        await self.runner._reserve("main", 1, line, gate(NOON))
        await until(lambda: len(self.around.legs) > left, "the call has left")
        line.on_wire(time.monotonic(), self.around.legs[-1][0].id)
        line.queue.pump()
        return self.around.legs[-1]

    def request(self) -> ReserveRequest:
        """What is asked of the database for one call."""
        [line] = self.runner.trunks.lines.values()
        return self.runner._request("main", 1, line, gate(NOON))


async def engine(conn: Conn, directory: Path, writer: Writer | Any) -> Engine:
    """An engine by the settings number 1, with two contacts to call."""
    plan = await load(conn, directory, 1)
    list_of = await conn.fetchval("select member_id from campaigns")
    await put_contacts(conn, list_of, "june", fictional(2))
    records = Records(writer, GateClock())
    records.plans = {"spring": plan}
    dispatcher = Dispatcher(NOBODY, records)
    settings = load_config(directory)
    ledgers = Ledgers(dispatcher, settings.plan, ["main"], lambda: WALL)
    ledgers.begin(*await ledgers.load(conn, {"spring": plan}))
    around = Around(conn, directory)
    trunks = Trunks(settings.settings.trunks)
    return Engine(
        around,
        Runner(plan, dispatcher, trunks, around, {"main": around}, 1, ledgers, NOBODY, NOBODY),  # type: ignore[dict-item]
        dispatcher,
    )


def end(made: Engine, call: Call) -> None:
    """The called person hears the drop message and hangs up."""
    call.events = 1
    call.attempt = Attempt(
        call.id, Phase.ENDED, answered_at=WALL, message_at=WALL, ended_at=WALL, result=Result.ABANDONED
    )
    made.dispatcher._recorder.attempt_end(call, life.Gone(WALL))


def desk(url: str, home: Path) -> Desk:
    """Writers that come and go on one DIALER_HOME."""
    return Desk(url, home, [], 0, NOBODY)


async def recorded(conn: Conn) -> list[tuple[str | None, ...]]:
    """What the call records say."""
    return [tuple(row) for row in await conn.fetch(RECORD)]


async def test_a_reload_changes_nothing_of_the_calls_that_are_up(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    async with desk(pg_url, tmp_path).writer() as writer:
        made = await engine(conn, tmp_path, writer)
        call, _ = await made.call()
        made.runner.plan = await load(conn, tmp_path, 2)
        end(made, call)
        await writer.flushed()
        assert await recorded(conn) == [fields(1)]
        second, _ = await made.call()
        end(made, second)
        await writer.flushed()
    assert await recorded(conn) == [fields(1), fields(2)]


async def test_a_reload_changes_nothing_of_the_ends_that_are_held_on_disk(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    here = desk(pg_url, tmp_path)
    async with here.writer(killed=True) as writer:
        made = await engine(conn, tmp_path, writer)
        call, _ = await made.call()
        await outage(here, writer)
        end(made, call)
        await on_disk(writer, 1)
    await here.come_back()
    again = await connect(pg_url)
    await load(again, tmp_path, 2)
    async with here.writer(epoch=2) as writer:
        await until(lambda: not len(writer), "what was held is written")
    assert await recorded(again) == [fields(1)]
    await again.close()


async def test_an_adopted_call_has_what_its_own_engine_said(conn: Conn, pg_url: str, tmp_path: Path) -> None:
    first = await engine(conn, tmp_path, NOBODY)
    call, _ = await first.call()
    said = (
        AttemptEvent(call.id, n, kind, WALL) for n, kind in ((1, "dialing"), (2, "waiting"), (3, "message"))
    )
    await write(conn, list(said), [], 1)
    plan = await load(conn, tmp_path, 2)
    async with desk(pg_url, tmp_path).writer(epoch=2) as writer:
        records = Records(writer, GateClock())
        records.plans = {"spring": plan}
        dispatcher = Dispatcher(NOBODY, records)
        await adopt(conn, [call.id], 2)
        taken = Adoption(dispatcher, NOBODY, Trunks({}), {"spring": plan}.get, lambda number: None)
        assert taken.end_forgotten(await live_attempts(conn, "main")) == 1
        await writer.flushed()
    assert await recorded(conn) == [fields(1)]


async def test_what_asterisk_is_told_is_what_the_record_names(
    conn: Conn, pg_url: str, tmp_path: Path
) -> None:
    """A reload may come between a reservation and its departure."""
    async with desk(pg_url, tmp_path).writer() as writer:
        made = await engine(conn, tmp_path, writer)

        async def reload() -> None:
            made.runner.plan = await load(conn, tmp_path, 2)

        made.around.meanwhile = reload
        call, leg = await made.call()
        assert leg.variables["DROP_PROMPT"] == "/sounds/campaigns/spring-1"
        assert leg.caller_id == '"Name 1" <+12105550177>'
        end(made, call)
        await writer.flushed()
    assert await recorded(conn) == [fields(1)]


async def test_a_call_dialed_from_a_preview_has_what_was_in_force_when_it_was_dialed(
    conn: Conn, tmp_path: Path
) -> None:
    made = await engine(conn, tmp_path, NOBODY)
    agent = await add_agent(conn, None, "ana", "secret")
    shown = (await show(conn, ShowRequest(made.request(), agent, "ana", timedelta(minutes=1)))).contact
    assert shown is not None
    made.runner.plan = await load(conn, tmp_path, 2)
    [reservation] = (await reserve(conn, replace(made.request(), shown=shown.on_show))).reserved
    await load(conn, tmp_path, 3)
    await write(conn, [], [end_of(reservation, used_prerecorded=True)], 1)
    assert await recorded(conn) == [fields(2)]


@pytest.mark.parametrize("version", [None, str(UUID(int=1))])
async def test_a_call_of_an_engine_from_before_is_recorded_as_ever(
    conn: Conn, tmp_path: Path, version: str | None
) -> None:
    """So is one whose version is lost, because the database went back under its engine."""
    made = await engine(conn, tmp_path, NOBODY)
    [reservation] = (await reserve(conn, replace(made.request(), record_version=version))).reserved
    await load(conn, tmp_path, 2)
    end = end_of(reservation, used_prerecorded=True, prompt_version="prompt 1", caller_id_name="Name 1")
    await write(conn, [], [end], 1)
    assert await recorded(conn) == [(*fields(2)[:-2], "prompt 1", "Name 1")]


async def test_without_a_message_none_is_named(conn: Conn, tmp_path: Path) -> None:
    made = await engine(conn, tmp_path, NOBODY)
    [reservation] = (await reserve(conn, made.request())).reserved
    await write(conn, [], [end_of(reservation)], 1)
    assert await conn.fetchval("select prompt_version from cdrs") is None


async def test_what_records_say_is_kept_once_and_never_changes(conn: Conn, tmp_path: Path) -> None:
    first = await load(conn, tmp_path, 1)
    assert (await load(conn, tmp_path, 2)).record_version != first.record_version
    assert (await load(conn, tmp_path, 1)).record_version == first.record_version
    assert await conn.fetchval("select count(*) from record_fields") == 2
    for change in ("update record_fields set offer = 'x'", "delete from record_fields"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only ever added"):
            await conn.execute(change)


async def test_the_desk_shows_the_script_that_the_record_names(conn: Conn, tmp_path: Path) -> None:
    made = await engine(conn, tmp_path, NOBODY)
    call, _ = await made.call()
    plan = await load(conn, tmp_path, 2)
    made.dispatcher.assign({"ana": "spring"})
    campaigns = Campaigns(made.dispatcher, NOBODY, NOBODY, {"spring": plan}, agents={"ana": None})
    previews: Any = SimpleNamespace(showings={}, notices={})
    partners: Any = SimpleNamespace(of=lambda seat: None)
    desks = Desks(made.dispatcher, campaigns, previews, partners, GateClock(), NOBODY)
    made.dispatcher.seats["ana"] = Seat("ana", SeatState.IN_CALL, attempt=call.id)
    assert desks.document("ana")["script"] == "Say 1."
    made.dispatcher.seats["ana"] = Seat("ana", SeatState.READY)
    assert desks.document("ana")["script"] == "Say 2."
