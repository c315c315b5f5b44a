"""From a wanted number of lines to a decision: the limits every mode shares, and which lines are surplus."""

from collections.abc import Iterator, Sequence
from itertools import islice

from dialer_engine.core.pacing.model import Bound, CallView, Decision, Snapshot

UNANSWERED = frozenset({"reserved", "dialing", "ringing"})
IN_FLIGHT = UNANSWERED | {"waiting"}
NOT_OPEN = "campaign is not running: 0 to place"


def ready_agents(snapshot: Snapshot) -> int:
    """Count the agents who can take a customer this moment."""
    return [agent.state for agent in snapshot.agents].count("ready")


def working(snapshot: Snapshot) -> int:
    """Count the agents who work, those in a pause left out."""
    return len(snapshot.agents) - [agent.state for agent in snapshot.agents].count("paused")


def in_flight(snapshot: Snapshot) -> int:
    """Count the calls that may still need an agent."""
    return sum([call.state in IN_FLIGHT for call in snapshot.calls])


def free_agents(snapshot: Snapshot) -> int:
    """Count the agents who can take a customer, and those who are getting one that is still in flight."""
    states = [agent.state for agent in snapshot.agents]
    return states.count("ready") + states.count("reserved")


def steer(snapshot: Snapshot, wanted: int, why: str) -> Decision:
    """Bring the calls in flight towards `wanted` lines, within what campaign, trunk and queue allow."""
    reasons = [why]
    flying = in_flight(snapshot)
    if snapshot.open:
        reasons.append(f"{wanted} lines wanted, {flying} in flight: {max(0, wanted - flying)} to place")
    bound: Bound = "agents" if working(snapshot) else "nobody"
    return settle(snapshot, wanted - flying, reasons, _surplus(snapshot, reasons), None, bound)


def settle(
    snapshot: Snapshot,
    place: int,
    reasons: list[str],
    cancel: tuple[str, ...],
    covered: int | None,
    bound: Bound,
    kept: int = 0,
) -> Decision:
    """Hold `place` further lines to what campaign, trunk, law and queue allow; end what the law has no room for.

    `covered` lines are judged to find an agent whatever happens, as far as a forecast can say (None: as many
    as there are free agents); `kept` of the lines in flight need not be ended for the law's sake. `bound` is
    why there are not more than `place`, unless one of these holds them.
    """
    safe = max(free_agents(snapshot), covered or 0)
    place, bound = _limited(snapshot, place, safe, reasons, bound)
    cancel += _beyond_budget(snapshot, frozenset(cancel), max(safe, kept), reasons)
    return Decision(place, cancel, tuple(reasons), covered, bound)


def room_for(snapshot: Snapshot, on_duty: int) -> tuple[int, str, Bound]:
    """Return how many more lines trunk, queue and the campaign's most lines per agent allow, and which it is."""
    most = int(snapshot.goals.max_lines_per_agent * on_duty)
    flying = in_flight(snapshot)
    limits = [
        *_trunks(snapshot),
        (most - flying, f"{most} lines are the most for {on_duty} agents, {flying} in flight", "lines"),
    ]
    if snapshot.queue_due is not None:
        limits.append((snapshot.queue_due, _queue(snapshot), "list"))
    room, text, bound = min(limits)
    return (max(0, room), text, bound) if snapshot.open else (0, NOT_OPEN, "closed")


def _limited(
    snapshot: Snapshot, place: int, safe: int, reasons: list[str], bound: Bound
) -> tuple[int, Bound]:
    if not snapshot.open:
        reasons.append(NOT_OPEN)
        return 0, "closed"
    place = max(0, place)
    for limit, text, ceiling in _ceilings(snapshot, safe):
        if place > limit:
            place, bound = max(0, limit), ceiling
            reasons.append(f"{text}: held to {place}")
    return place, bound


def _ceilings(snapshot: Snapshot, safe: int) -> list[tuple[int, str, Bound]]:
    ceilings = _trunks(snapshot)
    if snapshot.budget is not None:
        allowed = max(0, snapshot.budget)
        room = safe + allowed - in_flight(snapshot)
        text = f"the law leaves {allowed} abandoned calls: {safe} free agents and {allowed} lines beyond them"
        ceilings.append((room, text, "budget"))
    if snapshot.queue_due is not None:
        ceilings.append((snapshot.queue_due, _queue(snapshot), "list"))
    return ceilings


def _trunks(snapshot: Snapshot) -> list[tuple[int, str, Bound]]:
    if snapshot.no_trunk:
        return [(0, snapshot.no_trunk, "trunk")]
    channels = f"trunk has {snapshot.channels_free} free channels"
    rate = f"trunk's calls per second leave {snapshot.rate_tokens} calls now"
    return [(snapshot.channels_free, channels, "channels"), (snapshot.rate_tokens, rate, "rate")]


def _queue(snapshot: Snapshot) -> str:
    return f"queue has {snapshot.queue_due} contacts due"


def _surplus(snapshot: Snapshot, reasons: list[str]) -> tuple[str, ...]:
    ringing = [call for call in snapshot.calls if call.state == "ringing"]
    if not ringing or ready_agents(snapshot):
        return ()
    return end_old(ringing, snapshot, reasons)


def end_old(surplus: Sequence[CallView], snapshot: Snapshot, reasons: list[str]) -> tuple[str, ...]:
    """End those of the surplus ringing calls that the rules let be ended now, and say what becomes of the others."""
    endable = may_end(snapshot)
    cancel = tuple(call.id for call in surplus if call.id in endable)
    reasons.append(f"no agent ready for {len(surplus)} ringing lines: {len(cancel)} cancelled")
    young = [call.ring_min_s for call in surplus if call.id not in endable]
    if young:
        shortest, longest = min(young), max(young)
        seconds = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
        reasons.append(f"{len(young)} lines ring on until they rang {seconds} s")
    return cancel


def may_end(snapshot: Snapshot) -> frozenset[str]:
    """Return the ringing calls that the rules of their places let be ended now."""
    early = snapshot.cancel_before_15s
    ringing = [call for call in snapshot.calls if call.state == "ringing"]
    return frozenset([call.id for call in ringing if call.rang >= (0 if early else call.ring_min_s)])


def _beyond_budget(
    snapshot: Snapshot, cancelled: frozenset[str], safe: int, reasons: list[str]
) -> tuple[str, ...]:
    """End lines at once when an agent left while they were ringing and the law leaves no room for them."""
    if snapshot.budget is None:
        return ()
    left = max(0, snapshot.budget + snapshot.ending)
    risky = max(0, in_flight(snapshot) - safe)
    excess = risky - len(cancelled) - left
    if excess <= 0:
        return ()
    lines = [call for call in snapshot.calls if call.state in UNANSWERED and call.id not in cancelled]
    cancel = tuple(islice(_least_harm(lines), excess))
    reasons.append(
        f"{risky} lines at risk, the law leaves {left} abandoned calls: {len(cancel)} cancelled at once"
    )
    return cancel


def _least_harm(lines: Sequence[CallView]) -> Iterator[str]:
    """Yield lines by what ending them costs: rung long enough, not ringing yet, and then the youngest."""
    young = [call for call in lines if call.rang < call.ring_min_s]
    yield from _youngest([call for call in lines if call.rang >= call.ring_min_s])
    yield from _youngest([call for call in young if call.state != "ringing"])
    yield from _youngest([call for call in young if call.state == "ringing"])


def _youngest(lines: Sequence[CallView]) -> Iterator[str]:
    return (call_id for _, call_id in sorted([(call.rang, call.id) for call in lines]))
