"""M7 reset: where an episode begins."""
