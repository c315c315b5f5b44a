"""The desk in a terminal: what stands there, and which key asks the engine for what."""

import io
from typing import Any

import pytest

from dialer_engine.cli.desk import SETTLE_S, Desk
from dialer_engine.cli.desk_screen import Moment, clock, keys, lines, screen
from dialer_engine.cli.terminal import _Console
from dialer_engine.engine.control_client import EngineRefused

pytestmark = pytest.mark.unit

CONTACT: dict[str, Any] = {
    "number": "+12105550100",
    "numbers": ["+12105550100", "+12105550101"],
    "member": "Acme",
    "list": "june",
    "zone": "America/Chicago",
    "first_name": "Ann",
    "last_name": "[red]Lee\x1b[2J",
    "extra": {"plan": "gold"},
    "history": [
        {
            "at": "2026-06-09T15:00:00+00:00",
            "campaign": "spring",
            "number": "+12105550100",
            "result": "skipped",
            "agent": "ben",
            "disposition": None,
            "note": "not-now",
        }
    ],
}
LOOKING: dict[str, Any] = {
    "agent": "ana",
    "state": "looking",
    "campaign": "spring",
    "mode": "preview",
    "campaign_state": "running",
    "notice": "refused: calling_hours: closed",
    "waits_for": None,
    "pause_wanted": False,
    "preview": "p1",
    "number": "+12105550100",
    "contact": CONTACT,
    "script": "Good day",
    "dispositions": [
        {"digit": "1", "code": "sale", "label": "Sale"},
        {"digit": "8", "code": "dnc", "label": "Do not call"},
    ],
    "default": "no disposition",
    "skip_reasons": ["not-now", "wrong-person"],
    "seconds": 18.0,
    "seconds_left": 42.0,
    "local_time": "2026-06-10T11:05:00-05:00",
    "version": "v1",
}


TALKING: dict[str, Any] = {**LOOKING, "state": "in_call", "preview": None, "notice": None}


def shown(document: dict[str, Any], moment: Moment = Moment(18.0, 42.0)) -> str:  # noqa: B008 - frozen
    """The screen as a person reads it."""
    out = io.StringIO()
    _Console(file=out, width=120, force_terminal=False).print(screen(document, moment))
    return out.getvalue()


def test_everything_known_stands_on_the_screen_and_commands_nothing() -> None:
    text = shown(LOOKING)
    for piece in ("+12105550100", "also +12105550101", "11:05 in America/Chicago", "june, of Acme", "gold"):
        assert piece in text
    for piece in ("[red]Lee", "skipped", "not-now", "Good day", "42 s", "refused: calling_hours: closed"):
        assert piece in text
    assert "\x1b" not in text


def test_whoever_is_talked_to_stands_there_with_the_time_until_the_wrap_up_is_over() -> None:
    for state in ("ringing", "in_call", "wrap"):
        text = shown({**TALKING, "state": state}, Moment(83.0, 12.0 if state == "wrap" else None))
        assert "Ann [red]Lee" in text
        assert "+12105550100" in text
        assert ("1:23" in text) is (state != "wrap")
    assert "how did it end? (else: no disposition)  12 s left" in text
    assert "1 Sale" in text
    assert "then pause" in shown({**TALKING, "pause_wanted": True})
    assert "p no pause" in keys({**TALKING, "pause_wanted": True})
    assert clock(3725.9) == "1:02:05"


def test_what_cannot_be_read_or_heard_is_said() -> None:
    text = shown({**TALKING, "contact": None}, Moment(83.0))
    assert "+12105550100: who this is cannot be read" in text
    text = shown(TALKING, Moment(83.0, None, 65.0, "the engine is not running"))
    assert "no word from the engine for 1:05; a talk goes on" in text
    assert "the engine is not running" in text
    waiting = {**LOOKING, "state": "ready", "contact": None, "number": None, "waits_for": "the list is done"}
    assert "ready, but the list is done" in shown(waiting)


def test_the_keys_stand_above_whatever_is_long() -> None:
    contact = {**CONTACT, "history": CONTACT["history"] * 10, "extra": {f"f{n}": "x" for n in range(30)}}
    text = shown({**LOOKING, "contact": contact, "script": "word\n" * 30})
    assert "Enter or d dial" in text.splitlines()[1]


