"""What travels over Asterisk's event websocket: decoding of events and replies, encoding of commands.

An event type, or the shape of one, that the generated models do not know must not stop the reader: it comes
out as a `RawEvent` and is counted, so that a newer Asterisk is noticed and not fatal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from dialer_engine.core.text import one_line, shown
from dialer_engine.pbx.ari.errors import AriRefused
from dialer_engine.pbx.ari.models import AnyEvent

_PATH = re.compile(r"/?[A-Za-z0-9/._~%-]*")
_BAD_REQUEST = 400


class RawEvent(msgspec.Struct, kw_only=True):
    """An event that the generated models cannot hold: its type and everything that came with it."""

    type: str
    data: dict[str, Any]


class Reply(msgspec.Struct, kw_only=True, tag_field="type", tag="RESTResponse"):
    """Asterisk's answer to one command; `message_body` is JSON text or empty."""

    request_id: str = ""
    status_code: int
    reason_phrase: str = ""
    uri: str = ""
    message_body: str = ""


Incoming: TypeAlias = AnyEvent | RawEvent
_DECODER: msgspec.json.Decoder[AnyEvent | Reply] = msgspec.json.Decoder(AnyEvent | Reply, strict=False)


def decode(text: str | bytes) -> Incoming | Reply:
    """Turn one websocket message into a typed event, a reply, or a RawEvent when its shape is not known."""
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError:
        return _raw(text)


def _raw(text: str | bytes) -> RawEvent:
    data = msgspec.json.decode(text)
    if not isinstance(data, dict):
        return RawEvent(type="", data={"value": data})
    return RawEvent(type=str(data.get("type", "")), data=data)


def encode_command(
    request_id: str, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
) -> str:
    """Build the message that carries one REST command over the websocket. Raises AriRefused (400) for unsafe text.

    The one exit of text to ARI: nothing that goes on into the dialplan may be read there as an expression.
    """
    command = f"{method} {path}"
    if not _PATH.fullmatch(path):
        raise AriRefused(_BAD_REQUEST, "the path holds characters that must be encoded", shown(command))
    for text in _texts([query or {}, body or {}]):
        if not one_line(text) or "${" in text or "$[" in text:
            raise AriRefused(_BAD_REQUEST, "a value holds control characters or an expression", command)
    message: dict[str, Any] = {
        "type": "RESTRequest",
        "request_id": request_id,
        "transaction_id": request_id,
        "method": method,
        "uri": path.lstrip("/"),
    }
    if query:
        message["query_strings"] = [{"name": name, "value": value} for name, value in query.items()]
    if body is not None:
        message["content_type"] = "application/json"
        message["message_body"] = msgspec.json.encode(body).decode("utf-8")
    return msgspec.json.encode(message).decode("utf-8")


def _texts(value: object) -> Iterator[str]:
    """Yield every text of a tree of mappings and lists, keys as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, Sequence):
        for one in value:
            yield from _texts(one)


def failure_text(body: str | bytes) -> str:
    """Take Asterisk's own words out of the body of a refused command; empty when there are none."""
    try:
        data = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    if not isinstance(data, dict):
        return ""
    return str(data.get("message") or data.get("error") or "")
