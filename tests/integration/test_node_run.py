"""`dialer node run`: a machine that lends its Asterisk, as a process with real Asterisk and a Postgres server."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import yaml
from asterisk_support import node_config
from sip_peer import SipPeer

from dialer_engine.cli.doctor_nodes import nodes
from dialer_engine.cli.finding import CRITICAL, OK, WARNING
from dialer_engine.engine.clock import utc_now
from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.instance import NodeConfig, load_secrets
from dialer_engine.pbx.node import Node
from dialer_engine.pbx.process import running_pid
from dialer_engine.pbx.reach import DEPTH, PROGRAM, RECORDING, look
from dialer_engine.settings.load import load_config
from dialer_engine.store import directory
from dialer_engine.store.pool import connect

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres]

DATABASE, LOGIN, PASSWORD = "t_node_run", "t_node_app", "node-of-this-test"
ROOT = Path(__file__).parents[2]
SECONDS = 60.0
CAMPAIGN = "member: acme\nlists: [june]\ntrunks: [main]\ncaller_ids: [+12102260101]\n"
YAML = """\
members:
  acme: {{name: {member}, callback_number: +12102260100}}
trunks:
  main: {{host: 127.0.0.1, port: 9}}
{more}asterisk:
  node:
    name: two
    sip_port: {node.sip_port}
    http_port: {node.http_port}
    ami_port: {node.ami_port}
    rtp: {{start: {node.rtp_start}, end: {node.rtp_end}}}
database:
  url: {url}
