"""What a spec means: the typed meaning, its logic, and the artifacts derived from it."""
