"""Method 8: a few demonstrations, cloned before PPO or beside it, in procedurally generated environments.

Andres et al., "Using Offline Data to Speed-up Reinforcement Learning in Procedurally Generated Environments" (2023,
arXiv 2304.09825). Here: DoorKey-8x8, demonstrations of a shortest-path planner on layouts that training does not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.planner import demonstrations
from agentc.benchmarks.methods.training import agent_of, success, trained

SPEC = "methods/08_demonstrations.agentspec"
STEPS = 20_000
NONE: dict[str, Any] = {"data": "", "imitation": 0.0}


def run(seed: int, folder: Path, episodes: int, **settings: Any) -> Mapping[str, float]:
    """Train with that many demonstrations; how often fresh layouts are solved."""
    agent = agent_of(SPEC)
    if episodes:
        settings["data"] = str(demonstrations(agent, episodes, seed, folder / "demonstrations.safetensors"))
    trained(agent, folder, seed, STEPS, **settings)
    return {"solved": success(agent, folder, "reach", episodes=50)}


EXPERIMENT = Experiment(
    number=8,
    title="Offline data in procedurally generated environments",
    source="Andres et al., 2023 (arXiv 2304.09825)",
    spec=SPEC,
    removed="the demonstrations (M9)",
    metric="solved",
    better="higher",
    steps=STEPS,
    seeds=(0, 1, 2),
    arms=(
        Arm("PPO", lambda seed, folder: run(seed, folder, 0, **NONE), "no demonstrations"),
        Arm(
            "pretrain, 10",
            lambda seed, folder: run(seed, folder, 10, imitation=0.0, pretrain=300),
            "10 demonstrations cloned before PPO, 300 gradient steps",
        ),
        Arm("concurrent, 2", lambda seed, folder: run(seed, folder, 2), "2 demonstrations cloned beside PPO"),
        Arm("concurrent, 10", lambda seed, folder: run(seed, folder, 10), "10 demonstrations cloned beside PPO"),
    ),
    notes="The share of 50 fresh layouts that are solved. Gradient steps of pre-training come on top of the same "
    "environment steps. One environment of the paper's kind, smaller than its.",
)
