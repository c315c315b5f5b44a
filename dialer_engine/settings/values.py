"""The kinds of value that the settings are made of: each says what it allows and what was meant.

YAML hands over text only (see `yaml_text`), so every kind here starts from text. Values that are already of
the right type pass, because tests and the lab build the models in Python.
"""

import ipaddress
import re
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from dialer_engine.core.text import one_line

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d{1,5})\s*([smhd])", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_HOST = re.compile(
    r"(?=.{1,253}$)([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)(\.[a-zA-Z0-9_-]{1,63})*\.?"
)
_ASTERISK_UNSAFE = re.compile(r"[;\[\]]|\$[{\[]")

_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
NAME_ALLOWED = "1 to 32 characters of a-z, 0-9, _ and -"
AGENT_ALLOWED = "1 to 32 letters, digits, _ and -, the first a letter or digit"
E164_ALLOWED = "a number in E.164 form, for the US and Canada +1 and ten digits, such as +12105550100"
DURATION_ALLOWED = "a number with s, m, h or d such as '90s', '30m', '4h', '2d'"


def refuse(what: str, allowed: str = "", suggestion: str = "") -> PydanticCustomError:
    """The error a validator raises: what is wrong, what is allowed and what was probably meant."""
    context = {"what": what, "allowed": allowed, "suggestion": suggestion}
    return PydanticCustomError("dialer_value", "{what}", context)


