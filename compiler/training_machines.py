"""The settings of learners from reward machines: a table, and a network for all of a machine's states."""

from __future__ import annotations

from agentc.compiler.settings import Setting, TrainerSchema, joined
from agentc.compiler.training_groups import ADAM, COUNTERFACTUAL, DISCOUNT, RUN, TASKS

Q = TrainerSchema(
    "q",
    "Q-learning in a table, for environments with few observations.",
    joined(
        RUN,
        (
            Setting("envs", "int", 1, "Environments stepped at once; they share the table.", 1, 4096),
            Setting("rollout", "int", 1000, "Steps of each environment between two lines of the log.", 1, 1_000_000),
            Setting("learning_rate", "float", 0.5, "How far a value moves to its new estimate.", 0, 1, low_open=True),
            Setting("epsilon", "float", 0.1, "How often a random action is taken.", 0, 1),
            Setting("initial", "float", 1.0, "Value of what was never tried: high values explore."),
            Setting("hierarchy", "choice", "none", "Whether options for the edges of the machine are learned (`hrm`).",
                    choices=("none", "hrm")),
        ),
        (TASKS, COUNTERFACTUAL),
    ),
    DISCOUNT,
)  # fmt: skip
CRM = TrainerSchema(
    "crm",
    "Deep Q-learning for reward machines: every step teaches the values of all their states.",
    joined(
        RUN,
        (
            Setting("envs", "int", 32, "Environments stepped at once.", 1, 4096),
            Setting("replay_size", "int", 200_000, "Steps that are kept.", 1, 100_000_000),
            Setting("batch", "int", 64, "Steps of a gradient step; each counts for every state of the machines.",
                    1, 1_000_000),
            Setting("warmup", "int", 2000, "Steps before the first gradient step.", 0),
            Setting("exploration", "float", 0.1, "Share of `steps` over which exploration falls.", 0, 1),
            Setting("epsilon_end", "float", 0.02, "Probability of a random action in the end.", 0, 1),
            Setting("tau", "float", 0.005, "Share of the way that a target network goes at a time.", 0, 1,
                    low_open=True),
        ),
        ADAM,
        (
            Setting("hidden", "int", 256, "Units of a hidden layer.", 1, 8192),
            Setting("layers", "int", 3, "Hidden layers that all states share.", 1, 16),
        ),
        (TASKS, COUNTERFACTUAL),
        **{"learning_rate": 5e-4, "max_grad_norm": 10.0},
    ),
    DISCOUNT,
)  # fmt: skip
