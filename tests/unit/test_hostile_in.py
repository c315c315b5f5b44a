"""Ten thousand hostile texts through every way in: each is kept as text, or refused with words, and does nothing."""

import asyncio
import contextlib
import csv
import importlib.util
import ipaddress
import json
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from pydantic import TypeAdapter, ValidationError

from dialer_engine.cli.app import _refuse_unreadable
from dialer_engine.contacts.columns import choose
from dialer_engine.contacts.errors import ContactsError
from dialer_engine.contacts.phone import read_notation
from dialer_engine.contacts.source import inspect, rows
from dialer_engine.contacts.staging import TEXT_FIELDS, Reader
from dialer_engine.core.numbers import is_e164_nanp
from dialer_engine.core.text import one_line, storable
from dialer_engine.engine.control import ControlServer
from dialer_engine.lab.hostile import MARK, hostile
from dialer_engine.pbx.render import NO_REDIRECT, RenderError, trunk_endpoint
from dialer_engine.settings import values
from dialer_engine.settings.rules import SHIPPED, load_rules
from dialer_engine.settings.text_file import UnreadableError
from dialer_engine.settings.yaml_text import read_document

pytestmark = pytest.mark.unit

TEXTS = hostile(10_000)
SOME = TEXTS[:1500]
SCRIPT = Path(__file__).resolve().parents[2] / "agi_scripts" / "optout.py"


