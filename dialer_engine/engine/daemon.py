"""The engine's life: put the parts together in the order in which they need each other, run, take apart.

Start: settings, then lock, recordings, lease and database (`tenure`), then Asterisk, links and recovery (`works`), then
the control socket, and last, when nothing can fail any more, the campaigns. Whatever fails says why. A standby waits at
the lock and at the lease. End: no new calls, wait for calls in progress or hand them over, write everything, leave.
Asterisk and the embedded Postgres stay up on purpose (P11); `dialer stop --all` ends them too.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog

from dialer_engine.engine.control import ControlServer, Refused
from dialer_engine.engine.controls import Controls
from dialer_engine.engine.drain import Drain
from dialer_engine.engine.lifecycle import Lifecycle
from dialer_engine.engine.lock import home_lock
from dialer_engine.engine.service import Service
from dialer_engine.engine.standby import Standby
from dialer_engine.engine.tasks import within
from dialer_engine.engine.tenure import Candidate
from dialer_engine.engine.works import Works, make_works
from dialer_engine.settings.home import ServiceUser, prepare_home
from dialer_engine.settings.load import load_config

log = structlog.get_logger(__name__)

FLUSH_S = 10.0
"""How long an end waits for what happened to be written."""


class Engine:
    """One engine on one DIALER_HOME, from start to end; `works` is None until everything is up."""

    def __init__(
        self,
        config_directory: Path,
        home: Path,
        user: ServiceUser,
        service: Service | None = None,
        *,
        standby: bool = False,
    ) -> None:
        self.life = Lifecycle(config_directory, home, user, service or Service())
        self.stopping = self.life.stopping
        self.works: Works | None = None
        self._lock = home_lock(home)
        self._reload_noted = False
        self._standby = Standby(self._lock, self._tell_waiting) if standby else None

    # --- start ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up, or close what was opened and raise why not; Displaced if another engine took over."""
        try:
            await self._start()
        except BaseException:
            await self.life.opened.aclose()
            if self.life.displaced:
                raise self.life.displacement() from None
            raise

    async def _start(self) -> None:
        life = self.life
        prepare_home(life.home, life.user)
        config = load_config(life.directory)
        life.config_read = self._standby is None
        life.service.status = self._in_words
        life.opened.push_async_callback(life.tasks.close)
        life.tasks.keep(life.service.run, "service manager")
        tenure = await Candidate(life, config, self._lock, self._standby).take()
        works = await make_works(life, tenure)
        await works.open()
        await works.recover()
        where, started = life.control_socket(tenure.config.settings), asyncio.Event()
        await self._open_control(works, where, started)
        await self._catch_up(works)
        await works.restored.resume(works.floor.registry.states)
        self.works = works
        started.set()
        if self._reload_noted:
            self.reload_soon()
        life.service.ready()
        log.info("engine is ready", socket=str(where), campaigns=len(works.floor.registry.plans))

    async def _open_control(self, works: Works, where: Path, started: asyncio.Event) -> None:
        control = ControlServer(Controls(works), where, started)
        await control.start()
        self.life.opened.push_async_callback(control.close)

    # --- what it is told and tells ----------------------------------------------------------------

    def reload_soon(self) -> None:
        """Reload the configuration in the background (SIGHUP); the outcome is logged."""
        self.life.tasks.spawn(self._reload(), "reload")

    async def _reload(self) -> None:
        if self.works is None:
            self._note_reload()
            return
        self._reload_noted = False
        self.life.service.reloading()
        try:
            await self._reload_by(Controls(self.works))
        finally:
            self.life.service.ready()

    def _note_reload(self) -> None:
        """Before everything is up: what a standby has not read yet it reads later, all else is owed."""
        if self.life.config_read or self._standby is None:
            self._reload_noted = True
            log.info("the engine is still starting; it reads its configuration again before it dials")
        else:
            log.info("not reloaded: a standby reads its configuration again when it takes over")
            self.life.service.nothing_to_reload()

    async def _reload_by(self, controls: Controls) -> None:
        try:
            await controls.reload()
        except Refused as error:
            log.error("reload refused", why=str(error))

    async def _catch_up(self, works: Works) -> None:
        """Take in, before anything is dialed, what was changed since configuration and agents were read.

        Until now there was no socket at which `dialer agent add` could tell of it.
        """
        controls = Controls(works)
        if self._reload_noted:
            self._reload_noted = False
            self.life.service.reloading_in_start()
            await self._reload_by(controls)
        try:
            await controls.reload_agents()
        except Refused as error:
            log.error("agents added during the start are not known yet", why=str(error))

    def _in_words(self) -> str:
        """One line for the service manager's status."""
        if self.works is None:
            return f"standby: {self._standby.reason}" if self._standby else "starting"
        return (
            f"{self.life.blockers.why_not() or 'dialing'}; {len(self.works.floor.dispatcher.calls)} calls up"
        )

    def _tell_waiting(self, reason: str) -> None:
        """A standby that waits has started: nothing more is to be waited for by the service manager."""
        self.life.service.ready()

    # --- end --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until `stopping` is set, then drain and close; a second request to stop ends the wait.

        Raises Displaced after the end when another engine has taken over.
        """
        await self.stopping.wait()
        self.stopping.clear()
        try:
            if self.works is not None and not self.life.displaced:
                await self._drain(self.works)
            if self.works is not None:
                await self.works.take_last_opt_outs()
        finally:
            await self.close()
        if self.life.displaced:
            raise self.life.displacement()

    async def _drain(self, works: Works) -> None:
        self.life.blockers.set(draining=True)
        floor, calls = works.floor, works.floor.dispatcher.calls
        log.info("draining: no new calls; waiting for calls in progress", calls=len(calls))
        for runner in floor.campaigns.runners.values():
            runner.cancel_departures()
        drain = Drain(
            *(floor, self.stopping, works.tenure.ownership.standby_waits, lambda: works.writer.behind),
            tell=lambda words: self.life.blockers.set(waits_for=words),
        )
        await drain.wait(lambda: self.life.handing_over)
        if self.life.displaced:
            return
        if drain.handed_over:
            log.info("handed over to the standby that waits", calls=len(calls))
        elif calls:
            log.warning("left with calls up; the next engine adopts them", calls=len(calls))
        floor.legs.end_wraps()
        await drain.wait_for_records(lambda: len(works.writer), lambda: self.life.handing_over, FLUSH_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(works.writer.flushed(), FLUSH_S)
        try:
            await within(FLUSH_S, works.pacing_history.finish())
        except TimeoutError:
            log.warning("the last minutes of pacing are not in the database")

    async def close(self) -> None:
        """Take everything apart that this process opened; Asterisk and Postgres stay up."""
        self.life.closing = True
        self.life.service.stopping()
        await self.life.opened.aclose()
        log.info("engine has ended")
