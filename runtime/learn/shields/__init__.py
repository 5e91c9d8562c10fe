"""M11 shield: what is done in place of what the policy wants."""
