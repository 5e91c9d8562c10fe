"""Deployment: the gate that a spec's `deploy` is, and runs under its shield, monitors and fallback."""
