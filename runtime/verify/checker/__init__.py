"""The checker of certificates: small, exact, and sharing no code with the provers."""