def parse_duration(value: object) -> timedelta:
    """The length of time written as '90s', '30m', '4h' or '2d'."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    match = _DURATION.fullmatch(text)
    if match is None:
        suggestion = f"{text}m" if text.isdecimal() else ""
        raise refuse(f"'{text}' is not a length of time", DURATION_ALLOWED, suggestion)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def duration_text(value: timedelta | None) -> str:
    """The length of time in the form the YAML uses, in the largest whole unit; None is 'never'."""
    if value is None:
        return "never"
    seconds = round(value.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _parse_retry(value: object) -> timedelta | None:
    if value is None or (isinstance(value, str) and value.strip() == "never"):
        return None
    try:
        return parse_duration(value)
    except PydanticCustomError as error:
        context = error.context or {}
        raise refuse(context["what"], f"{DURATION_ALLOWED}, or 'never'", context["suggestion"]) from None


def _parse_time(value: object) -> time:
    if isinstance(value, time):
        return value
    match = _TIME.fullmatch(str(value).strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise refuse(
            f"'{value}' is not a time of day", "hours and minutes from 00:00 to 23:59, such as 09:30"
        )
    return time(int(match[1]), int(match[2]))


def _parse_moment(value: object) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refuse(
            f"'{value}' is not a moment with its offset from UTC",
            "date, time and offset such as 2026-06-10T11:00:00-05:00",
        )
    return moment


def _check_e164(value: str) -> str:
    if _E164.fullmatch(value):
        return value
    digits = re.sub(r"[\s().-]", "", value).removeprefix("+")
    national = digits.removeprefix("1") if len(digits) == 11 else digits
    suggestion = f"+1{national}" if re.fullmatch(r"[2-9][0-9]{9}", national) else ""
    raise refuse(f"'{value}' is not a phone number in E.164 form", E164_ALLOWED, suggestion)


def _check_name(value: str) -> str:
    if _NAME.fullmatch(value):
        return value
    suggestion = re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-")[:32]
    raise refuse(f"'{value}' is not a name", NAME_ALLOWED, suggestion)


def _check_agent(value: str) -> str:
    if _AGENT.fullmatch(value):
        return value
    suggestion = re.sub(r"[^A-Za-z0-9_-]+", "-", value).strip("-_")[:32]
    raise refuse(f"'{value}' is not an agent's name", AGENT_ALLOWED, suggestion)


def _check_line(value: str) -> str:
    if not value.strip() or not one_line(value):
        raise refuse(
            "the text is empty, or has a line break or another sign that cannot be seen", "one line of text"
        )
    return value.strip()


def _check_asterisk_text(value: str) -> str:
    if not value or value != value.strip() or not one_line(value) or _ASTERISK_UNSAFE.search(value):
        raise refuse(
            "the text is empty, or has a character that Asterisk's files cannot hold",
            "one line without ; [ ] ${ $[ and without blanks at its ends",
        )
    return value


def _check_host(value: str) -> str:
    if _HOST.fullmatch(value) or _is_address(value):
        return value
    raise refuse(
        f"'{value}' is not a host", "a host name or an IP address, without 'sip:' and without a port"
    )


def _check_address(value: str) -> str:
    if _is_address(value):
        return value
    raise refuse(f"'{value}' is not an IP address", "an IP address such as 127.0.0.1 or 0.0.0.0")


def _check_address4(value: str) -> str:
    """SIP and audio go by IPv4: neither Asterisk's files nor the front's know a phone by its IPv6 address."""
    if ipaddress.ip_address(_check_address(value)).version == 4:
        return value
    raise refuse(
        f"'{value}' is an IPv6 address; SIP and audio go by IPv4 only", "an IPv4 address of this machine"
    )


def _check_network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise refuse(
            f"'{value}' is not an address or network: {error}", "such as 203.0.113.7 or 10.0.0.0/8"
        ) from None
    return value


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def expanded(text: str) -> Path:
    """A path with `~` and `~name` replaced; refused when no such user exists or no file can be called that."""
    try:
        if "\0" not in text:
            return Path(text).expanduser()
    except RuntimeError:
        raise refuse(
            f"'{text}' begins with the name of no user here", "a path such as ~/file or /file"
        ) from None
    raise refuse("the path has a zero byte", "a path without one")


def _resolve_path(value: Path, info: ValidationInfo) -> Path:
    """Paths are relative to the file that names them, not to where the command was typed."""
    path = expanded(str(value))
    directory = (info.context or {}).get("directory")
    return path if directory is None or path.is_absolute() else Path(directory) / path


_DURATION_SCHEMA = {"type": "string", "pattern": r"^\d{1,5}\s*[smhd]$"}
_RETRY_SCHEMA = {"type": "string", "pattern": r"^(\d{1,5}\s*[smhd]|never)$"}
# An editor's YAML parser reads +12105550100 as an integer; the loader does not.
_E164_SCHEMA = {"type": ["string", "integer"], "pattern": r"^\+[1-9]\d{6,14}$"}

Name = Annotated[
    str, AfterValidator(_check_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})
]
AgentName = Annotated[
    str, AfterValidator(_check_agent), WithJsonSchema({"type": "string", "pattern": f"^{_AGENT.pattern}$"})
]
"""As `dialer agent add` and the table `agents` take it."""
Line = Annotated[str, Field(max_length=200), AfterValidator(_check_line)]
AsteriskText = Annotated[str, Field(max_length=200), AfterValidator(_check_asterisk_text)]
E164 = Annotated[str, AfterValidator(_check_e164), WithJsonSchema(_E164_SCHEMA)]
Host = Annotated[str, AfterValidator(_check_host)]
Address = Annotated[str, AfterValidator(_check_address)]
Address4 = Annotated[str, AfterValidator(_check_address4)]
"""Where SIP and audio listen."""
Network = Annotated[str, AfterValidator(_check_network)]
Port = Annotated[int, Field(ge=1, le=65535)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
RetryDelay = Annotated[timedelta | None, BeforeValidator(_parse_retry), WithJsonSchema(_RETRY_SCHEMA)]
TimeOfDay = Annotated[
    time, BeforeValidator(_parse_time), WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d{2}$"})
]
Moment = Annotated[
    datetime, BeforeValidator(_parse_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
ConfigPath = Annotated[Path, AfterValidator(_resolve_path), WithJsonSchema({"type": "string"})]
