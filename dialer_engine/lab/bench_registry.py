"""`dialer bench registry`: how a registry of 258 million numbers is best kept, measured.

Three ways hold the same synthetic numbers: bits per area code and exchange (what the engine uses), bits per
area code in one long value each, and a row per number. Measured are loading a flat file as the registry hands
it out, the space in Postgres, single checks one after the other, and comparing a list of a million contacts.
The numbers are made up, evenly spread and exist only while the benchmark runs.
"""

import argparse
import asyncio
import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from dialer_engine.contacts.registry.collect import Ordered
from dialer_engine.contacts.registry.files import parts
from dialer_engine.contacts.registry.flat import read_flat
from dialer_engine.contacts.registry.load import LoadRequest, load
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.core.registry import pack_bits
from dialer_engine.lab.dice import Dice
from dialer_engine.settings.home import service_user
from dialer_engine.settings.rules import SHIPPED, load_rules
from dialer_engine.store.embedded import EmbeddedPostgres
from dialer_engine.store.migrate import migrate
from dialer_engine.store.pool import Connection, connect
from dialer_engine.store.registry.facts import lists_naming
from dialer_engine.store.registry.lists import subscribe
from dialer_engine.store.registry.scrub import scrub
from dialer_engine.store.sql import sql

NUMBERS = 258_500_000
"""Active registrations of the US registry on 2025-09-30."""
PER_EXCHANGE = 1_500
FIRST_EXCHANGE = 200
CONTACTS = 1_000_000
CHECKS = 20_000
ACCOUNT = "00000000"
DICE = Dice(2026)
_PATTERNS = 64
_WIDTH = 12

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Way:
    """What was measured for one way of keeping `numbers` numbers; times in s or ms as named."""

    numbers: int
    load_s: float
    bytes: int
    check_p50_ms: float
    check_p99_ms: float
    scrub_1m_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """All three ways, and for the engine's own: a second load that swaps, and the memory of the loader.

    `floor_p50_ms` and `floor_p99_ms` are `select 1` between the checks: what the machine itself costs.
    """

    exchange: Way
    area: Way | None
    row: Way | None
    reload_s: float
    bytes_after_reload: int
    loader_mb: float
    floor_p50_ms: float
    floor_p99_ms: float

    def document(self) -> dict[str, object]:
        """Return the figures as `--json` prints them: the engine's own way on top."""
        more = {"reload_s": self.reload_s, "bytes_after_reload": self.bytes_after_reload}
        floor = {"floor_p50_ms": self.floor_p50_ms, "floor_p99_ms": self.floor_p99_ms}
        own = asdict(self.exchange) | more | floor | {"loader_mb": self.loader_mb}
        others = {"per_area": self.area, "row_per_number": self.row}
        return own | {name: asdict(way) if way else None for name, way in others.items()}


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Made-up numbers: which exchanges of which area codes hold one of the patterns of 1,500 lines each."""

    codes: Sequence[int]
    exchanges: int
    patterns: Sequence[Sequence[int]]

    @property
    def numbers(self) -> int:
        """How many numbers there are."""
        return len(self.codes) * self.exchanges * PER_EXCHANGE

    def pattern(self, npa: int, exchange: int) -> int:
        """Return which pattern an exchange has."""
        return (npa * 31 + exchange * 7) % len(self.patterns)

    def some(self, name: str, count: int, listed: float) -> list[str]:
        """Return numbers in E.164: a share `listed` from the list, the others anywhere in its exchanges."""
        return [self._one(DICE.fraction(name, at), listed=at < count * listed) for at in range(count)]

    def _one(self, throw: float, *, listed: bool) -> str:
        lines = PER_EXCHANGE if listed else 10_000
        block, line = divmod(int(throw * len(self.codes) * self.exchanges * lines), lines)
        npa, exchange = self.codes[block // self.exchanges], FIRST_EXCHANGE + block % self.exchanges
        if listed:
            line = self.patterns[self.pattern(npa, exchange)][line]
        return f"+1{npa}{exchange:03d}{line:04d}"


def synthetic(plan: NumberPlan, numbers: int = NUMBERS) -> Synthetic:
    """Spread about this many numbers evenly over the area codes of the US."""
    codes = sorted(int(npa) for npa, area in plan.areas.items() if area.country == "US")
    patterns = [sorted(DICE.shuffled(range(10_000), at)[:PER_EXCHANGE]) for at in range(_PATTERNS)]
    exchanges = min(max(round(numbers / (len(codes) * PER_EXCHANGE)), 1), 800)
    while len(codes) > 1 and len(codes) * PER_EXCHANGE > numbers:
        codes = codes[: len(codes) // 2]
    return Synthetic(codes, exchanges, patterns)


def write_file(made: Synthetic, file: Path) -> None:
    """Write the registry's flat file: each exchange is a pattern's text stamped with its own digits."""
    texts = [b"".join(b"000,000%04d\n" % line for line in lines) for lines in made.patterns]
    with file.open("wb") as out:
        for npa in made.codes:
            for exchange in range(FIRST_EXCHANGE, FIRST_EXCHANGE + made.exchanges):
                text = bytearray(texts[made.pattern(npa, exchange)])
                digits = f"{npa}{exchange:03d}".encode()
                for column, digit in zip((0, 1, 2, 4, 5, 6), digits, strict=True):
                    text[column::_WIDTH] = bytes([digit]) * PER_EXCHANGE
                out.write(text)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: numbers of the registry, contacts to compare, single checks."""

    numbers: int = NUMBERS
    contacts: int = CONTACTS
    checks: int = CHECKS


