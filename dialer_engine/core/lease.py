"""How long an engine may rely on its lease, by its own clock.

The database's clock decides when a lease has expired for others. The engine cannot know that clock, but it knows
when it *asked* for the last renewal that was granted: the lease cannot end earlier than `ttl` after that. So it
stops to place calls `margin` before, whether it was cut off, slow or frozen. Times come from a clock that never
jumps and goes on while the machine sleeps, in seconds.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class LeaseClock:
    """When the lease was last renewed; `ttl` and `margin` in seconds."""

    ttl: float
    margin: float
    renewed: float | None = None

    def renew(self, asked: float) -> None:
        """A renewal that was asked for at this moment was granted; an older one changes nothing."""
        if self.renewed is None or asked > self.renewed:
            self.renewed = asked

    def holds(self, now: float) -> bool:
        """Return whether nobody else can own the lease yet, with the margin to spare."""
        return self.renewed is not None and 0 <= now - self.renewed < self.ttl - self.margin

    def expired(self, now: float) -> bool:
        """Return whether another may own the lease by now."""
        return self.renewed is None or now - self.renewed >= self.ttl
