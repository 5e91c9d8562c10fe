"""Planning for declared systems: inputs whose trajectory satisfies an agent's formulas, or that there are none."""
