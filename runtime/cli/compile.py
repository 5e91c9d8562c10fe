"""``agentc compile``: bundles."""

from __future__ import annotations

from pathlib import Path

import click

from agentc.runtime.cli.check import checked
from agentc.runtime.cli.output import format_option, show
from agentc.runtime.cli.specs import parameters, spec_arguments


@click.command(name="compile")
@spec_arguments
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("build"), show_default=True)
@format_option
def command(
    files: tuple[str, ...], params: tuple[str, ...], allow_extern: tuple[str, ...], out: Path, form: str
) -> int:
    """Compile specs to bundles: one directory per agent, the same bytes for the same sources.

    With an error nothing is written.
    """
    from agentc.runtime.compilation import compile_checked

    done = compile_checked(checked(files, parameters(params), allow_extern), out)
    show(done.diagnostics, form)
    if form == "text":
        for path in done.bundles:
            click.echo(f"wrote {path}/  (open {path / 'index.html'})", err=True)
    return 0 if done.ok else 1
