"""What leaves for Asterisk when a customer joins an agent: in which order, and again when it failed."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from dispatch_support import START, Floor, reservation

from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.engine import actions
from dialer_engine.engine.actions import AsteriskActions
from dialer_engine.engine.call import Call
from dialer_engine.engine.clock import utc_now
from dialer_engine.engine.tasks import Tasks
from dialer_engine.pbx.ari.commands import Commands
from dialer_engine.pbx.ari.errors import AriError, AriLinkLost, AriRefused, AriTimeout

pytestmark = pytest.mark.unit

LOST = AriLinkLost("the connection to Asterisk went down")
ADD, OFF, PUT_OFF = "addChannel", "variable 0", "variable 1"


class Line:
    """Stands for the connection to an Asterisk: notes what is asked, and answers when it is let, as it is told."""

    app = "dialer"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[AriError]] = {}
        self.open = asyncio.Event()

    async def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, **more: Any
    ) -> bytes:
        what = " ".join((path.rpartition("/")[2], (query or {}).get("value", ""))).strip()
        self.asked.append(what)
        await self.open.wait()
        if answers := self.answers.get(what):
            raise answers.pop(0)
        return b""


class Joining:
    """A call that was answered some seconds ago and waits to be joined with alice."""

    def __init__(self, waited_s: float, joined: bool = False) -> None:
        self.line, self.tasks, self.floor = Line(), Tasks(), Floor(alice="spring")
        place = SimpleNamespace(commands=Commands(self.line))  # type: ignore[arg-type]
        dispatcher = self.floor.dispatcher
        self.actions = AsteriskActions({"main": place}, None, self.tasks, dispatcher=dispatcher)  # type: ignore[arg-type, dict-item]
        answered = utc_now() - timedelta(seconds=waited_s)
        attempt = Attempt("x", Phase.JOINING, answered_at=answered, joined_at=answered if joined else None)
        self.call = Call(reservation("x"), "spring", attempt, START)
        dispatcher.adopt(self.call)

    async def join(self, add: Sequence[AriError] = (), off: Sequence[AriError] = ()) -> None:
        """Ask for the join; the first tries to add and to switch the time-out off fail as told."""
        self.line.answers = {ADD: list(add), OFF: list(off)}
        self.actions.join(self.call, "alice")
        await asyncio.sleep(0.01)

    async def settled(self) -> list[str]:
        self.line.open.set()
        async with asyncio.timeout(5.0):
            await asyncio.gather(*self.tasks._running)
        return self.line.asked


@pytest.mark.parametrize(
    ("waited_s", "joined", "order"),
    [
        (0.005, False, [ADD, OFF]),
        (0.7, False, [ADD, OFF]),
        (0.9, False, [PUT_OFF, ADD, OFF]),
        (1.8, False, [PUT_OFF, ADD, OFF]),
        (60.0, True, [ADD, OFF]),
    ],
)
async def test_all_leaves_at_once_and_who_has_waited_is_kept_before_the_join(
    waited_s: float, joined: bool, order: list[str]
) -> None:
    joining = Joining(waited_s, joined)
    await joining.join()
    assert joining.line.asked == order, "nothing waited for a reply"
    assert await joining.settled() == order


@pytest.mark.parametrize("error", [LOST, AriTimeout("no reply"), AriRefused(500, "Internal Server Error")])
async def test_a_talk_that_is_not_kept_is_kept_again(error: AriError) -> None:
    joining = Joining(0.005)
    await joining.join(off=[error, error])
    assert await joining.settled() == [ADD, OFF, OFF, OFF]


async def test_it_is_given_up_when_the_dialplan_has_had_its_chance() -> None:
    joining = Joining(0.005)
    await joining.join(off=[LOST] * 100)
    asked = await joining.settled()
    assert 4 < len(asked) < 10


@pytest.mark.parametrize("status", [404, 409])
async def test_a_channel_that_is_gone_needs_no_keeping(status: int) -> None:
    joining = Joining(0.005)
    await joining.join(off=[AriRefused(status, "gone")])
    assert await joining.settled() == [ADD, OFF]


async def test_a_join_that_is_refused_waits_for_nothing_and_is_not_kept() -> None:
    joining = Joining(0.005)
    await joining.join(add=[AriRefused(404, "no such bridge")], off=[LOST] * 100)
    joining.line.open.set()
    await asyncio.sleep(0.01)
    assert joining.call.phase is Phase.UNCLAIMED
    assert joining.floor.book.asked[-1] == ("drop", "x")
    assert await joining.settled() == [ADD, OFF]


async def test_a_join_whose_outcome_is_lost_is_looked_at() -> None:
    joining, doubts = Joining(0.005), []
    joining.actions.on_doubt = doubts.append
    await joining.join(add=[LOST])
    await joining.settled()
    assert doubts == ["main"]
    assert joining.call.phase is Phase.JOINING


@pytest.mark.parametrize("error", [LOST, AriTimeout("no reply"), AriRefused(500, "Internal Server Error")])
async def test_a_call_that_cannot_be_looked_up_is_compared(
    error: AriError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "LOOK_AGAIN_S", 0.01)
    joining, doubts = Joining(0.005), []
    joining.actions.on_doubt = doubts.append
    joining.line.answers = {"x": [error]}
    joining.actions.look_up(joining.call)
    await joining.settled()
    assert doubts == ["main"]
    assert joining.call.phase is Phase.JOINING


NOT_DONE = [
    LOST,
    AriTimeout("no reply"),
    AriRefused(412, "Channel in invalid state"),
    AriRefused(500, "Internal Server Error"),
]


def ask(joining: Joining, what: str) -> None:
    if what == "continue":
        joining.actions.play_drop_message(joining.call)
    else:
        joining.actions.hang_up(joining.call)


@pytest.mark.parametrize("what", ["continue", "x"])
@pytest.mark.parametrize("error", NOT_DONE)
async def test_a_message_or_hang_up_that_was_not_begun_is_looked_at(
    what: str, error: AriError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "LOOK_AGAIN_S", 0.01)
    joining, doubts = Joining(0.005), []
    joining.actions.on_doubt = doubts.append
    joining.line.answers = {what: [error]}
    ask(joining, what)
    assert await joining.settled() == [what]
    assert doubts == ["main"]


@pytest.mark.parametrize("what", ["continue", "x"])
@pytest.mark.parametrize("status", [404, 409])
async def test_a_channel_that_is_gone_needs_no_message_and_no_hang_up(what: str, status: int) -> None:
    joining, doubts = Joining(0.005), []
    joining.actions.on_doubt = doubts.append
    joining.line.answers = {what: [AriRefused(status, "gone")]}
    ask(joining, what)
    await joining.settled()
    assert doubts == []


async def test_what_is_refused_again_and_again_is_one_comparison_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each comparison asks for the message again: doubts that bred doubts would never end."""
    monkeypatch.setattr(actions, "LOOK_AGAIN_S", 0.05)
    joining, doubts = Joining(0.005), []
    joining.actions.on_doubt = doubts.append
    joining.line.answers = {"continue": [AriRefused(500, "Internal Server Error")] * 40}
    for _ in range(20):
        ask(joining, "continue")
    await joining.settled()
    assert doubts == ["main"]
    ask(joining, "continue")
    await joining.settled()
    assert doubts == ["main", "main"]
