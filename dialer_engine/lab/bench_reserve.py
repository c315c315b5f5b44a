"""`dialer bench reserve`: what reserving 50 attempts through the gate costs, with short and long lists.

One database holds a registry of 258 million numbers and a million do-not-call entries. First a campaign with
100,000 contacts is measured, then, after ten million contacts were added, one with those. Every contact is in
its campaign's queue, every tenth is on the do-not-call list and one in six on the registry; the others are
reserved, fifty at a time, each time in one durable transaction, and end busy or unanswered before the next.
"""

import argparse
import gc
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.core.gate import GateContext, Limits, RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.lab.bench_registry import ACCOUNT, NUMBERS, synthetic, write_file
from dialer_engine.settings.home import service_user
from dialer_engine.settings.models import AttemptLimits, Retry
from dialer_engine.settings.rules import SHIPPED, load_rules
from dialer_engine.store.attempts import AttemptEnd, write
from dialer_engine.store.directory import sync_campaigns
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.kept_text import KeptText, RecordFields, keep_record_fields, keep_text
from dialer_engine.store.migrate import migrate
from dialer_engine.store.pool import ENGINE_ROLE, Connection, connect
from dialer_engine.store.queue import fill
from dialer_engine.store.registry.lists import subscribe
from dialer_engine.store.reserve import SPARE, Reservation, ReserveRequest, reserve
from dialer_engine.store.sql import sql

NOON = datetime(2026, 6, 10, 18, 0, tzinfo=UTC)
"""A Wednesday when calling is allowed in every state."""
LARGE, SMALL = 10_000_000, 100_000
ROUNDS, WARM_UP, BATCH = 400, 40, 50
AT_ONCE = 250_000
BETWEEN = timedelta(seconds=1)
"""The gate's clock from one reservation to the next."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is: contacts of the two campaigns, numbers of the registry, rounds measured."""

    large: int = LARGE
    small: int = SMALL
    registry: int = NUMBERS
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True)
class Result:
    """Times in ms of reserving 50 attempts: with the long list, with the short one, and their ratio."""

    p50_ms: float
    p99_ms: float
    p50_small_ms: float
    p99_small_ms: float
    ratio: float
    reserved_each: float
    looked_at_each: float
    contacts: int
    registry: int
    load_average: float


@dataclass(frozen=True, slots=True)
class DropMessage:
    """The campaigns of a benchmark are nobody's."""

    seller: str | None = None


@dataclass(frozen=True, slots=True)
class BenchCampaign:
    """A campaign over the one list of a Member."""

    member: str
    lists: Sequence[str] = ("bench",)
    offer: str | None = "bench"
    drop_message: DropMessage = field(default_factory=DropMessage)


