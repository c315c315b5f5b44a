"""Self-hosted outbound power dialer: decisions in `core`, everything that touches the world around it."""

__version__ = "0.1.0"
