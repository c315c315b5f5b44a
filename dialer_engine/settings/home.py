"""Where everything that is written at run time lives, and as whom the services run.

The engine may be started by root (a server) or by anybody (a trial). Asterisk and the embedded Postgres never
run as root: a root engine hands them to the service user, who must be able to reach their directories.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

ROOT_HOME = Path("/var/lib/dialer")
FIRST_LEVEL = ("bundle", "sounds", "nodes", "run", "log")


class HomeError(Exception):
    """DIALER_HOME or the service user cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The account that owns and runs Asterisk and the embedded Postgres."""

    uid: int
    gid: int
    name: str


class Demotion(TypedDict, total=False):
    """Keyword arguments that make subprocess start a child as another user."""

    user: int
    group: int
    extra_groups: list[int]


def home() -> Path:
    """The run-time directory: DIALER_HOME, else /var/lib/dialer for root, else the user's data directory.

    HomeError when DIALER_HOME begins with the `~name` of nobody.
    """
    chosen = os.environ.get("DIALER_HOME")
    if chosen:
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError as error:
            raise HomeError(f"DIALER_HOME: {chosen}: no user of that name has a directory here") from error
    if os.geteuid() == 0:
        return ROOT_HOME
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "dialer"


def service_user() -> ServiceUser:
    """The user for Asterisk and Postgres: oneself, or for root DIALER_USER, the caller of sudo, or nobody."""
    if os.geteuid() != 0:
        return _by_uid(os.geteuid()) or ServiceUser(os.geteuid(), os.getegid(), str(os.geteuid()))
    named = os.environ.get("DIALER_USER")
    caller = os.environ.get("SUDO_UID", "")
    if not named and caller.isdigit() and int(caller) != 0:
        return _by_uid(int(caller)) or _by_name("nobody")
    user = _by_name(named or "nobody")
    if user.uid == 0:
        raise HomeError("Asterisk and Postgres never run as root; set DIALER_USER to another user")
    return user


def demote(user: ServiceUser) -> Demotion:
    """Arguments for subprocess that run a child as `user`; empty when the engine is not root."""
    if os.geteuid() != 0:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def prepare_home(directory: Path, user: ServiceUser) -> None:
    """Make DIALER_HOME and its first level of directories, and check that the service user can reach them."""
    try:
        for path in (directory, *(directory / name for name in FIRST_LEVEL)):
            public_directory(path)
    except OSError as error:
        raise HomeError(
            f"{error.filename}: cannot be created ({error.strerror}); set DIALER_HOME to another place"
        ) from error
    barrier = unreachable(directory, user)
    if barrier is not None:
        raise HomeError(
            f"{directory}: user {user.name!r}, who runs Asterisk and Postgres, may not enter {barrier}; "
            f"set DIALER_HOME to a place open to that user (default {ROOT_HOME}), or DIALER_USER to another"
        )


def unwritable(path: Path, error: OSError) -> HomeError:
    """Return the error of a file in DIALER_HOME that could not be written: whose the place is, and what to do."""
    if not isinstance(error, PermissionError):
        return HomeError(f"{path}: cannot be written ({error.strerror})")
    place = next(found for found in (path, *path.parents) if os.path.lexists(found))
    owner, me = (_name_of(uid) for uid in (place.lstat().st_uid, os.geteuid()))
    return HomeError(
        f"{path}: user {me!r} may not write it, {place} belongs to {owner!r}: be that user, or set DIALER_HOME to "
        f"another place. When a trial left it: as {owner!r} 'dialer stop --all', then move the directory away"
    )


def public_directory(path: Path) -> None:
    """Make a directory, with those above it, that every user may enter and read, whatever the umask."""
    if not path.is_dir():
        if not path.parent.exists():
            public_directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def unreachable(directory: Path, user: ServiceUser) -> Path | None:
    """The outermost directory on the way to `directory` that `user` may not enter, or None."""
    if user.uid == 0 or os.geteuid() != 0:
        return None
    way = [*reversed(directory.parents), directory]
    return next((path for path in way if not _may_enter(path.stat(), user)), None)


def _may_enter(status: os.stat_result, user: ServiceUser) -> bool:
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _by_name(name: str) -> ServiceUser:
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise HomeError(
            f"user {name!r} does not exist on this machine; set DIALER_USER to one that does"
        ) from error
    return ServiceUser(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _name_of(uid: int) -> str:
    user = _by_uid(uid)
    return user.name if user else str(uid)


def _by_uid(uid: int) -> ServiceUser | None:
    try:
        return _by_name(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return None
