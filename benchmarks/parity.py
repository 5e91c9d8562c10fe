"""Parity: what our learners come to beside the published runs of the peers, on the environments' own rewards.

Every case (:mod:`agentc.benchmarks.parity_cases`) is trained with the published settings over ten seeds, and its
interquartile mean is compared with the published interval (Agarwal et al., "Deep Reinforcement Learning at the Edge of
the Statistical Precipice", 2021). Runs are recorded in ``recorded/parity.jsonl`` beside this file, and those that are
there are not run again: ``agentc bench parity --rounds N`` runs what is missing of the seeds 0 to N - 1 (ten, if
nothing is said) and shows all that there is. Runs under way keep their checkpoints in ``runs/parity`` and are gone on
with. ``python -m agentc.benchmarks.parity half_cheetah --minutes 60`` goes on with the long run for an hour and records
how far it has come.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentc.benchmarks import recording
from agentc.benchmarks.parity_cases import CASES, Case, curve, judged
from agentc.benchmarks.rows import Row, table
from agentc.runtime.learn.aggregate import aggregate

RECORDED = Path(__file__).parent / "recorded" / "parity.jsonl"
ROUNDS = 10
"""Seeds, where no number is given."""
LONG = ("half_cheetah",)
"""Run only where they are named."""
POINTS = 50


@dataclass(frozen=True)
class Recorded:
    """One run: what it came to after ``steps`` steps, and its curve (steps, mean return of the last 100 episodes)."""

    case: str
    seed: int
    steps: int
    figure: float
    settings: str
    curve: list[tuple[int, float]]


def read(path: Path = RECORDED) -> list[Recorded]:
    """The recorded runs; those with other settings than today's are left out."""
    return recording.rows(path, _made, lambda r: r.case in CASES and r.settings == CASES[r.case].settings)


def _made(curve: list[list[float]], **rest: Any) -> Recorded:
    return Recorded(**rest, curve=[(int(steps), figure) for steps, figure in curve])


def record(run: Recorded, path: Path = RECORDED) -> None:
    """Put a run in place of an earlier state of itself."""
    kept = [r for r in read(path) if (r.case, r.seed) != (run.case, run.seed)]
    names = list(CASES)
    recording.rewrite(path, sorted([*kept, run], key=lambda r: (names.index(r.case), r.seed)))


def missing(done: Sequence[Recorded], seeds: int, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """What is to be run of these cases, seed by seed."""
    have = {(r.case, r.seed) for r in done if r.steps >= CASES[r.case].config.steps}
    for seed in range(seeds):
        for name in names:
            if seed < max(CASES[name].seeds, 1) and (name, seed) not in have:
                yield name, seed


def train_case(name: str, seed: int, folder: Path, title: str, minutes: float = 0.0) -> Recorded:
    """Train or go on, for ``minutes`` at most. Raises ``KeyboardInterrupt`` where Ctrl-C has ended the run."""
    from agentc.runtime.learn.progress import TrainingProgress
    from agentc.runtime.learn.train import Finish, train

    case = CASES[name]
    config = replace(case.config, seed=seed, minutes=minutes)
    env = case.vector(getattr(config, "envs", 1))
    try:
        with TrainingProgress(title, interval=30.0) as progress:
            result = train(env, config, folder, resume=True, callbacks=[progress])
    finally:
        env.close()
    if result.finish is Finish.INTERRUPTED:
        raise KeyboardInterrupt
    return Recorded(name, seed, result.steps, judged(case, folder, seed), case.settings, curve(folder, POINTS))


def carry_out(
    seeds: int, names: Sequence[str], path: Path = RECORDED, runs: Path = Path("runs/parity"), minutes: float = 0.0
) -> list[Recorded]:
    """Run what is missing, recording each run as it ends; all runs that there are then.

    With ``minutes`` it ends after the run that has reached that many; one that was cut is recorded only where it is
    a long one.
    """
    import time

    began = time.monotonic()
    for (name, seed), where in recording.in_turn(missing(read(path), seeds, names)):
        left = minutes - (time.monotonic() - began) / 60 if minutes > 0.0 else 0.0
        if minutes > 0.0 and left <= 0.0:
            break
        run_ = train_case(name, seed, runs / name / f"seed{seed}", f"{name} seed {seed} ({where})", left)
        if run_.steps >= CASES[name].config.steps or name in LONG:
            record(run_, path)
    return read(path)


def verdict(case: Case, figure: float) -> str:
    """Where a figure lies of the published interval."""
    return "inside" if case.lower <= figure <= case.upper else "above" if figure > case.upper else "below"


def rows(done: Sequence[Recorded]) -> list[Row]:
    """A row for each case of which there are runs; what lies above the interval holds too."""
    found = []
    for name, case in CASES.items():
        mine = [r for r in done if r.case == name]
        if not mine:
            continue
        whole = all(r.steps >= case.config.steps for r in mine)
        ours = aggregate([r.figure for r in mine])
        where = verdict(case, ours.mean)
        note = f"{ours.runs} of {case.seeds} runs, interquartile mean {ours}; published {case.published:.6g} +- "
        note += f"{case.half:.3g} ({case.source}); {where}"
        if not whole:
            reached = min(r.steps for r in mine)
            note = f"{reached:,} of {case.config.steps:,} steps so far; {note}, to be judged at the end"
        note += f"; {case.differs}" if case.differs else ""
        target = f"{case.lower:.5g} to {case.upper:.5g}"
        ratio = ours.mean / case.published
        found.append(
            Row(case.title, ours.mean, case.published, "published", ratio, "return", target,
                where != "below" if whole else None, note)
        )  # fmt: skip
    return found


def run(rounds: int = ROUNDS, data: Path | None = None) -> list[Row]:
    """All rows; ``rounds`` are the seeds, ``data`` a folder with a record of one's own."""
    names = [name for name in CASES if name not in LONG]
    return rows(carry_out(rounds, names, RECORDED if data is None else data / RECORDED.name))


def main() -> None:
    """Run from the command line: some cases, for some minutes."""
    parser = argparse.ArgumentParser(description="Parity with published runs.")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--seeds", type=int, default=ROUNDS)
    parser.add_argument("--minutes", type=float, default=0.0, help="end after so many; run again to go on")
    parser.add_argument("--record", type=Path, default=RECORDED)
    parser.add_argument("--runs", type=Path, default=Path("runs/parity"))
    given = parser.parse_args()
    names = given.cases or [name for name in CASES if name not in LONG]
    print(table(rows(carry_out(given.seeds, names, given.record, given.runs, given.minutes))))


if __name__ == "__main__":
    main()