def test_the_keys_are_those_of_the_moment() -> None:
    assert "Enter or d dial" in keys(LOOKING)
    assert "2 wrong-person" in keys(LOOKING, choosing=True)
    assert keys({**LOOKING, "state": "wrap"}).startswith("1 Sale")
    assert keys({**LOOKING, "state": "in_call"}).startswith("* end the call")
    assert "dial" not in keys({**LOOKING, "state": "paused"})


def test_lines_for_what_is_no_terminal() -> None:
    told = list(lines(LOOKING))
    assert told[0] == "ana: look, then dial or skip"
    assert "  number: +12105550100  (also +12105550101)" in told
    halted = {**LOOKING, "state": "ready", "contact": None, "notice": None, "campaign_state": "paused"}
    assert list(lines({**halted, "number": None})) == ["ana: ready, but the campaign is paused"]
    talking = list(lines(TALKING))
    assert talking[:2] == ["ana: in a call", "  name: Ann [red]Lee\x1b[2J"]
    assert list(lines({**TALKING, "contact": None})) == ["ana: in a call", "  number: +12105550100"]


class Engine:
    """Takes down what a desk asks for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def act(self, agent: str, action: str, **wish: Any) -> None:
        self.asked.append((action, wish))
        if wish.get("reason") == "bored":
            raise EngineRefused("'bored' is no reason")
        if wish.get("digit") == "8":
            raise EngineRefused("8 was not taken")


async def pressed(
    *some: str, state: str = "looking", ago_s: float = 10.0
) -> list[tuple[str, dict[str, Any]]]:
    """What the engine is asked when these keys are pressed so long after a contact appeared."""
    engine = Engine()
    desk = Desk(engine, "ana")  # type: ignore[arg-type]
    desk._take({**LOOKING, "state": state})
    desk.came_at -= ago_s
    for key in some:
        await desk.pressed(key)
    return engine.asked


async def test_each_key_asks_for_one_thing() -> None:
    assert await pressed("\n") == [("dial", {"preview": "p1"})]
    assert await pressed("s", "2") == [("skip", {"preview": "p1", "reason": "wrong-person"})]
    assert await pressed("s", "\n") == [("skip", {"preview": "p1", "reason": None})]
    assert await pressed("s", "x") == []
    assert await pressed("1", "7", state="wrap") == [("key", {"digit": "1"})]
    assert await pressed("1") == []
    assert await pressed("p", "*") == [("key", {"digit": "0"}), ("key", {"digit": "*"})]
    assert await pressed("d", "s", state="in_call") == []


async def test_a_key_for_the_contact_before_asks_for_nothing() -> None:
    assert await pressed("\n", "s", ago_s=SETTLE_S / 10) == []


async def test_lines_ask_for_the_same_and_refusals_are_said() -> None:
    engine = Engine()
    desk = Desk(engine, "ana")  # type: ignore[arg-type]
    desk._take(LOOKING)
    for line in ("dial\n", "skip wrong-person\n", "key 1\n", "pause\n"):
        await desk.command(line)
    assert [action for action, _ in engine.asked] == ["dial", "skip", "key", "key"]
    await desk.command("skip bored\n")
    assert desk.said == "'bored' is no reason"
    await desk.command("dance\n")
    assert "is no command: dial, skip REASON" in desk.said


async def test_a_digit_that_the_engine_refuses_is_said_also_when_the_desk_changes_right_then() -> None:
    desk = Desk(Engine(), "ana")  # type: ignore[arg-type]
    wrap, ready = {**TALKING, "state": "wrap"}, {**TALKING, "state": "ready", "version": "v2"}
    desk._take(wrap)
    await desk.pressed("8")
    assert "8 was not taken" in shown(desk.document, desk.moment)
    desk._take(ready)
    assert "8 was not taken" in shown(desk.document, desk.moment), "the wrap-up was over at that moment"
    desk.keep_until = 0.0
    desk._take({**ready, "version": "v3"})
    assert desk.said == ""
