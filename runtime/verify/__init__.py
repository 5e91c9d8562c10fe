"""Verification: proved, falsified, vacuous or unknown, with evidence that others can check."""
