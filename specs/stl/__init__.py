"""The frozen tasks of `agentc bench stl-learning`, written by `agentc.benchmarks.stl_tasks`."""
