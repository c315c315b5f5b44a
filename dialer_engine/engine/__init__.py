"""The daemon: one dispatcher, campaign runners, the agent desk and recovery."""
