"""The settings of learners from recorded experience: cloning, IQL, TD3+BC, the decision transformer."""

from __future__ import annotations

from agentc.compiler.settings import Setting, TrainerSchema, joined
from agentc.compiler.training_groups import ADAM, DELAYED, DISCOUNT, FILE, NETWORK, OFF_POLICY, RUN_ALONE, WEIGHTING

_OFFLINE = (
    Setting("steps", "int", 100_000, "Gradient steps to train for.", 1),
    Setting("rollout", "int", 500, "Gradient steps between two lines of the log.", 1, 1_000_000),
    FILE,
    Setting("batch", "int", 256, "Transitions of a gradient step.", 1, 1_000_000),
    *WEIGHTING,
)
_OFFLINE_RUN = (*RUN_ALONE, *_OFFLINE)
_OFFLINE_DEFAULTS = {k: v for k, v in OFF_POLICY.items() if k != "envs"}
BC = TrainerSchema(
    "bc",
    "Behaviour cloning of recorded experience.",
    joined(_OFFLINE_RUN, ADAM, NETWORK, **_OFFLINE_DEFAULTS),
    DISCOUNT,
)
DT = TrainerSchema(
    "dt",
    "Decision transformer: actions of recorded experience, told the return that is still to come.",
    joined(
        _OFFLINE_RUN,
        (
            Setting("history", "int", 20, "Steps of the window that the transformer reads.", 2, 1024),
            Setting(
                "target",
                "choice",
                "best",
                "The return that the policy is asked for: the best that was recorded, or the one given.",
                choices=("best", "given"),
            ),
            Setting("target_return", "float", 0.0, "That return, if it is given."),
        ),
        ADAM,
        (
            Setting("hidden", "int", 64, "Size of a token.", 4, 8192),
            Setting("layers", "int", 3, "Blocks of the transformer.", 1, 64),
        ),
        **{**_OFFLINE_DEFAULTS, "learning_rate": 1e-3, "max_grad_norm": 0.25, "hidden": 64, "batch": 64},
    ),
    DISCOUNT,
)
IQL = TrainerSchema(
    "iql",
    "Implicit Q-learning from recorded experience.",
    joined(
        _OFFLINE_RUN,
        (
            Setting("expectile", "float", 0.7, "Which expectile of the critics the value is.", 0, 1, low_open=True),
            Setting("beta", "float", 3.0, "How much better actions are preferred when they are cloned.", 0),
            Setting("tau", "float", 0.005, "Share of the way that a target network goes at a time.", 0, 1),
        ),
        ADAM,
        NETWORK,
        **_OFFLINE_DEFAULTS,
    ),
    DISCOUNT,
)
TD3_BC = TrainerSchema(
    "td3_bc",
    "TD3 with behaviour cloning, from recorded experience.",
    joined(
        _OFFLINE_RUN,
        DELAYED,
        (
            Setting("bc_alpha", "float", 2.5, "Weight of the value beside cloning.", 0, low_open=True),
            Setting("tau", "float", 0.005, "Share of the way that a target network goes at a time.", 0, 1),
        ),
        ADAM,
        NETWORK,
        **_OFFLINE_DEFAULTS,
    ),
    DISCOUNT,
)
