"""Power: N lines per ready agent; the first live answer wins an agent."""

from math import floor

from dialer_engine.core.pacing.level import ready_agents, steer
from dialer_engine.core.pacing.model import Decision, PacingEvent, Snapshot


class Power:
    """Keeps `lines_per_agent` calls in flight for each ready agent."""

    def observe(self, event: PacingEvent) -> None:
        """Nothing is learned: the level depends on the present moment alone."""

    def decide(self, snapshot: Snapshot) -> Decision:
        """Place what is missing to lines x ready agents, halves rounded up."""
        ready = ready_agents(snapshot)
        wanted = floor(snapshot.lines_per_agent * ready + 0.5)
        return steer(snapshot, wanted, f"{ready} agents ready, {snapshot.lines_per_agent:g} lines each")
