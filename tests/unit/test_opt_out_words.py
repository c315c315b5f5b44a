"""What counts as "do not call me" in a text message or e-mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.gate.opt_out_words import ALONE, ORDINARY, OptOut, opt_out_in, plain, text_of

pytestmark = pytest.mark.unit

LAW = ["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"]
"""47 CFR 64.1200(a)(10), word for word."""


@pytest.mark.parametrize("word", LAW)
@pytest.mark.parametrize("form", ["{}", " {}. ", "{}!!!", '"{}"', "\n{}\n"])
def test_the_laws_words_count_in_any_form(word: str, form: str) -> None:
    for written in (word, word.upper(), word.title()):
        assert opt_out_in(form.format(written)) is OptOut.yes


@pytest.mark.parametrize(
    "text",
    [
        "ARRET",
        "ARRÊT",
        "arrêtez",
        "Arrêter.",
        "désabonnement",
        "STOP ALL",
        "StopAll",
        "opt-out",
        "OptOut",
        "Please stop calling me",
        "stop it now",
        "STOP texting this number",
        "do not call me again",
        "Don't call me",
        "Don’t ever contact me",
        "never call this number again",
        "please remove me from your list",
        "take me off the list",
        "Take my number off",
        "unsubscribe me please",
        "I revoke my consent",
        "leave me alone",
        "No more calls please",
        "ne plus appeler",
        "Ne m'appelez pas... arrêtez",
        "Retirez-moi de votre liste",
        "plus d'appels svp",
        "Please remove this number from your list",
        "Please have our number removed",
        "I asked to be removed",
        "Delete this number",
        "take us off your list",
        "Take this number off",
        "I want off your calling list",
        "I don't want any more calls",
        "I don't want you calling me",
        "I don´t want to be called",
        "Don t call",
        "I no longer wish to be called",
        "we would not like any further calls",
        "I told you not to call",
        "No calls please",
        "please, no calls to this number",
        "No further contact",
        "quit calling me",
        "Cease calling this number",
        "cancel all calls",
        "I withdraw my consent",
        "opt me out",
        "Ne m'appelez plus",
        "N'appelez plus",
        "N’appelez plus jamais ce numéro",
        "ne me contactez pas",
        "Ne m'envoyez plus de messages",
        "Merci de ne plus m'appeler",
        "Je ne veux plus recevoir vos appels",
        "Je ne souhaite pas être contacté",
        "Je ne veux plus que vous m'appeliez",
        "Veuillez arrêter de m'appeler",
        "Veuillez arrêter, s'il vous plaît.",
        "Cessez de me téléphoner",
        "Cessez vos appels!",
        "Veuillez retirer ce numéro de la liste",
        "Laissez-moi tranquille",
    ],
)
def test_what_a_reasonable_person_means_counts(text: str) -> None:
    assert opt_out_in(text) is OptOut.yes


@pytest.mark.parametrize(
    "text",
    [
        "Can you call at the end of the week?",
        "I want to cancel my appointment on Tuesday",
        "wrong number",
        "mauvais numéro",
        "Who is this?",
        "my lawyer will hear of this",
        "I quit my job, call later",
        "a non-stop flight please",
        "meet me at the bus stop",
        "stop by our office tomorrow",
        "can't talk now, call me later",
        "Don't hesitate to call",
        "No, text please",
        "I did not send you a message",
        "Je ne peux pas parler, appelez-moi demain",
        "Vous ne m'appelez jamais",
        "not interested",
    ],
)
def test_doubts_are_left_to_a_person(text: str) -> None:
    assert opt_out_in(text) is OptOut.perhaps


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "  ",
            "yes",
            "ok thanks",
            "call me tomorrow at noon",
            "YES PLEASE",
            "weekend",
            "👍",
        ),
        "Yes, you can call me",
        "text me the details",
        "What is your number?",
        "No problem, call me at 5",
        "I'm out until 5, call me then",
        "I can take your call at noon",
        "Quite late, ring me on my cell",
        "Rappelez-moi plus tard",
        "Pas de problème, appelez-moi à midi",
        "Vous avez déjà appelé hier",
    ],
)
def test_the_rest_is_no_opt_out(text: str) -> None:
    assert opt_out_in(text) is OptOut.no


@pytest.mark.parametrize(
    "text",
    [
        "You can't call this number",
        "Nobody here agreed to be on that list",
        "I never gave permission for any of these calls",
        "Why do you keep calling?",
        "This cell phone is not for sales",
        "too many calls",
        "Block this caller and erase it",
        "Personne ici ne vous a donné ce numéro",
        "Assez d'appels",
        "No me llame más",
        "Deje de llamarme",
    ],
)
def test_no_refusal_of_calls_goes_unread(text: str) -> None:
    """Phrases that the list of certain ones misses are a person's to read."""
    assert opt_out_in(text) is not OptOut.no


