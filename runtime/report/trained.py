"""The report of a trained agent: what its runs and evaluations left behind, put on one page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from agentc.lang.source import Source
from agentc.runtime.compilation import DISTRIBUTION, derive, spec_page
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.report.animation import BYTES
from agentc.runtime.report.charts import Series, line_chart
from agentc.runtime.report.filmstrip import film
from agentc.runtime.report.page import Frame, render_page
from agentc.runtime.report.verified import proof_sections, story_rows
from agentc.runtime.runs import EVALUATION, FILM, PROOFS, Run, read_json
from agentc.runtime.shielded import shield_of_run
from agentc.runtime.training import actor_of


def report_of(
    compiled: CompiledAgent,
    source: Source,
    runs: Sequence[Run],
    *,
    film_seed: int = 0,
    verified: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The page of an agent's runs as text. The filmstrip is of the first run's policy, on a fresh seed.

    ``verified`` are the rows of its verification.
    """
    agent = compiled.agent
    artifacts, _ = derive(agent)
    logs = {run.seed: read_metrics(run.folder) for run in runs}
    evaluations = {run.seed: read_json(run.folder / EVALUATION) for run in runs}
    page = replace(
        spec_page(agent, source, artifacts),
        curves=_curves(logs, [item.name for item in agent.of_role("task", "behavior")]),
        results=_results(evaluations),
        seeds=_seeds(logs, evaluations),
        proofs=proof_sections(agent, verified),
        proving=story_rows(_rounds(runs)),
        films=_films(runs),
        frames=_film(compiled, runs[0], film_seed) if runs else (),
        footer=f"Written by agentc {version(DISTRIBUTION)} for the runs with seeds "
        f"{', '.join(str(run.seed) for run in runs)}.",
    )
    return render_page(page)


def _rounds(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The rounds of the first run that was trained until a proof closed."""
    for run in runs:
        data = read_json(run.folder / PROOFS)
        if isinstance(data, dict) and isinstance(data.get("rounds"), list):
            return [r for r in data["rounds"] if isinstance(r, dict)]
    return []


def _series(
    logs: dict[int, list[dict[str, Any]]], value: Callable[[dict[str, Any]], float | None]
) -> tuple[Series, ...]:
    found = []
    for seed, rows in logs.items():
        points = [(float(row["steps"]), value(row)) for row in rows]
        found.append(Series(f"seed {seed}", tuple((x, float(y)) for x, y in points if y is not None)))
    return tuple(found)



def _films(runs: Sequence[Run]) -> tuple[tuple[str, bytes], ...]:
    """What `agentc eval --gif` has filmed of the first run that was, if it is not larger than such a film gets."""
    for run in runs:
        path = run.folder / FILM
        if path.is_file() and path.stat().st_size <= 2 * BYTES:
            return ((f"seed {run.seed}", path.read_bytes()),)
    return ()


def _film(compiled: CompiledAgent, run: Run, seed: int) -> tuple[Frame, ...]:
    """An episode of who acts in evaluations of a run, under its shield if it has one."""
    return film(compiled, actor_of(compiled, run), seed=seed, shield=shield_of_run(run, compiled.agent))


def _curves(logs: dict[int, list[dict[str, Any]]], tasks: Sequence[str]) -> tuple[tuple[str, str], ...]:
    steps = "environment steps"
    charts = []
    for name in tasks:
        series = _series(logs, lambda row, name=name: row["episodes"].get("satisfied", {}).get(name))  # type: ignore[misc]
        chart = line_chart(series, x_label=steps, y_label=f"satisfaction of {name}", bounds=(0.0, 1.0))
        charts.append((f"{name} satisfied (last 100 episodes)", chart))
    returns = _series(logs, lambda row: row["episodes"].get("mean_return"))
    charts.append(("return (last 100 episodes)", line_chart(returns, x_label=steps, y_label="return")))
    entropy = _series(logs, lambda row: row["learning"].get("entropy"))
    charts.append(("entropy of the policy", line_chart(entropy, x_label=steps, y_label="entropy")))
    return tuple(charts) if any(logs.values()) else ()


def _results(evaluations: dict[int, Any]) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[str, ...]] = []
    for seed, data in evaluations.items():
        if not isinstance(data, dict):
            continue
        for rate in data.get("rates", ()):
            share = f"{rate['successes'] / rate['episodes']:.1%}" if rate["episodes"] else "-"
            interval = f"[{rate['lower']:.3f}, {rate['upper']:.3f}]"
            counted = f"{rate['successes']} of {rate['episodes']} ({share})"
            rows.append((f"seed {seed}", f"{rate['role']} {rate['formula']}", counted, f"95 % interval {interval}"))
        for outcome in data.get("outcomes", ()):
            rows.append((f"seed {seed}", outcome["expect"], outcome["decision"], outcome["sentence"]))
    return (("run", "what", "outcome", "why"), *rows) if rows else ()


def _seeds(logs: dict[int, list[dict[str, Any]]], evaluations: dict[int, Any]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for seed, lines in logs.items():
        if not lines:
            continue
        last = lines[-1]
        episodes = last["episodes"]
        evaluated = evaluations.get(seed)
        decisions = ", ".join(o["decision"] for o in evaluated["outcomes"]) if isinstance(evaluated, dict) else "-"
        mean = episodes.get("mean_return")
        rows.append(
            (
                str(seed),
                f"{last['steps']:,}",
                f"{last['wall']['seconds']:.0f} s",
                "-" if mean is None else f"{mean:.3f}",
                decisions,
            )
        )
    return (("seed", "steps", "time", "return at the end", "expectations"), *rows) if rows else ()
