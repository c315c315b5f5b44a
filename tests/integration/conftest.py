"""Fixtures that all integration tests may use."""

from asterisk_support import bundle, commands, node_home, pair, watcher

__all__ = ["bundle", "commands", "node_home", "pair", "watcher"]
