"""Fixtures that all integration tests may use."""

from asterisk_support import bundle, commands, kamailio, node_home, pair, watcher

__all__ = ["bundle", "commands", "kamailio", "node_home", "pair", "watcher"]
