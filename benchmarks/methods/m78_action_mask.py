"""Method 78: continuous actions masked around those of a suboptimal policy, in a box that grows.

Lin et al., "CAMEL: Continuous Action Masking Enabled by Large Language Models" (2025): a hand-made policy gives a box
of actions, whose width follows a schedule, and a masking-aware TD3 learns in it. Here: a car in a valley in place of
locomotion, a law of the spec in place of the written program, no box at all in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.training import agent_of, success, trained

SPEC = "methods/78_action_mask.agentspec"
STEPS = 8_000


def run(seed: int, folder: Path, **settings: Any) -> Mapping[str, float]:
    """Train; the share of 50 fresh episodes that get over the hill, without any box."""
    trained(agent_of(SPEC), folder, seed, STEPS, **settings)
    return {"passed": success(agent_of(SPEC), folder, "pass", episodes=50)}


EXPERIMENT = Experiment(
    number=78,
    title="CAMEL: continuous action masking",
    source="Lin et al., CAMEL, 2025",
    spec=SPEC,
    removed="the box around the controller's action (M11)",
    metric="passed",
    better="higher",
    steps=STEPS,
    seeds=(0, 1, 2),
    arms=(
        Arm("TD3", lambda seed, folder: run(seed, folder, box=""), "no box"),
        Arm(
            "CAMEL",
            lambda seed, folder: run(seed, folder),
            "a fifth of the range at first, all of it after half the steps",
        ),
    ),
    notes="The share of 50 fresh episodes in which the car gets over the hill, the policy acting alone.",
)
