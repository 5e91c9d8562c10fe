"""Method 30: a controller trained up the robustness of its rollouts, which predicts and searches where that fails.

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
BATCH, HORIZON = 256, 25
STEPS = GRADIENTS * BATCH * HORIZON
STARTS = 100


def run(seed: int, folder: Path, search: int) -> Mapping[str, float]:
    """Train, then run from many fresh starts; how often the formulas hold, and how often the policy itself acted."""
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.learn.predictive import NPCConfig
    from agentc.runtime.training import configuration, predictor_of

    agent = agent_of(SPEC)
    trained(agent, folder, seed, GRADIENTS)
    config = configuration(agent.agent, seed)
    assert isinstance(config, NPCConfig)
    predictor = predictor_of(agent.agent, Policy.load(folder), replace(config, search=search, refine=0))
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
            lambda seed, folder: run(seed, folder, 256),
            "every five steps; where the prediction fails, 256 first inputs are tried with the controller behind them",
        ),
    ),
    notes="The share of 100 fresh starts from which all formulas hold, with disturbances that no prediction knows. The "
    "maze is the paper's in its kind: the runner is carried upwards, and where the beams and the cheese are is read by "
    "the network. The hinge is summed over the formulas, where the paper has one of their conjunction; the network "
    "says the inputs of five steps, where the paper's says those of the whole horizon. `agentc bench npc` has it "
    "trained for longer, beside a ship and traffic; the paper's other three tasks are not here.",
)
