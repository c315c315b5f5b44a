"""The preview's machine: one contact, one agent, at most one call, whatever crosses whatever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer_engine.core import preview as look
from dialer_engine.core.preview import (
    PREVIEW_IGNORED,
    PREVIEW_TABLE,
    SETTLE,
    IllegalPreviewEvent,
    Preview,
    PreviewState,
    step,
)

pytestmark = pytest.mark.unit

START = datetime(2026, 6, 10, 16, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


SHOWN = Preview("p", START)
DIAL = look.DialPressed(at(5))
SKIP = look.SkipPressed(at(5), "not-now")
OVER = look.TimeOver(at(60))
GONE = look.Withdrawn(at(5), "the number was suppressed")
ALLOWED = look.CallReserved(at(5.01), "x")
REFUSED = look.CallRefused(at(5.01), "calling_hours: closed")


def walk(*events: look.PreviewEvent, preview: Preview = SHOWN) -> tuple[Preview, list[look.PreviewCommand]]:
    said: list[look.PreviewCommand] = []
    for event in events:
        preview, commands = step(preview, event)
        said.extend(commands)
    return preview, said


def test_dialing_asks_the_gate_and_then_lets_the_call_leave() -> None:
    preview, said = walk(DIAL, ALLOWED)
    assert (preview.state, preview.attempt) == (PreviewState.DIALED, "x")
    assert said == [look.AskGate()]


def test_two_presses_are_one_call() -> None:
    assert walk(DIAL, DIAL, ALLOWED, DIAL)[1] == [look.AskGate()]
    assert walk(DIAL, SKIP, ALLOWED)[0].state is PreviewState.DIALED


def test_the_press_and_the_end_of_the_time_cross() -> None:
    late, said = walk(OVER, DIAL)
    assert (late.state, said) == (PreviewState.EXPIRED, [look.GiveBack(later=True)])
    early, said = walk(DIAL, OVER, ALLOWED)
    assert (early.state, said) == (PreviewState.DIALED, [look.AskGate()])


def test_the_end_of_the_time_dials_only_when_the_campaign_says_so() -> None:
    alone = Preview("p", START, dials_at_end=True)
    assert walk(OVER, DIAL, ALLOWED, preview=alone)[1] == [look.AskGate()]


def test_a_phones_key_right_after_the_showing_was_meant_for_the_contact_before() -> None:
    soon = START + SETTLE / 2
    for key in (look.DialPressed(soon, by_key=True), look.SkipPressed(soon, "not-now", by_key=True)):
        assert step(SHOWN, key) == (SHOWN, (look.TellAgent("refused"),))
    assert step(SHOWN, look.DialPressed(START + SETTLE, by_key=True))[0].state is PreviewState.DIALING
    assert step(SHOWN, look.DialPressed(soon))[0].state is PreviewState.DIALING, "a desk names the contact"


def test_a_skip_comes_back_later_and_a_withdrawn_contact_at_once() -> None:
    skipped, said = walk(SKIP)
    assert (skipped.state, skipped.reason) == (PreviewState.SKIPPED, "not-now")
    assert said == [look.TellAgent("noted"), look.GiveBack(later=True)]
    withdrawn, said = walk(GONE, DIAL, OVER)
    assert (withdrawn.state, said) == (PreviewState.WITHDRAWN, [look.GiveBack(later=False)])


def test_a_suppression_while_the_gate_is_asked_stops_the_call() -> None:
    stopped, said = walk(DIAL, GONE, GONE, ALLOWED)
    assert (stopped.state, stopped.reason) == (PreviewState.WITHDRAWN, GONE.why)
    assert said == [look.AskGate(), look.StopCall("x", GONE.why)]
    refused, said = walk(DIAL, GONE, REFUSED)
    assert (refused.state, said) == (PreviewState.WITHDRAWN, [look.AskGate(), look.GiveBack(later=False)])


def test_a_refusal_is_heard_and_has_a_reason() -> None:
    refused, said = walk(DIAL, REFUSED)
    assert (refused.state, refused.reason) == (PreviewState.REFUSED, REFUSED.why)
    assert said == [look.AskGate(), look.TellAgent("refused"), look.GiveBack(later=False)]


def test_a_second_attempt_is_a_fault_that_changes_nothing() -> None:
    dialed, _ = walk(DIAL, ALLOWED)
    for preview in (dialed, SHOWN):
        with pytest.raises(IllegalPreviewEvent):
            step(preview, look.CallReserved(at(6), "y"))


def test_every_pair_is_decided_once() -> None:
    assert not set(PREVIEW_TABLE) & PREVIEW_IGNORED
    pairs = set(PREVIEW_TABLE) | PREVIEW_IGNORED
    kinds = (
        look.DialPressed,
        look.SkipPressed,
        look.TimeOver,
        look.Withdrawn,
        look.CallReserved,
        look.CallRefused,
    )
    left = {(state, kind) for state in PreviewState for kind in kinds} - pairs
    shown = {(PreviewState.SHOWN, look.CallReserved), (PreviewState.SHOWN, look.CallRefused)}
    assert left == shown | {(state, look.CallReserved) for state in PreviewState if state.over}


@settings(max_examples=300)
@given(st.lists(st.sampled_from((DIAL, SKIP, OVER, GONE, ALLOWED, REFUSED)), max_size=12), st.booleans())
def test_whatever_comes_there_is_one_question_one_call_one_end(
    events: list[look.PreviewEvent], dials: bool
) -> None:
    preview, said = Preview("p", START, dials), []
    for event in events:
        try:
            preview, commands = step(preview, event)
        except IllegalPreviewEvent:
            continue
        said.extend(commands)
    assert sum(isinstance(one, look.AskGate) for one in said) <= 1
    ends = [one for one in said if isinstance(one, look.StopCall | look.GiveBack)]
    assert len(ends) == (preview.state.over and preview.state is not PreviewState.DIALED)
