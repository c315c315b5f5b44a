"""Faults on purpose: rounds of one fault against a running world, judged by its carrier and its phones."""
