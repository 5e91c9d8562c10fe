"""Planning scenarios for declared systems, with the planner that solves each in the header."""
