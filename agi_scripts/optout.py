"""Record an opt-out while the caller is still on the line, with neither engine nor database needed.

Asterisk runs this from the dialplan as an AGI script:

    python3 -IS optout.py JOURNAL_DIRECTORY ATTEMPT_ID NUMBER MEMBER_ID KEY

It writes one JSON file per attempt into the journal directory, which the engine takes in later. The file is
on disk, complete and under its final name, or it is not there at all; a second call for the same attempt
changes nothing. The channel variable OPTOUT_SAVED becomes 1 or 0. Python 3.9's standard library is enough.
"""

import json
import os
import re
import signal
import sys
from datetime import datetime, timedelta, timezone

ATTEMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}")
NUMBER = re.compile(r"\+1[2-9][0-9]{9}")
MEMBER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
UTC = timezone(timedelta(0))
KEY = re.compile(r"[0-9*#]")


class Refused(Exception):
    """The arguments cannot be recorded; the text says why, without the number."""


def record(attempt_id: str, number: str, member_id: str, key: str, now: datetime) -> "dict[str, str]":
    """Build the journal entry after checking every value; `now` is UTC."""
    checks = ((ATTEMPT, attempt_id), (NUMBER, number), (MEMBER, member_id), (KEY, key))
    for place, (pattern, value) in enumerate(checks, start=2):
        if not pattern.fullmatch(value):
            raise Refused(f"argument {place} is malformed")
    return {
        "attempt_id": attempt_id,
        "number": number,
        "member_id": member_id,
        "at": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z",
        "key": key,
        "source": "drop_message",
    }


def save(directory: str, entry: "dict[str, str]") -> bool:
    """Write the entry durably; False when this attempt's entry was already there."""
    final = os.path.join(directory, entry["attempt_id"] + ".json")
    if os.path.exists(final):
        sync_directory(directory)
        return False
    temporary = os.path.join(directory, f".{entry['attempt_id']}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, json.dumps(entry, sort_keys=True) + "\n")
        os.replace(temporary, final)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    sync_directory(directory)
    return True


def write_synced(path: str, text: str) -> None:
    """Write a new file, readable by its owner only, and wait until it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: str) -> None:
    """Wait until the directory's entries are on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tell_asterisk(saved: bool) -> None:
    """Read AGI's header block and set OPTOUT_SAVED; a caller who has hung up is no error."""
    try:
        while sys.stdin.readline().strip():
            pass
        sys.stdout.write(f"SET VARIABLE OPTOUT_SAVED {int(saved)}\n")
        sys.stdout.flush()
        sys.stdin.readline()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"optout: Asterisk could not be told: {error}\n")


def main(arguments: "list[str]") -> int:
    """Record first, then talk to Asterisk: a hang-up in between must not lose the opt-out."""
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    saved = False
    try:
        if len(arguments) != 5:
            raise Refused(f"5 arguments expected, got {len(arguments)}")
        directory, attempt_id, number_text, member_id, key = arguments
        save(directory, record(attempt_id, number_text, member_id, key, datetime.now(tz=UTC)))
        saved = True
    except (Refused, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        sys.stderr.write(f"optout: NOT SAVED: {reason}\n")
    tell_asterisk(saved)
    return 0 if saved else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
