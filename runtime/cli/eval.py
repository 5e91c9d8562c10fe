"""``agentc eval``: whether the trained agents meet what their specs expect, over fresh seeded episodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.runtime.cli.agents import compiled_agents, missing_extra
from agentc.runtime.cli.application import worst
from agentc.runtime.cli.output import show
from agentc.runtime.cli.specs import spec_arguments

if TYPE_CHECKING:
    from agentc.runtime.acceptance import Acceptance, Actions
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.runs import Run


@click.command(name="eval")
@spec_arguments
@click.option("--agent", "names", multiple=True, metavar="NAME", help="Evaluate this agent only.")
@click.option("--seed", type=click.IntRange(0), help="Evaluate the run of this training seed only.")
@click.option("--episodes", type=click.IntRange(1), default=200, show_default=True, help="Episodes a run.")
@click.option("--eval-seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the episodes.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="Write as many episodes as data here.")
@click.option(
    "--actions", type=click.Choice(("likeliest", "drawn")),
    help="Which actions of the policy count: the likeliest, as deployed, or drawn. Unless given: the likeliest where "
    "the spec has a `deploy` block or the actions are continuous.",
)
@click.option("--gif", is_flag=True, help="Film the first episodes: `rollouts.gif` in the run's folder.")
@click.option("--gif-episodes", type=click.IntRange(1, 20), default=3, show_default=True, help="Episodes of the film.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    names: tuple[str, ...],
    seed: int | None,
    episodes: int,
    eval_seed: int,
    runs: Path,
    record: Path | None,
    actions: Actions | None,
    gif: bool,
    gif_episodes: int,
    form: str,
) -> int:
    """Evaluate trained agents and decide every `expect`.

    The number of episodes is fixed before the first one; exit code 0 if everything holds, 1 if something is
    not met, 3 if the episodes do not decide.
    """
    try:
        from agentc.runtime.acceptance import EXIT
        from agentc.runtime.runs import EVALUATION, find_runs, meaning_digest, run_of, write_json
        from agentc.runtime.verify.record import policy_digest

        _, agents = compiled_agents(files, params, allow_extern, names)
        codes: list[int] = []
        data: list[dict[str, Any]] = []
        for compiled in agents:
            name = compiled.agent.name
            for run in (run_of(name, seed, runs),) if seed is not None else find_runs(name, runs):
                acceptance = _evaluate(compiled, run, episodes, eval_seed, actions, quiet=form == "json")
                row = {
                    "agent": name, "training_seed": run.seed, "evaluation_seed": eval_seed,
                    "meaning": meaning_digest(compiled.agent), "policy": policy_digest(run.folder), **acceptance.data(),
                }  # fmt: skip
                write_json(run.folder / EVALUATION, row)
                data.append(row)
                if record is not None:
                    _record(compiled, run, record, episodes, eval_seed)
                if gif:
                    _film(compiled, run, gif_episodes, eval_seed, actions)
                codes.extend(EXIT[outcome.decision] for _, outcome in acceptance.outcomes)
    except ImportError as error:
        raise missing_extra(error) from error
    if form == "json":
        import json

        click.echo(json.dumps(data, indent=2))
    else:
        _table(data)
    return worst(codes)


def _record(compiled: CompiledAgent, run: Run, path: Path, episodes: int, seed: int) -> None:
    """Episodes of a trained policy as recorded experience, for learners that read `data`."""
    from agentc.runtime.learn.demonstrations.recording import record
    from agentc.runtime.shielded import shield_of_run
    from agentc.runtime.spec_env import SpecEnv
    from agentc.runtime.training import actor_of

    shield = shield_of_run(run, compiled.agent)
    steps = record(lambda: SpecEnv.make(compiled, shield=shield), actor_of(compiled, run), episodes, seed, path)
    click.echo(f"{run.agent} seed {run.seed}: {steps:,} steps of {episodes} episodes in {path}", err=True)


def _film(compiled: CompiledAgent, run: Run, episodes: int, seed: int, actions: Actions | None) -> None:
    """The first episodes of the evaluation as a GIF in the run's folder."""
    from agentc.lang.diagnostics import AgentcError, report
    from agentc.runtime.acceptance import actions_of
    from agentc.runtime.cli.waiting import Waiting
    from agentc.runtime.report.animation import animated
    from agentc.runtime.runs import FILM
    from agentc.runtime.shielded import shield_of_run
    from agentc.runtime.training import actor_of

    if compiled.agent.reads_machines:
        raise AgentcError([report("AS1555", None, agent=compiled.agent.name)])
    actor, path = actor_of(compiled, run), run.folder / FILM
    with Waiting() as waiting:
        waiting(f"{run.agent} seed {run.seed}: filming")

        def told(done: int) -> None:
            waiting(f"{run.agent} seed {run.seed}: filming, {done} of {episodes} episodes")

        shield = shield_of_run(run, compiled.agent)
        likeliest = (actions or actions_of(compiled.agent, actor)) == "likeliest"
        data = animated(
            compiled, actor, episodes=episodes, seed=seed, deterministic=likeliest, shield=shield, on_episode=told
        )
    try:
        path.write_bytes(data)
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(path), reason=error.strerror or str(error))]) from error
    several = "s" if episodes > 1 else ""
    said = f"{episodes} episode{several} filmed in {path} ({len(data):,} bytes)"
    click.echo(f"{run.agent} seed {run.seed}: {said}", err=True)