async def run(directory: Path, size: Size, *, others: bool = True, tell: Tell = print) -> Result:
    """Measure in a database of its own below `directory`, which needs about 25 GB for 258 million numbers."""
    _, plan = load_rules(SHIPPED)
    made = synthetic(plan, size.numbers)
    file = directory / "registry.txt"
    tell(f"writing {made.numbers:,} numbers of {len(made.codes)} area codes")
    write_file(made, file)
    server = EmbeddedPostgres(directory / "postgres", service_user())
    try:
        conn = await connect(server.start(), batch=True)
        try:
            return await _measure(conn, made, plan, file, size, others, tell)
        finally:
            await conn.close()
    finally:
        server.stop()
        file.unlink(missing_ok=True)


async def _measure(
    conn: Connection,
    made: Synthetic,
    plan: NumberPlan,
    file: Path,
    size: Size,
    others: bool,
    tell: Tell,
) -> Result:
    await migrate(conn)
    await conn.execute(sql("bench_registry_tables"))
    await conn.execute(sql("bench_contacts"), sorted(set(made.some("contact", size.contacts, 0.2))))
    checks = DICE.shuffled(made.some("check", size.checks, 0.5))
    exchange, floor = await _per_exchange(conn, made, plan, file, checks)
    _tell_way(tell, "per exchange", exchange)
    tell(f"a bare select 1 between the checks: p50 {floor[0]:.3f} ms, p99 {floor[1]:.3f} ms")
    loader_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    await _load(conn, made, plan, file)
    reload_s = time.perf_counter() - begun
    after = await conn.fetchval(sql("bench_blocks_bytes"))
    tell(f"loaded again and swapped in {reload_s:.1f} s, {after / 1e6:.0f} MB afterwards")
    area = row = None
    if others:
        area = await _per_area(conn, made, file, checks)
        _tell_way(tell, "per area code", area)
        row = await _per_number(conn, made, file, checks)
        _tell_way(tell, "row per number", row)
    return Result(exchange, area, row, reload_s, after, loader_mb, *floor)


async def _per_exchange(
    conn: Connection, made: Synthetic, plan: NumberPlan, file: Path, checks: Sequence[str]
) -> tuple[Way, tuple[float, float]]:
    load_s = await _timed(_load(conn, made, plan, file))
    space = await conn.fetchval(sql("bench_blocks_bytes"))
    await conn.execute(sql("bench_settle"))

    bare: list[float] = []

    async def ask(number: str) -> None:
        await lists_naming(conn, number)

    async def nothing() -> None:
        bare.append(1000 * await _timed(conn.fetchval(sql("bench_nothing"))))

    times = await _checks(ask, checks, nothing)
    way = Way(made.numbers, load_s, space, *times, await _timed(scrub(conn, "bench", "bench")))
    return way, _percentiles(bare)


