"""Unknown dynamics from recorded trajectories under a noise bound: sets of models, reachable sets, a filter."""
