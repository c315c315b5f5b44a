"""From a wanted number of lines to a decision: the limits every mode shares, and which lines are surplus."""

from dialer_engine.core.pacing.model import CallView, Decision, Snapshot

MIN_RING_S = 15.0
"""The law's least ringing, in seconds, before an unanswered call may be ended."""

IN_FLIGHT = frozenset({"reserved", "dialing", "ringing", "waiting"})


def ready_agents(snapshot: Snapshot) -> int:
    """Count the agents who can take a customer this moment."""
    return sum(agent.state == "ready" for agent in snapshot.agents)


def in_flight(snapshot: Snapshot) -> int:
    """Count the calls that may still need an agent."""
    return sum(call.state in IN_FLIGHT for call in snapshot.calls)


def steer(snapshot: Snapshot, wanted: int, why: str) -> Decision:
    """Bring the calls in flight towards `wanted` lines, within what campaign, trunk and queue allow."""
    reasons = [why]
    place = _limited(snapshot, wanted, reasons)
    cancel = _surplus(snapshot, reasons)
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
