"""M4 objective: losses, each beside its paper."""
