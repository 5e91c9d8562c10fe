"""Controllers that are trained through a declared system, and that predict what will come of what they do."""
