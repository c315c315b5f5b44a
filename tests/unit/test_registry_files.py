"""Registry files as they come, and as they must not come: every refusal names the file and the line."""

import gzip
import io
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer_engine.contacts.registry.answers import Answer, read_answers
from dialer_engine.contacts.registry.batch import Batch
from dialer_engine.contacts.registry.blocks import read_blocks
from dialer_engine.contacts.registry.change import read_changes, read_xml_changes
from dialer_engine.contacts.registry.collect import Ordered, Unordered
from dialer_engine.contacts.registry.files import Part, RegistryError, parts, record_of
from dialer_engine.contacts.registry.flat import has_other_columns, read_flat
from dialer_engine.contacts.registry.load import LoadRequest, _batches
from dialer_engine.contacts.registry.table import read_table
from dialer_engine.contacts.registry.xml import looks_like_xml, read_xml

pytestmark = pytest.mark.unit


class Dripping(io.BytesIO):
    """Gives a few bytes at a time, so that every boundary of chunks is met."""

    def __init__(self, data: bytes, size: int = 17) -> None:
        super().__init__(data)
        self.size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.size)


def part(text: str | bytes, drip: int = 0) -> Part:
    data = text.encode() if isinstance(text, str) else text
    return Part("dnc.txt", Dripping(data, drip) if drip else io.BytesIO(data))


def pairs(batches: "list[Batch]") -> list[tuple[int, int]]:
    return [(batch.npa, number) for batch in batches for number in batch.numbers]


def flat(text: str | bytes, *, strict: bool = True, drip: int = 0) -> list[tuple[int, int]]:
    return pairs(list(read_flat(part(text, drip), line_end_needed=strict)))


EXPECTED = [(212, 5551234), (212, 5551235), (305, 2000000)]


@pytest.mark.parametrize(
    "text",
    [
        "212,5551234\n212,5551235\n305,2000000\n",
        "212,5551234\r\n212,5551235\r\n305,2000000\r\n",
        "2125551234\n2125551235\n3052000000\n",
        "2125551234\r\n2125551235\r\n3052000000\r\n",
        "\ufeff212,5551234\n212,5551235\n305,2000000\n",
        "AreaCode,Phone\n212,5551234\n212,5551235\n305,2000000\n",
        '"212","5551234"\n"212","5551235"\n"305","2000000"\n',
        "(212) 555-1234\n(212) 555-1235\n(305) 200-0000\n",
        "+12125551234\n1-212-555-1235\n305.200.0000\n\n\n",
        "212,5551234\n2125551235\n305,2000000\n",
    ],
)
def test_every_notation_gives_the_same_numbers(text: str) -> None:
    assert flat(text) == EXPECTED
    assert flat(text, drip=7) == EXPECTED


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("212,5551234\n212,55512\n", 2, "no number"),
        ("212,5551234\n112,5551235\n", 2, "no number"),
        ("5551234,212\n", 1, "no number"),
        ("212,5551234\n\n212,5551235\n", 2, "blank line"),
        ("212,5551234\nERROR 500\n", 2, "no number"),
        ("212,5551234\n212,555123", 2, "cut off"),
        ("212,5551234\n212,5551235", 2, "cut off"),
        ("212,5551234\n<html>\n", 2, "no number"),
    ],
)
def test_a_bad_flat_file_is_refused_at_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(RegistryError, match=what) as refusal:
        flat(text)
    assert str(refusal.value).startswith(f"dnc.txt:{line}: ")


def test_a_bad_line_far_down_is_found() -> None:
    good = "".join(f"212,{number:07d}\n" for number in range(5_000_000, 5_200_000))
    with pytest.raises(RegistryError, match=r"^dnc\.txt:200001: '212;555x234'"):
        flat(good + "212;555x234\n")


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\x00", b"212,5551234\n\x00\x00\n", b"\xff\xfe2\x001\x00"]
)
def test_binary_is_refused(data: bytes) -> None:
    with pytest.raises(RegistryError, match="is no text"):
        flat(data)


def test_an_empty_file_and_one_without_lines_are_refused() -> None:
    with pytest.raises(RegistryError, match="is empty"):
        flat("")
    with pytest.raises(RegistryError, match="line without end"):
        list(read_flat(part(b"2" * 200_000, drip=9_000), line_end_needed=True))


