"""Declarative agents with proofs: the public names of agentc."""