@dataclass(slots=True)
class Measured:
    """Times in ms, and what was reserved and looked at, over the rounds of one campaign."""

    times: list[float]
    reserved: int = 0
    held: int = 0

    def quantile(self, share: float) -> float:
        """Return a quantile of the times."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def run(directory: Path, size: Size, *, tell: Tell = print) -> Result:
    """Measure in a database of its own below `directory`, which needs about 15 GB for the full size."""
    server = EmbeddedPostgres(directory / "postgres", service_user())
    try:
        conn = await connect(server.start(), batch=True)
        try:
            await migrate(conn)
            engine = await connect(server.url(), batch=True, role=ENGINE_ROLE)
            try:
                return await _measure_both(conn, engine, directory, size, tell)
            finally:
                await engine.close()
        finally:
            await conn.close()
    finally:
        server.stop()


async def _measure_both(
    conn: Connection, engine: Connection, directory: Path, size: Size, tell: Tell
) -> Result:
    rules, plan = load_rules(SHIPPED)
    await conn.execute(sql("bench_number_function"))
    context = _context(rules, plan)
    codes, exchanges, numbers = await _registry(conn, directory, plan, size, tell)
    small = await _campaign(conn, "small", size.small, LARGE * 2, codes, exchanges, tell)
    await conn.execute(sql("bench_suppress"), size.large, 0, codes, exchanges)
    await conn.execute(sql("bench_suppress"), size.small, LARGE * 2, codes, exchanges)
    short = await _measure(engine, small, context, size.rounds)
    tell(f"{size.small:,} contacts: p50 {short.quantile(0.5):.2f} ms, p99 {short.quantile(0.99):.2f} ms")
    large = await _campaign(conn, "large", size.large, 0, codes, exchanges, tell)
    long = await _measure(engine, large, context, size.rounds)
    tell(f"{size.large:,} contacts: p50 {long.quantile(0.5):.2f} ms, p99 {long.quantile(0.99):.2f} ms")
    return Result(
        p50_ms=round(long.quantile(0.5), 3),
        p99_ms=round(long.quantile(0.99), 3),
        p50_small_ms=round(short.quantile(0.5), 3),
        p99_small_ms=round(short.quantile(0.99), 3),
        ratio=round(long.quantile(0.99) / short.quantile(0.99), 3),
        reserved_each=round(long.reserved / size.rounds, 2),
        looked_at_each=round((long.reserved + long.held) / size.rounds, 2),
        contacts=size.large,
        registry=numbers,
        load_average=os.getloadavg()[0],
    )


def _context(rules: RuleBook, plan: NumberPlan) -> GateContext:
    attempts = AttemptLimits()
    limits = Limits(attempts.per_number_24h, attempts.per_contact_total, Retry().delays())
    return GateContext(NOON, rules, plan, limits, lab=True, lists=rules.lists)


async def _registry(
    conn: Connection, directory: Path, plan: NumberPlan, size: Size, tell: Tell
) -> tuple[list[int], int, int]:
    """Load the registry; return the area codes and how many exchanges of each it covers."""
    made = synthetic(plan, size.registry)
    file = directory / "registry.txt"
    tell(f"loading a registry of {made.numbers:,} numbers")
    write_file(made, file)
    await subscribe(conn, "us_national", ACCOUNT, None, made.codes, NOON, "bench")
    await load(conn, LoadRequest("us_national", (file,), NOON, NOON, "bench", ACCOUNT), plan)
    file.unlink()
    return list(made.codes), made.exchanges, made.numbers


@dataclass(frozen=True, slots=True)
class _Ids:
    campaign: int
    member: int
    record_version: str


async def _campaign(
    conn: Connection, name: str, contacts: int, first: int, codes: list[int], exchanges: int, tell: Tell
) -> _Ids:
    """Make a campaign whose contacts all stand in its queue."""
    tell(f"making {contacts:,} contacts")
    [row] = await conn.fetch(sql("bench_members"), name)
    for place in range(first, first + contacts, AT_ONCE):
        count = min(AT_ONCE, first + contacts - place)
        ids = (row["member_id"], row["list_id"], row["import_id"])
        await conn.execute(sql("bench_fill_contacts"), *ids, count, place, codes, exchanges)
    campaign = (await sync_campaigns(conn, {name: BenchCampaign(name)}))[name]
    while await fill(conn, campaign, NOON, AT_ONCE):
        pass
    await conn.execute(sql("bench_analyze"))
    await conn.execute(sql("bench_settled"))
    return _Ids(campaign, row["member_id"], await _record_version(conn, row["member_id"], name))


async def _record_version(conn: Connection, member: int, name: str) -> str:
    await keep_text(conn, KeptText(name, "drop_message", name, None), NOON)
    said = RecordFields(member, name, name, None, name, None, None, name, None, "consumer")
    return await keep_record_fields(conn, said, NOON)


async def _measure(conn: Connection, ids: _Ids, context: GateContext, rounds: int) -> Measured:
    measured = Measured([])
    gc.collect()
    gc.freeze()  # as the engine does after its start
    rng = random.Random(3)  # noqa: S311
    spare = SPARE
    for n in range(WARM_UP + rounds):
        request = replace(_request(ids, context, n), spare=spare)
        begun = time.perf_counter()
        result = await reserve(conn, request)
        took = 1000 * (time.perf_counter() - begun)
        spare = result.spare
        if n >= WARM_UP:
            measured.times.append(took)
            measured.reserved += len(result.reserved)
            measured.held += sum(result.held.values())
        await _end(conn, result.reserved, request, rng)
    return measured


def _request(ids: _Ids, context: GateContext, n: int) -> ReserveRequest:
    now = NOON + n * BETWEEN
    return ReserveRequest(
        campaign_id=ids.campaign,
        member_id=ids.member,
        limit=BATCH,
        now=now,
        wall=now,
        node="bench",
        trunk="bench",
        caller_ids=("+12105550177", "+12105550178"),
        epoch=1,
        context=replace(context, now=now),
        record_version=ids.record_version,
    )


async def _end(
    conn: Connection, reserved: Sequence[Reservation], request: ReserveRequest, rng: random.Random
) -> None:
    """End the attempts as most end: nobody answers, and the contact is due again later."""
    ends = [
        AttemptEnd(
            r.attempt_id,
            2,
            rng.choice(("no_answer", "no_answer", "busy")),
            request.wall + timedelta(seconds=20),
            "carrier",
            retry_at=request.now + timedelta(minutes=30),
        )
        for r in reserved
    ]
    await write(conn, [], ends, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line and print the figures."""
    parser = argparse.ArgumentParser(description="Measure what a reservation costs.")
    parser.add_argument("--contacts", type=int, default=LARGE)
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--registry", type=int, default=NUMBERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--directory", type=Path, default=None, help="where 15 GB are free")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)

    def tell(text: str) -> None:
        sys.stderr.write(text + "\n")

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the database is stopped either way
    size = Size(given.contacts, given.small, given.registry, given.rounds)
    with tempfile.TemporaryDirectory(dir=given.directory, prefix="dialer-bench-") as place:
        Path(place).chmod(0o755)
        result = uvloop.run(run(Path(place), size, tell=tell))
    tell(f"p99 {result.p99_ms:.1f} ms, {result.ratio:.2f} times that of the short list")
    if given.json:
        sys.stdout.write(json.dumps(asdict(result), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
