"""Method 56: a teacher that proposes tasks where the learner's return is changing.

Romac et al., "TeachMyAgent: a Benchmark for Automatic Curriculum Learning in Deep RL" (2021), and its ALP-GMM (Portelas
et al., 2019). Here: a car before a hill in place of the parkour; two parameters, height and drag, and a box of tasks of
which a large part cannot be solved (the benchmark's challenge of a mostly unfeasible space).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.training import agent_of, trained

SPEC = "methods/56_curricula.agentspec"
STEPS = 120_000
TASKS = 400


def run(seed: int, folder: Path, **settings: Any) -> Mapping[str, float]:
    """Train; the share of tasks, spread evenly over the box, that the policy masters."""
    trained(agent_of(SPEC), folder, seed, STEPS, **settings)
    return {"mastered": mastered(folder, grid())}


def grid() -> np.ndarray[Any, Any]:
    """Tasks ``(TASKS, 2)`` of height and drag, evenly over the box; the same for every arm and seed."""
    side = round(TASKS**0.5)
    at = (np.arange(side) + 0.5) / side
    height, drag = np.meshgrid(8.0 * at, at)
    return np.column_stack([height.ravel(), drag.ravel()])


def mastered(folder: Path, tasks: np.ndarray[Any, Any]) -> float:
    """The share of tasks that the trained policy passes, one episode each, all at once."""
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.spec_vector import SpecVectorEnv

    policy, randomness = Policy.load(folder), np.random.default_rng(1)
    env = SpecVectorEnv(agent_of(SPEC), len(tasks), shaping=False)
    env.options = lambda row: {"task": tasks[row]}
    observation, open_, passed = env.reset(0), np.ones(len(tasks), bool), 0
    while open_.any():
        batch = env.step(policy.act(observation, None, randomness))
        ended = (batch.terminated | batch.truncated) & open_
        if ended.any():
            passed += int(batch.info["satisfied/pass"][ended].sum())
        open_ &= ~ended
        observation = batch.observation
    return passed / len(tasks)


EXPERIMENT = Experiment(
    number=56,
    title="Automatic curricula (ALP-GMM)",
    source="Romac et al., 2021 (arXiv 2103.09815); Portelas et al., 2019 (arXiv 1910.07224)",
    spec=SPEC,
    removed="the teacher's model of learning progress (M8): tasks are drawn uniformly",
    metric="mastered",
    better="higher",
    steps=STEPS,
    seeds=(0, 1, 2, 3, 4),
    arms=(
        Arm("uniform", lambda seed, folder: run(seed, folder, teacher="uniform"), "tasks drawn uniformly"),
        Arm(
            "ALP-GMM", lambda seed, folder: run(seed, folder), "tasks drawn where the return changes, a fifth uniformly"
        ),
    ),
    notes="The share of 400 tasks, evenly over the box, that are passed; part of them cannot be. One small task "
    "space in place of the benchmark's parkour and its other teachers.",
)
