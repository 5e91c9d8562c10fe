"""Reachable sets of declared dynamics, in closed loop with a network or a declared controller."""
