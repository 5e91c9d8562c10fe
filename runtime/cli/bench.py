"""``agentc bench``: a benchmark by name, for people or as JSON."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from agentc.lang.diagnostics import AgentcError, report

BENCHMARKS = {
    "automata": ("automata", "Translation against Spot and MONA, monitors against the bare gather."),
    "masked-gradient": ("masked_gradient", "The policy gradient with and without its mask, in exact arithmetic."),
    "reward-machines": ("reward_machines", "Learning curves from reward machines, against the optimum."),
    "train": ("train", "Steps and updates per second against Stable-Baselines3, at equal settings."),
    "decode": ("decode", "The token decoder beside its grammar engine alone, on the vocabulary of a real model."),
    "front-end": ("front_end", "Start-up of `check`, speed of parsing, diagnostics per broken file."),
    "planning": ("planning", "The seven scenarios of stlpy: plans, and proofs that there are none."),
    "stl": ("stl", "Robustness, its gradients and online monitors, against STLCG++ and sentil."),
    "systems": ("systems", "Declared systems: steps, trajectories, gradients and explicit models."),
    "verify": ("verify", "Verdicts and times of ACAS-Xu and ARCH-COMP instances (--data)."),
}


@click.command(name="bench")
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A folder of outside data.")
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True, help="Counted rounds.")
def command(name: str | None, form: str, data: Path | None, rounds: int) -> int:
    """Run a benchmark: ours and the peers interleaved, medians of several rounds.

    Without a name it lists them. Peers that are not installed are skipped with a word.
    """
    if name is None:
        for known, (_, text) in BENCHMARKS.items():
            click.echo(f"{known}  {text}")
        return 0
    if name not in BENCHMARKS:
        from agentc.lang.spelling import nearest

        known = ", ".join(BENCHMARKS)
        raise AgentcError([report("AS0968", None, name=name, known=known, suggestion=nearest(name, BENCHMARKS))])
    rows = import_module(f"agentc.benchmarks.{BENCHMARKS[name][0]}").run(rounds=rounds, data=data)
    if form == "json":
        import json

        click.echo(json.dumps([row.data() for row in rows], indent=2))
    else:
        from agentc.benchmarks.rows import table

        click.echo(table(rows))
    return int(any(row.holds is False for row in rows))
