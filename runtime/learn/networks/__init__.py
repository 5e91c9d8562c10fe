"""Networks: encoders of observations, multi-layer perceptrons, actors and critics."""
