"""Input-output properties of networks: ONNX and VNN-LIB, bounds, branching, attack."""