def test_a_last_line_without_end_is_accepted_where_nobody_promised_one() -> None:
    assert flat("212,5551234\n212,5551235", strict=False) == EXPECTED[:2]


@given(st.lists(st.tuples(st.integers(200, 999), st.integers(0, 9_999_999)), min_size=1), st.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_any_file_read_in_any_chunks_gives_its_numbers(numbers: list[tuple[int, int]], drip: int) -> None:
    text = "".join(f"{npa},{number:07d}\n" for npa, number in numbers)
    assert flat(text, drip=drip) == numbers
    xml = "<list type='full' level='all' val='' />\n" + "".join(
        f"<ac val='{npa}'><ph val='{number:07d}' />\n</ac>" for npa, number in numbers
    )
    assert pairs(list(read_xml(part(xml + "</list>\n", drip)))) == numbers


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_random_bytes_are_refused_or_read_but_nothing_else(data: bytes) -> None:
    readers: list[Callable[[Part], object]] = [
        lambda p: list(read_flat(p, line_end_needed=False)),
        lambda p: list(read_xml(p)),
        lambda p: list(read_changes(p)),
        lambda p: list(read_xml_changes(p)),
        lambda p: list(read_blocks(p)),
    ]
    for read in readers:
        with suppress(RegistryError):
            read(part(data))


XML = (
    "<list type='full' level='ac' val='416' />\n<ac val='416'>\n"
    "<ph val='1234567' /> <ph val=\"1234568\"/></ac> </list>"
)


def test_the_registries_own_xml_example_is_read() -> None:
    assert looks_like_xml(XML.encode())
    for drip in (0, 3, 11, 40):
        assert pairs(list(read_xml(part(XML, drip)))) == [(416, 1234567), (416, 1234568)]
    head = "<?xml version='1.0'?><list type='full' level='all' val=''>"
    spelled = "<ac val='905'><ph val='2000000'></ph></ac></list>"
    assert pairs(list(read_xml(part(head + spelled, 5)))) == [(905, 2000000)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (XML.replace("</list>", ""), "before </list>"),
        (XML[:80], "before </list>"),
        (XML.replace("'full'", "'change'"), "says type 'change'"),
        (XML.replace("<ac val='416'>", "<ac val='905'>"), "905 in a file that says it holds 416"),
        (XML.replace("1234567", "12345"), "no telephone number"),
        (XML.replace("<ac val='416'>", "").replace("</ac>", ""), "outside an area code"),
        (XML + "<ac val='416'>", "follows the end"),
        (XML.replace("<ac", "<area"), "is not known here"),
        (XML.replace("<list type='full' level='ac' val='416' />", ""), "before the tag <list>"),
        (XML.replace("val='416'", "val='16'"), "no area code"),
    ],
)
def test_bad_xml_is_refused(text: str, what: str) -> None:
    with pytest.raises(RegistryError, match=what) as refusal:
        list(read_xml(part(text)))
    assert str(refusal.value).startswith("dnc.txt:")


