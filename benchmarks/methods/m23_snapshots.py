"""Method 23: episodes that begin in the states of a teacher, one cluster as likely as another.

Zhao et al., "SnapshotRL: Efficient Training for Reinforcement Learning with Snapshots" (2024), variant S3RL: k-means
with 6 clusters over the teacher's states, uniform over clusters, episodes cut after such a start, early in training
only. Here: DoorKey-8x8 and PPO in place of locomotion and TD3; the teacher is a shortest-path planner.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.planner import demonstrations
from agentc.benchmarks.methods.training import agent_of, success, trained

SPEC = "methods/23_snapshots.agentspec"
STEPS = 40_000
TEACHER = 20
"""Episodes of the teacher, each on a layout of its own."""


def run(seed: int, folder: Path, **settings: Any) -> Mapping[str, float]:
    """Train; how many fresh layouts are solved from their own starts."""
    agent = agent_of(SPEC)
    data = demonstrations(agent, TEACHER, seed, folder / "teacher.safetensors")
    trained(agent, folder, seed, STEPS, reset_data=str(data), **settings)
    return {"solved": success(agent, folder, "reach", episodes=50)}


EXPERIMENT = Experiment(
    number=23,
    title="SnapshotRL (S3RL)",
    source="Zhao et al., SnapshotRL, 2024",
    spec=SPEC,
    removed="the resets to snapshots (M7): episodes begin as the task says",
    metric="solved",
    better="higher",
    steps=STEPS,
    seeds=(0, 1, 2),
    arms=(
        Arm("own start", lambda seed, folder: run(seed, folder, reset="task"), "no snapshots"),
        Arm(
            "any snapshot", lambda seed, folder: run(seed, folder, reset_clusters=1), "all states of the teacher alike"
        ),
        Arm("S3RL", lambda seed, folder: run(seed, folder), "6 clusters alike, for the first half of the steps"),
    ),
    notes="The share of 50 fresh layouts that are solved from the task's own start. From a snapshot, an episode is cut "
    "after 50 steps. The teacher is a planner with 20 episodes, where the paper's is a trained policy.",
)
