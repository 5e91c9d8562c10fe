"""The option `--dialect`: formulas of other tools, with what they are read as."""

from __future__ import annotations

import click

from agentc.lang.diagnostics import report
from agentc.runtime.cli.output import show

NAMES = ("rtamt", "stlcg", "spot", "lydia", "ltlf2dfa")

dialect_option = click.option(
    "--dialect", type=click.Choice(NAMES), help="The formula is written for this tool; the reading is printed."
)


def native(formula: str, dialect: str | None) -> str:
    """The formula in this language; what it is read as, and where meanings differ, is said (AS1032).

    Raises ``AgentcError`` (AS1030, AS1031) for what is no formula of the tool, or has no counterpart.
    """
    if dialect is None:
        return formula
    from agentc.lang.dialects import read_dialect

    reading = read_dialect(formula, dialect)
    show([report("AS1032", None, text=reading.text, notes="; ".join(reading.notes) or "it means the same there")])
    return reading.text
