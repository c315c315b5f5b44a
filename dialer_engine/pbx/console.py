"""Asterisk's console over its own socket: a command and its words in a millisecond, without a process of our own.

The socket lies in the instance's `run` directory. Asterisk greets with a line of its name and version; a command that
begins with `cli quit after` makes it close the connection when everything is said.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from dialer_engine.core.text import one_line
from dialer_engine.pbx.instance import NodeError

LONGEST_ANSWER = 1_000_000
TIMEOUT_S = 2.0
_LEVEL = re.compile(r"\x7f[\x00-\xff]?|\x1b\[[0-9;]*m")
"""Asterisk marks words of the log, and colours."""


async def ask(socket: Path, command: str, timeout_s: float = TIMEOUT_S) -> str:
    """Return the words of one command; raises NodeError when there is no whole answer within `timeout_s`."""
    if not one_line(command):
        raise NodeError("a console command is one line without control characters")
    try:
        async with asyncio.timeout(timeout_s):
            return await _ask(socket, command)
    except (OSError, EOFError) as error:
        why = str(error) or f"no whole answer within {timeout_s:g} s"
        raise NodeError(f"the console of Asterisk at {socket} does not answer: {why}") from error


async def _ask(socket: Path, command: str) -> str:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        await reader.readuntil(b"\n")
        writer.write(f"cli quit after {command}".encode() + b"\0")
        said = bytearray()
        while chunk := await reader.read(65536):
            said += chunk
            if len(said) > LONGEST_ANSWER:
                raise EOFError(f"more than {LONGEST_ANSWER} bytes")
        return _LEVEL.sub("", said.replace(b"\0", b"").decode("utf-8", "replace"))
    finally:
        writer.close()
