"""One function is the only way to a call: found in the source, and tried.

A call leaves when Asterisk is told to originate a channel. This looks at every module for whatever could tell
it so, and follows the one way back to the gate: originate <- send <- the runner <- a reservation <- a
committed attempt row <- `evaluate` said yes.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from dispatch_support import START, Floor, reservation

from dialer_engine.core.attempt import Attempt, Phase
from dialer_engine.engine.actions import AsteriskActions, Leg, NotReserved
from dialer_engine.engine.call import Call
from dialer_engine.pbx.ami import REFUSED_ACTIONS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dialer_engine"
PRODUCT = [path for path in PACKAGE.rglob("*.py") if "lab" not in path.relative_to(PACKAGE).parts]


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@cache
def trees() -> list[tuple[str, ast.Module]]:
    return [(name(path), ast.parse(path.read_text("utf-8"))) for path in PRODUCT]


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node


@cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """Every call in every function, as (module, function, call)."""
    return [
        (module, function, node)
        for module, tree in trees()
        for function, body in functions(tree)
        for node in ast.walk(body)
        if isinstance(node, ast.Call)
    ]


def callers(matches: Callable[[ast.Call], bool]) -> set[tuple[str, str]]:
    """Every function, as (module, function), with a call that matches."""
    return {(module, function) for module, function, call in calls() if matches(call)}


def method(wanted: str) -> Callable[[ast.Call], bool]:
    return lambda call: isinstance(call.func, ast.Attribute) and call.func.attr == wanted


def plain(wanted: str) -> Callable[[ast.Call], bool]:
    return lambda call: isinstance(call.func, ast.Name) and call.func.id == wanted


def test_one_function_tells_asterisk_to_call() -> None:
    assert callers(method("originate")) == {
        ("engine/surroundings.py", "send"),  # actions.originate
        ("engine/actions.py", "_originate"),  # commands.originate
    }
    assert callers(method("_originate")) == {("engine/actions.py", "originate")}


def test_no_other_request_makes_a_channel() -> None:
    """ARI makes channels at /channels, /channels/ID, /channels/create, externalMedia and snoop."""
    posts = [
        (module, ast.unparse(call))
        for module, tree in trees()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and re.match(r"[\w.]+\('POST', f?'/channels", ast.unparse(call))
    ]
    made = [
        code
        for _, code in posts
        if re.search(r"/channels(/create|/externalMedia|/\{[^}]*\}')|/snoop|/dial", code)
    ]
    assert {module for module, _ in posts} == {"pbx/ari/commands.py"}
    assert len(made) == 1
    assert "body=body" in made[0], "the originate itself"


def test_the_other_ways_of_asterisk_are_shut() -> None:
    """AMI may not originate or redirect; no call files; the dialplan dials nothing; no Local channels."""
    assert {"originate", "redirect", "blindtransfer", "atxfer", "command"} <= REFUSED_ACTIONS
    templates = {path: path.read_text("utf-8") for path in (ROOT / "asterisk" / "engine").glob("*")}
    for path, text in templates.items():
        applied = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(";"))
        assert not re.search(r"\b(Dial|Originate|ForkCDR|Page|Queue|FollowMe|BridgeAdd)\(|Local/", applied), (
            path
        )
    source = "\n".join(path.read_text("utf-8") for path in PRODUCT)
    assert not re.search(r"pbx_spool|app_originate|spool/outgoing|app_dial|app_queue|app_followme", source)
    assert "Local/" not in source


def test_asterisk_has_no_module_that_could_dial() -> None:
    text = (ROOT / "asterisk" / "shared" / "modules.conf").read_text("utf-8")
    assert "autoload = no" in text
    loaded = set(re.findall(r"^load = (\w+)\.so$", text, re.MULTILINE))
    assert "chan_pjsip" in loaded
    assert not loaded & {"app_dial", "app_originate", "app_queue", "app_page", "app_followme", "pbx_spool"}


def test_only_the_runner_sends_and_only_what_it_just_reserved() -> None:
    around = {(m, f) for m, f in callers(method("send")) if m.startswith("engine/")}
    assert around == {("engine/runner.py", "_send")}
    assert callers(method("_depart")) == {("engine/runner.py", "_reserve")}


def test_a_preview_goes_the_same_way_and_the_gate_judges_in_the_transaction_that_places() -> None:
    placing = {function for module, function in callers(plain("_place")) if module == "store/reserve.py"}
    assert placing == {"_transaction", "_dial"}
    assert callers(method("_reserve")) == {("engine/runner.py", "_carry_out"), ("engine/runner.py", "dial")}
    tree = ast.parse((PACKAGE / "store" / "reserve.py").read_text("utf-8"))
    dial = ast.unparse(dict(functions(tree))["_dial"])
    steps = ["conn.transaction()", "open_pass(", "'preview_take'", "judge(", "_place(", "'preview_dialed'"]
    places = [dial.index(step) for step in steps]
    assert places == sorted(places)


def _runner() -> ast.Module:
    return ast.parse((PACKAGE / "engine" / "runner.py").read_text("utf-8"))


def test_reservations_come_from_the_gates_transaction_or_are_of_calls_already_up() -> None:
    made = callers(plain("Reservation"))
    assert made == {("store/reserve.py", "_reservations"), ("engine/adoption.py", "reservation_of")}
    assert callers(plain("reservation_of")) == {("engine/adoption.py", "_hold")}, (
        "recovery, which sends nothing"
    )
    assert callers(plain("_reservations")) == {("store/reserve.py", "_place")}
    assert callers(plain("_Choice")) == {("store/reserve.py", "_judge_contact")}


def test_one_statement_writes_attempts_and_one_function_runs_it() -> None:
    statements = "\n".join(path.read_text("utf-8") for path in (ROOT / "sql" / "queries").glob("*.sql"))
    assert len(re.findall(r"insert into attempts\b", statements)) == 1
    used = [
        (module, function)
        for module, tree in trees()
        for function, body in functions(tree)
        if "'reserve_place'" in ast.unparse(body)
    ]
    assert used == [("store/reserve.py", "_place")]


def test_a_choice_is_made_only_after_the_gate_allowed_it() -> None:
    tree = ast.parse((PACKAGE / "store" / "reserve.py").read_text("utf-8"))
    judge = dict(functions(tree))["_judge_contact"]
    guarded = [
        node for node in ast.walk(judge) if isinstance(node, ast.If) and "_Choice(" in ast.unparse(node)
    ]
    assert [ast.unparse(node.test) for node in guarded if "allowed" in ast.unparse(node.test)] == [
        "decision.allowed"
    ]
    assert "decision = evaluate(candidate.facts, request.context)" in ast.unparse(judge)


class Wire:
    """Counts what would go to Asterisk."""

    def __init__(self) -> None:
        self.spawned: list[str] = []

    def spawn(self, doing: object, what: str) -> None:
        doing.close()  # type: ignore[attr-defined]
        self.spawned.append(what)


def leg(number: str) -> Leg:
    return Leg(f"PJSIP/{number}@trunk-main", "+12105550177", 22, {"DIALED_NUMBER": number})


def test_what_was_sent_or_checked_otherwise_is_refused() -> None:
    floor, wire = Floor(alice="spring"), Wire()
    actions = AsteriskActions(None, None, wire, dispatcher=floor.dispatcher)  # type: ignore[arg-type]
    call = Call(reservation("x"), "spring", Attempt("x"), START)
    floor.dispatcher.adopt(call)
    number = call.reservation.number
    with pytest.raises(NotReserved):
        actions.originate(call, leg("+12105550199"))
    with pytest.raises(NotReserved):
        actions.originate(call, replace(leg(number), variables={}))
    assert (wire.spawned, call.phase) == ([], Phase.RESERVED)
    actions.originate(call, leg(number))
    assert (wire.spawned, call.phase) == (["originate"], Phase.DIALING)
    with pytest.raises(NotReserved):
        actions.originate(call, leg(number))
    assert wire.spawned == ["originate"], "nothing is ever sent twice"