logging: {{format: json}}
"""


@dataclass
class Lent:
    """A home on a machine of its own, as far as one machine can be two: its node runner and its Asterisk."""

    home: Path
    node: NodeConfig
    admin: str
    url: str
    bundle: Bundle
    ear: socket.socket
    process: subprocess.Popen[bytes] | None = None
    member: str = "Acme"
    more: str = ""

    @property
    def config(self) -> Path:
        """The configuration directory."""
        return self.home / "config"

    @property
    def log(self) -> Path:
        """What the node runner says."""
        return self.home / "runner.log"

    @property
    def asterisk(self) -> int | None:
        """Asterisk's pid."""
        return running_pid(self.node)

    @property
    def variables(self) -> dict[str, str]:
        """Of every command on that machine."""
        ours = {"DIALER_HOME": str(self.home), "DIALER_ASTERISK_ROOT": str(self.bundle.root)}
        return os.environ | ours | {"PYTHONPATH": str(ROOT)}

    def configure(self) -> None:
        """Write dialer.yaml and a campaign."""
        (self.config / "campaigns").mkdir(parents=True, exist_ok=True)
        text = YAML.format(node=self.node, url=self.url, member=self.member, more=self.more)
        (self.config / "dialer.yaml").write_text(text)
        (self.config / "campaigns" / "spring.yaml").write_text(CAMPAIGN)

    def start(self) -> None:
        """Start it as systemd does, and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dialer_engine", "node", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.variables
                | {"NOTIFY_SOCKET": str(self.home / "notify"), "WATCHDOG_USEC": "60000000"},
            )
        self.heard("READY=1")

    def heard(self, word: str) -> None:
        """Wait until the service manager was told something, from now on."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            try:
                if word in self.ear.recv(4096).decode().splitlines():
                    return
            except TimeoutError:
                continue
        raise AssertionError(f"never told: {word}\n{self.log.read_text()}")

    def said(self, event: str) -> int:
        """How often the log has an event."""
        return sum(
            json.loads(line).get("event") == event
            for line in self.log.read_text().splitlines()
            if line[:1] == "{"
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the node runner and return its status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the dialer's commands there."""
        return subprocess.run(
            [sys.executable, "-m", "dialer_engine", *words, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.variables,
            timeout=SECONDS,
            check=False,
        )

    def press_nine(self, attempt: str, number: str) -> None:
        """Let the script of the dialplan record an opt-out."""
        script, journal = self.node.path("agi", "optout.py"), self.node.optout_journal
        done = subprocess.run(
            ["/usr/bin/python3", "-IS", str(script), str(journal), attempt, number, "acme", "9"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def as_login(url: str, user: str, password: str) -> str:
    """The same database by another login."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


def named(url: str, name: str) -> str:
    """Another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def _make_database(server: str) -> None:
    conn = await connect(server, batch=True)
    await conn.execute(f"drop database if exists {DATABASE} with (force)")
    await conn.execute(f"create database {DATABASE} template dialer_template")
    await conn.execute(f"drop role if exists {LOGIN}")
    await conn.execute(f"create role {LOGIN} login password '{PASSWORD}' in role dialer_engine")
    await conn.close()
    fresh = await connect(named(server, DATABASE))
    await fresh.execute(
        "insert into members (key, name, callback_number) values ('acme', 'Acme', '+12102260100')"
    )
    await fresh.close()


async def _drop_database(server: str) -> None:
    conn = await connect(server, batch=True)
    await conn.execute(f"drop database {DATABASE} with (force)")
    await conn.execute(f"drop role {LOGIN}")
    await conn.close()


@pytest.fixture(scope="module")
def lent(bundle: Bundle, template: str, node_home: Path) -> Iterator[Lent]:
    """A node started from a bare home, by a login with the engine's rights only."""
    home = node_home / "lent"
    home.mkdir()
    asyncio.run(_make_database(template))
    node = replace(node_config(home / "nodes", "two"), directory=home / "nodes" / "two")
    admin = named(template, DATABASE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(home / "notify"))
        ear.settimeout(1.0)
        made = Lent(home, node, admin, as_login(admin, LOGIN, PASSWORD), bundle, ear)
        made.configure()
        try:
            made.start()
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.end(signal.SIGKILL)
            asyncio.run(Node(bundle, node).stop(2.0))
            asyncio.run(_drop_database(template))


async def until(what: Callable[[], Awaitable[bool]], words: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not await what():
        assert time.monotonic() < end, f"never so: {words}"
        await asyncio.sleep(0.1)


async def registers(lent: Lent, user: str, password: str) -> bool:
    """Whether a phone with this password may register."""
    async with SipPeer() as phone:
        server = ("127.0.0.1", lent.node.sip_port)
        final = await phone.request(
            f"REGISTER sip:127.0.0.1:{lent.node.sip_port}", server, user=user, password=password
        )
    return final.code == 200


async def with_database(
    lent: Lent, doing: Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[object]]
) -> object:
    """Do something in the database as its owner."""
    conn = await connect(lent.admin)
    try:
        return await doing(conn)
    finally:
        await conn.close()


async def add(lent: Lent, name: str, password: str) -> None:
    """Add an agent as another machine's command does."""
    await with_database(lent, lambda conn: directory.add_agent(conn, None, name, password))


async def suppressed(lent: Lent, number: str) -> bool:
    """Whether the number stands on the list and its opt-out in the records, each once."""
    rows = await with_database(
        lent,
        lambda conn: conn.fetchrow(
            "select (select count(*) from suppressions where number = $1),"
            " (select count(*) from opt_outs where number = $1)",
            number,
        ),
    )
    assert isinstance(rows, asyncpg.Record)
    assert max(rows) <= 1
    return list(rows) == [1, 1]


async def allow(lent: Lent, yes: bool) -> None:
    """Let the database take connections, or cut all and refuse new ones."""
    conn = await connect(named(lent.admin, "postgres"), batch=True)
    await conn.execute(f"alter database {DATABASE} with allow_connections {str(yes).lower()}")
    if not yes:
        await conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", DATABASE
        )
    await conn.close()


async def test_agents_can_register_as_they_come_and_go(lent: Lent) -> None:
    await add(lent, "anna", "secret-one")
    await until(lambda: registers(lent, "anna", "secret-one"), "the new agent registers")
    await with_database(lent, lambda conn: directory.set_agent_password(conn, "anna", "secret-two"))
    await until(lambda: registers(lent, "anna", "secret-two"), "the new password counts")
    assert not await registers(lent, "anna", "secret-one")
    await with_database(lent, lambda conn: directory.remove_agent(conn, "anna", utc_now()))

    async def refused() -> bool:
        return not await registers(lent, "anna", "secret-two")

    await until(refused, "the removed agent is refused")


async def test_an_opt_out_gets_into_the_database_once(lent: Lent) -> None:
    lent.press_nine("attempt-1", "+12105550111")
    await until(lambda: suppressed(lent, "+12105550111"), "the opt-out is in the database")
    lent.press_nine("attempt-1", "+12105550111")  # as after a crash between commit and removal

    async def taken() -> bool:
        return not list(lent.node.optout_journal.iterdir())

    await until(taken, "the journal is empty")
    assert await suppressed(lent, "+12105550111")


async def test_without_the_database_asterisk_accounts_and_opt_outs_stay(lent: Lent) -> None:
    await add(lent, "bob", "bobs-secret")
    await until(lambda: registers(lent, "bob", "bobs-secret"), "bob registers")
    pid, told = lent.asterisk, lent.said("the database is away: asterisk stays up with the accounts it has")
    await allow(lent, False)
    try:
        lent.press_nine("attempt-2", "+12105550112")

        async def noticed() -> bool:
            return lent.said("the database is away: asterisk stays up with the accounts it has") > told

        await until(noticed, "the outage is noticed")
        assert await registers(lent, "bob", "bobs-secret")
        assert lent.asterisk == pid
        assert [path.name for path in lent.node.optout_journal.iterdir()] == ["attempt-2.json"]
    finally:
        await allow(lent, True)
    await add(lent, "carol", "carols-secret")
    await until(lambda: suppressed(lent, "+12105550112"), "the opt-out that waited is in the database")
    await until(lambda: registers(lent, "carol", "carols-secret"), "an agent added afterwards registers")
    assert lent.asterisk == pid


async def test_an_asterisk_that_dies_is_started_again(lent: Lent) -> None:
    await add(lent, "dora", "doras-secret")
    await until(lambda: registers(lent, "dora", "doras-secret"), "dora registers")
    before = lent.asterisk
    assert before is not None
    os.kill(before, signal.SIGKILL)

    async def again() -> bool:
        return lent.asterisk not in (None, before)

    await until(again, "another Asterisk runs")

    async def usable() -> bool:
        try:
            return await registers(lent, "dora", "doras-secret")
        except TimeoutError:
            return False

    await until(usable, "its accounts are there")


async def test_a_reload_takes_all_or_nothing(lent: Lent) -> None:
    secrets = json.loads(lent.node.path("secrets.json").read_text())
    account = (lent.node.ari_url, secrets["ari_user"], secrets["ari_password"])
    asked = (PROGRAM, f"{RECORDING}spring")
    assert lent.process is not None
    before, pid = await look(*account, asked), lent.asterisk
    assert all(before.facts.values())
    (lent.config / "dialer.yaml").write_text("members: [\n")
    refused = lent.said("reload refused: nothing was changed")
    lent.process.send_signal(signal.SIGHUP)

    async def told() -> bool:
        return lent.said("reload refused: nothing was changed") > refused

    await until(told, "the broken configuration is refused")
    assert (await look(*account, asked)).facts == before.facts
    lent.member, lent.more = "Acme Two", "  spare: {host: 127.0.0.1, port: 19}\n"
    lent.configure()
    lent.process.send_signal(signal.SIGHUP)

    async def taken() -> bool:
        return (await look(*account, asked)).facts[asked[1]] != before.facts[asked[1]]

    await until(taken, "the new recording is told")
    version = (await look(*account, asked)).facts[asked[1]]
    assert (lent.home / "sounds" / "campaigns" / f"spring-{version}.wav").exists()
    assert "sip:127.0.0.1:19" in lent.node.path("etc", "pjsip.conf").read_text()
    assert lent.asterisk == pid
    text = (lent.config / "dialer.yaml").read_text()
    (lent.config / "dialer.yaml").write_text(text.replace("name: two", "name: two\n    tls_port: 5999"))
    refused = lent.said("reload refused: nothing was changed")
    lent.process.send_signal(signal.SIGHUP)
    await until(told, "another port needs a restart")
    assert "asterisk.node.tls_port: 5061 -> 5999" in lent.log.read_text()
    lent.configure()


@pytest.mark.parametrize("words", [("node", "run"), ("run",), ("run", "--standby"), ("stop", "--all")])
def test_nobody_else_works_on_its_home(lent: Lent, words: tuple[str, ...]) -> None:
    assert lent.process is not None
    pid = lent.asterisk
    done = lent.command(*words)
    assert done.returncode == 1
    assert f"a node runner already works on this DIALER_HOME (pid {lent.process.pid}" in done.stderr
    assert "dialer node stop" in done.stderr
    assert lent.asterisk == pid


async def test_it_tells_every_second_how_full_the_task_processors_are(lent: Lent) -> None:
    secrets, told = load_secrets(lent.node), set[str]()

    async def again() -> bool:
        seen = await look(lent.node.ari_url, secrets.ari_user, secrets.ari_password, [DEPTH])
        told.add(seen.facts[DEPTH])
        return len(told - {""}) == 3

    began = time.monotonic()
    await until(again, "another word")
    assert time.monotonic() - began < 10.0
    assert all(0.0 <= float(each.partition(":")[2]) < 1.0 for each in told - {""})


async def test_what_it_shows_is_what_an_engine_needs(lent: Lent, tmp_path: Path) -> None:
    shown = lent.command("node", "show")
    assert shown.returncode == 0, shown.stderr
    assert "this holds passwords" in shown.stderr
    assert "no other machine reaches" in shown.stderr
    block = yaml.safe_load(shown.stdout)
    engine = yaml.safe_load(YAML.format(node=lent.node, url=lent.url, member="Acme Two", more=""))
    engine["members"]["acme"]["callback_number"] = "+12102260100"
    engine["asterisk"] = block["asterisk"]
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "spring.yaml").write_text(CAMPAIGN)
    (tmp_path / "dialer.yaml").write_text(yaml.safe_dump(engine))
    (node,) = load_config(tmp_path).settings.asterisk.nodes
    assert (node.name, node.sip_port, node.sounds) == ("two", lent.node.sip_port, str(lent.home / "sounds"))
    lent.member = "Acme Two"
    lent.configure()
    assert lent.process is not None
    lent.process.send_signal(signal.SIGHUP)

    async def well() -> bool:
        return [(each.what, each.state) for each in await nodes(tmp_path)] == [("node two", OK)]

    await until(well, "the doctor of the engine finds nothing")
    engine["members"]["acme"]["name"] = "Another"
    (tmp_path / "dialer.yaml").write_text(yaml.safe_dump(engine))
    (found,) = await nodes(tmp_path)
    assert (found.state, "not today's recordings of spring" in found.words) == (WARNING, True)
    engine["asterisk"]["nodes"][0]["ami_password"] = "wrong"
    (tmp_path / "dialer.yaml").write_text(yaml.safe_dump(engine))
    (found,) = await nodes(tmp_path)
    assert (found.state, "ami_password" in found.words) == (CRITICAL, True)
    engine["asterisk"]["nodes"][0]["ari_password"] = "wrong"
    (tmp_path / "dialer.yaml").write_text(yaml.safe_dump(engine))
    (found,) = await nodes(tmp_path)
    assert (found.state, "ari_password" in found.words) == (CRITICAL, True)


def test_its_own_doctor_and_status(lent: Lent) -> None:
    status = lent.command("node", "status")
    assert status.returncode == 0, status.stderr
    assert f"pid {lent.asterisk}" in status.stdout
    found = {one["what"]: one for one in json.loads(lent.command("doctor", "--json").stdout)}
    assert found["node"]["state"] == OK
    assert found["database"]["state"] == OK, "its login can alter no records"
    assert "engine" not in found


def test_asterisk_outlives_it_and_a_start_without_the_database(lent: Lent) -> None:
    pid, secrets = lent.asterisk, lent.node.path("secrets.json").read_text()
    assert "already works" in lent.command("node", "rotate").stderr
    assert lent.end() == 0
    assert lent.asterisk == pid
    assert lent.command("node", "rotate").returncode == 0
    assert lent.node.path("secrets.json").read_text() != secrets
    asyncio.run(allow(lent, False))
    try:
        lent.start()
        assert lent.asterisk == pid
        assert asyncio.run(registers(lent, "bob", "bobs-secret"))
    finally:
        asyncio.run(allow(lent, True))
    asyncio.run(add(lent, "emil", "emils-secret"))

    async def usable() -> None:
        await until(lambda: registers(lent, "emil", "emils-secret"), "accounts follow the database again")

    asyncio.run(usable())
    done = lent.command("node", "stop")
    assert done.returncode == 0, done.stderr
    assert lent.process is not None
    assert lent.process.wait(SECONDS) == 0
    assert lent.asterisk is None
    assert lent.command("node", "status").returncode == 1
    assert lent.command("node", "stop").returncode == 0


def test_a_bare_home_without_the_database_is_told(lent: Lent, node_home: Path) -> None:
    other = replace(lent, home=node_home / "bare", url=lent.url.replace(DATABASE, "t_nowhere"))
    other.home.mkdir()
    other.configure()
    done = other.command("node", "run")
    assert done.returncode == 1
    assert "this database does not exist" in done.stderr
    (other.config / "dialer.yaml").write_text(
        (other.config / "dialer.yaml").read_text().split("database:")[0]
    )
    done = other.command("node", "run")
    assert done.returncode == 1
    assert "database.url is empty" in done.stderr
