"""From a wanted number of lines to a decision: the limits every mode shares, and which lines are surplus."""

from dialer_engine.core.pacing.model import CallView, Decision, Snapshot

MIN_RING_S = 15.0
"""The law's least ringing, in seconds, before an unanswered call may be ended."""

UNANSWERED = frozenset({"reserved", "dialing", "ringing"})
IN_FLIGHT = UNANSWERED | {"waiting"}


def ready_agents(snapshot: Snapshot) -> int:
    """Count the agents who can take a customer this moment."""
    return sum(agent.state == "ready" for agent in snapshot.agents)


def in_flight(snapshot: Snapshot) -> int:
    """Count the calls that may still need an agent."""
    return sum(call.state in IN_FLIGHT for call in snapshot.calls)


def free_agents(snapshot: Snapshot) -> int:
    """Count the agents who can take a customer, and those who are getting one that is still in flight."""
    return sum(agent.state in ("ready", "reserved") for agent in snapshot.agents)


def at_risk(snapshot: Snapshot) -> int:
    """Count the lines that no free agent stands behind: answered all at once, that many are abandoned."""
    return max(0, in_flight(snapshot) - free_agents(snapshot))


def steer(snapshot: Snapshot, wanted: int, why: str) -> Decision:
    """Bring the calls in flight towards `wanted` lines, within what campaign, trunk and queue allow."""
    reasons = [why]
    place = _limited(snapshot, wanted, reasons)
    cancel = _surplus(snapshot, reasons)
    cancel += _beyond_budget(snapshot, frozenset(cancel), reasons)
    return Decision(place, cancel, tuple(reasons))


def _limited(snapshot: Snapshot, wanted: int, reasons: list[str]) -> int:
    if not snapshot.open:
        reasons.append("campaign is not running: 0 to place")
        return 0
    flying = in_flight(snapshot)
    place = max(0, wanted - flying)
    reasons.append(f"{wanted} lines wanted, {flying} in flight: {place} to place")
    for limit, text in _ceilings(snapshot):
        if place > limit:
            place = max(0, limit)
            reasons.append(f"{text}: held to {place}")
    return place


def _ceilings(snapshot: Snapshot) -> list[tuple[int, str]]:
    ceilings = [
        (snapshot.channels_free, f"trunk has {snapshot.channels_free} free channels"),
        (snapshot.rate_tokens, f"trunk's calls per second leave {snapshot.rate_tokens} calls now"),
    ]
    if snapshot.budget is not None:
        free, allowed = free_agents(snapshot), max(0, snapshot.budget)
        room = free + allowed - in_flight(snapshot)
        text = f"the law leaves {allowed} abandoned calls: {free} free agents and {allowed} lines beyond them"
        ceilings.append((room, text))
    if snapshot.queue_due is not None:
        ceilings.append((snapshot.queue_due, f"queue has {snapshot.queue_due} contacts due"))
    return ceilings


def _surplus(snapshot: Snapshot, reasons: list[str]) -> tuple[str, ...]:
    ringing = [call for call in snapshot.calls if call.state == "ringing"]
    if not ringing or ready_agents(snapshot):
        return ()
    cancel = tuple(call.id for call in ringing if _may_end(call, snapshot))
    young = len(ringing) - len(cancel)
    reasons.append(f"no agent ready for {len(ringing)} ringing lines: {len(cancel)} cancelled")
    if young:
        reasons.append(f"{young} lines ring on until they rang {MIN_RING_S:.0f} s")
    return cancel


def _may_end(call: CallView, snapshot: Snapshot) -> bool:
    return snapshot.cancel_before_15s or call.rang >= MIN_RING_S


def _beyond_budget(snapshot: Snapshot, cancelled: frozenset[str], reasons: list[str]) -> tuple[str, ...]:
    """End lines at once when an agent left while they were ringing and the law leaves no room for them."""
    if snapshot.budget is None:
        return ()
    left = max(0, snapshot.budget + snapshot.ending)
    excess = at_risk(snapshot) - len(cancelled) - left
    if excess <= 0:
        return ()
    lines = [call for call in snapshot.calls if call.state in UNANSWERED and call.id not in cancelled]
    cancel = tuple(call.id for call in sorted(lines, key=_harm)[:excess])
    reasons.append(
        f"{at_risk(snapshot)} lines at risk, the law leaves {left} abandoned calls: "
        f"{len(cancel)} cancelled at once"
    )
    return cancel


def _harm(call: CallView) -> tuple[bool, bool, float, str]:
    """Order lines by what ending them costs: rung long enough, not ringing yet, and then the youngest."""
    return (call.rang < MIN_RING_S, call.state == "ringing", call.rang, call.id)
