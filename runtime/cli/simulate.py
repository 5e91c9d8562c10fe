"""``agentc simulate``: episodes of declared systems under a controller or random actions, drawn and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.agents import compiled_agents, missing_extra
from agentc.runtime.cli.specs import spec_arguments

if TYPE_CHECKING:
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.simulation import SimulatedEpisode


@click.command(name="simulate")
@spec_arguments
@click.option("--agent", "names", multiple=True, metavar="NAME", help="Simulate this agent only.")
@click.option("--controller", default="random", show_default=True, help="A controller of the system, or `random`.")
@click.option("--episodes", type=click.IntRange(1), default=20, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--svg", type=click.Path(path_type=Path), help="Draw regions and trails here.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write the signals of the first episode here, as CSV.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    names: tuple[str, ...],
    controller: str,
    episodes: int,
    seed: int,
    svg: Path | None,
    trace: Path | None,
    form: str,
) -> int:
    """Simulate the declared systems of agents and judge their formulas; nothing is learnt and nothing is needed."""
    try:
        _, agents = compiled_agents(files, params, allow_extern, names)
        rows = []
        for compiled in agents:
            found = _episodes(compiled, controller, episodes, seed, quiet=form == "json")
            rows.append(_row(compiled, controller, found))
            if svg is not None:
                _write(_numbered(svg, compiled, len(agents)), _drawing(compiled, found))
            if trace is not None:
                _write(_numbered(trace, compiled, len(agents)), _csv(found[0]))
    except ImportError as error:
        raise missing_extra(error) from error
    if form == "json":
        import json

        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            _print(row)
    return 0


def _episodes(
    compiled: CompiledAgent, controller: str, episodes: int, seed: int, *, quiet: bool
) -> list[SimulatedEpisode]:
    from rich.console import Console
    from rich.progress import Progress

    from agentc.runtime.simulation import simulate

    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task(compiled.agent.name, total=episodes)
        return simulate(compiled, controller, episodes, seed, lambda done: progress.update(task, completed=done))


def _row(compiled: CompiledAgent, controller: str, found: list[SimulatedEpisode]) -> dict[str, Any]:
    steps = [len(e.states) - 1 for e in found]
    formulas = {}
    for item in compiled.agent.of_role("task", "behavior", "safe"):
        held = [not e.violated[item.name] if item.role == "safe" else e.satisfied[item.name] for e in found]
        formulas[item.name] = {"role": item.role, "satisfied": sum(held), "of": len(held)}
    rewards = [e.reward for e in found]
    return {
        "agent": compiled.agent.name,
        "controller": controller,
        "episodes": len(found),
        "steps": sum(steps) / len(steps),
        "return": sum(rewards) / len(rewards),
        "formulas": formulas,
    }


def _print(row: dict[str, Any]) -> None:
    click.echo(
        f"{row['agent']}: {row['episodes']} episodes of {row['steps']:.1f} steps with `{row['controller']}`, "
        f"mean return {row['return']:.4g}"
    )
    for name, formula in row["formulas"].items():
        click.echo(f"  {formula['role']} {name}: satisfied in {formula['satisfied']} of {formula['of']}")


def _drawing(compiled: CompiledAgent, found: list[SimulatedEpisode]) -> str:
    import numpy as np

    from agentc.runtime.envs.declared_view import drawing_of_agent, svg

    longest = max(len(e.states) for e in found)
    trails = np.full((len(found), longest, found[0].states.shape[1]), np.nan)
    for i, episode in enumerate(found):
        trails[i, : len(episode.states)] = episode.states
    return svg(drawing_of_agent(compiled.agent), trails)


def _csv(episode: SimulatedEpisode) -> str:
    import csv
    from io import StringIO

    names = list(dict.fromkeys(name for row in episode.signals for name in row))
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in episode.signals:
        writer.writerow([_cell(row.get(name)) for name in names])
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _numbered(path: Path, compiled: CompiledAgent, count: int) -> Path:
    """One file for each agent where there are several."""
    return path if count == 1 else path.with_name(f"{path.stem}-{compiled.agent.name}{path.suffix}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(path), reason=error.strerror or str(error))]) from error
    click.echo(f"wrote {path}", err=True)
