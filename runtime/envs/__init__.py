"""Environments: the registry of engines and their bindings."""
