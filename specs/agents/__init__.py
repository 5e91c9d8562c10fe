"""Sample agents for the loops of `std.agents`, with examples that `agentc test` validates."""
