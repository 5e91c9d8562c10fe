"""The commands whose backend is not built yet: they say so and exit with 3."""

from __future__ import annotations

import click

from agentc.lang.diagnostics import report
from agentc.runtime.cli.output import show

BACKENDS = {
    "lsp": "language server",
}


def command(name: str) -> click.Command:
    """The command ``name``, which takes whatever is written behind it."""

    @click.command(name=name, context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def pending(arguments: tuple[str, ...]) -> int:
        show([report("AS0790", None, command=name, backend=BACKENDS[name])])
        return 3

    pending.help = f"Not built yet: the {BACKENDS[name]} backend."
    return pending
