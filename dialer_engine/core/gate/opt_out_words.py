"""Does a text message or e-mail say "stop"? The law's own words, and what a reasonable person would mean.

The words of 47 CFR 64.1200(a)(10) count alone whatever their case, marks or accents; French ones as well. In
a longer text `stop`, `unsubscribe`, `revoke` and phrases such as "do not call" or "n'appelez plus" count; `end`,
`quit` and `cancel` may belong to another matter ("at the end of the week"), so a person decides about those. So
does one about every other refusal in which calling, writing, the number or the list is spoken of, also "can't
talk now, call me later". A message of a few words says little and is quickly read: a person decides about every one
with a refusal in it, and about one with a slip in a word that counts alone ("STOPP", "unsuscribe", "stopallcalls").
Only what is left counts as no opt-out.
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
        "remove",
        "arret",
        "arrete",
        "arreter",
        "arretez",
        "cessez",
        "retirez",
        "desabonner",
        "desabonnement",
        "desinscrire",
        "fin",
    }
)
"""Messages that are an opt-out as a whole, without accents and marks."""
ORDINARY = frozenset(
    {
        *("and", "send", "lend", "ed", "en"),
        *("fine", "find", "fun", "fan", "fit", "fix", "in", "win", "pin"),
        *("quite", "suit", "shop"),
    }
)
"""Words that are one slip away from one of those, and ordinary in a short answer ("fine", "and you?")."""
FEW_WORDS = 3


def _any(*phrases: str) -> re.Pattern[str]:
    """Return what finds one of these phrases as whole words."""
    return re.compile("|".join(rf"(?:{phrase})" for phrase in phrases))


_REACH = r"(?:call|contact|text|phone|telephone|ring|write|dial|bother|disturb)"
_REACHED = r"(?:called|contacted|texted|phoned|telephoned|rung|dialed|messaged|emailed|bothered|disturbed)"
_CALLS = r"(?:calls|calling|texts|texting|messages|messaging|emails|emailing|contacting|phoning|telephoning)"
_CALL = rf"(?:{_CALLS}|call|contact|phone calls?|texts?|message|email|communications?|solicitations?)"
_APPEL = (
    r"(?:r?appel\w*|telephon\w*|contact\w*|ecri\w*|text\w*|joindre|joign\w*|sollicit\w*|derang\w*|harcel\w*"
    r"|messages?|courriels?)"
)
"""Ways of reaching a person, in English and in French (with what reaches them: "vos appels")."""
_RECORD = r"\b(?:numbers?|lists?|databases?|records?|directory|numeros?|listes?|registres?|fichiers?)\b"
_DO_NOT = r"\b(?:do not|don ?t)\b(?! (?:hesitate|forget|mind|worry)\b)"
"""A refusal; "don't hesitate to call" and the like ask for a call."""
_WANT = (
    r"(?:want|wish|need|like|care for|accept|consent to|agree to|authori[sz]e|permit|allow|appreciate|send)"
)
_KIND = r"(?:(?:phone|sales|marketing|voice|text|unsolicited|unwanted) )"
_VEUX = r"(?:veu\w*|voul\w*|voudr\w*|souhait\w*|desir\w*|accept\w*|autoris\w*|consen\w*|permet\w*)"
_PLEASE = r"(?: (?:please|pls|thanks|thank you|any ?more|svp|s il vous plait|s il te plait|merci))"

_CERTAIN = _any(
    r"\b(?:stop|unsub\w*|revok(?:e|ed|ing)|opt(?:ed|ing)? (?:me |us )?out|optout|dnc|donotcall)\b",
    # Do not call, I don't want you calling me, I don't want any more calls, I no longer wish to be called.
    rf"(?:{_DO_NOT}|\bnever\b).{{0,20}}\b{_REACH}\b",
    rf"{_DO_NOT}.{{0,20}}\b(?:calling|texting|contacting|(?:be|being|get) {_REACHED})\b",
    rf"(?:{_DO_NOT}|\bno longer|\b(?:would|will) not|\b(?:would|wo)n ?t)(?: \w+)? {_WANT}\b.{{0,25}}"
    rf"\b(?:{_CALL}|(?:be|being) {_REACHED})\b",
    rf"\b(?:do not|don ?t|not to|no longer|never again|no more) (?:ever )?(?:{_REACH}|message|email)\b",
    # No more calls, no calls please, quit calling, cancel all calls.
    rf"\bno (?:more|further|additional) (?:\w+ )?{_CALL}\b",
    rf"^(?:\w+ )?no {_KIND}*(?:{_CALLS}|contact)(?: to \w+(?: \w+)?)?{_PLEASE}*$",
    rf"\bno {_KIND}*(?:{_CALLS}|contact){_PLEASE}",
    rf"\b(?:quit|cease|discontinue|halt) (?:\w+ ){{0,3}}?{_CALLS}\b|\bcease and desist\b",
    rf"\b(?:end|cancel) (?:(?:all|any|these|those|your|further|future|the) ){{1,2}}{_CALLS}\b",
    r"\bleave (?:me|us) (?:alone|be)\b|\bwithdraw\w* (?:\w+ ){0,3}(?:consent|permission)\b",
    # Off the list: the person, the number, or whoever is meant.
    r"\b(?:remove|delete|take|enlevez|retirez)\b.{0,12}\b(?:me|my|moi|mon)\b",
    r"\b(?:remove|delete|enlevez|retirez|supprimez|rayez)\b.{0,6}\b(?:us|our|nous|notre)\b",
    rf"\b(?:remov|delet|eras|scrub)(?:e|ed|ing)?\b.{{0,30}}{_RECORD}",
    rf"\b(?:enlev|retir|supprim|ot|ray|effac|elimin|biff)(?:e|er|ez)\b.{{0,30}}{_RECORD}",
    r"\b(?:number|numero)\b.{0,15}\b(?:removed|deleted|erased|taken off|supprime|retire|enleve|efface|raye)\b",
    r"\b(?:be|get|been) (?:removed|deleted|taken off)\b",
    r"\boff (?:of )?(?:your|this|that|the|all|any)(?: \w+){0,2} lists?\b",
    r"\btak(?:e|en|ing)\b.{0,25}\b(?:off|out of|from)\b.{0,20}\blists?\b",
    r"\btake\b.{0,20}\b(?:number off|off (?:\w+ )?number)\b",
    # N'appelez plus, ne m'appelez pas, ne plus appeler, je ne veux plus d'appels.
    rf"(?<!\bvous )(?<!\bon )\b(?:ne|n)(?: (?:m|me|nous|l|le|la|les|y))?(?: {_APPEL}| envoy\w*)"
    r"(?: (?:moi|nous|surtout|donc))? (?:plus|pas|jamais)\b",
    rf"\bne (?:plus|pas|jamais)\b.{{0,20}}\b{_APPEL}",
    rf"\b(?:ne|n) {_VEUX} (?:plus|pas|jamais|aucun\w*)"
    rf"(?: (?:que?|qu|d|de|des|vos|ces|cet|aucun\w*|recevoir|etre|vous|on|me|m|plus|autres?|nouveaux?))* {_APPEL}",
    # Arretez de m'appeler, cessez vos appels, plus d'appels, laissez-moi tranquille.
    r"\b(?:arret|arretez|desabonne[rz]|desinscri\w+)\b",
    rf"\b(?:arret\w*|cess\w*)\b.{{0,20}}\b{_APPEL}|\b(?:arreter|cesser){_PLEASE}*$",
    r"\bplus (?:d|de|aucun) (?:\w+ )?(?:appels?|messages?|textos?|courriels?)\b",
    rf"^(?:\w+ )?(?:pas|aucun) (?:d |de )?(?:appels?|messages?|textos?){_PLEASE}*$",
    r"\b(?:laisse|laissez|fiche|fichez|foutez|fous) (?:moi|nous) (?:tranquilles?|en paix|la paix)\b",
)
_NEGATION = _any(
    r"\b(?:no(?! (?:problem|worries|rush)\b)|not|never|none|nobody|without|cannot|nor|neither|enough|too many)\b",
    r"\b(?:do|does|did|wo|ca|should|must|need|could|would|is|are|was|were|have|has|had|ai|may|might)n ?t\b",
    r"\b(?:refus\w*|forbid\w*|prohibit\w*|object\w*|against|illegal\w*|block\w*|tired|sick of|fed up|why do you)\b",
    r"\b(?:remov\w*|delet\w*|eras\w*|scrub|strike|lose|withdr[ae]w\w*|ceas\w*|desist\w*|discontinu\w*|halt\w*)\b",
    r"\b(?:quit(?:ting|ten|ar\w*)?|cancel\w*|end(?:s|ed|ing)?|stop\w*|tak(?:e|en|ing)(?: \w+){0,3} (?:off|out))\b",
    r"\b(?:ne|n|pas(?! de (?:probleme|souci)\b)|plus(?! (?:tard|tot)\b)|pus|jamais|aucun\w*|sans|assez|interdi\w*)\b",
    r"\b(?:arret\w*|cess\w*|enlev\w*|retir\w*|supprim\w*|oter|otez|raye[rz]?|effac\w*|nunca|dejen?|basta|borr\w+|elimin\w*)\b",
)
"""A negation, or a word for ending or taking away: English, French, a little Spanish."""
_NEAR_TO_CALLING = _any(
    r"\b(?:call\w*|contact\w*|phon\w*|telephon\w*|cell|mobile|text\w*|sms|messag\w*|ring|rings|ringing|rang|dial\w*)\b",
    r"\b(?:writ\w*|wrote|e ?mail\w*|mail\w*|numbers?|lists?|listing|database|marketing|telemarket\w*)\b",
    r"\b(?:sales|robocall\w*|bother\w*|disturb\w*|reach\w*|solicit\w*|consent\w*|permission|agreed?|r?appel\w*|numeros?|listes?)\b",
    r"\b(?:courriel\w*|ecri\w*|joindre|joign\w*|sollicit\w*|derang\w*|vente\w*|llam\w*|mensajes?|lista)\b",
)
"""Calling, writing, or where the number stands."""
_DOUBTFUL = _any(
    r"\b(?:quit|end|cancel|fin|annul\w*|who is this)\b",
    r"\b(?:wrong (?:number|person|party|guy|man|woman|lady|house)|mauvais(?:e personne| numero)|faux numero)\b",
    r"\b(?:lawyer|attorney|avocat|sue|tcpa|fcc|ftc|crtc)\b",
    r"\b(?:harass\w*|harcel\w*|spam\w*|unsolicited|complain\w*|plainte|not interested|pas interess\w*)\b",
    r"\b(?:go away|fuck off|piss off|removed?|arrete\w*|cesse[rz]?)\b",
)
_SHORT_NO = re.compile(r"\b(?:nope|nah|non|wrong)\b")
"""A refusal in a message of a few words; in a longer one it says nothing ("non-stop")."""
_NOT_STOPPED = re.compile(r"\b(non|one|bus|pit|full|door)[ -]stop\b|\bstop by\b")
_ODD_BYTES = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}
"""What stands for a byte that is no UTF-8, and its sign in Windows-1252, which has all of Latin-1's letters."""
_APOSTROPHES = re.compile(r"['’‘`´ʼ′]")


