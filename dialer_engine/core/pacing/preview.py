"""Preview: one contact per free agent, shown first; the agent starts the call, or does not."""

from dialer_engine.core.pacing.level import (
    end_old,
    free_agents,
    in_flight,
    ready_agents,
    settle,
    working,
)
from dialer_engine.core.pacing.model import Bound, Decision, PacingEvent, Snapshot


class Preview:
    """Keeps one contact before each free agent: on show, being dialed, or ringing.

    `place` is how many contacts to show. One on show stands in the snapshot as a call that is `reserved`, so an
    agent who looks gets no second one. A floor on which nobody looks, such as the simulator's, dials at once.
    """

    def observe(self, event: PacingEvent) -> None:
        """Nothing is learned: the agents decide when they dial."""

    def decide(self, snapshot: Snapshot) -> Decision:
        """Show one contact to each free agent who has none; end lines whose agents left."""
        free, flying = free_agents(snapshot), in_flight(snapshot)
        reasons = [f"{free} agents free, 1 contact each: {flying} on show, being dialed or ringing"]
        bound: Bound = "agents" if working(snapshot) else "nobody"
        place = min(free - flying, ready_agents(snapshot))
        return settle(snapshot, place, reasons, _left(snapshot, reasons), None, bound)


def _left(snapshot: Snapshot, reasons: list[str]) -> tuple[str, ...]:
    """End ringing lines whose agents left, as far as no agent is ready to take their place."""
    lone = [call for call in snapshot.calls if call.state == "ringing" and not call.agent]
    surplus = len(lone) - ready_agents(snapshot)
    if surplus <= 0:
        return ()
    longest = sorted(lone, key=lambda call: (-call.rang, call.id))[:surplus]
    return end_old(longest, snapshot, reasons)
