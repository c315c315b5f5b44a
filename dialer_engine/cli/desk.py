"""`dialer agent desk NAME`: an agent of a preview campaign sees each contact and dials or skips it.

The desk only shows and asks: the engine decides what may be dialed. Leaving the desk leaves the agent on duty.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.live import Live

from dialer_engine.cli.common import DEFAULT_CONFIG, ConfigOption, carry_out, engine
from dialer_engine.cli.desk_screen import Moment, lines, screen
from dialer_engine.cli.terminal import new_console, say, say_json
from dialer_engine.engine.control_client import ControlClient, EngineNotRunning, EngineRefused

TICK_S = 0.5
AGAIN_S = 1.0
SETTLE_S = 0.7
"""A key so soon after another contact appeared was meant for the one before."""
REFUSAL_STAYS_S = 5.0
"""A digit is refused when the wrap-up was over just then: the desk that changes by that leaves the words so long."""
LEAVE = "quit"


@dataclass(slots=True)
class Desk:
    """One agent's desk as this program knows it.

    `came_at` is the monotonic second the present contact appeared, `read_at` that of the engine's last word; until
    `keep_until` a change leaves what was `said`.
    """

    client: ControlClient
    agent: str
    document: dict[str, Any] = field(default_factory=dict)
    came_at: float = 0.0
    read_at: float = 0.0
    said: str = ""
    choosing: bool = False
    away: bool = False
    keep_until: float = 0.0

    async def follow(self, changed: Callable[[], None]) -> None:
        """Keep the document the engine's; one that restarts is waited for. Raises EngineRefused at the first look."""
        while True:
            try:
                found = await self.client.desk(self.agent, self.document.get("version"))
            except (EngineNotRunning, EngineRefused) as error:
                if not self.document:
                    raise
                self.said, self.away = str(error), True
                changed()
                await asyncio.sleep(AGAIN_S)
                continue
            self._take(found)
            changed()

    def _take(self, found: dict[str, Any]) -> None:
        now = time.monotonic()
        if found["preview"] != self.document.get("preview"):
            self.came_at, self.choosing = now, False
        if self.away or (found["version"] != self.document.get("version") and now >= self.keep_until):
            self.said = ""
        self.document, self.read_at, self.away = found, now, False

    @property
    def moment(self) -> Moment:
        """What moves on the screen by itself."""
        passed = time.monotonic() - self.read_at
        seconds, left = self.document.get("seconds"), self.document.get("seconds_left")
        return Moment(
            None if seconds is None else seconds + passed,
            None if left is None else max(0.0, left - passed),
            passed if self.away else 0.0,
            self.said,
            self.choosing,
        )

    async def act(self, action: str, **wish: Any) -> None:
        """Ask the engine; what it refuses is said at the desk."""
        try:
            self.keep_until = 0.0
            await self.client.act(self.agent, action, **wish)
            self.said = ""
        except (EngineNotRunning, EngineRefused) as error:
            self.said = str(error)

    async def command(self, line: str) -> None:
        """Carry out one line: `dial`, `skip [REASON]`, `key DIGIT` or `pause`."""
        word, _, rest = line.strip().partition(" ")
        preview = self.document.get("preview")
        match word:
            case "dial":
                await self.act("dial", preview=preview)
            case "skip":
                await self.act("skip", preview=preview, reason=rest.strip() or None)
            case "key":
                await self.act("key", digit=rest.strip())
            case "pause":
                await self.act("key", digit="0")
            case _:
                self.said = f"'{line.strip()}' is no command: dial, skip REASON, key DIGIT, pause or quit"

    async def pressed(self, key: str) -> None:
        """Carry out one key of the terminal."""
        looking = self.document.get("state") == "looking"
        if self.choosing:
            await self._chosen(key)
        elif key in ("\r", "\n", "d", "s") and looking:
            if time.monotonic() - self.came_at >= SETTLE_S:
                await self._decided(key)
        elif key == "p":
            await self.command("pause")
        elif key == "*":
            await self.act("key", digit=key)
        elif key in "12345678":
            await self._disposed(key)

    async def _disposed(self, key: str) -> None:
        """A digit says how a call ended; what it cannot say now is told, and not asked."""
        known = [one["digit"] for one in self.document.get("dispositions", [])]
        if self.document.get("state") != "wrap":
            self.said = "digits say how a call ended, once it is over"
        elif key not in known:
            self.said = f"{key} is no disposition of this campaign"
        else:
            await self.act("key", digit=key)
            if self.said:
                self.keep_until = time.monotonic() + REFUSAL_STAYS_S

    async def _decided(self, key: str) -> None:
        if key == "s":
            self.choosing = True
        else:
            await self.command("dial")

    async def _chosen(self, key: str) -> None:
        self.choosing = False
        reasons = self.document.get("skip_reasons", [])
        if key in ("\r", "\n"):
            await self.command("skip")
        elif key.isdigit() and 0 < int(key) <= len(reasons):
            await self.command(f"skip {reasons[int(key) - 1]}")


