"""Trunks at run time: departures per second, channels in use, the breaker, and how well each does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from dialer_engine.core.breaker import Breaker
from dialer_engine.core.refused_contacts import RefusedContacts
from dialer_engine.core.slots import CallSlots
from dialer_engine.core.trunk_health import TrunkHealth
from dialer_engine.engine.departures import Departures
from dialer_engine.settings.models import Account, Trunk

log = structlog.get_logger(__name__)

HORIZON_S = 0.25
"""How far ahead calls may be reserved for a departure, in seconds; the gate looks 60 s ahead."""

LOOK_AGAIN_S = 0.02
"""When a departure waits for Asterisk's word about an earlier one: look again after this, in seconds."""
LACKED = 3
"""Calls in a row to which a node's Asterisk made no channel, after which the trunk is left alone there."""


@dataclass(slots=True)
class Shared:
    """An account's limits, shared by the trunks that name it."""

    settings: Account
    slots: CallSlots
    lines: list[TrunkLine] = field(default_factory=list)

    def channels_free(self) -> int:
        """Return how many more calls the account takes at once, over all its trunks."""
        return self.settings.max_channels - sum(line.active + line.cooling for line in self.lines)


@dataclass(slots=True)
class Pace:
    """What all trunks have in common: how many calls ever left, and what slows them during an overload."""

    slots: CallSlots | None = None
    reason: str | None = None
    left: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """How one node sees a carrier: whether it answers OPTIONS and holds our registration, None for not known.

    `known` is False when the node's Asterisk made no channel to the trunk, several times in a row: most likely it has
    no such trunk. It never says that it has.
    """

    reachable: bool | None = None
    registered: bool | None = None
    known: bool | None = None

    @property
    def usable(self) -> bool:
        """Whether calls may be tried there."""
        return self.why_not is None

    @property
    def why_not(self) -> str | None:
        """Return in words why no calls may be tried there, None when they may."""
        if self.known is False:
            return "gets no channel from Asterisk"
        if self.reachable is False:
            return "does not answer OPTIONS"
        return "is not registered" if self.registered is False else None


UNKNOWN = Reach()


def _any(words: Iterable[bool | None]) -> bool | None:
    known = [word for word in words if word is not None]
    return any(known) if known else None


