"""What root does in directories of the service user: it follows no link that somebody put there."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dialer_engine.pbx.front import _sound
from dialer_engine.pbx.instance import NodeConfig, NodeError, prepare_directories, write_private
from dialer_engine.pbx.notices import LIMIT_BYTES, Notices
from dialer_engine.pbx.process import running_pid, spawn
from dialer_engine.pbx.rtp_ports import turn_ports
from dialer_engine.settings.handover import Refused, give, lend, open_shared, read_shared
from dialer_engine.settings.home import ServiceUser
from dialer_engine.store.embedded import EmbeddedPostgres

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has more rights than the service user"),
]

NOBODY = ServiceUser(65534, 65534, "nobody")


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    """A node as an earlier version left it: all of it is the service user's."""
    made = NodeConfig("main", tmp_path / "nodes" / "main", NOBODY, rtp_start=20000, rtp_end=20999)
    prepare_directories(made)
    for path in (made.directory, *made.directory.rglob("*")):
        os.chown(path, NOBODY.uid, NOBODY.gid)
    return made


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory of root's with a file that only root may read."""
    made = tmp_path / "victim"
    made.mkdir(mode=0o755)
    (made / "secret").write_text("secret")
    (made / "secret").chmod(0o600)
    return made


def untouched(victim: Path) -> bool:
    directory, file = victim.stat(), (victim / "secret").stat()
    return (
        (directory.st_uid, directory.st_mode & 0o777) == (0, 0o755)
        and (file.st_uid, file.st_mode & 0o777) == (0, 0o600)
        and (victim / "secret").read_text() == "secret"
        and [path.name for path in victim.iterdir()] == ["secret"]
    )


@pytest.mark.parametrize("name", ["spool", "etc", "agi", "log", "lib/keys", "journal/optout"])
def test_a_directory_exchanged_for_a_link_is_refused(config: NodeConfig, victim: Path, name: str) -> None:
    config.path(name).rename(config.path(f"{name}.away"))
    config.path(name).symlink_to(victim)
    with pytest.raises(NodeError, match=rf"{name}: cannot be prepared for Asterisk \(is a link, which root"):
        prepare_directories(config)
    assert untouched(victim)


def test_the_instance_itself_exchanged_for_a_link_is_refused(config: NodeConfig, victim: Path) -> None:
    config.directory.rename(config.directory.with_name("away"))
    config.directory.symlink_to(victim)
    with pytest.raises(NodeError, match="is a link"):
        prepare_directories(config)
    assert untouched(victim)


def test_nothing_in_the_instance_can_be_exchanged_any_more(config: NodeConfig) -> None:
    prepare_directories(config)
    owners = {path.name: path.stat().st_uid for path in config.directory.iterdir()}
    assert config.directory.stat().st_uid == owners["etc"] == owners["agi"] == 0
    assert owners["run"] == owners["log"] == owners["spool"] == owners["lib"] == NOBODY.uid
    assert config.path("lib", "keys").stat().st_uid == NOBODY.uid
    assert {path.stat().st_mode & 0o777 for path in config.directory.rglob("*")} == {0o750}
    assert config.directory.stat().st_gid == NOBODY.gid, "the service user gets in by its group"


def test_a_start_writes_through_no_link(config: NodeConfig, victim: Path) -> None:
    for name in ("log/console.log", "node.pid"):
        config.path(name).unlink(missing_ok=True)
        config.path(name).symlink_to(victim / "secret")
        with pytest.raises(Refused, match="is a link"):
            spawn(config, ["true", str(config.conf)])
        config.path(name).unlink()
    config.path("rtp-half").symlink_to(victim / "secret")
    turn_ports(config)
    assert config.path("rtp-half").read_text() == "second"
    assert untouched(victim)
    spawn(config, ["true"]).wait()
    assert config.path("node.pid").stat().st_uid == 0


def test_a_start_writes_into_no_second_name_of_a_file(config: NodeConfig, victim: Path) -> None:
    os.link(victim / "secret", config.path("node.pid"))
    with pytest.raises(Refused, match="one name"):
        spawn(config, ["true"])
    assert (victim / "secret").read_text() == "secret"


def test_a_pid_that_is_a_link_or_a_pipe_is_none(config: NodeConfig, victim: Path) -> None:
    (victim / "secret").write_text(str(os.getpid()))
    config.path("node.pid").symlink_to(victim / "secret")
    os.mkfifo(config.path("run", "asterisk.pid"))
    assert running_pid(config) is None


def test_a_configuration_is_written_over_a_link(config: NodeConfig, victim: Path) -> None:
    place = config.path("etc", "pjsip.conf")
    place.symlink_to(victim / "secret")
    place.with_name(f".pjsip.conf.{os.getpid()}").symlink_to(victim / "secret")
    write_private(place, "[global]\n", NOBODY)
    assert place.read_text() == "[global]\n"
    assert (place.lstat().st_uid, place.lstat().st_mode & 0o777) == (NOBODY.uid, 0o600)
    assert untouched(victim)


def test_a_long_log_is_put_aside_over_a_link_and_out_of_none(config: NodeConfig, victim: Path) -> None:
    path = config.path("log", "notices.log")
    path.write_bytes(b"x" * (LIMIT_BYTES + 1))
    path.with_name("notices.log.0").symlink_to(victim / "secret")
    assert Notices(path).keep_short()
    assert path.stat().st_size == 0
    assert path.with_name("notices.log.0").lstat().st_size == LIMIT_BYTES + 1
    (victim / "secret").write_bytes(b"x" * (LIMIT_BYTES + 1))
    path.unlink()
    path.symlink_to(victim / "secret")
    with pytest.raises(Refused):
        Notices(path).keep_short()
    assert (victim / "secret").stat().st_size == LIMIT_BYTES + 1


def test_registrations_are_looked_at_by_a_copy(tmp_path: Path, victim: Path) -> None:
    path = tmp_path / "location.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table location (a)")
    assert _sound(path)
    path.write_bytes(b"nothing that SQLite knows" * 100)
    assert not _sound(path)
    path.unlink()
    path.symlink_to(victim / "secret")
    with pytest.raises(Refused):
        _sound(path)


def test_the_settings_of_postgres_are_written_over_a_link(tmp_path: Path, victim: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", NOBODY)
    server.data.mkdir(parents=True)
    server.data.joinpath("postgresql.new").symlink_to(victim / "secret")
    server._write_settings()
    assert server.data.joinpath("postgresql.conf").lstat().st_uid == NOBODY.uid
    assert untouched(victim)


def test_only_what_was_looked_at_is_handed_over(tmp_path: Path, victim: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(victim / "secret")
    os.mkfifo(tmp_path / "pipe")
    for hand in (give, lend):
        for path in (link, tmp_path / "pipe"):
            with pytest.raises(Refused):
                hand(path, NOBODY, 0o777)
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_CREAT):
        with pytest.raises(Refused):
            open_shared(link, flags)
    with pytest.raises(Refused):
        read_shared(tmp_path / "pipe")
    with pytest.raises(Refused):
        read_shared(victim)
    assert untouched(victim)


def test_others_than_root_may_use_links(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(victim / "secret")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    give(link, NOBODY, 0o640)
    assert read_shared(link) == b"secret"
    assert (victim / "secret").stat().st_mode & 0o777 == 0o640
