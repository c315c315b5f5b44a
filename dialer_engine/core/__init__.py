"""Decisions: pure functions and tables, no I/O, no clock, no randomness."""
