"""What the author wrote: source text, syntax tree, names, types, units and diagnostics."""