def desk(
    name: Annotated[str, typer.Argument(help="The agent's name.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: Annotated[
        bool, typer.Option("--json", help="Print changes as JSON, read commands from standard input.")
    ] = False,
) -> None:
    """Show an agent each contact of a preview campaign, with keys to dial, skip, pause and dispose."""
    mine = Desk(engine(config), name)
    if sys.stdin.isatty() and sys.stdout.isatty() and not json:
        carry_out(_at_terminal(mine))
    else:
        carry_out(_in_lines(mine, json))


async def _at_terminal(mine: Desk) -> None:
    with _single_keys(), Live(console=new_console(), auto_refresh=False, screen=True) as live:

        def draw() -> None:
            if mine.document:
                live.update(screen(mine.document, mine.moment), refresh=True)

        keys = _from_stdin(lambda: sys.stdin.read(1))
        following = asyncio.create_task(mine.follow(draw))
        try:
            while not following.done():
                key = await _next(keys, following)
                if key in ("q", ""):
                    return
                if key is not None:
                    await mine.pressed(key)
                draw()
        finally:
            await _stop(following)


async def _in_lines(mine: Desk, json: bool) -> None:
    last: dict[str, str] = {}
    seen = asyncio.Event()

    def tell() -> None:
        seen.set()
        if mine.document.get("version") != last.get("version"):
            last["version"] = mine.document["version"]
            _print(mine.document, json)
        if mine.said and mine.said != last.get("said"):
            say_json({"refused": mine.said}) if json else say(f"refused: {mine.said}")
        last["said"] = mine.said
        sys.stdout.flush()

    following = asyncio.create_task(mine.follow(tell))
    try:
        first = asyncio.create_task(seen.wait())
        await asyncio.wait({first, following}, return_when=asyncio.FIRST_COMPLETED)
        commands = _from_stdin(sys.stdin.readline)
        while not following.done():
            line = await _next(commands, following)
            if line is not None and (line == "" or line.strip() == LEAVE):
                return
            if line is not None and line.strip():
                last.pop("said", None)
                await mine.command(line)
                tell()
    finally:
        await _stop(following)


def _print(document: dict[str, Any], json: bool) -> None:
    if json:
        say_json(document)
        return
    for line in lines(document):
        say(line)


async def _next(inputs: asyncio.Queue[str], following: asyncio.Task[None]) -> str | None:
    """Return the next input, None when it is time to draw again or the engine has refused."""
    waiting = asyncio.create_task(inputs.get())
    done, _ = await asyncio.wait({waiting, following}, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
    if waiting in done:
        return waiting.result()
    waiting.cancel()
    return None


async def _stop(following: asyncio.Task[None]) -> None:
    """End the following; an engine that refused the desk is told by raising its refusal."""
    if following.done():
        following.result()
    following.cancel()


def _from_stdin(read: Callable[[], str]) -> asyncio.Queue[str]:
    """Return a queue of what comes in; the thread that reads ends with the program, whatever it waits for."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str] = asyncio.Queue()

    def reading() -> None:
        with contextlib.suppress(RuntimeError):
            while piece := read():
                loop.call_soon_threadsafe(queue.put_nowait, piece)
            loop.call_soon_threadsafe(queue.put_nowait, "")

    threading.Thread(target=reading, daemon=True, name="keys").start()
    return queue


@contextlib.contextmanager
def _single_keys() -> Iterator[None]:
    """Let each key come at once and unseen, and the terminal be as before in the end."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
