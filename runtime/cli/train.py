"""``agentc train``: train the agents of specs; interruptible, resumable, for one seed or several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from agentc.runtime.cli.agents import compiled_agents, missing_extra
from agentc.runtime.cli.specs import spec_arguments


@click.command(name="train")
@spec_arguments
@click.option("--agent", "names", multiple=True, metavar="NAME", help="Train this agent only.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Train with this seed instead of the spec's.")
@click.option("--seeds", type=click.IntRange(1), help="Train this many runs, with seeds counted up from the first.")
@click.option("--steps", type=click.IntRange(1), help="Train for this many steps instead of the spec's.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint where there is one.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
def command(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    names: tuple[str, ...],
    seed: int | None,
    seeds: int | None,
    steps: int | None,
    resume: bool,
    runs: Path,
) -> int:
    """Train the agents of specs. Ctrl-C stops after the update under way and leaves a checkpoint."""
    try:
        from agentc.runtime.learn.progress import TrainingProgress
        from agentc.runtime.learn.train import Finish
        from agentc.runtime.runs import run_of
        from agentc.runtime.training import configuration, train_agent

        _, agents = compiled_agents(files, params, allow_extern, names)
    except ImportError as error:
        raise missing_extra(error) from error
    for compiled in agents:
        config = configuration(compiled.agent, seed, steps)
        for number in range(config.seed, config.seed + (seeds or 1)):
            run = run_of(compiled.agent.name, number, runs)
            hint = "agentc train --resume " + " ".join((*files, f"--seed {number}"))
            with TrainingProgress(f"{compiled.agent.name} seed {number}", resume_hint=hint) as progress:
                result = train_agent(
                    compiled, replace(config, seed=number), run, resume=resume, callbacks=[progress]
                )
            click.echo(
                f"{compiled.agent.name} seed {number}: {result.steps:,} steps in {result.seconds:.0f} s "
                f"({result.finish.value}); checkpoint {result.checkpoint}",
                err=True,
            )
            if result.finish is Finish.INTERRUPTED:
                return 130
    return 0
