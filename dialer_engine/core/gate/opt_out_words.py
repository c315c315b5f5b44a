"""Does a text message or e-mail say "stop"? The law's own words, and what a reasonable person would mean.

The words of 47 CFR 64.1200(a)(10) count alone whatever their case, marks or accents; French ones as well. In
a longer text `stop`, `unsubscribe`, `revoke` and phrases such as "do not call" count; `end`, `quit` and
`cancel` may belong to another matter ("at the end of the week"), so a person decides about those.
"""

import re
from enum import StrEnum
from unicodedata import combining, normalize


class OptOut(StrEnum):
    """Certainly, perhaps (a person must read it), or not at all."""

    yes = "yes"
    perhaps = "perhaps"
    no = "no"


ALONE = frozenset(
    {
        "stop",
        "stopall",
        "stop all",
        "quit",
        "end",
        "revoke",
        "opt out",
        "optout",
        "cancel",
        "unsubscribe",
        "arret",
        "arreter",
        "arretez",
        "desabonner",
        "desabonnement",
        "desinscrire",
        "fin",
    }
)
"""Messages that are an opt-out as a whole, without accents and marks."""

_CERTAIN = re.compile(
    r"\b(stop|unsubscribe|revoke|opt ?out|optout|arret|arretez|desabonnez|desabonner)\b"
    r"|\b(do not|dont|never|ne plus|ne pas)\b.{0,20}\b(call|contact|text|phone|ring|write|appel\w*|ecri\w*)\b"
    r"|\b(remove|delete|take|enlevez|retirez)\b.{0,12}\b(me|my|moi|mon)\b"
    r"|\bleave me alone\b|\bno more (calls?|texts?|messages?)\b|\bplus d appels?\b"
)
_DOUBTFUL = re.compile(
    r"\b(quit|end|cancel|fin|annul\w*|wrong number|mauvais numero|who is this|lawyer|sue)\b"
)
_NOT_STOPPED = re.compile(r"\b(non|one|bus|pit|full|door)[ -]stop\b|\bstop by\b")


def opt_out_in(text: str) -> OptOut:
    """Tell whether a message asks not to be called."""
    words = plain(text)
    if words in ALONE:
        return OptOut.yes
    if _CERTAIN.search(_NOT_STOPPED.sub(" ", words)):
        return OptOut.yes
    return OptOut.perhaps if _DOUBTFUL.search(words) or "stop" in words.split() else OptOut.no


def plain(text: str) -> str:
    """Return the words in small letters, without accents, apostrophes and marks, one blank between them."""
    bare = "".join(mark for mark in normalize("NFKD", text.casefold()) if not combining(mark))
    joined = re.sub(r"['’`]", "", bare) if re.search(r"\bdon['’`]t\b", bare) else bare
    return " ".join(re.sub(r"[^a-z0-9]+", " ", joined).split())
