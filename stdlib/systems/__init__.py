"""Declared systems of the literature, to simulate, learn in, plan in and verify."""
