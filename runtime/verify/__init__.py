"""Verification: one file per method, its answers and its certificates."""
