"""``agentc check`` and ``agentc test``: syntax, names, types, examples. Neither imports anything heavy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentc.lang.diagnostics import AgentcError, Diagnostic
from agentc.runtime.cli.output import format_option, show
from agentc.runtime.cli.specs import parameters, spec_arguments, spec_files

if TYPE_CHECKING:
    from agentc.compiler.pipeline import CheckResult


def checked(
    files: Sequence[str], given: Mapping[str, str], allow_extern: Sequence[str], *, examples: bool = True
) -> CheckResult:
    """Read and check the files; one that cannot be read is a diagnostic among the others."""
    from dataclasses import replace

    from agentc.compiler.pipeline import check, read

    sources, unread = [], list[Diagnostic]()
    for path in spec_files(files):
        try:
            sources.append(read(str(path)))
        except AgentcError as error:
            unread.extend(error.diagnostics)
    result = check(
        sources, root=project_root(sources[0].name if sources else "."), parameters=given, allow_extern=allow_extern,
        examples=examples,
    )  # fmt: skip
    return replace(result, diagnostics=(*unread, *result.diagnostics)) if unread else result


def project_root(first: str) -> str:
    """The folder that imports may reach: the nearest one above the first file with a mark of a project, else its own.

    Marks are ``pyproject.toml``, ``.git`` and ``agentc.toml``.
    """
    folder = Path(os.path.abspath(first)).parent
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in ("pyproject.toml", ".git", "agentc.toml")):
            return str(candidate)
    return str(folder)


@click.command(name="check")
@spec_arguments
@format_option
def command(files: tuple[str, ...], params: tuple[str, ...], allow_extern: tuple[str, ...], form: str) -> int:
    """Check specs: syntax, names, types, units, settings, examples."""
    result = checked(files, parameters(params), allow_extern)
    show(result.diagnostics, form)
    if form == "text" and result.ok:
        count = len(result.agents)
        click.echo(f"{len(result.sources)} file(s), {count} agent(s): no errors", err=True)
    return 0 if result.ok else 1
