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


def _realizable(result: CheckResult, form: str, ends: str) -> int:
    """Say what was found, and whether the agents are realizable."""
    from agentc.compiler.arithmetic import Arithmetic
    from agentc.compiler.logic.alphabet import deciding
    from agentc.compiler.realizability import findings, realizability
    from agentc.runtime.cli.application import worst
    from agentc.runtime.cli.waiting import Waiting

    found = []
    with deciding(Arithmetic()), Waiting() as waiting:
        for agent in result.agents:
            waiting(f"solving the game of {agent.name}")
            found.append(realizability(agent, "agent" if ends == "agent" else "settles"))
    show([*result.diagnostics, *(d for f in found for d in findings(f))], form)
    return worst({True: 0, False: 1, None: 3}[f.answer] for f in found)


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
@click.option("--realizable", is_flag=True, help="Solve the game of what the agent controls against all the rest.")
@click.option("--ends", type=click.Choice(("settles", "agent")), default="settles", show_default=True,
              help="For --realizable: who ends the trace.")  # fmt: skip
def command(
    files: tuple[str, ...], params: tuple[str, ...], allow_extern: tuple[str, ...], form: str, realizable: bool,
    ends: str,
) -> int:  # fmt: skip
    """Check specs: syntax, names, types, units, settings, examples.

    With `--realizable` also whether the agent can do what is asked whatever its environment does; exit code 3 if that
    is not decided.
    """
    result = checked(files, parameters(params), allow_extern)
    if realizable and result.ok:
        return _realizable(result, form, ends)
    show(result.diagnostics, form)
    if form == "text" and result.ok:
        count = len(result.agents)
        click.echo(f"{len(result.sources)} file(s), {count} agent(s): no errors", err=True)
    return 0 if result.ok else 1
