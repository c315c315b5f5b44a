"""An engine whose calls also go out through a node that `dialer node run` keeps, as on another machine."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest
import yaml
from lab_support import lab_place

from dialer_engine.lab.chaos.ground import Ground, Talks, setting_for
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.engine_process import environment
from dialer_engine.lab.further_nodes import FurtherNode
from dialer_engine.lab.phone_bank import PhoneBank
from dialer_engine.lab.world import World, clean_up, empty
from dialer_engine.pbx.bundle import Bundle

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

PATIENCE_S = 60
TALKED = "select id from attempts where node = 'node2' and joined_at is not null"


@dataclass
class Keeper:
    """`dialer node run` on a home of its own, in place of the lab's own keeper of its further node."""

    world: World
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Let the engine know where the recordings are that this node makes for itself."""
        self.node = self.world.further[0]
        self.home = self.world.home / "lent"
        self.node._sounds = self.home / "sounds"

    def _configure(self) -> None:
        """Copy the engine's files; `asterisk` and `database` are the node's own."""
        config, theirs, node = self.home / "config", self.world.config, self.node.config
        (config / "campaigns").mkdir(parents=True)
        for file in (theirs / "campaigns").iterdir():
            (config / "campaigns" / file.name).write_text(file.read_text())
        document = yaml.safe_load((theirs / "dialer.yaml").read_text())
        ports = {"sip_port": node.sip_port, "http_port": node.http_port, "ami_port": node.ami_port}
        place = {"name": node.name, "directory": str(node.directory), "bind": node.bind}
        rtp = {"rtp": {"start": node.rtp_start, "end": node.rtp_end}}
        document["asterisk"] = {"node": place | ports | rtp}
        document["database"] = {"url": self.world.postgres.url()}
        document["lab"] = {"clock": document["lab"]["clock"].isoformat()}
        (config / "dialer.yaml").write_text(yaml.safe_dump(document))

    def _begin(self) -> None:
        with (self.world.place.log / "keeper.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dialer_engine", "node", "run", "--config", str(self.home / "config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(self.home, self.world._bundle),
            )

    async def start(self) -> None:
        """Start it, and wait until the engine works with the node."""
        self._configure()
        self._begin()
        for _ in range(PATIENCE_S):
            status = await self.world.engine.control.status()
            if all(node["up"] for node in status["nodes"]):
                return
            await asyncio.sleep(1.0)
        raise AssertionError((self.world.place.log / "keeper.log").read_text())

    def end(self) -> None:
        """End it; its Asterisk is the lab's to end."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)


async def test_its_agents_talk_through_it(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab_place() as place:
        await clean_up(bundle, place)
        empty(place)
        made = World(bundle, place, replace(setting_for(4, 2, talks=Talks.LONG), nodes=2), lambda text: None)
        keeper, register = Keeper(made), PhoneBank.start

        async def later(node: FurtherNode, *given: object) -> None:
            """The node needs the database, which the engine starts."""

        async def keeper_first(phones: PhoneBank) -> None:
            await keeper.start()
            await register(phones)

        monkeypatch.setattr(FurtherNode, "start", later)
        monkeypatch.setattr(PhoneBank, "start", keeper_first)
        try:
            await made.start()
            floor = Ground(made, Dice(1))
            await floor.begin()
            for _ in range(PATIENCE_S):
                if await floor.ask(TALKED):
                    break
                await asyncio.sleep(1.0)
            assert await floor.ask(TALKED)
            (prompt,) = await floor.ask("select version from prompts where kind = 'drop_message'")
            assert list((keeper.home / "sounds" / "campaigns").glob(f"*-{prompt['version']}.wav"))
        finally:
            keeper.end()
            await made.stop(3.0)
