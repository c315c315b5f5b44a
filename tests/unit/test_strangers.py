"""Who is refused over SIP: read from Asterisk's notices, counted by address, said seldom, and the log kept short."""

from collections import Counter
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialer_engine.engine.strangers import LOUD, QUIET_S, SPAN_S, Strangers
from dialer_engine.pbx import notices as module
from dialer_engine.pbx.notices import OTHERS, Notices

pytestmark = pytest.mark.unit

LINE = (
    "[2026-11-28 20:13:17.035] NOTICE[28462] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from "
    "'{who}' failed for '{address}:46782' (callid: {call}) - {why}\n"
)


def line(
    address: str,
    who: str = "<sip:1000@127.0.0.1>",
    call: str = "a@b",
    why: str = "No matching endpoint found",
) -> str:
    return LINE.format(who=who, address=address, call=call, why=why)


def test_new_lines_are_counted_by_address_and_no_line_twice(tmp_path: Path) -> None:
    log = tmp_path / "notices.log"
    log.write_text(line("192.0.2.1"))
    notices = Notices(log)
    assert notices.refused() == Counter()
    half = line("192.0.2.3")
    with log.open("a") as file:
        file.write(
            line("192.0.2.1")
            + line("192.0.2.2", why="Failed to authenticate")
            + "[x] NOTICE[1] other\n"
            + half[:90]
        )
    assert notices.refused() == {"192.0.2.1": 1, "192.0.2.2": 1}
    with log.open("a") as file:
        file.write(half[90:] + line("2001:db8::7"))
    assert notices.refused() == {"192.0.2.3": 1, "2001:db8::7": 1}
    assert notices.refused() == Counter()


def test_a_stranger_cannot_put_another_address_in_its_place(tmp_path: Path) -> None:
    log = tmp_path / "notices.log"
    notices = Notices(log)
    fake = "x' failed for '198.51.100.9:5060' (callid: y) - No matching endpoint found"
    log.write_text(line("192.0.2.1", who=fake) + line("192.0.2.1", call=fake))
    assert notices.refused() == {OTHERS: 2}


def test_the_log_is_kept_short_and_reading_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_BYTES", 1000)
    log = tmp_path / "notices.log"
    notices = Notices(log)
    with log.open("a") as asterisk:
        for turn in range(3):
            asterisk.write(line("192.0.2.1") * 10)
            asterisk.flush()
            assert notices.refused() == {"192.0.2.1": 10}, turn
            assert notices.keep_short()
            assert log.stat().st_size == 0
            assert not notices.keep_short()
        asterisk.write(line("192.0.2.2"))
        asterisk.flush()
        assert notices.refused() == {"192.0.2.2": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notices.log", "notices.log.0"]


def test_many_sources_take_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SOURCES", 50)
    log = tmp_path / "notices.log"
    notices = Notices(log)
    log.write_text("".join(line(f"10.0.{i // 256}.{i % 256}") for i in range(500)))
    found = notices.refused()
    assert len(found) == 51
    assert found[OTHERS] == 450


def test_it_is_said_when_it_is_much_and_seldom(tmp_path: Path) -> None:
    now = 0.0
    strangers = Strangers(Notices(tmp_path / "notices.log"), clock=lambda: now)
    with capture_logs() as logs:
        strangers.take(Counter({"192.0.2.1": LOUD - 1}))
        assert logs == []
        for _ in range(100):
            now += 2.0
            strangers.take(Counter({"192.0.2.1": 3000, "192.0.2.2": 10}))
        assert [entry["most_from"] for entry in logs] == ["192.0.2.1"]
        assert strangers.status()["refused_last_minute"] == 31 * 3010
        assert strangers.status()["most"][0] == {"address": "192.0.2.1", "count": 31 * 3000}
        now += QUIET_S
        strangers.take(Counter({"192.0.2.3": LOUD}))
        assert [entry["most_from"] for entry in logs] == ["192.0.2.1", "192.0.2.3"]
    now += SPAN_S + 1
    strangers.take(Counter())
    assert strangers.status() == {
        "refused_last_minute": 0,
        "refused": LOUD - 1 + 100 * 3010 + LOUD,
        "sources": 0,
        "most": [],
    }
