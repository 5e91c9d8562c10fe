"""Method 35: timed subgoals whose times the critic chooses.

Meng, Chen, Fan, "TGPO: Temporal Grounded Policy Optimization for Signal Temporal Logic Tasks" (2025, arXiv 2510.00225).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.terminal import terminal_robustness
from agentc.benchmarks.methods.training import agent_of, trained

SPEC = "methods/35_tgpo.agentspec"
STEPS = 600_000
STARTS = 500


def run(seed: int, folder: Path, rolled: int, **settings: Any) -> Mapping[str, float]:
    """Train, then follow one plan from each of many fresh starts; how often the formulas hold, exactly judged."""
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.learn.tgpo import TGPOConfig
    from agentc.runtime.subgoals.training import follower_of
    from agentc.runtime.training import configuration

    agent = agent_of(SPEC)
    trained(agent, folder, seed, STEPS, **settings)
    config = configuration(agent.agent, seed)
    assert isinstance(config, TGPOConfig)
    config = replace(config, rolled=max(rolled, 1), **settings)
    follower = follower_of(agent.agent, Policy.load(folder), config)
    start = follower.starts(STARTS, seed)
    rng = np.random.default_rng([seed, 3])
    drawn = follower.follow(start, seed, [follower.pool.draw(rng) for _ in start])
    ran = follower.follow(start, seed) if rolled else drawn
    return {"satisfied": float(ran.satisfied.mean()), "a drawn plan met": float(drawn.met.mean())}


EXPERIMENT = Experiment(
    number=35,
    title="TGPO: timed subgoals, times chosen by the critic",
    source="Meng, Chen, Fan, 2025 (arXiv 2510.00225)",
    spec=SPEC,
    removed="the critic's choice of plans (M12), in training and when one is followed",
    metric="satisfied",
    better="higher",
    steps=STEPS,
    seeds=(0, 1, 2),
    control="TGPO, drawn",
    method="TGPO",
    arms=(
        Arm(
            "PPO, terminal",
            lambda seed, folder: terminal_robustness(agent_of(SPEC).agent, seed, folder, STEPS, STARTS),
            "told the time, paid the robustness of the whole trace at its end",
        ),
        Arm(
            "TGPO, drawn",
            lambda seed, folder: run(seed, folder, 0, chain=0),
            "plans are drawn, for episodes and in the end; nobody chooses",
        ),
        Arm(
            "TGPO, critic",
            lambda seed, folder: run(seed, folder, 1),
            "the critic chooses in training, and which plan is followed",
        ),
        Arm("TGPO", lambda seed, folder: run(seed, folder, 16), "and 16 are tried in the declared system"),
    ),
    notes="The share of 500 fresh starts from which all formulas hold. A point mass in the plane; the paper's "
    "unicycle, quadrotor, arm and legged robot are not here.",
)
