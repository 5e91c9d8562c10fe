"""M9 data: recorded experience, its file, its weights."""
