"""``agentc train``: train the agents of specs; interruptible, resumable, for one seed or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentc.runtime.cli.agents import compiled_agents, missing_extra, spec_of
from agentc.runtime.cli.application import worst
from agentc.runtime.cli.specs import spec_arguments

if TYPE_CHECKING:
    from agentc.lang.diagnostics import Diagnostic
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.runs import Run


@click.command(name="train")
@spec_arguments
@click.option("--agent", "names", multiple=True, metavar="NAME", help="Train this agent only.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Train with this seed instead of the spec's.")
@click.option("--seeds", type=click.IntRange(1), help="Train this many runs, with seeds counted up from the first.")
@click.option("--jobs", type=click.IntRange(1), help="So many of them at a time, each a process; else one a core.")
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
    jobs: int | None,
    steps: int | None,
    resume: bool,
    runs: Path,
) -> int:
    """Train the agents of specs. Ctrl-C stops after the update under way and leaves a checkpoint."""
    try:
        from agentc.compiler.training_config import proved_names
        from agentc.runtime.learn.progress import TrainingProgress
        from agentc.runtime.learn.sentinels import Sentinel
        from agentc.runtime.learn.train import Finish
        from agentc.runtime.runs import run_of
        from agentc.runtime.training import configuration, train_agent

        checked, agents = compiled_agents(files, params, allow_extern, names)
    except ImportError as error:
        raise missing_extra(error) from error
    codes: list[int] = []
    for compiled in agents:
        name = compiled.agent.name
        config = configuration(compiled.agent, seed, steps)
        numbers = range(config.seed, config.seed + (seeds or 1))
        if len(numbers) > 1:
            given = [*files, "--agent", name, "--runs", str(runs), *(["--resume"] if resume else [])]
            given += [word for p in params for word in ("-p", p)]
            given += [word for e in allow_extern for word in ("--allow-extern", e)]
            given += ["--steps", str(steps)] if steps is not None else []
            code = _processes(given, numbers, jobs)
            _summary(name, [run_of(name, number, runs) for number in numbers])
            if code:
                return code
            continue
        run = run_of(name, config.seed, runs)
        sentinel = Sentinel(config, run.folder)
        hint = "agentc train --resume " + " ".join((*files, f"--seed {config.seed}"))
        with TrainingProgress(f"{name} seed {config.seed}", resume_hint=hint) as progress:
            if proved_names(train.until if (train := compiled.agent.train) else None):
                from agentc.runtime.proving import train_until_proved

                folder = spec_of(checked, name).absolute().parent
                ended = train_until_proved(
                    compiled, config, run, folder, resume=resume, callbacks=[progress], told=progress.note
                )
                result, proving = ended.result, ended
            else:
                result = train_agent(
                    compiled, config, run, resume=resume, callbacks=[progress, sentinel], told=progress.note
                )
                proving = None
        how = "" if result.resumed is None else f", resumed {result.resumed}"
        click.echo(
            f"{name} seed {config.seed}: {result.steps:,} steps in {result.seconds:.0f} s "
            f"({result.finish.value}{how}); checkpoint {result.checkpoint}",
            err=True,
        )
        if result.finish is Finish.INTERRUPTED:
            return 130
        seen = sentinel.diagnostic()
        if seen is not None:
            _collapsed(compiled, run, seen, str(spec_of(checked, name)), result.steps)
            codes.append(1 if result.finish is Finish.COLLAPSED else 0)
        if proving is not None:
            for item, answer in proving.answers.items():
                click.echo(f"{name} seed {config.seed}: {item} is {answer.word} after {proving.rounds} rounds: "
                           f"{answer.sentence}")  # fmt: skip
                codes.append(answer.exit_code)
    return worst(codes)


def _collapsed(compiled: CompiledAgent, run: Run, seen: Diagnostic, spec: str, steps: int) -> None:
    """Say what a sentinel has seen, with an episode of the policy."""
    from agentc.compiler.pipeline import read
    from agentc.runtime.cli.output import show
    from agentc.runtime.collapse import frames_as_text, last_episode, write_page

    show([seen])
    told, frames = (last_episode(compiled, run, steps, render=render) for render in (False, True))
    if told:
        click.echo(f"{run.agent} seed {run.seed}: an episode of the policy as it is now", err=True)
        click.echo(frames_as_text(told), err=True)
        click.echo(f"{run.agent} seed {run.seed}: filmed in {write_page(run, seen, read(spec), frames)}", err=True)


def _processes(arguments: Sequence[str], seeds: Sequence[int], jobs: int | None) -> int:
    """Train each seed in a process of its own, ``jobs`` at a time; the first exit code that is not 0.

    A run that fails or collapses leaves the others alone; an interruption is for all.
    """
    import os
    import subprocess
    import sys

    limit = jobs or max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    running: list[subprocess.Popen[bytes]] = []
    waiting, code = list(seeds), 0
    # One thread each: several processes share the cores.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    while waiting or running:
        while waiting and len(running) < limit:
            command = [sys.executable, "-m", "agentc", "train", *arguments, "--seed", str(waiting.pop(0))]
            running.append(subprocess.Popen(command, env=environment))
        if code in (2, 130):
            waiting = []
        for process in list(running):
            try:
                ended = process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            except KeyboardInterrupt:  # the children were interrupted too: they write their checkpoints
                code = code or 130
                continue
            running.remove(process)
            code = code or ended
    return code


def _summary(name: str, runs: Sequence[Run]) -> None:
    """The last figures of all runs, as interquartile means with intervals."""
    from agentc.runtime.learn.aggregate import aggregate
    from agentc.runtime.learn.logs import read_metrics

    figures: dict[str, list[float]] = {}
    for run in runs:
        lines = read_metrics(run.folder)
        said = lines[-1].get("episodes", {}) if lines else {}
        if "mean_return" in said:
            figures.setdefault("return", []).append(said["mean_return"])
        for key in ("satisfied", "violated"):
            for formula, rate in said.get(key, {}).items():
                figures.setdefault(f"{formula} {key}", []).append(rate)
    for what, values in figures.items():
        found = aggregate(values)
        click.echo(
            f"{name}: {what} {found} (interquartile mean of the last episodes of {found.runs} runs, 95 % interval)"
        )
