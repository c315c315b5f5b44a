"""Text from outside: how it is shown, and what of it can be stored.

Names, notes, columns of files and words of carriers are anybody's. They are kept as they came wherever they can
be; where they go out, the exit makes them harmless: `shown` for terminals and logs, `storable` for the database.
"""

import re

_UNSHOWN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f"  # control characters, of which terminals take commands
    "\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069"  # turn the direction of writing, or begin a line
    "\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f"  # never seen
    "\\ud800-\\udfff]"  # halves of characters, which no terminal can be sent
)
_UNSTORABLE = re.compile("[\\x00\\ud800-\\udfff]")


def shown(text: str) -> str:
    """Return the text as one line that a person can read: what acts or cannot be seen becomes `\\x1b`, `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSHOWN.sub(lambda sign: ascii(sign[0])[1:-1], text)


def shown_lines(text: str) -> str:
    """Return the text as `shown` does, its line ends kept."""
    return "\n".join(map(shown, text.split("\n")))


def one_line(text: str) -> bool:
    """Tell whether the text is one line of signs that can be shown as they are."""
    return _UNSHOWN.search(text) is None


def storable(text: str) -> str:
    """Return the text without what Postgres cannot hold: zero bytes and halves of characters."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("", text)
