"""Registries in the database: what they say about numbers, and how a new version takes over."""
