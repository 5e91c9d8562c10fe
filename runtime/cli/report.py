"""``agentc report``: one self-contained HTML file per trained agent."""

from __future__ import annotations

from pathlib import Path

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.agents import compiled_agents, missing_extra, spec_of
from agentc.runtime.cli.specs import spec_arguments


@click.command(name="report")
@spec_arguments
@click.option("--agent", "names", multiple=True, metavar="NAME", help="Report on this agent only.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--build", type=click.Path(path_type=Path), default=Path("build"), show_default=True,
              help="Where `agentc verify` put its answers.")  # fmt: skip
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The folder to write to (default: the runs).")
def command(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    names: tuple[str, ...],
    runs: Path,
    build: Path,
    out: Path | None,
) -> int:
    """Write the HTML report of trained agents: spec, automata, learning curves, results, proofs, a filmstrip."""
    try:
        from agentc.compiler.pipeline import read
        from agentc.runtime.report.trained import report_of
        from agentc.runtime.runs import VERIFICATION, find_runs, read_json

        result, agents = compiled_agents(files, params, allow_extern, names)
        for compiled in agents:
            name = compiled.agent.name
            found = read_json(build / f"{name}.agent" / VERIFICATION)
            verified = [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []
            source = read(str(spec_of(result, name)))
            page = report_of(compiled, source, find_runs(name, runs), verified=verified)
            place = runs / name / "report.html" if out is None else out / f"{name}.html"
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(page, encoding="utf-8")
            except OSError as error:
                raise AgentcError(
                    [report("AS0808", None, path=str(place), reason=error.strerror or str(error))]
                ) from error
            click.echo(f"report: {place}")
    except ImportError as error:
        raise missing_extra(error) from error
    return 0