def _evaluate(
    compiled: CompiledAgent, run: Run, episodes: int, seed: int, actions: Actions | None, *, quiet: bool
) -> Acceptance:
    from rich.console import Console
    from rich.progress import track

    from agentc.runtime.acceptance import accept
    from agentc.runtime.runs import stale
    from agentc.runtime.shielded import shield_of_run
    from agentc.runtime.training import actor_of

    policy = actor_of(compiled, run)
    show(stale(run, compiled.agent))
    ticks = iter(
        track(
            range(episodes),
            description=f"{run.agent} seed {run.seed}: evaluating",
            console=Console(stderr=True, quiet=quiet),
        )
    )

    def tick(*_: object) -> None:
        next(ticks, None)

    shield = shield_of_run(run, compiled.agent)
    acceptance = accept(
        compiled, policy, episodes=episodes, seed=seed, on_episode=tick, shield=shield, actions=actions
    )
    tick()
    return acceptance


def _table(data: list[dict[str, Any]]) -> None:
    """The results for people: rates with their intervals, then what was expected."""
    from rich.console import Console
    from rich.table import Table

    rates = Table(title="Satisfaction on fresh episodes", title_justify="left")
    for heading in ("agent", "seed", "actions", "formula", "satisfied", "rate", "95 % interval"):
        rates.add_column(heading, no_wrap=True)
    expected = Table(title="What the spec expects", title_justify="left")
    for heading in ("agent", "seed", "expect", "outcome", "why"):
        expected.add_column(heading, no_wrap=heading != "why")
    costs = Table(title="Costs of an episode", title_justify="left")
    for heading in ("agent", "seed", "cost", "mean", "95 % interval", "budget", ""):
        costs.add_column(heading, no_wrap=True)
    for row in data:
        head = (row["agent"], str(row["training_seed"]))
        for rate in row["rates"]:
            share = f"{rate['successes'] / rate['episodes']:.3f}" if rate["episodes"] else "-"
            counted = f"{rate['successes']} of {rate['episodes']}"
            rates.add_row(
                *head, row["actions"], f"{rate['role']} {rate['formula']}", counted, share,
                f"[{rate['lower']:.3f}, {rate['upper']:.3f}]",
            )  # fmt: skip
        for cost in row["costs"]:
            costs.add_row(*head, *_cost(cost))
        for outcome in row["outcomes"]:
            expected.add_row(*head, outcome["expect"], outcome["decision"], outcome["sentence"])
    console = Console(width=None if Console().is_terminal else 160)
    console.print(rates)
    if costs.row_count:
        console.print(costs)
    if expected.row_count:
        console.print(expected)


WITHIN = {"holds": "within", "not met": "over", "unknown": "not decided"}
"""Whether the mean cost is within the budget, in words."""


def _cost(cost: dict[str, Any]) -> tuple[str, ...]:
    """A cost's name, mean, interval, limit, and whether it is within that."""
    known = cost["mean"] is not None
    limit = "-" if cost["limit"] is None else f"{cost['limit']:g}"
    return (
        cost["cost"],
        f"{cost['mean']:.4g}" if known else "-",
        f"[{cost['lower']:.4g}, {cost['upper']:.4g}]" if known else "-",
        limit,
        WITHIN.get(cost["decision"], ""),
    )
