"""Simulated carrier and agents, demo and benchmarks."""
