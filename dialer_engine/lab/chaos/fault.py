"""What a fault is: a name, what it does, how it strikes, and what it may cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dialer_engine.lab.chaos.ground import Ground
from dialer_engine.lab.chaos.stage import Needs
from dialer_engine.lab.chaos.verdict import Promise


@dataclass(frozen=True, slots=True)
class Strike:
    """When one fault hit, in seconds since 1970.

    Calls that come after `able` prove that dialing goes on; how long that took is counted from `since`. From `able` on,
    or since they are back at their phones (`manned`), agents have their time to hear a new customer. In the times of
    `excused` may happen what the fault makes no promise of, to anybody or to these numbers `only`. `answer_ratio` is
    p95 from answer to agent during the fault by that without it, None when it was not measured. `notes` are for the
    reader.
    """

    since: float
    able: float
    stuck: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    excused: tuple[tuple[float, float], ...] = ()
    only: frozenset[str] | None = None
    answer_ratio: float | None = None
    manned: float | None = None
    notes: tuple[str, ...] = ()


async def _nothing(ground: Ground) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the suite, and the world it needs; `after` looks once more, when all rounds are over."""

    name: str
    does: str
    strike: Callable[[Ground], Awaitable[Strike]]
    promise: Promise = Promise()  # noqa: RUF009  (frozen)
    needs: Needs = Needs()  # noqa: RUF009  (frozen)
    after: Callable[[Ground], Awaitable[tuple[str, ...]]] = _nothing
