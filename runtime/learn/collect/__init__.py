"""M6 rollout: how experience is made."""
