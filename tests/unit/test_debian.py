"""Unpacking Debian's packages: the command line, what is pruned, what an error says."""

import os
import platform
import shutil
from pathlib import Path

import pytest

from dialer_engine.pbx.debian import (
    ARCHIVES,
    BundleError,
    architecture,
    arguments,
    ensure_tools,
    explain,
    multiarch,
    prune,
    silent,
    unpack,
)

pytestmark = pytest.mark.unit


def made(root: Path, name: str, mode: int = 0o640) -> Path:
    """A file of the root with this mode."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("x86_64", ("amd64", "x86_64-linux-gnu")), ("aarch64", ("arm64", "aarch64-linux-gnu"))],
)
def test_known_processors(monkeypatch: pytest.MonkeyPatch, machine: str, expected: tuple[str, str]) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert (architecture(), multiarch()) == expected


def test_an_unknown_processor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(BundleError, match=r"'riscv64'.*x86_64, aarch64"):
        multiarch()


def test_signatures_are_always_checked() -> None:
    words = " ".join(arguments(Path("/target")))
    assert "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg" in words
    for weakening in ("trusted=yes", "AllowInsecure", "AllowUnauthenticated", "no-check-gpg"):
        assert weakening not in words


def test_only_the_expiry_date_is_waived() -> None:
    waived = [word for word in arguments(Path("/target")) if "Check-" in word]
    assert waived == ['--aptopt=Acquire::Check-Valid-Until "false"']


def test_a_named_mirror_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALER_DEBIAN_MIRROR", "http://127.0.0.1/debian")
    assert arguments(Path("/target"))[-1] == "deb http://127.0.0.1/debian forky main"
    monkeypatch.delenv("DIALER_DEBIAN_MIRROR")
    assert arguments(Path("/target"))[-2:] == ["forky", "/target"]


def test_pruning_removes_manuals_and_keeps_programs(tmp_path: Path) -> None:
    kept = [made(tmp_path, "usr/sbin/asterisk", 0o750), made(tmp_path, "usr/share/asterisk/rest-api/a.json")]
    gone = [
        made(tmp_path, "usr/share/doc/sox/copyright"),
        made(tmp_path, "usr/lib/x86_64-linux-gnu/perl/5/x.so"),
        made(tmp_path, "usr/lib/aarch64-linux-gnu/libperl.so.5.42"),
        made(tmp_path, ARCHIVES + "/sox.deb"),
    ]
    prune(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_pruning_lets_every_user_read_the_rest(tmp_path: Path) -> None:
    program, data = made(tmp_path, "usr/bin/sox", 0o700), made(tmp_path, "usr/share/x/y", 0o600)
    program.parent.chmod(0o700)
    (tmp_path / "usr/bin/link").symlink_to("/nowhere")
    prune(tmp_path)
    modes = [path.stat().st_mode & 0o777 for path in (program, data, program.parent)]
    assert modes == [0o755, 0o644, 0o755]


def test_an_error_names_the_first_cause_and_the_way_on(tmp_path: Path) -> None:
    log = tmp_path / "bundle.log"
    log.write_text(
        "I: fetching\nE: Failed to fetch X\nE: Some index files failed\nE: apt-get update failed\n"
    )
    text = explain(log)
    assert "unpacked: Failed to fetch X. Full output" in text
    assert "run the same command again" in text
    assert str(log) in text


@pytest.mark.parametrize("content", ["", "something odd\n"])
def test_an_error_without_a_cause_still_says_where_to_look(tmp_path: Path, content: str) -> None:
    log = tmp_path / "bundle.log"
    log.write_text(content)
    assert (content.strip() or "no output") in explain(log)


def test_without_apt_the_container_images_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BundleError, match=r"no apt-get.*container images"):
        ensure_tools(tmp_path / "log", silent)


def test_without_sudo_the_command_for_root_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made(tmp_path, "apt-get", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(
        BundleError, match=r"as root, run `apt-get install mmdebstrap debian-archive-keyring`"
    ):
        ensure_tools(tmp_path / "log", silent)


def test_what_apt_will_install_is_announced_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[str] = []
    failing = made(tmp_path, "apt-get", 0o755)
    failing.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/asked"\nexit 1\n')
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(BundleError, match=r"`apt-get install .*` failed, see .*log"):
        ensure_tools(tmp_path / "log", lambda step, _: told.append(step))
    assert told == ["installing with apt-get: mmdebstrap debian-archive-keyring"]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == ["install", "update"]


def test_a_full_disk_is_noticed_before_the_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr("dialer_engine.pbx.debian.ensure_tools", lambda *_: None)
    with pytest.raises(BundleError, match=r"10 MB are free.*DIALER_HOME"):
        unpack(tmp_path / "x.partial", tmp_path / "downloads", tmp_path / "log", 0, silent)
