"""Language inclusion for agents that write: what their decoder can emit, their behaviour, their rules."""