def opt_out_in(text: str) -> OptOut:
    """Tell whether a message asks not to be called."""
    words = plain(text)
    if words in ALONE:
        return OptOut.yes
    if _CERTAIN.search(_NOT_STOPPED.sub(" ", words)):
        return OptOut.yes
    return OptOut.perhaps if _may_refuse(words) else OptOut.no


def _may_refuse(words: str) -> bool:
    """Tell whether a person must read it: a word that may be a refusal, or a refusal of something near to calling."""
    if _DOUBTFUL.search(words) or "stop" in words.split():
        return True
    if len(words.split()) <= FEW_WORDS and (_NEGATION.search(words) or _SHORT_NO.search(words)):
        return True
    return bool(_NEGATION.search(words) and _NEAR_TO_CALLING.search(words)) or _slip(words)


def _slip(words: str) -> bool:
    """Tell whether a short message has one slip in a word that counts alone, or is such a word with blanks in it."""
    few = words.split()
    written = [words.replace(" ", ""), *(few if len(few) <= FEW_WORDS else ())]
    return any(
        _one_slip(word, alone.replace(" ", "")) for word in written if word not in ORDINARY for alone in ALONE
    )


def _one_slip(word: str, meant: str) -> bool:
    """Tell whether two words are the same but for one letter, or for two neighbours that changed places."""
    if abs(len(word) - len(meant)) > 1:
        return False
    start = next((at for at, pair in enumerate(zip(word, meant, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return True
    rest, wanted = word[start:], meant[start:]
    return rest[1:] in (wanted, wanted[1:]) or rest == wanted[1:] or rest == wanted[1::-1] + wanted[2:]


def text_of(raw: bytes) -> str:
    """Return what was written: UTF-8, every byte that is none as Windows-1252, no NUL (which Postgres refuses)."""
    return raw.decode("utf-8", "surrogateescape").translate(_ODD_BYTES).replace("\0", "")


def plain(text: str) -> str:
    """Return the words in small letters, without accents, apostrophes and marks, one blank between them."""
    straight = _APOSTROPHES.sub("'", text.casefold())
    bare = "".join(mark for mark in normalize("NFKD", straight) if not combining(mark))
    joined = re.sub(r"n't\b", "nt", bare)
    return " ".join(re.sub(r"[^a-z0-9]+", " ", joined).split())
