"""The settings of learners that know the declared system: timed subgoals, gradients through its equations."""

from __future__ import annotations

from dataclasses import replace

from agentc.compiler.settings import Scalar, Setting, TrainerSchema, joined
from agentc.compiler.training_groups import ADAM, BOX, BUDGETED, DIFFERENTIATED, DISCOUNT, NETWORK, STARTS
from agentc.compiler.training_online import PPO

_PLANS = (
    Setting("pool", "int", 512, "Plans that are drawn beforehand, of all alternatives of the formulas.", 1, 100_000),
    Setting("chain", "int", 8, "Steps of the chain that chooses an episode's plan by the critic; 0 for none.", 0, 1000),
    Setting("temperature", "float", 0.3, "How freely it takes worse plans, in units of reward.", 0, low_open=True),
    Setting("fresh", "float", 0.5, "How often a proposal is a plan of the pool, not one time moved.", 0, 1),
    Setting("explore", "float", 0.2, "How often an episode's plan is drawn without asking the critic.", 0, 1),
    Setting("scored", "int", 256, "Plans that the critic scores before a run.", 1, 100_000),
    Setting("rolled", "int", 16, "The best of them that are tried in the declared system, undisturbed.", 1, 10_000),
)
_TGPO_DEFAULTS: dict[str, Scalar] = {
    "envs": 64, "rollout": 64, "normalize_observations": True, "entropy_coef": 0.003,
}  # fmt: skip
_WITHOUT = {
    "history", "memory", "symmetry", "privileged", "tasks", "novelty", "normalize_rewards", "legal_coef", "shield",
    *(s.name for s in STARTS), *(s.name for s in BUDGETED), *(s.name for s in BOX),
}  # fmt: skip
TGPO = TrainerSchema(
    "tgpo",
    "A policy that is told timed subgoals of the formulas, and plans for it that the critic chooses.",
    tuple(
        replace(s, default=_TGPO_DEFAULTS.get(s.name, s.default))
        for s in (*PPO.settings, *_PLANS)
        if s.name not in _WITHOUT
    ),
    DISCOUNT,
)
_DIFFERENTIATED: dict[str, Scalar] = {
    "learning_rate": 3e-3, "anneal": True, "max_grad_norm": 1.0, "normalize_observations": True,
}  # fmt: skip
DESCENT = TrainerSchema(
    "descent",
    "Gradients of robustness through the declared dynamics, for a policy of the state.",
    joined(
        DIFFERENTIATED,
        (
            Setting("batch", "int", 64, "Runs of a gradient step.", 1, 1_000_000),
            Setting("margin", "float", 0.05, "Robustness that every run is to have.", 0),
            Setting("hard", "float", 0.5, "Share of a batch that begins where a proof has failed.", 0, 1),
            Setting("tube", "float", 0.0, "Weight of what bounds of robustness on reach tubes lack.", 0),
            Setting("tubes", "int", 4, "Parts of the starts whose tubes a gradient step follows.", 1),
            Setting("cells", "int", 4, "How many of these parts lie along a side.", 1),
        ),
        ADAM,
        NETWORK,
        **{**_DIFFERENTIATED, "hidden": 32},
    ),
)  # fmt: skip
NPC = TrainerSchema(
    "npc",
    "A controller trained up the robustness of its rollouts in the declared system, which predicts what it will do.",
    joined(
        DIFFERENTIATED,
        (
            Setting("batch", "int", 128, "Rollouts of a gradient step.", 1, 100_000),
            Setting("starts", "int", 0, "Starts, drawn once, of all batches; 0 for others each time.", 0, 10_000_000),
            Setting("ahead", "int", 1, "Steps whose inputs the network says at once; 0 for all.", 0, 10_000),
            Setting("margin", "float", 0.1, "Robustness beyond which nothing is gained.", 0),
            Setting("sharpness", "float", 10.0, "How sharp the smooth robustness is (log-sum-exp).", 0, low_open=True),
            Setting("predict_every", "int", 5, "Steps between two predictions of a run.", 1, 100_000),
            Setting("search", "int", 0, "Inputs tried where a prediction fails; 0 for none.", 0, 100_000),
            Setting("refine", "int", 60, "Gradient steps on the inputs where that fails too; 0 for none.", 0),
            Setting("backup", "text", "", "The declared controller that acts where that fails too."),
        ),
        ADAM,
        tuple(s for s in NETWORK if s.name not in ("history", "memory", "encoder")),
        **_DIFFERENTIATED,
    ),
    DISCOUNT,
)
