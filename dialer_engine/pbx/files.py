"""What is asked of files that may not be there yet."""

from pathlib import Path


def differs(path: Path, text: str) -> bool:
    """Whether a file is not there or holds another text than this."""
    try:
        return path.read_text("utf-8") != text
    except FileNotFoundError:
        return True


def size_of(path: Path) -> int:
    """Return a file's bytes; 0 when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
