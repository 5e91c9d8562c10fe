"""From formulas to minimal deterministic automata."""
