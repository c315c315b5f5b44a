"""Files and directories that root and the service user share, handled without following a link.

In a directory of the service user anything can lie: whoever runs code in Asterisk can put a link to a file of root's
there. So root opens without following, looks at what it holds, and changes that and nothing else. Whoever is not root
has no more rights than the service user, and may use links as they like.
"""

import errno
import os
import stat
from pathlib import Path

from dialer_engine.settings.home import ServiceUser

_LINK = "is a link, which root does not follow here; put the real file or directory, or a mount, in its place"
_STRANGE = "is neither a directory nor a plain file with one name, and root touches no other here; remove it"


class Refused(OSError):
    """Root will not touch what lies here; the text gives place and remedy."""


def give(path: Path, user: ServiceUser, mode: int) -> None:
    """Hand a file or directory to the service user with this mode; only root can change the owner.

    Raises OSError; Refused when root meets a link.
    """
    _hand(path, mode, user.uid, user.gid)


def lend(path: Path, user: ServiceUser, mode: int) -> None:
    """Keep a directory and let the service user in by its group: root's stays root's. Raises OSError like `give`."""
    _hand(path, mode, 0, user.gid)


def give_open(descriptor: int, user: ServiceUser, mode: int) -> None:
    """Hand an open file to the service user with this mode."""
    os.fchmod(descriptor, mode)
    if os.geteuid() == 0:
        os.fchown(descriptor, user.uid, user.gid)


def open_shared(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a plain file in a directory of the service user's and return its descriptor; `flags` as in os.open.

    Raises OSError; Refused when root meets a link, a file with a second name, or anything but a plain file.
    """
    if os.geteuid() != 0:
        return os.open(path, flags, mode)
    descriptor = _open(path, flags & ~os.O_TRUNC, mode)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused(errno.EINVAL, _STRANGE, str(path))
        os.set_blocking(descriptor, True)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_shared(path: Path) -> bytes:
    """Return a file's content; raises OSError like `open_shared`."""
    with os.fdopen(open_shared(path, os.O_RDONLY), "rb") as file:
        return file.read()


def _hand(path: Path, mode: int, uid: int, gid: int) -> None:
    if os.geteuid() != 0:
        path.chmod(mode)
        return
    descriptor = _open(path, os.O_RDONLY)
    try:
        # The owner first: who owned it until now cannot widen the mode again.
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int, mode: int = 0) -> int:
    """Open without following a link, and without waiting for the other end of a pipe."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Refused(errno.ELOOP, _LINK, str(path)) from error
        raise
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
        return descriptor
    os.close(descriptor)
    raise Refused(errno.EINVAL, _STRANGE, str(path))
