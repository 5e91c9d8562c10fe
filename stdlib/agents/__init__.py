"""Loops of language-model agents."""
