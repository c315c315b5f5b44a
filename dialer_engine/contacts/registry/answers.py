"""Take in the answers of the reassigned-numbers database: a table of number, date asked about, and answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from dialer_engine.contacts import source
from dialer_engine.contacts.phone import read_notation
from dialer_engine.contacts.registry.files import RegistryError
from dialer_engine.store.consent import HELD_FOR_CONSENT
from dialer_engine.store.directory import audit
from dialer_engine.store.pool import Connection
from dialer_engine.store.registry.loads import requeue
from dialer_engine.store.sql import sql

_ANSWERS = {"yes": "yes", "y": "yes", "no": "no", "n": "no", "nodata": "no_data", "no data": "no_data"}
_BATCH = 20_000
_DATE_FORMS = ("%Y-%m-%d", "%m/%d/%Y", "%Y%m%d")


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: the number in E.164, the date that was asked about, and `yes`, `no` or `no_data`."""

    number: str
    since: date
    answer: str


async def take_answers(conn: Connection, file: Path, answered_at: datetime, now: datetime, who: str) -> int:
    """Store a file's answers, all or none, and return how many there are; times are UTC."""
    if answered_at > now:
        raise RegistryError(f"{file}: answers of {answered_at:%Y-%m-%d} lie in the future")
    count = 0
    async with conn.transaction():
        batch: list[Answer] = []
        for answer in read_answers(file, answered_at.date()):
            batch.append(answer)
            count += 1
            if len(batch) == _BATCH:
                await _store(conn, batch, answered_at, file.name, now)
                batch.clear()
        await _store(conn, batch, answered_at, file.name, now)
        await audit(conn, now, who, "registry.answers", "reassigned", {"file": file.name, "answers": count})
    await requeue(conn)
    await conn.execute(sql("registry_requeue_given_up"), list(HELD_FOR_CONSENT))
    return count


async def _store(
    conn: Connection, batch: list[Answer], answered_at: datetime, name: str, now: datetime
) -> None:
    columns = [[a.number for a in batch], [a.since for a in batch], [a.answer for a in batch]]
    await conn.execute(sql("registry_take_answers"), *columns, answered_at, name, now)


def read_answers(file: Path, answered_on: date) -> Iterator[Answer]:
    """Return the rows of an answer file; RegistryError at the first row that is none."""
    order: tuple[int, int, int] | None = None
    for row, cells in source.whole_rows(source.inspect(file)):
        if order is None:
            order = _order(cells)
            if order is None and row == 1 and not any(letter.isdecimal() for letter in "".join(cells)):
                continue
        if order is None or len(cells) <= max(order):
            raise RegistryError(f"{file}:{row}: needs a number, a date and one of yes, no, no data")
        yield _answer(file, row, [cells[at].strip() for at in order], answered_on)


def _order(cells: list[str]) -> tuple[int, int, int] | None:
    numbers = [at for at, cell in enumerate(cells) if read_notation(cell)[0] is not None]
    dates = [at for at, cell in enumerate(cells) if _date(cell.strip()) is not None and at not in numbers]
    answers = [at for at, cell in enumerate(cells) if _word(cell) in _ANSWERS]
    if len(numbers) == len(answers) == 1 and dates:
        return numbers[0], dates[0], answers[0]
    return None


def _answer(file: Path, row: int, cells: list[str], answered_on: date) -> Answer:
    number, reason = read_notation(cells[0])
    if number is None:
        raise RegistryError(f"{file}:{row}: {reason}")
    since, answer = _date(cells[1]), _ANSWERS.get(_word(cells[2]))
    if since is None or since > answered_on + timedelta(days=1):
        raise RegistryError(f"{file}:{row}: {cells[1][:40]!r} is no date before the answer")
    if answer is None:
        raise RegistryError(f"{file}:{row}: {cells[2][:40]!r} is not one of yes, no, no data")
    return Answer(number, since, answer)


def _word(cell: str) -> str:
    return cell.strip().lower().replace("_", " ")


def _date(text: str) -> date | None:
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None