async def _load(conn: Connection, made: Synthetic, plan: NumberPlan, file: Path) -> None:
    now = datetime.now(UTC)
    await subscribe(conn, "us_national", ACCOUNT, None, made.codes, now, "bench")
    await load(conn, LoadRequest("us_national", (file,), now, now, "bench", ACCOUNT), plan)


async def _per_area(conn: Connection, made: Synthetic, file: Path, checks: Sequence[str]) -> Way:
    async def fill() -> None:
        async with conn.transaction():
            for npa, bits in _area_bits(file):
                await conn.execute(sql("bench_area_put"), npa, bits)

    load_s = await _timed(fill())
    space = await conn.fetchval(sql("bench_table_bytes"), "bench_area")
    await conn.execute(sql("bench_settle"))

    async def ask(number: str) -> None:
        await conn.fetchval(sql("bench_area_check"), int(number[2:5]), int(number[5:]))

    times = await _checks(ask, checks)
    return Way(made.numbers, load_s, space, *times, await _timed(conn.fetchval(sql("bench_area_scrub"))))


def _area_bits(file: Path) -> Iterator[tuple[int, bytes]]:
    collector = Ordered()
    for part in parts(file):
        for batch in read_flat(part, line_end_needed=True):
            yield from ((area.npa, pack_bits(area.flags)) for area in collector.add(part, batch))
    yield from ((area.npa, pack_bits(area.flags)) for area in collector.finish())


async def _per_number(conn: Connection, made: Synthetic, file: Path, checks: Sequence[str]) -> Way:
    async def rows() -> AsyncIterator[bytes]:
        with file.open("rb") as opened:
            while data := opened.read(_WIDTH * 100_000):
                yield data.translate(None, b",")

    async def fill() -> None:
        await conn.copy_to_table("bench_number", source=rows())
        await conn.execute(sql("bench_number_index"))

    load_s = await _timed(fill())
    space = await conn.fetchval(sql("bench_table_bytes"), "bench_number")
    await conn.execute(sql("bench_settle"))

    async def ask(number: str) -> None:
        await conn.fetchval(sql("bench_number_check"), int(number[2:]))

    times = await _checks(ask, checks)
    return Way(made.numbers, load_s, space, *times, await _timed(conn.fetchval(sql("bench_number_scrub"))))


async def _timed(doing: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await doing
    return time.perf_counter() - begun


async def _nothing() -> None:
    """Do nothing between two checks."""


async def _checks(
    ask: Callable[[str], Awaitable[None]],
    numbers: Sequence[str],
    between: Callable[[], Awaitable[None]] = _nothing,
) -> tuple[float, float]:
    """Ask one number after the other and return the median and the 99th percentile in ms."""
    for number in numbers[:2_000]:
        await ask(number)
    took = []
    for number in numbers:
        await between()
        took.append(1000 * await _timed(ask(number)))
    return _percentiles(took)


def _percentiles(took: list[float]) -> tuple[float, float]:
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


def _tell_way(tell: Tell, name: str, way: Way) -> None:
    tell(
        f"{name}: load {way.load_s:.1f} s, {way.bytes / 1e6:,.0f} MB, check p50 {way.check_p50_ms:.3f} ms, "
        f"p99 {way.check_p99_ms:.3f} ms, 1,000,000 contacts in {way.scrub_1m_s:.2f} s"
    )


def measure(directory: Path, size: Size, *, others: bool = True, tell: Tell = print) -> Result:
    """Run in a directory that the database's user may enter; an interrupted run stops its database too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory.chmod(0o755)
    return asyncio.run(run(directory, size, others=others, tell=tell))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line and print the figures."""
    parser = argparse.ArgumentParser(description="Measure how a registry is best kept.")
    parser.add_argument("--numbers", type=int, default=NUMBERS)
    parser.add_argument("--directory", type=Path, default=None, help="where 25 GB are free")
    parser.add_argument("--own-only", action="store_true", help="leave the other two ways out")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)

    def tell(text: str) -> None:
        sys.stderr.write(text + "\n")

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the database is stopped either way
    with tempfile.TemporaryDirectory(dir=given.directory, prefix="dialer-bench-") as place:
        result = measure(Path(place), Size(given.numbers), others=not given.own_only, tell=tell)
    if given.json:
        sys.stdout.write(json.dumps(result.document(), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
