"""M8 teacher: which task comes next."""
