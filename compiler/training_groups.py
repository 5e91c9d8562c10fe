"""Settings that several algorithms have in common, by what they are about."""

from __future__ import annotations

from dataclasses import replace

from agentc.compiler.settings import Scalar, Setting, joined

RUN = (
    Setting("steps", "int", 100_000, "Environment steps to train for, summed over all environments.", 1),
    Setting("envs", "int", 8, "Environments stepped at once.", 1, 4096),
    Setting("seed", "int", 0, "Seed of everything random in the run.", 0, 2**31 - 1),
    Setting("rollout", "int", 128, "Steps of each environment between two lines of the log.", 1, 1_000_000),
    Setting("minutes", "float", 0.0, "Stop after this much time even if `steps` are left; 0 for no limit.", 0),
    Setting("checkpoint", "duration", 30.0, "Time between two checkpoints.", 0),
    Setting(
        "sentinel",
        "choice",
        "stop",
        "What `agentc train` does with a run that has collapsed: stop it with its last episode, or only warn.",
        choices=("stop", "warn", "off"),
    ),
)
RUN_ALONE = tuple(s for s in RUN if s.name != "envs")
"""Of runs that step no environments."""
DIFFERENTIATED = joined(
    RUN_ALONE,
    (
        Setting("steps", "int", 2000, "Gradient steps to train for, each over a batch of runs.", 1),
        Setting("rollout", "int", 20, "Gradient steps between two lines of the log.", 1, 1_000_000),
    ),
)
"""Of runs that go up gradients through the declared system."""
ADAM = (
    Setting("learning_rate", "float", 1e-3, "Step size of Adam.", 0, 1, low_open=True),
    Setting("anneal", "bool", False, "Let the step size fall linearly to zero over `steps`."),
    Setting("max_grad_norm", "float", 0.5, "Longer gradients are scaled down to this norm; 0 for no limit.", 0),
)
NETWORK = (
    Setting("hidden", "int", 64, "Units of a hidden layer.", 1, 8192),
    Setting("layers", "int", 2, "Hidden layers of the policy and of the value function.", 0, 16),
    Setting("activation", "choice", "tanh", "Activation of the hidden layers.", choices=("tanh", "relu")),
    Setting(
        "encoder",
        "choice",
        "auto",
        "How grids and images are read: `dense` layers or a `conv`olution.",
        choices=("auto", "dense", "conv"),
    ),
    Setting("normalize_observations", "bool", False, "Scale vectors by their running mean and deviation."),
    Setting("history", "int", 0, "Steps of the past that the policy sees of every vector; 0 for the present alone.", 0),
    Setting(
        "memory",
        "choice",
        "gru",
        "How these steps are read: by a recurrent unit, by attention, or as one vector.",
        choices=("gru", "transformer", "flat"),
    ),
)
SYMMETRY = (
    Setting("symmetry", "text", "", 'A symmetry that the policy has exactly: "mirror 1 3 > 0", "turn 0,1 2,3 > 0,1".'),
)
TASKS = Setting(
    "tasks",
    "choice",
    "together",
    "Whether an episode is about all tasks, or about one of them in turn.",
    choices=("together", "each"),
)
COUNTERFACTUAL = Setting(
    "counterfactual", "bool", True, "Learn from every step for all states in which a reward machine could have been."
)
REWARD = (
    Setting("normalize_rewards", "bool", False, "Scale rewards by the running deviation of the return."),
    Setting("novelty", "float", 0.0, "Bonus for an observation at its first visit; it falls with the visits.", 0),
    TASKS,
)
SHIELD = (Setting("shield", "bool", False, "Act under the shields that `deploy` names, as a mask of the actions."),)
BOX = (
    Setting("box", "text", "", "The system's controller around whose action the policy's is kept at first."),
    Setting("box_width", "float", 0.2, "How wide that box is at first, of the range.", 0, 1, low_open=True),
    Setting("box_share", "float", 0.5, "Share of `steps` in which it grows to all of it.", 0, 1, low_open=True),
)
BUDGETS = (
    Setting("budget_kp", "float", 0.1, "How much a budget's multiplier is of the present excess of the cost.", 0),
    Setting("budget_ki", "float", 0.01, "How much it is of the sum of excesses so far.", 0),
    Setting("budget_kd", "float", 0.01, "How much it is of the rise of the cost since the update before.", 0),
)
BUDGETED = (
    Setting(
        "budget_method",
        "choice",
        "lagrangian",
        "How budgets are kept: multipliers weigh costs against rewards, or each update is projected onto them.",
        choices=("lagrangian", "projection"),
    ),
    *BUDGETS,
    Setting("budget_radius", "float", 0.01, "How far a projection may move the policy (divergence).", 0, low_open=True),
)
STARTS = (
    Setting("workers", "int", 0, "Processes that the environments are stepped in, for slow ones; 0 for none.", 0, 1024),
    Setting(
        "teacher",
        "choice",
        "none",
        "Which task comes next, where tasks have parameters: as the environment draws it, uniformly, in stages, or "
        "where returns change (ALP-GMM).",
        choices=("none", "uniform", "staged", "alp_gmm"),
    ),
    Setting("stages", "text", "", 'The tasks of `staged`, parameters by blanks, tasks by `;`: "0.1 2; 0.5 2".'),
    Setting("stage_threshold", "float", 0.9, "Mean return of the last 20 episodes that leads to the next stage."),
    Setting("stage_every", "int", 0, "Steps of a stage, in place of the threshold; 0 for the threshold.", 0),
    Setting("fit_every", "int", 250, "Episodes between two fits of `alp_gmm`.", 10, 1_000_000),
    Setting("random_tasks", "float", 0.2, "Share of tasks that `alp_gmm` draws uniformly.", 0, 1),
    Setting(
        "reset",
        "choice",
        "task",
        "Where episodes begin: as the environment says, or in states of recorded episodes.",
        choices=("task", "snapshots"),
    ),
    Setting("reset_data", "text", "", "The file of those episodes."),
    Setting("reset_clusters", "int", 6, "Clusters of their states, drawn alike; 1 draws among all states.", 1, 10_000),
    Setting("reset_until", "int", 100_000, "Steps of the run in which episodes begin there.", 1),
    Setting("reset_steps", "int", 0, "Steps after which an episode that began there is cut; 0 for its own end.", 0),
)
ACTING = (*REWARD, *STARTS, *NETWORK, *SYMMETRY)
"""What every learner that acts in environments is told beside its objective."""
PRIVILEGED = (
    Setting("privileged", "text", "", "Parts of the observation that the value function alone reads, by name."),
)
DISCOUNT = {"discount": "reward { discount = ... }", "gamma": "reward { discount = ... }"}
WEIGHTING = (
    Setting(
        "weighting",
        "choice",
        "uniform",
        "Which episodes are drawn more often: none, or those of high return or advantage.",
        choices=("uniform", "return", "advantage"),
    ),
    Setting("weight_alpha", "float", 0.1, "How even the weights are: they are `softmax(x / alpha)`.", 0, low_open=True),
)
REPLAY = (
    replace(COUNTERFACTUAL, default=False),
    Setting("replay_size", "int", 100_000, "Transitions that are kept.", 1, 100_000_000),
    Setting(
        "replay",
        "choice",
        "uniform",
        "What is drawn: all alike, or a share from episodes that went badly or well.",
        choices=("uniform", "failure", "success"),
    ),
    Setting("outcome_share", "float", 0.25, "That share of a batch.", 0, 1),
    Setting("batch", "int", 256, "Transitions of a gradient step.", 1, 1_000_000),
    Setting("warmup", "int", 1000, "Steps, with random actions, before the first gradient step.", 0),
    Setting("train_every", "int", 1, "Steps of each environment between two rounds of gradient steps.", 1, 1_000_000),
    Setting("updates", "int", 1, "Gradient steps of a round.", 1, 100_000),
    Setting("n_step", "int", 1, "Steps over which rewards are summed before the value is asked.", 1, 1000),
    Setting("tau", "float", 0.005, "Share of the way that a target network goes at a time.", 0, 1, low_open=True),
)
OFF_POLICY: dict[str, Scalar] = {
    "envs": 1, "rollout": 500, "learning_rate": 3e-4, "max_grad_norm": 0.0, "hidden": 256, "activation": "relu",
}  # fmt: skip
FILE = Setting("data", "text", "", "The file of recorded experience.")
DELAYED = (
    Setting("policy_delay", "int", 2, "Gradient steps of the critics between two of the policy.", 1, 1000),
    Setting("target_noise", "float", 0.2, "Deviation of the noise on the target's action.", 0),
    Setting("target_clip", "float", 0.5, "Bound of that noise.", 0),
)
