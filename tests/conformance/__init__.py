"""One suite that every backend is run through, against the reference semantics."""
