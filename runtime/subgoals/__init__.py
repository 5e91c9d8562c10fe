"""Learning from timed subgoals: plans as requirements, how they are proposed, the environments that tell them."""
