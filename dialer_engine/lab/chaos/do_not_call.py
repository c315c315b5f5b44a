"""Whether a number is suppressed in the end of which an agent pressed after the talk that nobody calls it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dialer_engine.lab.agents import DO_NOT_CALL, Pressed
from dialer_engine.lab.chaos.records import Finding, Kept, Spans
from dialer_engine.lab.chaos.talks import ENDING_S, Talk
from dialer_engine.lab.ears import Heard

UNHEARD_KEY = "a do-not-call that nobody was there to hear"
"""What a fault may leave that ends or blinds who takes the keys. The agent hears no tone then, and may press again."""
NOT_TAKEN_S = 1.0
"""An engine that dies so soon after the key may not have written it down. So soon after dialing went on it may be that
of a talk that ended before, of which a new engine knows nothing."""
NEXT_S = 2.0
"""Who hears the next customer so soon after the key may have pressed it when that talk had begun, and it meant none:
with `ari-delay` two answers of Asterisk, of 0.4 s each, lie between, on a machine that does other things too."""


def given(
    spoken: Iterable[Talk], pressed: Iterable[Pressed], heard: Sequence[Heard]
) -> list[tuple[Pressed, Talk]]:
    """The do-not-calls that agents gave about talks that were over, each with its talk."""
    talk_of = {talk.heard[-1]: talk for talk in spoken if talk.heard}
    return [
        (key, talk_of[key.about])
        for key in pressed
        if key.digit == DO_NOT_CALL and key.about in talk_of and _meant(key, talk_of[key.about], heard)
    ]


def _meant(key: Pressed, talk: Talk, heard: Sequence[Heard]) -> bool:
    """Whether the talk was over with this agent, and no other had begun."""
    over = talk.call.until <= min(key.at, key.about.last + ENDING_S)
    following = any(each.agent == key.agent and key.at <= each.first <= key.at + NEXT_S for each in heard)
    return over and not following


def unheeded(given: Iterable[tuple[Pressed, Talk]], kept: Kept, spans: Spans) -> Iterator[Finding]:
    """The do-not-calls whose numbers are not suppressed."""
    for key, talk in given:
        number = talk.call.number
        if number not in kept.suppressed:
            then = any(low - NOT_TAKEN_S <= key.at <= high + NOT_TAKEN_S for low, high in spans)
            after = key.at - talk.call.until
            words = f"{number}: {key.agent} pressed {key.digit} {after:.1f} s after the talk, and it is not suppressed"
            yield Finding(key.at, words, UNHEARD_KEY if then else None, number)
