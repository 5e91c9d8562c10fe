"""``agentc fmt``: the one style."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from agentc.lang.diagnostics import Diagnostic, Severity
from agentc.runtime.cli.output import format_option, show
from agentc.runtime.cli.specs import spec_files


@click.command(name="fmt")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file is not formatted.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@format_option
def command(files: tuple[str, ...], check: bool, diff: bool, form: str) -> int:
    """Format specs in place. A file with a syntax error is left as it is."""
    from agentc.lang.parser import parse
    from agentc.lang.printer import format_module
    from agentc.lang.source import read_source

    diagnostics: list[Diagnostic] = []
    changed: list[Path] = []
    for path in spec_files(files):
        source, found = read_source(str(path))
        if source is not None:
            result = parse(source)
            found = (*found, *result.diagnostics)
        diagnostics.extend(found)
        if source is None or any(d.severity is Severity.ERROR for d in found):
            continue
        text = format_module(result.module, source)
        if text == source.text:
            continue
        changed.append(path)
        if diff:
            import difflib

            lines = difflib.unified_diff(
                source.text.splitlines(True), text.splitlines(True), str(path), f"{path} (formatted)"
            )
            click.echo("".join(lines), nl=False)
        elif not check:
            _replace(path, text)
    show(diagnostics, form)
    if form == "text":
        for path in changed:
            click.echo(f"{'would format' if check or diff else 'formatted'} {path}", err=True)
    return int(any(d.severity is Severity.ERROR for d in diagnostics) or (bool(changed) and (check or diff)))


def _replace(path: Path, text: str) -> None:
    """Write beside the file and move over it, so that an interruption leaves one of the two whole."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8", newline="") as work:
        work.write(text)
    os.chmod(work.name, path.stat().st_mode)
    os.replace(work.name, path)