@dataclass(slots=True)
class TrunkLine:
    """One trunk's limits and what is in use of them.

    `active` calls are up or under way; `cooling` ones have ended here, but the carrier may not know it yet.
    """

    name: str
    settings: Trunk
    slots: CallSlots
    active: int = 0
    cooling: int = 0
    reach: dict[str, Reach] = field(default_factory=dict)
    _answered: set[str] = field(default_factory=set)
    _lacked: set[str] = field(default_factory=set)
    _strikes: Counter[str] = field(default_factory=Counter)
    _pauses: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    shared: Shared | None = None
    pace: Pace = field(default_factory=Pace)
    breaker: Breaker = field(default_factory=Breaker)
    health: TrunkHealth = field(default_factory=TrunkHealth)
    refused: RefusedContacts = field(default_factory=RefusedContacts)
    queue: Departures = field(init=False)

    def __post_init__(self) -> None:
        self.queue = Departures(self)

    def saw(self, node: str, answers: bool | None, registered: bool | None) -> None:
        """Take what a node sees: silence after OPTIONS tells nothing of a carrier that never answered any there."""
        if answers:
            self._answered.add(node)
        reachable = None if answers is False and node not in self._answered else answers
        before = self.reach.get(node, UNKNOWN)
        self.reach[node] = now = Reach(reachable, registered, before.known)
        if before.usable and not now.usable:
            log.warning("trunk is not used until it is back", trunk=self.name, node=node, why=now.why_not)
        elif now.usable and not before.usable:
            log.info("trunk is back", trunk=self.name, node=node)

    def not_seen(self, node: str) -> None:
        """Nothing is known any more of what a node sees; that it refused calls for want of the trunk is."""
        self.reach[node] = Reach(known=self.reach.get(node, UNKNOWN).known)

    def lacked(self, node: str, why: str) -> int:
        """A node's Asterisk made no channel; after LACKED in a row it is taken not to have the trunk.

        Returns how often that was so since it had one, 0 when it is not so now or was so before. It is said once until
        the node was told anew.
        """
        self._strikes[node] += 1
        if self._strikes[node] < LACKED or self.reach.get(node, UNKNOWN).known is False:
            return 0
        self.reach[node] = replace(self.reach.get(node, UNKNOWN), known=False)
        if node not in self._lacked:
            self._lacked.add(node)
            log.error(
                "trunk gets no channel from Asterisk; only a try now and then goes there",
                trunk=self.name,
                node=node,
                why=why,
            )
        self._pauses[node] += 1
        return self._pauses[node]

    def had(self, node: str) -> None:
        """A node's Asterisk made a channel to the trunk."""
        self.told_anew(node)

    def try_again(self, node: str) -> None:
        """Let calls find out whether a node has the trunk by now."""
        if self.reach.get(node, UNKNOWN).known is False:
            self.reach[node] = replace(self.reach[node], known=None)

    def told_anew(self, node: str) -> None:
        """A node's Asterisk was started or read its files again: it may have the trunk now."""
        self._lacked.discard(node)
        self._strikes.pop(node, None)
        self._pauses.pop(node, None)
        self.try_again(node)

    def forget_carrier(self) -> None:
        """The trunk leads elsewhere now: what was seen of the carrier says nothing any more."""
        self.reach.clear()
        self._answered.clear()
        self._lacked.clear()
        self._strikes.clear()
        self._pauses.clear()

    def usable(self, node: str | None) -> bool:
        """Whether the carrier answers a node (None: any), as far as is known: a dead trunk must not burn the list."""
        known = list(self.reach.values()) if node is None else [self.reach.get(node, UNKNOWN)]
        return not known or any(each.usable for each in known)

    def down(self, nodes: Sequence[str]) -> str | None:
        """Return, in words, which of these nodes cannot use the trunk now and why; None when all can."""
        cannot: dict[str, list[str]] = {}
        for node in nodes:
            if why_not := self.reach.get(node, UNKNOWN).why_not:
                cannot.setdefault(why_not, []).append(node)
        everywhere = len(cannot) == 1 and all(len(each) == len(nodes) for each in cannot.values())
        words = [why if everywhere else f"{why} at {', '.join(where)}" for why, where in cannot.items()]
        return f"trunk {self.name} {', '.join(words)}" if words else None

    @property
    def reachable(self) -> bool | None:
        """Whether the carrier answers any node's OPTIONS, None while nobody knows."""
        return _any(each.reachable for each in self.reach.values())

    @property
    def registered(self) -> bool | None:
        """Whether any node is registered at the carrier, None while nobody knows or nobody registers."""
        return _any(each.registered for each in self.reach.values())

    def channels_free(self) -> int:
        """Return how many more calls the carrier takes at once."""
        own = self.settings.max_channels - self.active - self.cooling
        return max(0, own if self.shared is None else min(own, self.shared.channels_free()))

    def departures(self, now: float) -> int:
        """Return how many calls may be reserved now (monotonic seconds) without waiting long.

        0 while more than half the horizon is taken: a few large reservations cost less than many small.
        """
        allowed = self.breaker.allows(now)
        if self.opens_in(now) > 0 or allowed == 0:
            return 0
        free = min(slots.free(now, HORIZON_S, len(self.queue)) for slots in self._slots())
        return free if allowed is None else min(free, allowed)

    def opens_in(self, now: float) -> float:
        """Return the seconds until calls may be reserved again."""
        wait = self.wait(now)
        if wait == math.inf:
            wait = LOOK_AGAIN_S + HORIZON_S / 2
        slowest = self.slots if self.pace.slots is None else self.pace.slots
        taken = wait + len(self.queue) * max(self.slots.gap, slowest.gap)
        return max(0.0, taken - HORIZON_S / 2, self.breaker.opens_in(now))

    def _slots(self) -> tuple[CallSlots, ...]:
        slots = (self.slots,) if self.shared is None else (self.slots, self.shared.slots)
        return slots if self.pace.slots is None else (*slots, self.pace.slots)

    # --- departures, as the queue sees them -------------------------------------------------------

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may leave, infinite until word of an earlier one."""
        return max(slots.wait(now) for slots in self._slots())

    def leave(self, now: float, call: str) -> None:
        """A call leaves now."""
        self.pace.left += 1
        for slots in self._slots():
            slots.leave(now, call)

    def on_wire(self, now: float, call: str) -> None:
        """A call is known to be on the wire, or never to get there."""
        for slots in self._slots():
            slots.on_wire(now, call)

    def no_word(self, now: float, call: str) -> None:
        """No word of a call can come for now."""
        for slots in self._slots():
            slots.no_word(now, call)


class Trunks:
    """All trunks by name; limits change with a reload, counts stay."""

    def __init__(self, settings: Mapping[str, Trunk], accounts: Mapping[str, Account] | None = None) -> None:
        self.lines: dict[str, TrunkLine] = {}
        self._shared: dict[str, Shared] = {}
        self.pace = Pace()
        self.apply(settings, accounts or {})

    def begin(self, now: float) -> None:
        """Let no call leave before a period is over (monotonic seconds): an engine before us may have used it up."""
        for slots in (
            *(line.slots for line in self.lines.values()),
            *(each.slots for each in self._shared.values()),
        ):
            slots.begin(now)

    def apply(self, settings: Mapping[str, Trunk], accounts: Mapping[str, Account] | None = None) -> None:
        """Take new settings; a trunk that is gone keeps its line until its last call has ended."""
        for name, trunk in settings.items():
            line = self.lines.get(name)
            if line is None:
                self.lines[name] = TrunkLine(name, trunk, CallSlots(trunk.calls_per_second), pace=self.pace)
            else:
                if line.settings.leads_to != trunk.leads_to:
                    line.forget_carrier()
                line.settings = trunk
                line.slots.rate = trunk.calls_per_second
        for name in [n for n in self.lines if n not in settings and self.lines[n].active == 0]:
            del self.lines[name]
        self._share(accounts or {})

    def _share(self, accounts: Mapping[str, Account]) -> None:
        for name, account in accounts.items():
            shared = self._shared.setdefault(name, Shared(account, CallSlots(account.calls_per_second)))
            shared.settings = account
            shared.slots.rate = account.calls_per_second
        for line in self.lines.values():
            line.shared = self._shared.get(line.settings.account or "")
        for shared in self._shared.values():
            shared.lines = [line for line in self.lines.values() if line.shared is shared]

    def first_free(self, names: list[str], now: float, node: str | None = None) -> TrunkLine | None:
        """Return the first of the campaign's trunks with a channel and a departure free now, from a node."""
        able = (line for line in self._usable(names, node) if line.channels_free() and line.departures(now))
        return next(able, None)

    def nearest(self, names: list[str], now: float, node: str) -> TrunkLine | None:
        """Return the trunk that takes the next call from a node, now or soonest; None when none can be used.

        A departure comes by itself, a channel when a call ends, and a trunk at fault has to work again first.
        """
        return self.first_free(names, now, node) or min(
            self._usable(names, node),
            key=lambda line: (line.breaker.opened_at is not None, not line.channels_free()),
            default=None,
        )

    def _usable(self, names: list[str], node: str | None) -> list[TrunkLine]:
        return [self.lines[name] for name in names if name in self.lines and self.lines[name].usable(node)]

    def can_open(self, names: list[str], node: str) -> bool:
        """Return whether any of these trunks lacks nothing but a departure from a node, which comes with time."""
        lines = self._usable(names, node)
        return any(line.channels_free() and line.breaker.opened_at is None for line in lines)

    def down(self, names: list[str], nodes: Sequence[str]) -> list[str]:
        """Return, in words, which of the campaign's trunks some of these nodes cannot use now, and why."""
        found = [self.lines[name].down(nodes) for name in names if name in self.lines]
        words = [each for each in found if each]
        if words and not any(self._usable(names, node) for node in nodes):
            return [f"no trunk can be used: {'; '.join(words)}"]
        return words

    def resting(self, names: list[str], now: float) -> list[str]:
        """Return, in words, which of the campaign's trunks a breaker keeps calls from."""
        lines = [self.lines[name] for name in names if name in self.lines]
        return [
            f"trunk {line.name} is at fault (last: {line.breaker.last_code}), "
            f"next try in {line.breaker.opens_in(now):.0f} s"
            for line in lines
            if line.breaker.opened_at is not None
        ]

    def opens_in(self, names: list[str], now: float, node: str | None = None) -> float:
        """Return the seconds until any of these trunks that a node can use has a departure free, for a timer.

        What cannot be used or has no channel does not open with time.
        """
        waits = [line.opens_in(now) for line in self._usable(names, node) if line.channels_free()]
        return min(waits, default=1.0)

    def on_wire(self, trunk: str, call: str, now: float) -> None:
        """A call is known to be on the wire, or ended: what waits for its word may leave."""
        if line := self.lines.get(trunk):
            line.on_wire(now, call)
            former = self._former(line, call)
            for shared in former:
                shared.slots.on_wire(now, call)
            self._pump_with(line, former)

    def no_word(self, trunk: str, call: str, now: float) -> None:
        """No word of a call can come for now (monotonic seconds): what waits for it may leave as if it were out."""
        if line := self.lines.get(trunk):
            line.no_word(now, call)
            former = self._former(line, call)
            for shared in former:
                shared.slots.no_word(now, call)
            self._pump_with(line, former)

    def _former(self, line: TrunkLine, call: str) -> list[Shared]:
        """Return the accounts that count a call of this trunk from before a reload took it out of them."""
        return [each for each in self._shared.values() if each is not line.shared and each.slots.counts(call)]

    def _pump_with(self, line: TrunkLine, former: Sequence[Shared]) -> None:
        """Let leave what may, on every trunk that shares a limit with this one, or did when its call left."""
        if self.pace.slots is not None:
            self._pump(self.lines.values())
            return
        self._pump([line] if line.shared is None else line.shared.lines)
        for shared in former:
            self._pump(shared.lines)

    def slow_to(self, calls_per_second: float | None, reason: str | None) -> None:
        """Let so many calls leave, over all trunks together; None lets each leave as it may."""
        pace = self.pace
        pace.reason = reason
        if calls_per_second is None:
            pace.slots = None
        elif pace.slots is None:
            pace.slots = CallSlots(calls_per_second)
        else:
            pace.slots.rate = calls_per_second
        self._pump(self.lines.values())

    @staticmethod
    def _pump(lines: Iterable[TrunkLine]) -> None:
        for line in list(lines):
            line.queue.pump()
