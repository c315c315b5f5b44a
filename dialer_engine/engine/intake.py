"""Takes opt-outs from the Asterisk-side journal into the database, at once and again as a safety net."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from dialer_engine.engine.tasks import wait_at_most
from dialer_engine.pbx.instance import node_directories, optout_journal
from dialer_engine.settings.models import AsteriskSettings
from dialer_engine.store.journal import Taken, take_journal
from dialer_engine.store.line import AWAY, Line
from dialer_engine.store.suppress import Forbidden

log = structlog.get_logger(__name__)

SAFETY_NET_S = 1.0
FILES = "*.json"
Take = Callable[[Path], Awaitable[Taken]]


def optout_journals(settings: AsteriskSettings, home: Path) -> dict[str, Path]:
    """Where the Asterisk-side scripts of this machine leave opt-outs, by node, the managed one first.

    Places of nodes that the settings name otherwise now, or keep elsewhere, come after those, each by its path.
    """
    own = [settings.node.name] if settings.managed else []
    places = {name: home / "nodes" / name for name in (*own, *(node.name for node in settings.nodes))}
    if settings.managed and settings.node.directory is not None:
        places[settings.node.name] = settings.node.directory
    journals = {name: optout_journal(place) for name, place in places.items()}
    left = (optout_journal(place) for place in node_directories(home))
    return journals | {
        str(place): place for place in left if place.is_dir() and place not in journals.values()
    }


class OptOutIntake:
    """Watches one journal directory; `take` writes its files to the database and returns whom they forbid.

    It looks at least every `period_s` seconds.
    """

    def __init__(
        self,
        directory: Path,
        take: Take,
        suppressed: Callable[[Forbidden], None],
        period_s: float = SAFETY_NET_S,
    ) -> None:
        self._directory = directory
        self._take = take
        self._suppressed = suppressed
        self._period_s = period_s
        self._wake = asyncio.Event()
        self._waits = False
        self._told: set[Path] = set()

    def wake(self) -> None:
        """An opt-out was just recorded: take it in at once."""
        self._wake.set()

    async def run(self) -> None:
        """Take in for ever; while the database is away the files wait on disk."""
        while True:
            try:
                await self.take_all()
            except AWAY as error:
                if not self._waits:
                    log.warning(
                        "opt-outs wait in the journal", directory=str(self._directory), why=str(error)
                    )
                self._waits = True
            else:
                self._waits = False
            await wait_at_most(self._wake, self._period_s)
            self._wake.clear()

    @property
    def waiting(self) -> int:
        """How many opt-outs are in the directory."""
        return len(list(self._directory.glob(FILES)))

    async def take_all(self, take: Take | None = None) -> None:
        """Take in what is there now and cancel what is queued or ringing for those numbers (P5).

        `take` does it another way than usual.
        """
        if not await asyncio.to_thread(_any_file, self._directory):
            return
        taken = await (take or self._take)(self._directory)
        for what in taken.forbidden:
            self._suppressed(what)
        for file, why in taken.unreadable.items():
            if file not in self._told:
                log.error("an opt-out cannot be read; see: dialer doctor", file=str(file), why=why)
        self._told |= taken.unreadable.keys()


def take_over(line: Line) -> Take:
    """Return the way to take in over a line."""

    async def take(directory: Path) -> Taken:
        async with line.session() as conn:
            return await take_journal(conn, directory)

    return take


def intake_beside(line: Line, directory: Path, period_s: float = SAFETY_NET_S) -> OptOutIntake:
    """Return the intake of a process that has no calls of its own: a node's keeper, or an engine that waits.

    What its Asterisk took down is in the database all the same; the engine that dials learns of it from there.
    """

    over = take_over(line)

    async def take(directory: Path) -> Taken:
        taken = await over(directory)
        if taken.forbidden:
            log.info("opt-outs were taken in", count=len(taken.forbidden))
        return taken

    return OptOutIntake(directory, take, lambda what: None, period_s)


def _any_file(directory: Path) -> bool:
    return directory.is_dir() and any(directory.glob(FILES))
