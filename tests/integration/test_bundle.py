"""The bundled Asterisk of this machine, and what happens while it is missing or broken."""

import fcntl
import os
import subprocess
import threading
from pathlib import Path

import pytest

from dialer_engine.pbx.bundle import (
    MARKER,
    MINIMUM_VERSION,
    RECIPE,
    Bundle,
    BundleError,
    asterisk_version,
    find_bundle,
    install_bundle,
)
from dialer_engine.pbx.debian import architecture, multiarch
from dialer_engine.settings.home import ServiceUser, demote, home

pytestmark = pytest.mark.asterisk

NOBODY = ServiceUser(65534, 65534, "nobody")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The installed bundle."""
    return install_bundle(home())


def place(directory: Path) -> Path:
    """Where a bundle lies below a home."""
    return directory / "bundle" / f"{RECIPE}-{architecture()}"


def test_the_version_is_new_enough(bundle: Bundle) -> None:
    assert tuple(int(part) for part in bundle.version.split(".")) >= MINIMUM_VERSION
    assert asterisk_version(bundle) == bundle.version


def test_installing_again_changes_nothing(bundle: Bundle) -> None:
    before = bundle.root.stat().st_mtime_ns
    told: list[str] = []
    assert install_bundle(home(), lambda step, _: told.append(step)) == bundle
    assert told == []
    assert bundle.root.stat().st_mtime_ns == before


def test_asterisks_documents_and_modules_are_there(bundle: Bundle) -> None:
    names = {path.name for path in bundle.api_docs.glob("*.json")}
    assert {"channels.json", "bridges.json", "events.json"} <= names
    for module in ("res_pjsip.so", "res_ari.so", "app_stasis.so", "res_rtp_asterisk.so", "chan_pjsip.so"):
        assert (bundle.modules / module).exists()


def test_programs_run_through_the_roots_own_loader(bundle: Bundle) -> None:
    command = bundle.command("sox", "--version")
    assert command[: len(bundle.loader())] == bundle.loader()
    assert "SoX" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_service_user_can_run_it(bundle: Bundle) -> None:
    for program, option in (("asterisk", "-V"), ("espeak-ng", "--version"), ("sox", "--version")):
        command = bundle.command(program, option)
        environment = os.environ | bundle.environment
        done = subprocess.run(
            command, env=environment, cwd="/", capture_output=True, check=False, **demote(NOBODY)
        )
        assert done.returncode == 0, done.stderr


def test_every_module_that_is_kept_finds_its_libraries(bundle: Bundle) -> None:
    for name in (
        "res_pjsip.so",
        "res_http_websocket.so",
        "codec_ulaw.so",
        "app_audiosocket.so",
        "res_agi.so",
    ):
        command = [*bundle.loader(), "--list", str(bundle.modules / name)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        assert "not found" not in listed, name


def test_an_unknown_program_is_named(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="has no program 'vlc'"):
        bundle.command("vlc")


def test_a_bundle_without_its_marker_does_not_count(tmp_path: Path) -> None:
    place(tmp_path).mkdir(parents=True)
    assert find_bundle(tmp_path) is None


def test_a_bundle_with_its_marker_counts(tmp_path: Path) -> None:
    place(tmp_path).mkdir(parents=True)
    (place(tmp_path) / MARKER).write_text("22.10.1\n")
    found = find_bundle(tmp_path)
    assert found == Bundle(place(tmp_path), multiarch())
    assert found is not None
    assert found.version == "22.10.1"


def test_another_root_can_be_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIALER_ASTERISK_ROOT", str(bundle.root))
    assert find_bundle(tmp_path) == bundle


def test_a_named_root_without_asterisk_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIALER_ASTERISK_ROOT", str(tmp_path))
    with pytest.raises(BundleError, match="has no program 'asterisk'"):
        find_bundle(tmp_path)


def fake_root(directory: Path, answer: str) -> Bundle:
    """A root of the host's kind whose Asterisk gives this answer."""
    program = directory / "usr/sbin/asterisk"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    return HostLike(directory, multiarch())


class HostLike(Bundle):
    """A root whose programs run with the host's libraries, like "/" in a container."""

    @property
    def _is_host(self) -> bool:
        return True


def test_the_hosts_own_asterisk_runs_without_a_loader(tmp_path: Path) -> None:
    assert Bundle(Path("/"), multiarch()).loader() == []
    assert Bundle(Path("/"), multiarch()).environment == {}
    assert asterisk_version(fake_root(tmp_path, "echo Asterisk 22.11.0~dfsg")) == "22.11.0"


@pytest.mark.parametrize(
    ("answer", "message"),
    [("echo Hello", "names no version"), ("echo boom >&2; exit 3", "does not run: boom")],
)
def test_an_asterisk_that_does_not_answer_is_an_error(tmp_path: Path, answer: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        asterisk_version(fake_root(tmp_path, answer))


def test_a_second_installer_waits_for_the_first(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    waiting = threading.Event()
    told: list[str] = []

    def show(step: str, _share: float | None) -> None:
        told.append(step)
        waiting.set()

    with (tmp_path / "bundle" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=install_bundle, args=(tmp_path, show))
        second.start()
        assert waiting.wait(10.0)
        place(tmp_path).symlink_to(bundle.root)
    second.join(10.0)
    assert not second.is_alive()
    assert set(told) == {"another set-up is installing packages; waiting for it"}


def test_a_mirror_that_does_not_answer_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("DIALER_DEBIAN_MIRROR", f"file://{tmp_path}/nothing")
    with pytest.raises(BundleError, match=r"could not be downloaded.*run the same command again") as caught:
        install_bundle(tmp_path)
    assert str(tmp_path / "log" / "bundle.log") in str(caught.value)
    assert find_bundle(tmp_path) is None
