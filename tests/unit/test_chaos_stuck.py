"""Agents who are stuck after a fault: they have one deadline, from its end or from the end of their talk of then."""

from collections.abc import Sequence

import pytest

from dialer_engine.lab.agents import Manners, SimAgent
from dialer_engine.lab.chaos.ground import deaf
from dialer_engine.lab.dice import Dice
from dialer_engine.lab.ears import Heard
from dialer_engine.lab.tones import tone_frame

pytestmark = pytest.mark.unit

END, LIMIT_S, LONGEST_S = 100.0, 30.0, 24.0


def agent(heard: Sequence[tuple[float, float]] = (), now: float | None = None) -> SimAgent:
    """An agent who heard customers from and until these moments, and one from `now` on."""
    made = SimAgent("ann", Manners(ends_share=0.0, digits=""), Dice(1), lambda leg, digit: None)
    made.heard_calls = [Heard("ann", first, last, 2000.0) for first, last in heard]
    if now is not None:
        made.heard(now, tone_frame(2000))
    return made


def stuck(one: SimAgent, *, talking: bool = True) -> dict[str, float]:
    return deaf({"ann": one}, END, LIMIT_S, LONGEST_S, talking=talking)


@pytest.mark.parametrize(
    ("one", "due"),
    [
        (agent(), END + LIMIT_S),
        (agent([(90.0, 95.0)]), END + LIMIT_S),
        (agent([(90.0, 95.0), (129.0, 131.0)]), None),
        (agent([(90.0, 95.0)], now=129.0), None),
        (agent([(90.0, 95.0), (131.0, 135.0), (140.0, 145.0)]), END + LIMIT_S),
        (agent([(90.0, 95.0)], now=131.0), END + LIMIT_S),
        (agent([(90.0, 120.0), (149.0, 151.0)]), None),
        (agent([(90.0, 120.0)]), 120.0 + LIMIT_S),
        (agent(now=90.0), None),
    ],
    ids=[
        "never-anybody",
        "nobody-new",
        "a-new-one-in-time",
        "in-a-new-talk",
        "a-new-one-too-late",
        "in-a-talk-that-came-too-late",
        "in-time-after-the-talk-of-then",
        "nobody-after-the-talk-of-then",
        "still-in-the-talk-of-then",
    ],
)
def test_an_agent_has_so_long_to_hear_somebody_new(one: SimAgent, due: float | None) -> None:
    assert stuck(one) == ({} if due is None else {"ann": due})


def test_after_the_last_round_the_talk_of_then_must_end() -> None:
    assert stuck(agent(now=90.0), talking=False) == {"ann": END + LONGEST_S + LIMIT_S}
    assert stuck(agent([(90.0, 110.0)], now=112.0), talking=False) == {}
