"""Worlds for language-model agents that run offline: one file per family, and the table of them."""
