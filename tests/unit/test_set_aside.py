"""The file of refused records: one JSON object a line, whatever a crash left at its end."""

import json
from pathlib import Path

import pytest

from dialer_engine.store.held import set_aside

pytestmark = pytest.mark.unit


def test_records_are_appended_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "log" / "rejected.jsonl"
    set_aside(file, [{"a": 1}, {"a": 2}])
    set_aside(file, [{"a": 3}])
    assert [json.loads(line)["a"] for line in file.read_bytes().splitlines()] == [1, 2, 3]
    assert b"\n\n" not in file.read_bytes()


def test_a_line_torn_by_a_crash_swallows_no_record(tmp_path: Path) -> None:
    file = tmp_path / "rejected.jsonl"
    set_aside(file, [{"a": 1}])
    file.write_bytes(file.read_bytes() + b'{"a":')
    set_aside(file, [{"a": 2}, {"a": 3}])
    assert file.read_bytes() == b'{"a":1}\n{"a":\n{"a":2}\n{"a":3}\n'
