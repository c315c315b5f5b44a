"""Checks between values: do names exist, are numbers usable, is the lab on loopback?

They read the YAML's own tree and not the models, so that one wrong value does not hide all the others.
"""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import PydanticCustomError

from dialer_engine.core.numbers import NumberClass, NumberPlan, classify
from dialer_engine.settings.explain import nearest
from dialer_engine.settings.problems import Problem
from dialer_engine.settings.values import expanded
from dialer_engine.settings.yaml_text import Document, Steps, Tree

_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_CALLABLE = (NumberClass.geographic, NumberClass.toll_free)
_KIND_WORDS = {
    NumberClass.fictional: "a fictional 555-01XX number, allowed only with lab",
    NumberClass.premium: "a premium-rate number",
    NumberClass.n11: "a service code",
    NumberClass.territory: "in a US territory, not in the 50 states, DC or Canada",
    NumberClass.caribbean: "in the Caribbean, not in the US or Canada",
    NumberClass.foreign: "outside the US and Canada",
}


def check_engine(
    document: Document, plan: NumberPlan | None, providers: list[str] | None = None
) -> Iterator[Problem]:
    """Checks within dialer.yaml; `providers` are those of carriers.csv, None when it cannot be read."""
    lab = bool(document.content.get("lab"))
    for name, member in _group(document.content.get("members")).items():
        number = _group(member).get("callback_number")
        yield from _check_number(document, ("members", name, "callback_number"), number, plan, lab)
    yield from _check_trunks(document, providers)
    if lab:
        yield from _check_lab(document)


def check_campaign(
    document: Document, engine: Document | None, plan: NumberPlan | None, lab: bool
) -> Iterator[Problem]:
    """Checks of one campaign against dialer.yaml and the number plan."""
    yield from _check_name(document)
    if engine is not None:
        members = sorted(_group(engine.content.get("members")))
        trunks = sorted(_group(engine.content.get("trunks")))
        yield from _check_known(document, ("member",), document.content.get("member"), members, "Member")
        for path, trunk in _items(document, "trunks"):
            yield from _check_known(document, path, trunk, trunks, "trunk")
    for key in ("lists", "agents", "trunks", "caller_ids"):
        yield from _check_repeats(document, key)
    for path, number in _items(document, "caller_ids"):
        yield from _check_number(document, path, number, plan, lab)
    message = _group(document.content.get("drop_message"))
    path = ("drop_message", "callback_number")
    yield from _check_number(document, path, message.get("callback_number"), plan, lab)
    yield from _check_prompt(document, message.get("prompt"))
    yield from _check_script(document, document.content.get("script"))


def is_loopback(host: str) -> bool:
    """Whether a host is certainly this machine, without asking a name server."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _group(value: Tree) -> dict[str, Tree]:
    return value if isinstance(value, dict) else {}


def _items(document: Document, key: str) -> list[tuple[Steps, Tree]]:
    value = document.content.get(key)
    return [((key, index), item) for index, item in enumerate(value)] if isinstance(value, list) else []


def _check_name(document: Document) -> Iterator[Problem]:
    name, stem = document.content.get("name"), document.file.stem
    if isinstance(name, str) and name != stem:
        yield document.problem(
            ("name",), f"'{name}' is not the file's name", "the file's name or no name", stem
        )


def _check_known(
    document: Document, path: Steps, name: Tree, known: list[str], kind: str
) -> Iterator[Problem]:
    if isinstance(name, str) and name not in known:
        allowed = ", ".join(known) or f"nothing yet: dialer.yaml names no {kind}"
        yield document.problem(
            path, f"there is no {kind} '{name}' in dialer.yaml", allowed, nearest(name, known)
        )


def _check_trunks(document: Document, providers: list[str] | None) -> Iterator[Problem]:
    accounts = list(_group(document.content.get("accounts")))
    for name, trunk in _group(document.content.get("trunks")).items():
        provider, account = _group(trunk).get("provider"), _group(trunk).get("account")
        yield from _check_known(document, ("trunks", name, "account"), account, accounts, "account")
        if isinstance(provider, str) and providers is not None and provider not in providers:
            what = f"there is no provider '{provider}' in carriers.csv"
            path = ("trunks", name, "provider")
            yield document.problem(path, what, ", ".join(providers), nearest(provider, providers))


def _check_repeats(document: Document, key: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for path, item in _items(document, key):
        if isinstance(item, str) and item in seen:
            yield document.problem(path, f"'{item}' stands here a second time", "each once")
        elif isinstance(item, str):
            seen.add(item)


def _check_number(
    document: Document, path: Steps, number: Tree, plan: NumberPlan | None, lab: bool
) -> Iterator[Problem]:
    if plan is None or not isinstance(number, str) or not _E164.fullmatch(number):
        return
    kind = classify(number, plan)
    if kind in _CALLABLE or (lab and kind is NumberClass.fictional):
        return
    what = _KIND_WORDS.get(kind, "not a number in use in the US or Canada")
    yield document.problem(path, f"'{number}' is {what}", "a geographic or toll-free number that you may use")


def _check_prompt(document: Document, prompt: Tree) -> Iterator[Problem]:
    if not isinstance(prompt, str):
        return
    found = _content(document, prompt, 12)
    if found is None:
        return
    file, content, what = found
    if not what and (content[:4], content[8:]) != (b"RIFF", b"WAVE"):
        what = f"{file} is not a wav recording"
    if what:
        yield document.problem(("drop_message", "prompt"), what, "a wav file")


def _check_script(document: Document, script: Tree) -> Iterator[Problem]:
    if not isinstance(script, str):
        return
    found = _content(document, script, -1)
    if found is None:
        return
    file, content, what = found
    if b"\0" in content:
        what = f"{file} is not a text in UTF-8: it has zero bytes"
    if what:
        yield document.problem(("script",), what, "a text file, or no script")


def _content(document: Document, path: str, size: int) -> tuple[Path, bytes, str] | None:
    """Return a file that a setting names, so many of its first bytes (-1: all), and why it cannot be read.

    None for what is no path: the model says so.
    """
    try:
        file = document.file.parent / expanded(path)
    except PydanticCustomError:
        return None
    try:
        with file.open("rb") as stream:
            return file, stream.read(size), ""
    except OSError as error:
        return file, b"", f"{file} cannot be read: {error.strerror}"


def _check_lab(document: Document) -> Iterator[Problem]:
    for name, trunk in _group(document.content.get("trunks")).items():
        host = _group(trunk).get("host")
        if isinstance(host, str) and not is_loopback(host):
            what = f"a lab is refused, because trunk '{name}' leads to {host}"
            yield document.problem(
                ("lab",), what, "lab only when every trunk's host is 127.0.0.1", at_key=True
            )
