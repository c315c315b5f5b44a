"""Where the run-time directory lies and as whom the services run."""

import os
import pwd
from pathlib import Path

import pytest

from dialer_engine.settings.handover import give
from dialer_engine.settings.home import (
    FIRST_LEVEL,
    HomeError,
    ServiceUser,
    demote,
    home,
    prepare_home,
    public_directory,
    service_user,
    unreachable,
)

pytestmark = pytest.mark.unit

NOBODY = ServiceUser(65534, 65534, "nobody")
MYSELF = ServiceUser(os.geteuid(), os.getegid(), "myself")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand files to others")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the caller decides."""
    for name in ("DIALER_HOME", "DIALER_USER", "SUDO_UID", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    """Let the code believe that this user runs it."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)


def test_a_named_home_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALER_HOME", "/srv/calls")
    assert home() == Path("/srv/calls")


def test_a_home_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALER_HOME", "~nosuchuser/calls")
    with pytest.raises(HomeError, match="DIALER_HOME: ~nosuchuser/calls: no user of that name"):
        home()


def test_a_relative_home_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIALER_HOME", "here")
    assert home() == tmp_path / "here"


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    monkeypatch.setenv("DIALER_HOME", "")
    assert home() == Path("/var/lib/dialer")


def test_root_uses_the_system_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    assert home() == Path("/var/lib/dialer")


def test_others_use_their_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 1000)
    monkeypatch.setenv("HOME", "/home/ann")
    assert home() == Path("/home/ann/.local/share/dialer")
    monkeypatch.setenv("XDG_DATA_HOME", "/data/ann")
    assert home() == Path("/data/ann/dialer")


def test_an_ordinary_user_runs_the_services_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.getpwnam("nobody")
    as_user(monkeypatch, entry.pw_uid)
    monkeypatch.setenv("DIALER_USER", "root")
    assert service_user() == ServiceUser(entry.pw_uid, entry.pw_gid, "nobody")


def test_root_hands_the_services_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    assert service_user().name == "nobody"


def test_root_hands_the_services_to_the_named_user(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    monkeypatch.setenv("DIALER_USER", "daemon")
    assert service_user().name == "daemon"


def test_root_through_sudo_hands_the_services_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    monkeypatch.setenv("SUDO_UID", str(pwd.getpwnam("daemon").pw_uid))
    assert service_user().name == "daemon"


@pytest.mark.parametrize("value", ["0", "", "4294967290"])
def test_a_useless_sudo_caller_means_nobody(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    as_user(monkeypatch, 0)
    monkeypatch.setenv("SUDO_UID", value)
    assert service_user().name == "nobody"


def test_a_missing_user_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    monkeypatch.setenv("DIALER_USER", "no-such-user")
    with pytest.raises(HomeError, match=r"'no-such-user' does not exist.*DIALER_USER"):
        service_user()


def test_root_itself_is_refused_as_service_user(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    monkeypatch.setenv("DIALER_USER", "root")
    with pytest.raises(HomeError, match="never run as root"):
        service_user()


def test_an_account_without_a_name_is_still_a_service_user(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 4294967290)
    assert service_user().name == "4294967290"


def test_children_of_root_change_their_user(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    assert demote(NOBODY) == {"user": 65534, "group": 65534, "extra_groups": []}


def test_children_of_others_keep_their_user(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 1000)
    assert demote(NOBODY) == {}


def test_a_home_gets_its_first_level_readable_for_all(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        prepare_home(tmp_path / "far" / "new", MYSELF)
    finally:
        os.umask(before)
    (tmp_path / "far" / "new").rename(tmp_path / "new")
    for path in (tmp_path / "far", tmp_path / "new", *(tmp_path / "new" / name for name in FIRST_LEVEL)):
        assert path.stat().st_mode & 0o777 == 0o755


def test_preparing_again_leaves_modes_alone(tmp_path: Path) -> None:
    prepare_home(tmp_path, MYSELF)
    (tmp_path / "run").chmod(0o700)
    prepare_home(tmp_path, MYSELF)
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_home_below_a_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match=r"file/home.*set DIALER_HOME"):
        prepare_home(tmp_path / "file" / "home", MYSELF)


def test_a_public_directory_may_exist(tmp_path: Path) -> None:
    public_directory(tmp_path)
    public_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@root_only
def test_a_closed_directory_on_the_way_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    tmp_path.chmod(0o755)
    closed.chmod(0o700)
    outer = unreachable(closed / ".", NOBODY)
    assert outer is not None
    assert closed == outer or outer in closed.parents
    with pytest.raises(HomeError, match=r"'nobody'.*may not enter"):
        prepare_home(closed / "home", NOBODY)


@root_only
def test_given_files_belong_to_the_service_user(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    give(secret, NOBODY, 0o600)
    status = secret.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65534, 65534, 0o600)


def test_everything_is_reachable_for_oneself(tmp_path: Path) -> None:
    assert unreachable(tmp_path, MYSELF) is None
