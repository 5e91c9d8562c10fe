"""Controllers trained through declared systems and formulas: how often all formulas hold from fresh starts.

Three tasks in the style of Meng, Fan, *Signal Temporal Logic Neural Predictive Control* (arXiv 2309.05131), as
``specs/maze.agentspec``, ``ship.agentspec`` and ``traffic.agentspec`` say them. A seed is trained once, as its spec
says, and then runs from :data:`STARTS` starts that no training has drawn, with disturbances that no prediction knows,
in three arms: the network alone, with refinement of its inputs where its prediction fails, and with the search of the
paper's backup policy there. A run counts if every formula holds by the exact semantics. Rows are recorded in
``recorded/npc.jsonl`` beside this file; ``agentc bench npc --rounds N`` runs what is missing of the seeds 0 to N - 1
and shows all that there is; ``python -m agentc.benchmarks.npc --seeds 1 --record FILE`` makes a record of one's own.
Trainings are kept under ``runs/npc`` and resumed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from agentc.benchmarks import recording
from agentc.benchmarks.rows import Row, table
from agentc.compiler.pipeline import check, read
from agentc.runtime.cli.waiting import Waiting
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.predictive import NPCConfig
from agentc.runtime.learn.statistics import wilson
from agentc.runtime.learn.train import Update
from agentc.runtime.runs import Run
from agentc.runtime.training import configuration, predictor_of, train_agent

RECORDED = Path(__file__).parent / "recorded" / "npc.jsonl"
TASKS = ("maze", "ship", "traffic")
ARMS = {"alone": (0, 0), "refined": (0, 60), "backup": (256, 0)}
"""Arm to ``search`` and ``refine``."""
STARTS = 1000
SHARE = 0.95
MINUTES = 10.0


@dataclass(frozen=True)
class Recorded:
    """One arm of one seed. ``training`` and ``acting`` are seconds of the processor, ``acting`` those of all starts;
    ``own`` is the share of predictions after which the network itself acted."""

    task: str
    arm: str
    seed: int
    satisfied: int
    starts: int
    training: float
    acting: float
    own: float
    spec: str


@cache
def agent_of(task: str) -> CompiledAgent:
    """The agent of a task."""
    result = check(read(str(files("agentc.specs").joinpath(f"{task}.agentspec"))))
    return CompiledAgent.from_ir(result.agents[0])


@cache
def digest(task: str) -> str:
    """What a record is of: the text of the spec."""
    return hashlib.sha256((files("agentc.specs") / f"{task}.agentspec").read_bytes()).hexdigest()[:12]


def recorded(path: Path) -> list[Recorded]:
    """The recorded rows; those of another text of their spec are left out."""
    return recording.rows(path, Recorded, lambda r: r.task in TASKS and r.spec == digest(r.task))


def missing(done: list[Recorded], seeds: int) -> list[tuple[str, int]]:
    """Tasks and seeds of which an arm is missing, seed by seed."""
    have = {(r.task, r.seed, r.arm) for r in done}
    every = [(task, seed) for seed in range(seeds) for task in TASKS]
    return [(task, seed) for task, seed in every if any((task, seed, arm) not in have for arm in ARMS)]


def trained(task: str, seed: int, folder: Path, waiting: Waiting, steps: int | None = None) -> float:
    """Train, going on from a checkpoint; the seconds of the processor in all. Raises ``KeyboardInterrupt``."""
    config, spent = configuration(agent_of(task).agent, seed, steps), folder / "seconds.json"
    before = float(json.loads(spent.read_text())) if spent.is_file() else 0.0
    began, wall = time.process_time(), time.monotonic()

    def tell(update: Update) -> bool:
        if update.finish is None and update.steps % 200 == 0:
            left = (time.monotonic() - wall) / max(update.number, 1) * (config.steps - update.steps) / config.rollout
            waiting(f"{task}, seed {seed}: {update.steps} of {config.steps} gradient steps, {left / 60:.0f} min left")
        return False

    result = train_agent(agent_of(task), config, Run(task, seed, folder), resume=True, callbacks=[tell])
    seconds = before + time.process_time() - began
    spent.write_text(json.dumps(seconds))
    if result.steps < config.steps:
        raise KeyboardInterrupt
    return seconds


def settle(task: str, seed: int, arm: str, folder: Path, training: float, starts: int = STARTS) -> Recorded:
    """Run an arm of a trained seed from fresh starts."""
    agent = agent_of(task).agent
    config = configuration(agent, seed)
    assert isinstance(config, NPCConfig)
    search, refine = ARMS[arm]
    predictor = predictor_of(agent, Policy.load(folder), replace(config, search=search, refine=refine))
    start, _ = predictor.model.simulator.numpy.start(np.random.default_rng([seed, 12]), starts)
    began = time.process_time()
    ran = predictor.run(start, seed)
    acting = time.process_time() - began
    return Recorded(
        task, arm, seed, int(ran.satisfied.sum()), starts, round(training, 1), round(acting, 1),
        round(ran.shares["policy"], 4), digest(task),
    )  # fmt: skip


def carry_out(seeds: int, path: Path, runs: Path = Path("runs")) -> list[Recorded]:
    """Run what is missing of so many seeds, recording each arm as it ends, and return all that is recorded."""
    done = recorded(path)
    with Waiting() as waiting:
        for task, seed in missing(done, seeds):
            folder = runs / "npc" / f"{task}-{seed}-{digest(task)}"
            training = trained(task, seed, folder, waiting)
            for arm in ARMS:
                if not any((r.task, r.seed, r.arm) == (task, seed, arm) for r in done):
                    waiting(f"{task}, seed {seed}: {arm}, {STARTS} starts")
                    done.append(settle(task, seed, arm, folder, training))
                    recording.append(path, done[-1])
    return done


def rows(done: list[Recorded]) -> list[Row]:
    """A row for each task and arm, over all seeds; the target is judged of the best arm of a task."""
    found = []
    for task in TASKS:
        shares: dict[str, list[Recorded]] = {a: [r for r in done if (r.task, r.arm) == (task, a)] for a in ARMS}
        known = {arm: mine for arm, mine in shares.items() if mine}
        best = max(known, key=lambda arm: sum(r.satisfied for r in known[arm]) / len(known[arm]), default="")
        for arm, mine in known.items():
            n = sum(r.starts for r in mine)
            share = sum(r.satisfied for r in mine) / n
            low, high = wilson(share, n)
            each = ", ".join(f"{r.satisfied / r.starts:.3f}" for r in mine)
            slowest = max(r.training for r in mine) / 60
            acting = 1000 * sum(r.acting for r in mine) / n
            note = (
                f"[{low:.3f}, {high:.3f}] of {n}; by seed {each}; trained in at most {slowest:.1f} CPU min; "
                f"{acting:.0f} CPU ms a run; acted itself {sum(r.own for r in mine) / len(mine):.3f}"
            )
            holds = min(r.satisfied / r.starts for r in mine) >= SHARE and slowest <= MINUTES
            target = f"{SHARE:g}, each seed" if arm == best else ""
            found.append(Row(f"{task}: {arm}", share, None, "", None, "share", target, holds if target else None, note))
    return found


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows; ``rounds`` are the seeds, ``data`` a folder with a record of one's own."""
    return rows(carry_out(rounds, RECORDED if data is None else data / RECORDED.name))


def main() -> None:
    """Run from the command line with a record of one's own."""
    parser = argparse.ArgumentParser(description="Controllers trained through declared systems.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--record", type=Path, default=RECORDED)
    given = parser.parse_args()
    print(table(rows(carry_out(given.seeds, given.record))))


if __name__ == "__main__":
    main()