class Endless(io.BytesIO):
    """Goes on with a letter for ever, as far as a reader should ever go."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert self.tell() < 10_000_000, "the file is read on and on"
        head = super().read(size)
        self.seek(self.tell() + (size or 0))
        return head.ljust(size or 0, b"x")


@pytest.mark.parametrize("head", ["", "<list type='full' level='all' val=''><ac val='416'><ph val='"])
def test_a_tag_without_end_is_refused_before_it_fills_the_memory(head: str) -> None:
    with pytest.raises(RegistryError, match="a tag without end"):
        list(read_xml(Part("dnc.xml", Endless(head.encode()))))


def collect(text: str) -> dict[int, int]:
    collector, file = Ordered(), part(text)
    found = {}
    for batch in read_flat(file, line_end_needed=True):
        found.update({area.npa: area.numbers for area in collector.add(file, batch)})
    found.update({area.npa: area.numbers for area in collector.finish()})
    return found


def test_area_codes_are_given_when_they_are_complete() -> None:
    assert collect("212,5551234\n212,5551235\n305,2000000\n") == {212: 2, 305: 1}


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("212,5551235\n212,5551234\n", 2, "not in order"),
        ("212,5551234\n212,5551234\n", 2, "stands twice"),
        ("212,5551234\n305,2000000\n212,5551235\n", 3, "212 again"),
    ],
)
def test_disorder_is_refused(text: str, line: int, what: str) -> None:
    with pytest.raises(RegistryError, match=what) as refusal:
        collect(text)
    assert str(refusal.value).startswith(f"dnc.txt:{line}: ")


def test_lists_in_any_order_are_put_in_order_and_bounded() -> None:
    collector, file = Unordered(most=4), part("")
    for npa, numbers in ((305, (7, 3)), (212, (5, 5))):
        assert list(collector.add(file, Batch(npa, numbers, 1))) == []
    assert [(area.npa, area.numbers) for area in collector.finish()] == [(212, 1), (305, 2)]
    with pytest.raises(RegistryError, match="sort the file"):
        list(Unordered(most=1).add(file, Batch(212, (1, 2), 1)))


def test_archives_are_opened_and_damage_is_noticed(tmp_path: Path) -> None:
    packed = tmp_path / "dnc.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("416.txt", "416,2345678\n")
        archive.writestr("204.txt", "204,2345678\n" * 5_000)
    read = [pairs(list(read_flat(each, line_end_needed=True)))[0] for each in parts(packed)]
    assert read == [(204, 2345678), (416, 2345678)]
    whole = packed.read_bytes()
    for bad in (whole[:60], whole[:-30], whole[:40] + b"\x00" * 40 + whole[80:]):
        packed.write_bytes(bad)
        with pytest.raises(RegistryError, match="damaged or cut off"):
            [list(read_flat(each, line_end_needed=True)) for each in parts(packed)]
    zipped = tmp_path / "dnc.gz"
    zipped.write_bytes(gzip.compress(b"212,5551234\n" * 9_000)[:-9])
    with pytest.raises(RegistryError, match="damaged or cut off"):
        [list(read_flat(each, line_end_needed=True)) for each in parts(zipped)]


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="No such file"):
        list(parts(tmp_path / "gone.txt"))
    with pytest.raises(RegistryError, match="cannot be read"):
        record_of(tmp_path / "gone.txt")
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w"):
        pass
    with pytest.raises(RegistryError):
        [list(read_flat(each, line_end_needed=True)) for each in parts(empty)]


@pytest.mark.parametrize(
    "text",
    [
        "212,5551234,2026-11-01,A\n212,5551235,2026-11-02,D\n",
        "2125551234,11/01/2026 08:15:00,Add\n2125551235,11/02/2026 23:59:59,Delete\n",
        "action,number,time\nadd,2125551234,20261101\ndelete,2125551235,20261102\n",
        "A,212,5551234\nD,212,5551235\n",
    ],
)
def test_change_lists_with_any_order_of_columns(text: str) -> None:
    found = list(read_changes(part(text)))
    assert [(each.npa, each.number, each.add) for each in found] == [
        (212, 5551234, True),
        (212, 5551235, False),
    ]
    days = [each.at.date() if each.at else None for each in found]
    assert days in ([None, None], [date(2026, 11, 1), date(2026, 11, 2)])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("212,5551234\n", 1, "is no change"),
        ("212,5551234,A\n212,5551235\n", 2, "has 2 columns"),
        ("212,5551234,A\n212,5551235,X\n", 2, "is no change"),
        ("212,5551234,A,2026-11-01\n212,5551235,A,yesterday\n", 2, "is no time"),
        ("212,5551234,A\n212,5551235,D", 2, "cut off"),
        ("212,5551234,A\nA,212,5551235\n", 2, "is no change"),
    ],
)
def test_bad_change_lists_are_refused(text: str, line: int, what: str) -> None:
    with pytest.raises(RegistryError, match=what) as refusal:
        list(read_changes(part(text)))
    assert str(refusal.value).startswith(f"dnc.txt:{line}: ")


def test_xml_change_lists() -> None:
    text = (
        "<list type='change' level='all' val='' >\n<ac val='212'>"
        "<ph val='5551234' type='A' date='2026-11-01'/><ph val='5551235' type='D'/></ac></list>"
    )
    for drip in (0, 13):
        found = list(read_xml_changes(part(text, drip)))
        assert [(each.number, each.add) for each in found] == [(5551234, True), (5551235, False)]
    for bad, what in (
        (text.replace("</list>", ""), "before </list>"),
        (text.replace("'change'", "'full'"), "expected 'change'"),
        (text.replace("type='D'", "type='Q'"), "is no change"),
        (text.replace("<ac val='212'>", "junk<ac val='212'>"), "does not belong"),
    ):
        with pytest.raises(RegistryError, match=what):
            list(read_xml_changes(part(bad)))


def test_blocks_stand_for_all_their_numbers() -> None:
    found = list(read_blocks(part("NPA-NXX-X\n212-555-1\n3052001,5\n416 234\n")))
    spans = [(batch.npa, min(batch.numbers), len(batch.numbers)) for batch in found]
    assert spans == [(212, 5551000, 1000), (305, 2001000, 1000), (416, 2340000, 10_000)]
    with pytest.raises(RegistryError, match=r"^dnc\.txt:2: is no block"):
        list(read_blocks(part("212-555-1\nhello\n")))


def test_tables_of_states_and_vendors(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    for text, column in (
        ("Name,Phone Number\nAnn,(212) 555-1234\nBob,3052000000\n", None),
        ("area code,phone\n212,5551234\n305,2000000\n", None),
        ("Ann;2125551234\nBob;3052000000\n", None),
        ("home;work\n1;2125551234\n2;3052000000\n", "work"),
        ("home;work\n1;2125551234\n2;3052000000\n", "2"),
    ):
        file.write_text(text)
        assert sorted(pairs(list(read_table(file, column)))) == [(212, 5551234), (305, 2000000)]
        assert has_other_columns(text.encode())
    assert not has_other_columns(b"212,5551234\n305,2000000\n")
    assert not has_other_columns(b"<list type='full'/>")
    for text, column, what in (
        ("name,phone\nAnn,12\n", None, ":2: "),
        ("a,b\nAnn,2125551234\n", None, "give --column"),
        ("name,phone\nAnn,2125551234\n", "fax", "has no column 'fax'"),
        ("name,phone\nAnn\n", None, ":2: has 1 columns"),
    ):
        file.write_text(text)
        with pytest.raises(RegistryError, match=what):
            list(read_table(file, column))


def test_a_table_that_is_loaded_leaves_no_file_open(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("name,phone\nAnn,2125551234\n")
    now = datetime(2026, 6, 10, tzinfo=UTC)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        found = list(_batches(LoadRequest("us_state:FL", (file,), now, now, "tester"), by_area=False))
        assert [each.name for each, _ in found] == [str(file)]
        assert pairs([batch for _, batch in found]) == [(212, 5551234)]
        del found
    assert [str(each.message) for each in told] == []


def test_answers_about_reassigned_numbers(tmp_path: Path) -> None:
    file, day = tmp_path / "answers.csv", date(2026, 11, 20)
    expected = [
        Answer("+12125551234", date(2025, 1, 2), "no"),
        Answer("+13052000000", date(2024, 6, 30), "yes"),
        Answer("+14162345678", date(2023, 6, 30), "no_data"),
    ]
    for text in (
        "2125551234,2025-01-02,no\n3052000000,2024-06-30,yes\n4162345678,2023-06-30,no data\n",
        "TN,Date,Response\n2125551234,01/02/2025,No\n3052000000,06/30/2024,Yes\n4162345678,06/30/2023,no_data\n",
    ):
        file.write_text(text)
        assert list(read_answers(file, day)) == expected
    for text, what in (
        ("2125551234,2025-01-02,maybe\n", ":1: needs a number"),
        ("2125551234,2025-01-02,no\n2125551235,2025-01-02,perhaps\n", ":2: 'perhaps'"),
        ("2125551234,2025-01-02,no\n2125551235,2027-01-02,no\n", ":2: '2027-01-02' is no date before"),
        ("2125551234,2025-01-02,no\n12,2025-01-02,no\n", ":2: "),
        ("2125551234,2025-01-02,no\n2125551235\n", ":2: needs"),
    ):
        file.write_text(text)
        with pytest.raises(RegistryError, match=what):
            list(read_answers(file, day))


def test_a_large_file_is_read_with_flat_memory_and_keeps_its_count() -> None:
    numbers = range(2_000_000, 9_999_999, 53)
    assert collect("".join(f"212,{number:07d}\n" for number in numbers)) == {212: len(numbers)}


def test_times_of_change_lists_are_utc() -> None:
    found = next(read_changes(part("2125551234,2026-11-01T10:00:00-05:00,A\n")))
    assert found.at == datetime(2026, 11, 1, 15, 0, tzinfo=UTC)
