"""Running an experiment: arms and seeds in turn, recorded one by one, resumable."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agentc.benchmarks.methods.experiment import Experiment
from agentc.benchmarks.methods.records import RECORDED, Recorded, digest, read, versions, write

Tell = Callable[[str], None]


def carry_out(
    experiment: Experiment, runs: Path, *, again: bool = False, folder: Path = RECORDED, tell: Tell = lambda _: None
) -> tuple[Recorded, ...]:
    """Run what is missing or stale (all of it if ``again``), recording every run when it ends; all runs then.

    A run's checkpoints lie under ``runs`` and are gone on with. Ctrl-C loses the run under way up to its last
    checkpoint, and nothing else. Raises ``ValueError`` where an arm does not say the metric, or says no number.
    """
    e, now = experiment, digest(experiment)
    have = {} if again else {(r.arm, r.seed): r for r in read(e, folder) if r.digest == now and e.metric in r.figures}
    left = [(arm, seed) for seed in e.seeds for arm in e.arms if (arm.name, seed) not in have]
    done = dict(have)
    for number, (arm, seed) in enumerate(left):
        eta = _left([a.name for a, _ in left[number:]], list(done.values()))
        tell(f"{e.number} {e.title}: {arm.name}, seed {seed} (run {number + 1} of {len(left)}, {eta})")
        place = runs / "methods" / f"{e.number:02d}-{now}" / arm.name.replace(" ", "_") / f"seed{seed}"
        if again:
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        figures = {name: float(value) for name, value in arm.run(seed, place).items()}
        if e.metric not in figures or not all(math.isfinite(x) for x in figures.values()):
            raise ValueError(f"experiment {e.number}, {arm.name}, seed {seed}: {figures}, and {e.metric} is asked for")
        wall = round(time.perf_counter() - began, 1)
        done[arm.name, seed] = Recorded(arm.name, seed, figures, e.steps, wall, now, versions())
        # What is recorded of other digests stays until it is replaced: a table of half an experiment is none.
        older = [r for r in read(e, folder) if (r.arm, r.seed) not in done]
        write(e, [*older, *done.values()], folder)
    return tuple(done.values())


def _left(arms: Sequence[str], known: Sequence[Recorded]) -> str:
    """How long the runs of these arms will take, by what runs of theirs took."""
    if not known:
        return "time left not known yet"
    overall = sum(r.wall for r in known) / len(known)
    seconds = 0.0
    for arm in arms:
        own = [r.wall for r in known if r.arm == arm]
        seconds += sum(own) / len(own) if own else overall
    return f"about {seconds:.0f} s left" if seconds < 120 else f"about {seconds / 60:.0f} min left"
