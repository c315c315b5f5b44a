"""What counts as "do not call me" in a text message or e-mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer_engine.core.gate.opt_out_words import ALONE, OptOut, opt_out_in, plain

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
    ],
)
def test_doubts_are_left_to_a_person(text: str) -> None:
    assert opt_out_in(text) is OptOut.perhaps


@pytest.mark.parametrize(
    "text",
    ["", "  ", "yes", "ok thanks", "call me tomorrow at noon", "YES PLEASE", "stopover", "weekend", "👍"],
)
def test_the_rest_is_no_opt_out(text: str) -> None:
    assert opt_out_in(text) is OptOut.no


def test_plain_text_has_neither_accents_nor_marks() -> None:
    assert plain("  Désabonnez—moi, s'il   vous plaît! ") == "desabonnez moi s il vous plait"
    assert plain("DON'T") == "dont"


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    assert opt_out_in(text) in OptOut


@given(st.sampled_from(sorted(ALONE)), st.sampled_from(["", " ", ".", "!", "\n", "?!"]))
def test_every_word_counts_alone(word: str, mark: str) -> None:
    assert opt_out_in(mark + word + mark) is OptOut.yes
