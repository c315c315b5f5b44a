"""Texts that try to be more than text: the same ones from the same seed, spread over families.

Each family aims at one reader: a shell, a spreadsheet, SQL, AMI, SIP, the dialplan, Asterisk's files, a terminal,
rich's markup, a page, YAML, paths, formats, or the encodings of text itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dialer_engine.lab.dice import Dice

MARK = "hostile-was-here"
"""What an injected command would leave behind: as a file, a channel, a variable or a row."""

_SHELL = (
    "$(touch {m})",
    "`touch {m}`",
    "; touch {m} #",
    "| touch {m}",
    "&& touch {m}",
    "\n touch {m}\n",
    "' ; touch {m} '",
)
_FORMULA = (
    "=cmd|' /C touch {m}'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1,2)",
    '=HYPERLINK("http://{m}")',
    "\t=1+1",
    "|touch {m}",
    "%0A=1",
)
_SQL = (
    "'; drop table contacts; --",
    "' or '1'='1",
    "\\'; select pg_sleep(9); --",
    "$$; truncate cdrs; $$",
    "');--",
    "\\copy x to '{m}'",
)
_AMI = (
    "x\r\nAction: Originate\r\nChannel: Local/{m}@outbound\r\n\r\n",
    "x\nAction: Command\nCommand: originate Local/{m}@x extension 1@x\n\n",
    "\r\n\r\nAction: DBPut\r\nFamily: {m}\r\nKey: a\r\nVal: b\r\n\r\n",
)
_SIP = (
    "x\r\nVia: SIP/2.0/UDP {m}\r\n",
    '"<sip:{m}@127.0.0.1>;tag=1',
    "<sip:{m}@127.0.0.1>?Replaces=1",
    "sip:{m}@127.0.0.1;transport=tcp>",
    "x\r\n\r\nINVITE sip:{m}@127.0.0.1 SIP/2.0\r\n",
)
_DIALPLAN = (
    "${{SHELL(touch {m})}}",
    "${{FILE({m})}}",
    "$[1+1]",
    "${{CHANNEL(hangup_handler_push)}}",
    "&Local/{m}@outbound",
    ",answered,1)",
    "Local/{m}@outbound/n",
    "PJSIP/{m}@trunk-carrier",
    "^{m}^",
)
_CONF = (
    "x\n[{m}]\ntype=endpoint",
    "x;comment",
    "[{m}](!)",
    "x\n#exec touch {m}",
    "x\n#include /etc/passwd",
    "x\\\ny",
    ">{m}",
    "{{{{ {m} }}}}",
)
_TERMINAL = (
    "\x1b]0;{m}\x07",
    "\x1b]52;c;dG91Y2g=\x07",
    "\x1b[2J\x1b[H{m}",
    "\x9b31m{m}\x9b0m",
    "\x1bP$q{m}\x1b\\",
    "a\rb{m}",
    "{m}\x08\x08\x08",
    "\x1b]8;;http://{m}\x1b\\link\x1b]8;;\x1b\\",
    "\x85{m}",
)
_MARKUP = (
    "[red]{m}[/red]",
    "[/]",
    "[link=http://{m}]x[/link]",
    "[[{m}",
    ":smiley:{m}",
    "[bold",
    "[@click=app.bell]{m}[/]",
)
_PAGE = (
    "<script>{m}()</script>",
    '"><img src=x onerror={m}()>',
    "</td><svg onload={m}()>",
    "javascript:{m}()",
    "&lt;{m}",
    "<!--",
    "]]>",
)
_YAML = (
    "!!python/object/apply:os.system ['touch {m}']",
    "*{m}",
    "&{m} [*{m}]",
    "a: b: c",
    "- - -",
    "<<: *{m}",
    "%TAG ! {m}",
    "\t- {m}",
    "|\n {m}",
)
_PATH = (
    "../../../../{m}",
    "/etc/passwd",
    "{m}/../x",
    "..\\..\\{m}",
    "~root/{m}",
    ".",
    "..",
    "a/b",
    "{m}\0.wav",
    "-rf",
    "--config={m}",
)
_FORMAT = ("%s%s%n{m}", "{{0.__class__}}", "{{{m}!r}}", "%(asctime)s", "\\x00", "\\u202e", "{{}}", "$name")
_ENCODING = (
    "\0{m}",
    "{m}\0",
    "\ud800{m}",
    "{m}\udfff",
    "\u202e{m}\u202c",
    "\u2066{m}\u2069",
    "\ufeff{m}",
    "\u2028{m}\u2029",
    "\U000e0041{m}",
    "Zoe\u0308 {m}",
    "\u0130\u0131{m}",
    "\ufffe{m}",
    "\U0001f468\u200d\U0001f469{m}",
    "\uff1d1+1",
    "\u0660\u0661\u0662",
)
_LONG = (
    "{m}" + "A" * 300,
    "'" * 400,
    "(" * 500,
    "\u0301" * 300 + "{m}",
    "9" * 320,
    "," * 200,
    '"' * 301,
    "\u6f22" * 400,
)

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "shell": _SHELL,
    "formula": _FORMULA,
    "sql": _SQL,
    "ami": _AMI,
    "sip": _SIP,
    "dialplan": _DIALPLAN,
    "conf": _CONF,
    "terminal": _TERMINAL,
    "markup": _MARKUP,
    "page": _PAGE,
    "yaml": _YAML,
    "path": _PATH,
    "format": _FORMAT,
    "encoding": _ENCODING,
    "long": _LONG,
}
_NAMES = ("", "Ann ", "O'Brien ", "Zo\u00eb ", "\u674e", " ", "\u00a0", "x", "0", "Smith, ")


def hostile(count: int, seed: int = 1) -> list[str]:
    """Return `count` different texts; every family has its share, every pattern is there with count 1,000 or more."""
    dice = Dice(seed)
    found: dict[str, None] = {}
    makers = list(_makers())
    turn = 0
    while len(found) < count:
        text = makers[turn % len(makers)](dice, turn)
        found[text] = None
        turn += 1
    return list(found)


def _makers() -> Iterator[Callable[[Dice, int], str]]:
    """One maker for each pattern, the families in turn, so that a few texts show many families."""
    longest = max(map(len, FAMILIES.values()))
    for place in range(longest):
        for patterns in FAMILIES.values():
            if place < len(patterns):
                yield _maker(patterns[place])


def _maker(pattern: str) -> Callable[[Dice, int], str]:
    text = pattern.format(m=MARK)

    def make(dice: Dice, turn: int) -> str:
        if turn < 200:
            return text
        front, back = dice.pick(_NAMES, "front", turn), dice.pick(_NAMES, "back", turn)
        other = dice.pick(tuple(FAMILIES.values()), "family", turn)
        more = dice.pick(other, "more", turn).format(m=MARK) if dice.fraction("more", turn) < 0.3 else ""
        return f"{front}{text}{more}{back}{turn if dice.fraction('number', turn) < 0.5 else ''}"

    return make
