"""M16 context: what the policy sees of the past."""
