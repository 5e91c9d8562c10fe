"""``python -m agentc``."""

from agentc.runtime.cli import main

main()
