"""Two engines for one Asterisk: a second one with a home of its own, and ways that can be cut for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dialer_engine.lab.engine_process import EngineProcess
from dialer_engine.lab.ports import BIND
from dialer_engine.lab.proxy import Mood, Proxy

if TYPE_CHECKING:
    from dialer_engine.lab.world import World

HOME = "two"


@dataclass(slots=True)
class Ways:
    """One engine's ways to the database and to Asterisk, each through a proxy of the lab."""

    database: Proxy
    ari: Proxy
    ami: Proxy

    @classmethod
    async def open(cls, world: World) -> Ways:
        """Open ways to the running embedded Postgres and to the engine's Asterisk."""
        made = cls(
            Proxy.to_socket(world.postgres.socket),
            Proxy(world.main.control_bind, world.main.http_port),
            Proxy(world.main.control_bind, world.main.ami_port),
        )
        for proxy in made.all:
            await proxy.start()
        return made

    @property
    def all(self) -> tuple[Proxy, ...]:
        """Every proxy."""
        return (self.database, self.ari, self.ami)

    @property
    def asterisk(self) -> tuple[Proxy, ...]:
        """The proxies towards Asterisk."""
        return (self.ari, self.ami)

    @property
    def detour(self) -> dict[str, int]:
        """The ports towards Asterisk, as a lab's settings name them."""
        return {"ari_port": self.ari.port, "ami_port": self.ami.port}

    def url(self, world: World) -> str:
        """The database's URL by this way."""
        return f"{world.postgres.url().partition('@')[0]}@{BIND}:{self.database.port}/dialer"

    async def close(self) -> None:
        """End them."""
        for proxy in self.all:
            await proxy.close()


def break_off(proxies: tuple[Proxy, ...], mood: Mood) -> None:
    """Cut ways, or let them swallow everything."""
    for proxy in proxies:
        if mood is Mood.CUT:
            proxy.cut()
        else:
            proxy.mood = mood


def second_engine(world: World, ways: Ways | None = None) -> EngineProcess:
    """An engine with a home of its own that uses the first one's database and Asterisk; not started."""
    home = world.home / HOME
    config = home / "config"
    (config / "campaigns").mkdir(parents=True)
    for file in (world.config / "campaigns").iterdir():
        (config / "campaigns" / file.name).write_text(file.read_text())
    document = yaml.safe_load((world.config / "dialer.yaml").read_text())
    document["database"] = {"url": ways.url(world) if ways else world.postgres.url()}
    document["asterisk"] = {"managed": False, "nodes": [_node(world)]}
    document["lab"] = {"clock": document["lab"]["clock"].isoformat()} | (ways.detour if ways else {})
    (config / "dialer.yaml").write_text(yaml.safe_dump(document))
    (home / "sounds").symlink_to((world.home / "sounds").resolve())
    variables = {**world.engine.variables, "DIALER_HOME": str(home)}
    return EngineProcess(home, config, world.place.log / "second.log", variables)


def _node(world: World) -> dict[str, Any]:
    main, secrets = world.main, world.main_node.secrets
    ari = {"ari_url": main.ari_url, "ari_user": secrets.ari_user, "ari_password": secrets.ari_password}
    ami = {"ami_user": secrets.ami_user, "ami_password": secrets.ami_password}
    return {"name": main.name, "ami_host": main.control_bind, "ami_port": main.ami_port} | ari | ami


def with_clock(config: Path, clock: str) -> None:
    """Let an engine that starts again go on at this moment of the gate's clock."""
    file = config / "dialer.yaml"
    document = yaml.safe_load(file.read_text())
    document["lab"]["clock"] = clock
    file.write_text(yaml.safe_dump(document))
