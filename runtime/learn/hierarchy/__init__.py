"""M12 hierarchy: subgoals, goals, time left, chunks of actions."""
