"""Declared systems: dynamics, transitions, and how they are evaluated."""
