"""Complete agents."""
