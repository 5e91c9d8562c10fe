"""``agentc test``: the examples of specs, one line each."""

from __future__ import annotations

from typing import Any

import click

from agentc.lang.diagnostics import Diagnostic
from agentc.runtime.cli.application import worst
from agentc.runtime.cli.check import checked
from agentc.runtime.cli.output import show
from agentc.runtime.cli.specs import parameters, spec_arguments

_WORDS = {True: "pass   ", False: "FAIL   ", None: "unknown"}


@click.command(name="test")
@spec_arguments
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(files: tuple[str, ...], params: tuple[str, ...], allow_extern: tuple[str, ...], form: str) -> int:
    """Run the `example` blocks of specs against the reference semantics."""
    from agentc.compiler.examples import run_examples

    result = checked(files, parameters(params), allow_extern, examples=False)
    if not result.ok:
        show(result.diagnostics, form)
        return 1
    rows: list[dict[str, Any]] = []
    found: list[Diagnostic] = []
    for agent in result.agents:
        for outcome in run_examples(agent):
            found.extend(outcome.diagnostics)
            rows.append(
                {
                    "agent": agent.name,
                    "example": outcome.example.title,
                    "formula": outcome.example.subject,
                    "passed": outcome.passed,
                    "decided": outcome.decided,
                }
            )
    if form == "json":
        import json

        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            click.echo(f"{_WORDS[row['passed']]}  {row['agent']}.{row['formula']}: {row['example']}")
        show(found)
        passed = sum(bool(row["passed"]) for row in rows)
        click.echo(f"{passed} of {len(rows)} examples hold")
    outcomes = {row["passed"] for row in rows}
    return worst({True: 0, False: 1, None: 3}[outcome] for outcome in outcomes)