@pytest.mark.parametrize(
    "text",
    [
        *("STOPP", "Sotp", "stp", "st0p", "top", "step", "stopallcalls", "STOP2END", "stopover", "stopped"),
        *("unsuscribe", "un subscribe", "S.T.O.P", "S T O P P", "opt ut", "optt out", "canel"),
        *("arrret", "aretez", "desabonement", "cancle please", "stpo pls", "remov me", "edn", "fni"),
        *("no", "No.", "no thanks", "never", "not now", "nope, never", "enough!", "non, jamais", "basta"),
        *("stopped by yesterday", "why not", "pas maintenant"),
        *("Wrong person", "You have the wrong person, sorry", "wrong guy", "mauvaise personne"),
    ],
)
def test_a_short_message_that_may_be_a_slip_or_a_refusal_is_left_to_a_person(text: str) -> None:
    assert opt_out_in(text) is OptOut.perhaps


@pytest.mark.parametrize(
    "text",
    [
        *(
            "thanks",
            "ok",
            "yes please",
            "fine",
            "I'm fine",
            "fine thanks",
            "and you?",
            "send it",
            "find me later",
        ),
        *(
            "in a bit",
            "quite good",
            "fun!",
            "win win",
            "at the shop",
            "no problem",
            "no worries",
            "plus tard",
        ),
        *(
            "sure",
            "who?",
            "yes",
            "oui merci",
            "d'accord",
            "call me",
            "tomorrow 5pm",
            "Ed here",
            "my PIN?",
            "bien",
        ),
        *(
            "hello",
            "later",
            "Tuesday",
            "pas de problème",
            "en route",
            "I will",
            "sounds good",
            "done",
            "busy",
        ),
    ],
)
def test_ordinary_short_answers_are_none(text: str) -> None:
    assert opt_out_in(text) is OptOut.no


@given(st.data())
def test_one_slip_in_a_word_that_counts_alone_is_never_no_opt_out(data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(sorted(ALONE)))
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz0"))
    slips = [
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
    ]
    slip = plain(data.draw(st.sampled_from(slips)))
    assert slip in ORDINARY or opt_out_in(slip.upper()) is not OptOut.no


@given(
    st.sampled_from(
        ["no", "not", "never", "don't", "can't", "remove", "delete", "stop", "ne", "pas", "retirez"]
    ),
    st.sampled_from(
        ["call", "calling", "called", "text", "number", "list", "appel", "appeler", "numéro", "liste"]
    ),
    st.lists(st.sampled_from(["please", "the", "me", "your", "svp", "this", "vous", "tomorrow"]), max_size=8),
)
def test_a_refusal_and_a_word_for_calling_are_never_no_opt_out(
    refusal: str, calling: str, between: list[str]
) -> None:
    assert opt_out_in(" ".join([refusal, *between, calling])) is not OptOut.no
    assert opt_out_in(" ".join([calling, *between, refusal])) is not OptOut.no


def test_plain_text_has_neither_accents_nor_marks() -> None:
    assert plain("  Désabonnez—moi, s'il   vous plaît! ") == "desabonnez moi s il vous plait"
    assert plain("DON'T") == "dont"
    assert plain("Don’t, can´t; n'appelez") == "dont cant n appelez"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Arrêtez d’appeler".encode(), "Arrêtez d’appeler"),
        ("Arrêtez".encode("latin-1"), "Arrêtez"),
        ("N’appelez plus".encode("cp1252"), "N’appelez plus"),
        ("N’appelez plus, ".encode() + "é".encode()[:1], "N’appelez plus, Ã"),  # cut off within a letter
        (b"S\0TOP\0", "STOP"),
        ("STOP".encode("utf-16"), "ÿþSTOP"),
        (b"stop \x81", "stop \ufffd"),
        (b"stop \xed\xa0\x80", "stop í\xa0€"),  # half a pair
        (b"", ""),
    ],
)
def test_bytes_of_any_encoding_are_read(raw: bytes, text: str) -> None:
    assert text_of(raw) == text
    assert opt_out_in(text_of(raw)) is (OptOut.yes if raw else OptOut.no)


@given(st.binary(max_size=200))
def test_any_bytes_are_text_that_can_be_kept(raw: bytes) -> None:
    text = text_of(raw)
    assert "\0" not in text
    assert text.encode().decode() == text


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    assert opt_out_in(text) in OptOut


@given(st.sampled_from(sorted(ALONE)), st.sampled_from(["", " ", ".", "!", "\n", "?!"]))
def test_every_word_counts_alone(word: str, mark: str) -> None:
    assert opt_out_in(mark + word + mark) is OptOut.yes
