"""Explicit finite models: safety, bounded tasks, probabilities, shields."""
