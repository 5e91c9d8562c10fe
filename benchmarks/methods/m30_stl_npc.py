"""Method 30: a controller trained up the robustness of its rollouts, which predicts and mends what it is about to do.

Meng, Fan, "Signal Temporal Logic Neural Predictive Control" (2023, arXiv 2309.05131).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.terminal import terminal_robustness
from agentc.benchmarks.methods.training import agent_of, trained

SPEC = "methods/30_stl_npc.agentspec"
GRADIENTS = 300
BATCH, HORIZON = 128, 60
STEPS = GRADIENTS * BATCH * HORIZON
STARTS = 100


def run(seed: int, folder: Path, refine: int) -> Mapping[str, float]:
    """Train, then run from many fresh starts; how often the formulas hold, and how often the policy itself acted."""
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.learn.predictive import NPCConfig
    from agentc.runtime.training import configuration, predictor_of

    agent = agent_of(SPEC)
    trained(agent, folder, seed, GRADIENTS)
    config = configuration(agent.agent, seed)
    assert isinstance(config, NPCConfig)
    predictor = predictor_of(agent.agent, Policy.load(folder), replace(config, refine=refine))
    start, _ = predictor.model.simulator.numpy.start(np.random.default_rng([seed, 12]), STARTS)
    ran = predictor.run(start, seed)
    return {"satisfied": float(ran.satisfied.mean()), "acted itself": ran.shares["policy"]}


EXPERIMENT = Experiment(
    number=30,
    title="Signal temporal logic neural predictive control",
    source="Meng, Fan, 2023 (arXiv 2309.05131)",
    spec=SPEC,
    removed="what is done where a prediction fails (M11)",
    metric="satisfied",
    better="higher",
    steps=STEPS,
    seeds=(0, 1, 2),
    control="trained through the model",
    method="and predicting",
    paired=True,
    arms=(
        Arm(
            "PPO, terminal",
            lambda seed, folder: terminal_robustness(agent_of(SPEC).agent, seed, folder, STEPS, STARTS),
            "paid the robustness of the whole trace at its end; as many steps of the system",
        ),
        Arm("trained through the model", lambda seed, folder: run(seed, folder, 0), "never mends what it predicts"),
        Arm(
            "and predicting",
            lambda seed, folder: run(seed, folder, 60),
            "every five steps; inputs are moved up the gradient where the prediction fails",
        ),
    ),
    notes="The share of 100 fresh starts from which all formulas hold, with disturbances that no prediction knows. A "
    "maze in the plane in the style of the paper's; its other five tasks are not here, and its backup policy is a "
    "refinement of the inputs.",
)
