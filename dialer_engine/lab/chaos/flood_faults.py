"""Strangers flood the SIP port: calls and dialing go on, and behind the front answers are hardly slower.

The flood's sender works on the same machine. What is promised is therefore measured against a stretch in which it sends
as much to a socket that nobody reads: the difference is what the flood does to the dialer.
"""

from __future__ import annotations

import math
import time
from statistics import fmean

from dialer_engine.lab.chaos.fault import Fault, Strike
from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import Promise
from dialer_engine.lab.flood import Rates, Sent
from dialer_engine.lab.flooding import flooding, sink
from dialer_engine.lab.pairing import Answer, pair, quantile

SHORT_S, LONG_S = 6.0, 60.0
COMPARED_S = 12.0
"""A short flood behind the front, whose answers are compared: 25 calls have twice as many as are needed by then."""
SHORT, LONG = Rates(300, 1500, 30), Rates(1000, 5000, 100)
FEWEST = 20
"""Answers in each of the two stretches from which on their p95 are compared."""
SPARE = 1.5
"""With so many times `FEWEST` to expect in a stretch, fewer than that are the fault's doing."""
LEAST_SENT = 0.5
"""The share of the flood that must have left; a busy machine sends less than all of it."""
LEAST_DIALED = 0.7
"""Dialing goes on: the share of the calls of the stretch before that must come during the flood."""
BY_CHANCE = 2.0
"""So many standard deviations of a count, which is its root, calls may be fewer by chance where they are few."""
UNHEARD_MS = 2000.0
"""What an answer counts that no agent heard."""
NOTED_S = 3.0
"""An agent whose phone heard nothing of a call for so long after its end did not hear it."""
LONG_PEOPLE, COMPARED_PEOPLE = 40, 15
BEHIND = Promise(answer_ratio=1.2)


async def flood(ground: Ground, seconds: float, rates: Rates, compares: bool = False) -> Strike:
    """Flood a socket that nobody reads, and then the SIP port, each for so many seconds.

    `compares`: how long answers take is promised, so it must be measured where there are calls enough for that.
    """
    with sink() as aside:
        quiet = time.time()
        await _send(ground, aside, seconds, rates)
    begun = time.time()
    sent = await _send(ground, ground.world.sip_address, seconds, rates)
    ended = time.time()
    await ground.until(lambda: _all_noted(ground, quiet, ended), ground.longest_talk_s + NOTED_S)
    before, during = _delays(ground, quiet, begun), _delays(ground, begun, ended)
    wanted = seconds * (rates.registers + rates.options + rates.invites)
    broken = []
    if sent.requests < LEAST_SENT * wanted:
        broken.append(f"only {sent.requests} of {wanted:g} requests were sent")
    earlier, meanwhile = _came(ground, quiet, begun), _came(ground, begun, ended)
    if dialed_less(earlier, meanwhile):
        broken.append(f"{meanwhile} calls during the flood, {earlier} in a stretch as long before it")
    ratio = p95_ratio(before, during)
    notes = [f"{sent.requests / seconds:,.0f} of {wanted / seconds:,.0f} requests a second were sent"]
    if compares and ratio is None:
        words = f"answer p95 not measured: {len(before)} answers before the flood, {len(during)} in it"
        (broken if enough_to_compare(expected_answers(ground, seconds)) else notes).append(words)
    return Strike(ended, ended, broken=tuple(broken), answer_ratio=ratio, notes=tuple(notes))


def dialed_less(earlier: int, meanwhile: int) -> bool:
    """Whether fewer calls came in the second of two equal stretches than promised.

    Of too few to compare, as in tests, so many may be missing by chance; one at least must come.
    """
    promised = LEAST_DIALED * earlier
    chance = 0.0 if enough_to_compare(earlier) else BY_CHANCE * math.sqrt(promised)
    return meanwhile < max(1.0, promised - chance)


def enough_to_compare(expected: float) -> bool:
    """Whether of so many answers to expect in each stretch those must come that are needed to compare them."""
    return expected >= SPARE * FEWEST


def expected_answers(ground: Ground, seconds: float) -> float:
    """About how many people answer in so many seconds of undisturbed dialing."""
    people = [each for each in ground.world.setting.table if each.human]
    return ground.wanted * seconds / fmean(each.ring_s + each.talk_s for each in people)


def _came(ground: Ground, since: float, until: float) -> int:
    return sum(since <= call.came_at < until for call in ground.calls)


def p95_ratio(before: list[float], during: list[float]) -> float | None:
    """The p95 of delays in ms during the flood by that before; None with too few of them."""
    if min(len(before), len(during)) < FEWEST:
        return None
    return quantile(sorted(during), 0.95) / quantile(sorted(before), 0.95)


async def _send(ground: Ground, target: tuple[str, int], seconds: float, rates: Rates) -> Sent:
    agent = ground.world.setting.scenario.agent_names[0]
    async with flooding(target, agent, seconds, rates) as sending:
        return await sending.sent()


def _answers(ground: Ground, since: float, until: float) -> list[Answer]:
    """The calls that people answered in these times, with what an agent heard of them."""
    answers = pair(ground.calls, ground.world.phones.heard)
    return [each for each in answers if since <= (each.call.answered_at or 0.0) < until]


def _all_noted(ground: Ground, since: float, until: float) -> bool:
    """Whether these calls have ended and their agents' ears have noted them, which they do a little later."""
    now = time.time()
    return all(
        call.ended_at is not None and (answer.heard is not None or now - call.ended_at > NOTED_S)
        for answer in _answers(ground, since, until)
        for call in (answer.call,)
    )


def _delays(ground: Ground, since: float, until: float) -> list[float]:
    """Milliseconds from answer to agent of the calls that were answered then."""
    found = (answer.delay_ms for answer in _answers(ground, since, until))
    return [UNHEARD_MS if delay is None else delay for delay in found]


def flood_faults() -> list[Fault]:
    """The faults of this module."""
    return [
        Fault("flood", _does(SHORT, SHORT_S), lambda ground: flood(ground, SHORT_S, SHORT)),
        Fault(
            "flood-long",
            _does(LONG, LONG_S),
            lambda ground: flood(ground, LONG_S, LONG),
            needs=Needs(people=LONG_PEOPLE),
        ),
        Fault(
            "flood-front",
            f"{_does(SHORT, COMPARED_S)}, with the front before Asterisk",
            lambda ground: flood(ground, COMPARED_S, SHORT, compares=True),
            BEHIND,
            Needs(front=True, people=COMPARED_PEOPLE),
        ),
        Fault(
            "flood-front-long",
            f"{_does(LONG, LONG_S)}, with the front before Asterisk",
            lambda ground: flood(ground, LONG_S, LONG, compares=True),
            BEHIND,
            Needs(front=True, people=LONG_PEOPLE),
        ),
    ]


def _does(rates: Rates, seconds: float) -> str:
    return (
        f"strangers send {rates.registers:,} REGISTER, {rates.options:,} OPTIONS, {rates.invites} INVITE a second "
        f"for {seconds:g} s"
    )
