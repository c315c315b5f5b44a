"""By what name an engine owns its lease: that of its home and of the machine that keeps the home's lock."""

import shutil
import socket
from pathlib import Path

import pytest
from settings_support import DIALER, write_config

from dialer_engine.engine import identity
from dialer_engine.engine.lifecycle import Lifecycle
from dialer_engine.engine.lock import home_lock
from dialer_engine.engine.service import Service
from dialer_engine.engine.tenure import Candidate
from dialer_engine.settings.home import HomeError, service_user
from dialer_engine.settings.load import load_config

pytestmark = pytest.mark.unit


def owner(home: Path) -> str:
    """By what name an engine of this home would own its lease."""
    database = "database: {url: 'postgresql://nowhere/dialer'}\n"
    config = load_config(write_config(home.parent / "config", DIALER + database))
    life = Lifecycle(home.parent / "config", home, service_user(), Service())
    return Candidate(life, config, home_lock(home), None)._look_at_lease().owner


def test_every_engine_of_a_home_has_the_same_name_with_host_and_home_for_people(tmp_path: Path) -> None:
    name = owner(tmp_path / "home")
    assert owner(tmp_path / "home") == name
    assert name.startswith(f"{socket.gethostname()}:{tmp_path / 'home'} ")
    assert [path.name for path in (tmp_path / "home" / "run").iterdir()] == ["engine-id"]


def test_another_home_at_the_same_path_has_another_name(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    before = owner(tmp_path / "home")
    shutil.rmtree(tmp_path / "home")
    assert owner(tmp_path / "home") != before


def test_a_copied_home_has_another_name_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the machine was copied with it: host name and /etc/machine-id are the same then."""
    here = owner(tmp_path / "home")
    there = tmp_path / "boot_id"
    there.write_text("6c1a1a3e-0000-4000-8000-000000000000\n")
    monkeypatch.setattr(identity, "BOOT", there)
    assert owner(tmp_path / "home") != here


def test_where_the_kernel_does_not_say_which_it_is_the_machine_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "BOOT", tmp_path / "nothing")
    monkeypatch.setattr(identity, "MACHINE", tmp_path / "machine-id")
    names = []
    for words in ("1f", "2f"):
        (tmp_path / "machine-id").write_text(words)
        names.append(owner(tmp_path / "home"))
    assert names[0] != names[1]


def test_a_home_that_cannot_keep_its_sign_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no directory")
    with pytest.raises(HomeError, match="engine-id: cannot be written"):
        owner(tmp_path / "home")
