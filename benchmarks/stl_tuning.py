"""Settings for the arms of learning from STL: the same few trials for each, on one task, with a seed of their own.

Each arm of :mod:`agentc.benchmarks.stl_learning`, ours among them, is tried with four settings (:data:`GRID`) on
:data:`TASK` with the seed :data:`SEED`, which no reported run has, for a :data:`SHARE` of the steps of a run. The trial
with the greatest share of satisfied starts counts, then that with the greatest mean robustness; the first of the grid
is what the arm has without tuning, and wins where nothing is better. Baselines are then run with what was best; ours is
run as the specs say, whatever wins here. Trials are recorded in ``recorded/stl_tuning.jsonl``.

``python -m agentc.benchmarks.stl_tuning`` runs what is missing and prints all trials.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agentc.benchmarks import recording
from agentc.benchmarks.stl_learning import ARMS, BASELINES, LIMIT, OURS, compiled, digest

RECORDED = Path(__file__).parent / "recorded" / "stl_tuning.jsonl"
TASK, SEED, STARTS, SHARE = "linear_sequence", 100, 200, 0.25
_LEARNT: tuple[Mapping[str, Any], ...] = (
    {}, {"learning_rate": 3e-4}, {"learning_rate": 3e-3}, {"entropy_coef": 0.0},
)  # fmt: skip
GRID: Mapping[str, Sequence[Mapping[str, Any]]] = {
    OURS: _LEARNT,
    **dict.fromkeys(BASELINES[:4], _LEARNT),
    "gradient": ({}, {"learning_rate": 1e-3}, {"learning_rate": 1e-2}, {"batch": 256}),
    "cross-entropy": ({}, {"stretches": 12}, {"stretches": 48}, {"samples": 512}),
}
"""The settings that each arm is tried with; the first are its own."""
STEPPED = (OURS, *BASELINES[:5])
"""Arms whose trials have a share of the steps; the planner has its rounds."""


@dataclass(frozen=True)
class Trial:
    """One trial: the share of starts that satisfy, their mean robustness, seconds of the processor."""

    arm: str
    settings: dict[str, Any]
    satisfied: float
    robustness: float
    seconds: float
    spec: str


def tried(path: Path = RECORDED) -> list[Trial]:
    """The recorded trials of the grid as it is now."""
    return recording.rows(path, Trial, lambda t: t.spec == digest(TASK) and t.settings in GRID.get(t.arm, ()))


def missing(done: Sequence[Trial]) -> list[tuple[str, Mapping[str, Any]]]:
    """What is to be tried."""
    have = [(t.arm, t.settings) for t in done]
    return [(arm, settings) for arm, grid in GRID.items() for settings in grid if (arm, settings) not in have]


def attempt(arm: str, settings: Mapping[str, Any], runs: Path, starts: int = STARTS, share: float = SHARE) -> Trial:
    """Train with these settings and judge."""
    from agentc.compiler.signals.robustness import compile_robustness
    from agentc.runtime.planning.problem import problem_of

    number = list(GRID[arm]).index(settings)
    folder = runs / f"tuning_{arm}_{number}_{digest(TASK)}"
    given = {**settings, "share": share} if arm in STEPPED else dict(settings)
    satisfied, traces, _, seconds = ARMS[arm](TASK, SEED, folder, LIMIT, starts, given)
    problem = problem_of(compiled(TASK).agent)
    value = compile_robustness(problem.formula, problem.signals).robustness_at(np.nan_to_num(traces))
    return Trial(
        arm, dict(settings), round(float(np.mean(satisfied)), 4), round(float(np.mean(value)), 4), round(seconds, 1),
        digest(TASK),
    )  # fmt: skip


def best(arm: str, path: Path = RECORDED) -> dict[str, Any]:
    """The settings that were best for an arm; its own where not all of its grid has been tried."""
    return dict(_best(arm, path))


@cache
def _best(arm: str, path: Path) -> Mapping[str, Any]:
    mine = {json.dumps(t.settings): t for t in tried(path) if t.arm == arm}
    ordered = [mine.get(json.dumps(dict(settings))) for settings in GRID.get(arm, ())]
    whole = [t for t in ordered if t is not None]
    if not whole or len(whole) < len(ordered):
        return {}
    return max(whole, key=lambda t: (t.satisfied, t.robustness)).settings


def table(done: Sequence[Trial]) -> str:
    """All trials, arm by arm, the best of each marked."""
    lines = [f"{'arm':<14} {'settings':<28} {'satisfied':>9} {'robustness':>10} {'CPU s':>6}"]
    for arm, grid in GRID.items():
        chosen = best(arm)
        for settings in grid:
            for t in (t for t in done if (t.arm, t.settings) == (arm, settings)):
                said = ", ".join(f"{k} = {v:g}" for k, v in settings.items()) or "as it is"
                mark = " *" if settings == chosen else ""
                lines.append(f"{arm:<14} {said:<28} {t.satisfied:>9.3f} {t.robustness:>10.3f} {t.seconds:>6.0f}{mark}")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, recording each trial as it ends, and print all."""
    parser = argparse.ArgumentParser(description="Settings for the arms of learning from STL.")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    for (arm, settings), where in recording.in_turn(missing(tried()), "trial"):
        print(f"{arm}: {where}", flush=True)
        recording.append(RECORDED, attempt(arm, settings, given.runs))
    _best.cache_clear()
    print(table(tried()))


if __name__ == "__main__":
    main()
