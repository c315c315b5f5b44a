"""Generated passwords: nowhere but in files of their owner, and others on request. One world for all of it."""

import asyncio
import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from engine_support import HUMAN, PROGRESSIVE, at_carrier, begin, lab, press, rows, table, until, until_state

from dialer_engine.lab.engine_process import PROGRAM
from dialer_engine.lab.world import World

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.slow]

LARGEST = 4_000_000


def generated(made: World) -> dict[str, str]:
    """Every password of this world by what it is for."""
    postgres = made.postgres.directory
    found = {
        "ARI": made.main_node.secrets.ari_password,
        "AMI": made.main_node.secrets.ami_password,
        "database": (postgres / "password").read_text().strip(),
        "engine's database login": (postgres / "engine-password").read_text().strip(),
    }
    assert all(len(secret) > 20 for secret in found.values())
    return found | {f"SIP of {phone.user}": phone.password for phone in made.accounts}


def named(text: str, secrets: dict[str, str]) -> list[str]:
    """Which of these passwords stand in a text."""
    return [what for what, secret in secrets.items() if secret in text]


async def said(made: World, *words: str) -> str:
    """What a command prints, whatever its exit status."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *words,
        "--config",
        str(made.config),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(made.engine.variables),
    )
    output, _ = await process.communicate()
    return output.decode()


def readable_by_others(home: Path, secrets: dict[str, str]) -> list[str]:
    """Files with a password in them that somebody else than their owner may read, with the password's name."""
    found, seen = [], 0
    for directory, _, files in os.walk(home):
        for path in (Path(directory, name) for name in files):
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                continue
            words = named(path.read_bytes().decode("latin-1"), secrets)
            seen += bool(words)
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not path.is_relative_to(
                home / "postgres/data"
            ):
                found += [
                    f"{path.relative_to(home)} {stat.filemode(status.st_mode)}: {word}" for word in words
                ]
    assert seen >= 6, "the search finds the files that must hold passwords"
    return found


def in_logs(made: World, secrets: dict[str, str]) -> list[str]:
    """The logs of engine, Asterisks and Postgres that name a password."""
    logs = [path for path in made.home.rglob("*") if path.is_file() and (path.parent.name == "log")]
    assert {"engine.log", "postgres.log", "messages.log"} <= {path.name for path in logs}
    return [f"{path}: {word}" for path in logs for word in named(path.read_text("latin-1"), secrets)]


class CommandLines:
    """Looks at the command lines of all processes, again and again, while something is done."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "CommandLines":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        self.seen.add((entry / "cmdline").read_bytes())
                    except OSError:
                        continue

    @property
    def text(self) -> str:
        return b"\n".join(self.seen).decode("latin-1").replace("\0", " ")


async def ari_answers(made: World, password: str) -> int:
    """The status with which the engine's Asterisk answers this password."""
    headers = {"Authorization": aiohttp.encode_basic_auth("engine", password)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{made.main.ari_url}/ari/asterisk/ping") as reply,
    ):
        return reply.status


async def test_passwords_stay_where_they_belong_and_can_be_replaced() -> None:
    with CommandLines() as lines:
        async with lab(PROGRESSIVE, table(replace(HUMAN, talk_s=300.0)), 1) as made:
            old = generated(made)
            await begin(made)
            await until_state(made, "in_call", seconds=40.0)
            outputs = {
                words: await said(made, *words.split())
                for words in (
                    "status --json",
                    "status",
                    "doctor --json",
                    "check",
                    "reload",
                    "agent ls --json",
                )
            }
            assert json.loads(outputs["status --json"])["engine"]["pid"] == made.engine.pid
            assert '"what": "database"' in outputs["doctor --json"]
            for words, output in outputs.items():
                assert named(output, old) == [], words
            assert readable_by_others(made.home, old) == []
            await _only_the_engines_role(made)

            assert "the engine (pid" in await said(made, "secrets", "rotate"), "refused while the engine runs"
            assert generated(made) == old
            await said(made, "stop", "--now")
            printed = await said(made, "secrets", "rotate", "--agents")
            await made.engine.start()
            await made.engine.ready()
            new = generated(made)
            agent = made.accounts[0].user
            new[f"SIP of {agent}"] = printed.partition(f"agent {agent}")[2].split()[0]
            changed = {what for what in old if old[what] != new[what]}
            assert changed == set(old) - {"database"}
            assert (await ari_answers(made, old["ARI"]), await ari_answers(made, new["ARI"])) == (401, 200)
            await until_state(made, "in_call", seconds=40.0)
            assert [call.live for call in at_carrier(made)] == [True], "the call went on all the time"
            await _the_new_password_of_the_phone(made, agent, old, new)
            await _only_the_engines_role(made)
            assert readable_by_others(made.home, old | {f"new {k}": v for k, v in new.items()}) == []
            press(made, "*")

            async def over() -> bool:
                return not at_carrier(made)[0].live

            await until(over, "the agent ends the call through the new engine", 40.0)
            both = old | {f"new {what}": secret for what, secret in new.items()}
            assert in_logs(made, both) == []
            seen = lines.text
    assert str(made.config) in seen
    assert "postgres" in seen
    assert "asterisk.conf" in seen
    assert named(seen, both) == []


async def _only_the_engines_role(made: World) -> None:
    """The engine's connections, all of them, are those of the login with the fewest rights."""

    async def moved() -> bool:
        found = await rows(
            made,
            "select distinct usename from pg_stat_activity where application_name = 'dialer'"
            " and pid <> pg_backend_pid()",
        )
        return [row["usename"] for row in found] == ["dialer_engine"]

    await until(moved, "every connection of the engine is the engine's role", 40.0)


async def _the_new_password_of_the_phone(
    made: World, agent: str, old: dict[str, str], new: dict[str, str]
) -> None:
    async def rendered() -> bool:
        text = (made.main.path("etc", "pjsip.conf")).read_text()
        return new[f"SIP of {agent}"] in text and old[f"SIP of {agent}"] not in text

    await until(rendered, "Asterisk knows the agent's new password", 40.0)
