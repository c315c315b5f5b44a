"""What an Asterisk leaves that was once named otherwise in the settings: its opt-outs are taken in."""

import json
from pathlib import Path

import pytest
from store_support import Conn

from dialer_engine.engine.intake import intake_beside, optout_journals
from dialer_engine.settings.models import AsteriskSettings
from dialer_engine.store.line import Line

pytestmark = pytest.mark.postgres

GIVEN = {"attempt_id": "good", "number": "+12105550104", "at": "2026-11-23T16:00:00Z", "key": "9"}


async def test_opt_outs_of_a_node_of_before_are_taken_in(conn: Conn, pg_url: str, tmp_path: Path) -> None:
    old = tmp_path / "nodes" / "old" / "journal" / "optout"
    old.mkdir(parents=True)
    (old / "good.json").write_text(json.dumps(GIVEN))
    places = optout_journals(AsteriskSettings(), tmp_path)
    assert places["main"] == tmp_path / "nodes" / "main" / "journal" / "optout"
    assert list(places.values()).count(old) == 1
    line = Line(pg_url)
    for place in places.values():
        await intake_beside(line, place).take_all()
    line.close()
    assert await conn.fetchval("select number from suppressions") == GIVEN["number"]
    assert list(old.iterdir()) == []


def test_a_directory_of_ones_own_does_not_hide_what_lies_at_the_usual_place(tmp_path: Path) -> None:
    usual, own = (tmp_path / place / "journal" / "optout" for place in ("nodes/main", "fast"))
    for place in (usual, own):
        place.mkdir(parents=True)
    settings = AsteriskSettings.model_validate({"node": {"directory": str(tmp_path / "fast")}})
    places = optout_journals(settings, tmp_path)
    assert places["main"] == own
    assert sorted(places.values()) == sorted([usual, own])
