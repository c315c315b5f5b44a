"""Preview: one contact per ready agent, shown first; the agent starts the call, or does not."""

from dialer_engine.core.pacing.level import ready_agents, steer
from dialer_engine.core.pacing.model import Decision, PacingEvent, Snapshot


class Preview:
    """Keeps one contact before each ready agent: on show, being dialed, or ringing.

    `place` is how many contacts to show. One on show stands in the snapshot as a call that is `reserved`, so an
    agent who looks gets no second one. A floor on which nobody looks, such as the simulator's, dials at once.
    """

    def observe(self, event: PacingEvent) -> None:
        """Nothing is learned: the agents decide when they dial."""

    def decide(self, snapshot: Snapshot) -> Decision:
        """Show one contact to each ready agent who has none."""
        ready = ready_agents(snapshot)
        return steer(snapshot, ready, f"{ready} agents ready, 1 contact each")
