"""The benchmarks: ours and the peers interleaved in one run. ``agentc bench NAME`` runs one."""
