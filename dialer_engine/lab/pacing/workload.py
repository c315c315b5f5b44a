"""What a simulated campaign is made of: agents, people, the network, and what goes wrong during the day.

Times are seconds, shares are 0 to 1. The numbers by default are those of the comparison in docs/pacing.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

HOUR_S = 3600.0
LOOK_S = 15.0
"""How long agents look at a contact where nothing better is known: a desk with a short script has about 60 words, and
people read 238 a minute in silence (Brysbaert 2019, Journal of Memory and Language 109, 104047)."""
RateFactor = Callable[[float], float]
"""From the second of the day to a factor on every answer rate."""


@dataclass(frozen=True, slots=True)
class Swings:
    """A factor that steps through `factors` every `every_s` seconds of the day, over and over."""

    factors: tuple[float, ...] = (1.0, 2.0, 1.0, 0.5)
    every_s: float = 1.5 * HOUR_S

    def __call__(self, second: float) -> float:
        """Return the factor at a second of the day."""
        return self.factors[int(second // self.every_s) % len(self.factors)]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the list whose people answer `factor` times as often as the others; `share` of all blocks."""

    name: str
    share: float
    factor: float


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the list, `contacts` for each agent, whose people are alike.

    `answer_rate` of them would answer, whatever the hour; of the others `fail_share` fail at once and machines
    take `machine_share` of what then remains. Their phones ring `ring_factor` times as long as others' before
    they answer. A pacer that learns by lists is told `list_name`.
    """

    contacts: int
    answer_rate: float
    fail_share: float = 0.25
    machine_share: float = 0.0
    ring_factor: float = 1.0
    list_name: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """A pause of each agent: about `at_s` seconds into the day, up to `spread_s` sooner or later."""

    at_s: float
    length_s: float
    spread_s: float = 0.5 * HOUR_S


BREAKS = (Break(2 * HOUR_S, 900.0), Break(4 * HOUR_S, 1800.0), Break(6 * HOUR_S, 900.0))
"""Two breaks of a quarter of an hour and half an hour for lunch."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A campaign's day; every day of a run is alike but for chance.

    `answer_rate` is the share of dials that a person would answer within `full_ring_s`; a shorter
    `ring_timeout_s` loses those who need longer. Of the other dials `fail_share` fail at once, and of what
    then remains machines answer `machine_share` between `machines_from_s` and `machines_until_s`; an agent
    spends `machine_mean_s` with one, without wrap-up. A person who answered waits `grace_s`, or as long as
    their patience (Weibull) lasts. Half of the agents leave for the day at `half_leave_s` when it is set.
    In mode preview an agent looks at each contact for `look_mean_s`, at most `look_most_s`, and skips `skip_share`
    of them; in the other modes nobody looks.
    `segments` share the list in blocks of `segment_block` contacts. A list with `blocks` consists of them, over
    and over.
    """

    agents: int = 10
    answer_rate: float = 0.25
    talk_mean_s: float = 120.0
    talk_cv: float = 1.0
    wrap_mean_s: float = 20.0
    wrap_cv: float = 0.5
    delay_mean_s: float = 2.5
    delay_cv: float = 0.4
    delay_max_s: float = 9.0
    ring_mean_s: float = 9.5
    ring_sd_s: float = 5.0
    full_ring_s: float = 25.0
    ring_timeout_s: float = 25.0
    fail_share: float = 0.25
    fail_least_s: float = 0.3
    fail_mean_s: float = 2.0
    grace_s: float = 2.0
    patience_median_s: float = 5.0
    patience_shape: float = 2.2
    shift_s: float = 8 * HOUR_S
    arrive_within_s: float = 120.0
    breaks: tuple[Break, ...] = BREAKS
    rate_factor: RateFactor | None = None
    half_leave_s: float | None = None
    machine_share: float = 0.0
    machine_mean_s: float = 9.0
    machines_from_s: float = 0.0
    machines_until_s: float = 8 * HOUR_S
    segments: tuple[Segment, ...] = ()
    segment_block: int = 40
    blocks: tuple[Block, ...] = ()
    channels: int = 2000
    look_mean_s: float = LOOK_S
    look_cv: float = 0.5
    look_most_s: float = 60.0
    skip_share: float = 0.0

    def block_at(self, number: int) -> Block | None:
        """Return the stretch that holds the n-th contact of the list, None when the list has none."""
        if not self.blocks:
            return None
        place = number // self.agents % sum(block.contacts for block in self.blocks)
        for block in self.blocks:
            if place < block.contacts:
                return block
            place -= block.contacts
        raise AssertionError("a place lies in one of the blocks")

    def rate_at(self, second: float, factor: float = 1.0) -> float:
        """Return the share of dials at a second of the day that a person would answer, at most 0.95."""
        moving = self.rate_factor(second) if self.rate_factor else 1.0
        return min(0.95, self.answer_rate * factor * moving)

    def machines_at(self, second: float) -> float:
        """Return the share of the unanswered dials that a machine takes at a second of the day."""
        return self.machine_share if self.machines_from_s <= second < self.machines_until_s else 0.0
