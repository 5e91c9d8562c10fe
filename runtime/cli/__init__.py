"""The command line: thin; every command imports what it needs when it runs."""

from agentc.runtime.cli.application import main

__all__ = ["main"]