def written(text: str) -> str:
    """The text as a file in UTF-8 can hold it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def test_a_list_keeps_every_name_note_and_column(tmp_path: Path) -> None:
    header = ["Phone", "First Name", "Last Name", "Company", "Notes"]
    header += [f"{written(text)} {i}".replace("\0", "") for i, text in enumerate(SOME[:40])]
    file = tmp_path / "list.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        # A file that begins with control characters is refused as no text: here they come after the sample.
        writer.writerow(["2145550100", "", "", "", "x" * 70_000])
        for n in range(0, len(TEXTS), 4):
            name, last, company, note = (written(text) for text in TEXTS[n : n + 4])
            writer.writerow(
                [f"210{200 + n // 10000:03d}{n % 10000:04d}", name, last, company, note, *[note] * 40]
            )
    source = inspect(file)
    columns = choose([cells for _, cells in list(rows(source))[:50]], [])
    book, plan = load_rules(SHIPPED)
    data = list(rows(source))[1:]
    batch_rows = list(Reader(columns, plan, book.zones, lab=True).batches(data))
    contacts = [contact for batch in batch_rows for contact in batch.contacts][1:]
    assert not [problem for batch in batch_rows for problem in batch.problems]
    assert len(contacts) == len(TEXTS) // 4
    place = {name: 1 + TEXT_FIELDS.index(name) for name in ("first_name", "last_name", "company")}
    for n, contact in enumerate(contacts):
        kept = [storable(written(text)).strip() or None for text in TEXTS[4 * n : 4 * n + 4]]
        assert [contact[place["first_name"]], contact[place["last_name"]], contact[place["company"]]] == kept[
            :3
        ]
        extra = json.loads(contact[-2])
        assert extra.get("Notes") == kept[3]
        assert all(storable(key + value) == key + value for key, value in extra.items())


def test_any_file_is_a_table_or_refused(tmp_path: Path) -> None:
    file, tables = tmp_path / "x.csv", Counter[str | None]()
    for n, text in enumerate(SOME):
        file.write_bytes((text * (1 + n % 3)).encode(("utf-8", "utf-16", "latin-1")[n % 3], "replace"))
        for encoding in (None, "raw_unicode_escape", "utf-7"):
            try:
                source = inspect(file, encoding)
                cells = [cell for _, row in rows(source) for cell in row]
            except ContactsError:
                continue
            tables[encoding] += bool(cells)
            assert all(storable(cell) == cell for cell in cells)
            with contextlib.suppress(ContactsError):
                choose([cells or ["x"]], [])
    assert tables[None] > len(SOME) * 0.9
    assert min(tables["raw_unicode_escape"], tables["utf-7"]) > len(SOME) * 0.3


@pytest.mark.parametrize(
    ("line", "why"),
    [('"a\n",', "more than a million characters"), ("a" + "," * 20_000 + "\n", "20001 cells")],
)
def test_a_record_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, line: str, why: str
) -> None:
    file = tmp_path / "x.csv"
    file.write_text("phone,name\n2105550100,Ana\n" + line * (20_000_000 // len(line)))
    tracemalloc.start()
    try:
        with pytest.raises(ContactsError, match=why):
            list(rows(inspect(file)))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_many_long_records_are_no_single_one(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("phone,note\n" + ('2105550100,"' + "x\n" * 50_000 + '"\n') * 30)
    assert len(list(rows(inspect(file)))) == 31


def test_a_phone_column_gives_numbers_only() -> None:
    for text in TEXTS:
        number, reason = read_notation(text)
        assert (number is None) is bool(reason)
        assert number is None or is_e164_nanp(number)


def test_yaml_is_read_as_text_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    kept, refusals = 0, []
    for text in TEXTS:
        file.write_bytes(f"name: {json.dumps(text)}\nplain: x\n".encode())
        try:
            document, _ = read_document(file)
        except UnreadableError as error:
            refusals.append(str(error))
            continue
        kept += document.content["name"] == text
        assert list(document.content) == ["name", "plain"]
    assert kept > len(TEXTS) // 2
    for text in SOME:
        file.write_bytes(text.encode("utf-8", "replace"))
        try:
            document, problems = read_document(file)
        except UnreadableError as error:
            refusals.append(str(error))
            continue
        refusals += [problem.text() for problem in problems]
    assert all(map(one_line, refusals))


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    file.write_text("\n".join(lines))
    with pytest.raises(UnreadableError, match="aliases"):
        read_document(file)


@pytest.mark.parametrize(
    ("kind", "good", "meant", "least"),
    [
        ("Name", "spring-1", "spring-1", 10),
        ("Line", " Zo\u00eb's roofs ", "Zo\u00eb's roofs", 5000),
        ("AsteriskText", "Zo\u00eb's roofs", "Zo\u00eb's roofs", 2000),
        ("Host", "sip.example.com", "sip.example.com", 5),
        ("Address", "2001:db8::1", "2001:db8::1", 0),
        ("Address4", "192.0.2.1", "192.0.2.1", 0),
        ("Network", "10.0.0.0/8", "10.0.0.0/8", 0),
        ("E164", "+12105550108", "+12105550108", 0),
        ("Duration", "90s", timedelta(seconds=90), 0),
        ("TimeOfDay", "09:30", time(9, 30), 0),
        ("Moment", "2026-06-10T11:00:00+00:00", datetime(2026, 6, 10, 11, tzinfo=UTC), 0),
    ],
)
def test_a_setting_is_what_it_should_be_or_refused(kind: str, good: str, meant: object, least: int) -> None:
    """`least` hostile texts are of the kind all the same; of the kinds with 0 there is none."""
    adapter: TypeAdapter[Any] = TypeAdapter(getattr(values, kind))
    assert adapter.validate_python(good) == meant
    kept = 0
    for text in (good, *TEXTS):
        try:
            value = adapter.validate_python(text)
        except ValidationError:
            continue
        kept += text != good
        if isinstance(value, str):
            assert one_line(value), kind
            assert kind != "AsteriskText" or not {";", "[", "]"} & set(value)
            assert kind in ("Line", "AsteriskText") or MARK not in value or kind in ("Name", "Host")
            assert kind != "Name" or value.replace("-", "").replace("_", "").isalnum()
            assert kind not in ("Address", "Network") or ipaddress.ip_network(value)
    assert kept >= least
    assert least or not kept


def test_names_in_asterisks_files_are_plain() -> None:
    assert trunk_endpoint("carrier-1") == f"trunk-carrier-1@{NO_REDIRECT}"
    kept = 0
    for text in TEXTS:
        try:
            endpoint = trunk_endpoint(text)
        except RenderError:
            continue
        kept += 1
        assert endpoint.endswith(f"@{NO_REDIRECT}")
        endpoint = endpoint.removesuffix(f"@{NO_REDIRECT}")
        assert endpoint.replace("-", "").replace("_", "").replace(".", "").isalnum()
        assert endpoint.isascii()
    assert kept > 20


def test_the_opt_out_script_writes_nothing_for_a_hostile_argument(tmp_path: Path) -> None:
    script = load(SCRIPT)
    now = datetime(2026, 6, 10, tzinfo=UTC)
    good, kept = ("attempt-1", "+12105550108", "7", "9"), Counter[int]()
    assert script.save(str(tmp_path), script.record(*good, now)) is True
    for text in TEXTS:
        for place in range(4):
            words = [text if i == place else word for i, word in enumerate(good)]
            try:
                script.save(str(tmp_path), script.record(*words, now))
            except script.Refused:
                continue
            assert "/" not in text
            kept[place] += 1
    assert set(kept) == {0, 2}, "some hostile texts may be an attempt or a Member, none a number or a key"
    assert len(list(tmp_path.rglob("*"))) == kept[0] + 1 > 10
    for path in tmp_path.rglob("*"):
        assert path.parent == tmp_path
        assert json.loads(path.read_text("ascii"))["number"] == good[1]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Engine:
    """What stands behind the control socket: notes what reached it."""

    def __init__(self) -> None:
        self.reached: list[object] = []

    def number_suppressed(self, number: str, member_id: int | None) -> dict[str, Any]:
        self.reached.append((number, member_id))
        return {}

    def drain(self, wait_s: float) -> dict[str, Any]:
        self.reached.append(wait_s)
        return {}

    def log_out_agent(self, name: str) -> dict[str, Any]:
        return {"agent": name}


async def test_the_control_socket_refuses_what_is_no_command(tmp_path: Path) -> None:
    engine = Engine()
    server = ControlServer(engine, tmp_path / "control.sock")  # type: ignore[arg-type]
    await server.start()
    connector = aiohttp.UnixConnector(path=str(tmp_path / "control.sock"), limit=20)

    async def post(path: str, body: bytes) -> tuple[int, str]:
        async with session.post(f"http://engine{path}", data=body) as reply:
            return reply.status, await reply.text()

    bodies = [written(text).encode() for text in SOME[:150]]
    bodies += [json.dumps({"number": text, "wait_s": text}).encode() for text in SOME[:150]]
    bodies += [
        b'{"number": ["+12105550100"], "wait_s": NaN}',
        b'{"wait_s": 1e999}',
        b'{"wait_s": -1}',
        b"[]",
        b"null",
        b"7",
    ]
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            for path in ("/suppressions/changed", "/drain"):
                answers = await asyncio.gather(*(post(path, body) for body in bodies))
                assert {status for status, _ in answers} == {409}
                assert all("must be" in json.loads(text)["error"] for _, text in answers)
            assert await post("/drain", b'{"wait_s": 2}') == (200, "{}")
            assert await post("/suppressions/changed", b'{"number": "+12105550100"}') == (200, "{}")
    finally:
        await server.close()
    assert engine.reached == [2.0, ("+12105550100", None)]


def test_an_argument_that_is_no_text_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _refuse_unreadable(["list", "import", "--list", "Zo\u00eb", "-"])
    with pytest.raises(SystemExit):
        _refuse_unreadable(["dnc", "add", "--note", "half \udce9"])
    Path("caf\udce9.csv").write_text("x")
    _refuse_unreadable(["list", "import", "caf\udce9.csv"])
