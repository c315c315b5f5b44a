"""Progressive: one call in flight per ready agent, so that nobody is ever abandoned by arithmetic."""

from dialer_engine.core.pacing.level import ready_agents, steer
from dialer_engine.core.pacing.model import Decision, PacingEvent, Snapshot


class Progressive:
    """Keeps as many calls in flight as agents are ready."""

    def observe(self, event: PacingEvent) -> None:
        """Nothing is learned: the level depends on the present moment alone."""

    def decide(self, snapshot: Snapshot) -> Decision:
        """Place one call for each ready agent who has none coming."""
        ready = ready_agents(snapshot)
        return steer(snapshot, ready, f"{ready} agents ready, 1 line each")
