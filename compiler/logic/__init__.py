"""Formulas, traces and the reference semantics."""
