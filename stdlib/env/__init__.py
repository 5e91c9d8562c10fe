"""Environments with their signals."""
