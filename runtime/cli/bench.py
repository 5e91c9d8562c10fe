"""``agentc bench``: a benchmark by name, for people or as JSON."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.agents import missing_extra

if TYPE_CHECKING:
    from agentc.benchmarks.rows import Row

BENCHMARKS = {
    "agents": ("agents", "Language-model agents on every offline task: prompts, the decoder, exact choices."),
    "automata": ("automata", "Translation against Spot and MONA, monitors against the bare gather."),
    "injections": ("injections", "Prompt injection against the decoder and the guard: forbidden calls executed."),
    "masked-gradient": ("masked_gradient", "The policy gradient with and without its mask, in exact arithmetic."),
    "minigrid": ("minigrid", "Steps per second of the vectorised port of MiniGrid beside the package."),
    "minigrid-learning": (
        "minigrid_learning", "MiniGrid where plain PPO fails; with names of tasks it runs what is missing.",
    ),
    "reward-machines": ("reward_machines", "Learning curves from reward machines, against the optimum."),
    "parity": ("parity", "Returns beside the published runs of CleanRL and rl-baselines3-zoo, over ten seeds."),
    "train": ("train", "Steps and updates per second against Stable-Baselines3; what a spec costs in training."),
    "budgets": ("budgets", "PPO and SAC under a budget beside PPO without one: cost and return."),
    "conformance": ("conformance", "Runs under the decoder on random agents: random logits, and the embedded model."),
    "decode": ("decode", "The token decoder beside its grammar engine alone, on the vocabulary of a real model."),
    "front-end": ("front_end", "Start-up of `check`, speed of parsing, diagnostics per broken file."),
    "methods": ("methods", "Published methods beside the arm that lacks one slot value; `methods NN` runs one."),
    "guard": ("guard", "Forbidden calls under attack, and honest ones let through, without a decoder."),
    "npc": ("npc", "Controllers trained through declared systems: maze, ship and traffic, hard satisfaction."),
    "planning": ("planning", "The seven scenarios of stlpy: plans, and proofs that there are none."),
    "proving": ("proving", "Training until a proof closes: seconds from scratch for each seed."),
    "stl-learning": ("stl_learning", "Learning from STL: twelve tasks; with names of tasks it runs what is missing."),
    "stl": ("stl", "Robustness, its gradients and online monitors, against STLCG++ and sentil."),
    "systems": ("systems", "Declared systems: steps, trajectories, gradients and explicit models."),
    "verify": ("verify", "Verdicts and times of ACAS-Xu and ARCH-COMP instances (--data)."),
}
LEARNING = {"minigrid-learning": 3, "stl-learning": 5}
"""Those that run what is missing of the tasks that are named, and print what is recorded; for so many seeds at most."""
ROUNDS = {"parity": 10}
"""Rounds or seeds where no number is given; 7 elsewhere."""


@click.command(name="bench")
@click.argument("name", required=False)
@click.argument("number", required=False, nargs=-1)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A folder of outside data.")
@click.option("--rounds", type=click.IntRange(1), help="Counted rounds, or seeds.  [default: 7, of parity 10]")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where the runs of `methods NN` keep their checkpoints.",
)
@click.option("--again", is_flag=True, help="Run all of `methods NN`, what is recorded too.")
def command(
    name: str | None,
    number: tuple[str, ...],
    form: str,
    data: Path | None,
    rounds: int | None,
    runs: Path,
    again: bool,
) -> int:
    """Run a benchmark: ours and the peers interleaved, medians of several rounds.

    Without a name it lists them. Peers that are not installed are skipped with a word. `methods` lists what is
    recorded of published methods; with a number it runs or resumes that one.
    """
    if name is None:
        for known, (_, text) in BENCHMARKS.items():
            click.echo(f"{known}  {text}")
        return 0
    if name not in BENCHMARKS:
        from agentc.lang.spelling import nearest

        known = ", ".join(BENCHMARKS)
        raise AgentcError([report("AS0968", None, name=name, known=known, suggestion=nearest(name, BENCHMARKS))])
    if name == "methods" and len(number) < 2:
        return _methods(number[0] if number else None, form, runs, again)
    if number and name not in LEARNING:
        raise AgentcError([report("AS1507", None, name=name, number=" ".join(number))])
    counted = ROUNDS.get(name, 7) if rounds is None else rounds
    rows = _learning(name, number, counted, runs) if name in LEARNING else _rows(name, counted, data)
    if form == "json":
        import json

        click.echo(json.dumps([row.data() for row in rows], indent=2))
    else:
        from agentc.benchmarks.rows import table

        click.echo(table(rows))
    return int(any(row.holds is False for row in rows))


def _rows(name: str, rounds: int, data: Path | None) -> list[Row]:
    rows: list[Row] = import_module(f"agentc.benchmarks.{BENCHMARKS[name][0]}").run(rounds=rounds, data=data)
    return rows


def _learning(name: str, tasks: tuple[str, ...], rounds: int, runs: Path) -> list[Row]:
    from agentc.lang.spelling import nearest

    try:
        module = import_module(f"agentc.benchmarks.{BENCHMARKS[name][0]}")
    except ImportError as error:
        raise missing_extra(error) from error
    for task in tasks:
        if task not in module.TASKS:
            suggestion = nearest(task, module.TASKS)
            known = ", ".join(module.TASKS)
            raise AgentcError([report("AS0968", None, name=task, known=known, suggestion=suggestion)])
    rows: list[Row] = module.run(tasks, min(rounds, LEARNING[name]), runs / name)
    return rows


def _methods(number: str | None, form: str, runs: Path, again: bool) -> int:
    try:
        from agentc.benchmarks.methods.command import show

        return show(number, form, runs, again=again)
    except ImportError as error:
        raise missing_extra(error) from error
