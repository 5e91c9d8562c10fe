"""Signals over time: windows, robustness, regions, timed subgoals."""
