"""Commands to the running Kamailio over its own socket: one datagram of JSON-RPC each way."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from dialer_engine.pbx.instance import NodeError

TIMEOUT_S = 2.0
LARGEST = 262_144


def somebody_listens(control: Path) -> bool:
    """Whether a process holds the socket, be it in another container; what a dead front left behind is held by none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        try:
            way.connect(str(control))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


def ask_front(control: Path, method: str, *parameters: str) -> Any:
    """Return the result of one command; raises NodeError when there is none within two seconds."""
    question = json.dumps({"jsonrpc": "2.0", "method": method, "params": list(parameters), "id": 1})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.settimeout(TIMEOUT_S)
        try:
            # An address without a name in the file system: the answer needs nobody's rights on a directory.
            way.bind("")
            way.connect(str(control))
            way.send(question.encode())
            answer = json.loads(way.recv(LARGEST))
        except (OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise NodeError(
                f"{control}: the front does not answer ({why}); is `dialer front run` up?"
            ) from error
    if "error" in answer:
        raise NodeError(f"the front refuses {method}: {answer['error'].get('message', answer['error'])}")
    return answer.get("result")
