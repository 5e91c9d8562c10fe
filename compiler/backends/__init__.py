"""One backend for each artifact: what it accepts and what it emits."""
