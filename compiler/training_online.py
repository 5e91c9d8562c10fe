"""The settings of learners that act in environments: PPO, DQN, SAC, RLPD, TD3."""

from __future__ import annotations

from agentc.compiler.settings import Setting, TrainerSchema, joined
from agentc.compiler.training_groups import (
    ACTING,
    ADAM,
    BOX,
    BUDGETED,
    BUDGETS,
    DELAYED,
    DISCOUNT,
    FILE,
    OFF_POLICY,
    PRIVILEGED,
    REPLAY,
    RUN,
    SHIELD,
    WEIGHTING,
)

PPO = TrainerSchema(
    "ppo",
    "Proximal policy optimisation with a clipped objective and generalised advantages.",
    joined(
        RUN,
        (
            Setting("rollout", "int", 128, "Steps of each environment between two updates.", 1, 1_000_000),
            Setting("epochs", "int", 4, "Passes over each batch of experience.", 1, 1000),
            Setting("minibatches", "int", 8, "Parts into which a batch is shuffled in each pass.", 1, 100_000),
        ),
        ADAM,
        (
            Setting("gae_lambda", "float", 0.95, "Decay of the generalised advantage estimate.", 0, 1),
            Setting(
                "credit",
                "choice",
                "gae",
                "How rewards become the advantage of each step.",
                choices=("gae", "return_to_go", "broadcast", "redistribution"),
            ),
            Setting("clip_low", "float", 0.2, "How far below 1 the probability ratio may go.", 0, 1, low_open=True),
            Setting("clip_high", "float", 0.2, "How far above 1 the probability ratio may go.", 0, 10, low_open=True),
            Setting("dual_clip", "float", 0.0, "Bound on the push of a bad sample, above 1; 0 for none.", 0),
            Setting("value_clip", "float", 0.0, "How far a value may move in one update; 0 for no limit.", 0),
            Setting("value_coef", "float", 0.5, "Weight of the value loss.", 0),
            Setting("entropy_coef", "float", 0.01, "Weight of the entropy bonus.", 0),
            Setting("legal_coef", "float", 0.0, "Weight of minus the logarithm of the legal actions' mass.", 0),
            Setting("target_kl", "float", 0.0, "End an update when the policy has moved this far; 0 for never.", 0),
        ),
        (
            Setting("data", "text", "", "The file of demonstrations, if there are any."),
            Setting("pretrain", "int", 0, "Gradient steps of cloning them before the first rollout.", 0),
            Setting("imitation", "float", 0.0, "Weight of cloning them beside the objective, at first.", 0),
            Setting("imitation_end", "float", 0.0, "That weight in the end.", 0),
            Setting("imitation_share", "float", 1.0, "Share of `steps` over which it changes.", 0, 1, low_open=True),
            Setting("imitation_batch", "int", 256, "Demonstrated steps of a gradient step.", 1, 1_000_000),
            *WEIGHTING,
        ),
        ACTING,
        PRIVILEGED,
        SHIELD,
        BOX,
        BUDGETED,
        anneal=True,
    ),
    DISCOUNT,
)
_FIXED = {
    "epochs", "minibatches", "gae_lambda", "credit", "clip_low", "clip_high", "dual_clip", "value_clip", "target_kl",
    "data", "pretrain", "imitation", "imitation_end", "imitation_share", "imitation_batch",
    *(s.name for s in (*WEIGHTING, *BUDGETED, *BOX)),
}  # fmt: skip
REINFORCE = TrainerSchema(
    "reinforce",
    "Policy gradient of the return to go, with a learned baseline or without.",
    (
        *(s for s in PPO.settings if s.name not in _FIXED),
        Setting("baseline", "bool", True, "Subtract the learned value from the return."),
    ),
    DISCOUNT,
)

DQN = TrainerSchema(
    "dqn",
    "Deep Q-learning: the values of discrete actions from replay, double by default.",
    joined(
        RUN,
        REPLAY,
        (
            Setting("double", "bool", True, "Choose the next action with the network, not with its target."),
            Setting("target_every", "int", 1, "Gradient steps between two moves of the target network.", 1),
            Setting("exploration", "float", 0.3, "Share of `steps` over which `epsilon_start` falls.", 0, 1),
            Setting("epsilon_start", "float", 1.0, "Probability of a random action at first.", 0, 1),
            Setting("epsilon_end", "float", 0.05, "Probability of a random action in the end.", 0, 1),
        ),
        ADAM,
        ACTING,
        SHIELD,
        **{**OFF_POLICY, "learning_rate": 1e-3, "max_grad_norm": 10.0, "hidden": 64, "batch": 64},
    ),
    DISCOUNT,
)
SOFT = (
    Setting("critics", "int", 2, "Critics; the least of two of them is believed.", 1, 100),
    Setting("layer_norm", "bool", False, "Normalise the hidden layers of the critics."),
    Setting("entropy_weight", "float", 0.0, "Fixed weight of the entropy; 0 to learn it.", 0),
    Setting("initial_temperature", "float", 1.0, "Weight of the entropy at first, if it is learned.", 0, low_open=True),
    Setting(
        "target_entropy", "float", 0.6, "Of discrete actions: the entropy aimed at, as a share of the greatest.", 0, 1
    ),
)
SAC = TrainerSchema(
    "sac",
    "Soft actor-critic: entropy-regularised learning from replay, continuous or discrete.",
    joined(RUN, REPLAY, SOFT, ADAM, ACTING, PRIVILEGED, BOX, BUDGETS, **OFF_POLICY),
    DISCOUNT,
)
RLPD = TrainerSchema(
    "rlpd",
    "Soft actor-critic with recorded data in half of each batch, many critics and many updates.",
    joined(
        RUN,
        (FILE, Setting("prior_share", "float", 0.5, "Share of each batch that comes from `data`.", 0, 1)),
        REPLAY,
        SOFT,
        ADAM,
        ACTING,
        PRIVILEGED,
        **{**OFF_POLICY, "critics": 10, "layer_norm": True, "updates": 10},
    ),
    DISCOUNT,
)
TD3 = TrainerSchema(
    "td3",
    "Twin delayed deep deterministic policy gradient: continuous actions from replay.",
    joined(
        RUN,
        REPLAY,
        DELAYED,
        (
            Setting("exploration_noise", "float", 0.1, "Deviation of the noise on actions, of half their range.", 0),
            Setting("bc_alpha", "float", 0.0, "Weight of the value beside cloning; 0 for no cloning.", 0),
        ),
        BOX,
        ADAM,
        ACTING,
        PRIVILEGED,
        **OFF_POLICY,
    ),
    DISCOUNT,
)
