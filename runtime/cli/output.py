"""Diagnostics on the terminal, as JSON or as SARIF; colours only where someone looks at them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import click

from agentc.lang.diagnostics import Diagnostic

FORMATS = ("text", "json", "sarif")


def wants_color() -> bool:
    """Whether standard error is a terminal and ``NO_COLOR`` is unset."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def show(diagnostics: Iterable[Diagnostic], form: str = "text") -> None:
    """Write diagnostics: text to standard error, JSON and SARIF (also of none) to standard output."""
    from agentc.lang.render import render_json, render_sarif, render_text

    found = list(diagnostics)
    if form == "json":
        click.echo(render_json(found))
    elif form == "sarif":
        click.echo(render_sarif(found))
    elif found:
        click.echo(render_text(found, color=wants_color()), err=True)


format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to say it."
)
