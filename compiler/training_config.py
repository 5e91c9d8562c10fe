"""What a ``train`` block may say: each algorithm's settings as plain data.

``agentc check`` reads this table (no learner, no torch) to validate a block and to propose the nearest
valid key; the learners build their configurations from the validated mapping, and a test holds the two
together. A learner adds itself with one row of :data:`TRAINERS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal, NamedTuple

from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.records import dataclass
from agentc.lang.source import Span

Kind = Literal["int", "float", "bool", "choice", "duration", "text"]
Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a ``train`` block.

    ``low`` and ``high`` are inclusive unless ``low_open``; they and the default of a ``duration`` are in
    seconds. ``choices`` only for a ``choice``, whose values are written as bare words.
    """

    name: str
    kind: Kind
    default: Scalar
    doc: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    choices: tuple[str, ...] = ()

    def domain(self) -> str:
        """What a value may be, as a phrase: ``an int of at least 1``."""
        if self.kind == "choice":
            return "one of " + ", ".join(f"`{c}`" for c in self.choices)
        if self.kind == "bool":
            return "`true` or `false`"
        if self.kind == "text":
            return 'a text such as `"a b"`'
        noun = {"int": "an int", "float": "a number", "duration": "a duration such as `30s`"}[self.kind]
        if self.low is not None and self.high is not None:
            return f"{noun} in {'(' if self.low_open else '['}{self.low:g}, {self.high:g}]"
        if self.low is not None:
            return f"{noun} {'above' if self.low_open else 'of at least'} {self.low:g}"
        return noun


@dataclass(frozen=True, slots=True)
class TrainerSchema:
    """The settings of one algorithm; ``elsewhere`` names keys that are said in another place of the spec."""

    algorithm: str
    doc: str
    settings: tuple[Setting, ...]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def setting(self, name: str) -> Setting | None:
        """The setting of that name, or None."""
        return next((s for s in self.settings if s.name == name), None)

    def defaults(self) -> dict[str, Scalar]:
        """Every key with its default."""
        return {s.name: s.default for s in self.settings}


class Given(NamedTuple):
    """A value as the author gave it.

    A bare word is a ``str``. A quantity with a unit of time has been converted to seconds, with
    ``is_duration`` set. The spans are of the key and of the value.
    """

    value: object
    is_duration: bool = False
    key_span: Span | None = None
    value_span: Span | None = None


def _settings(*groups: tuple[Setting, ...], **defaults: Scalar) -> tuple[Setting, ...]:
    """Groups joined, a later setting of a name in place of an earlier one, with other defaults where given."""
    made = {s.name: s for group in groups for s in group}
    return tuple(replace(s, default=defaults.get(s.name, s.default)) for s in made.values())


_RUN = (
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
_ADAM = (
    Setting("learning_rate", "float", 1e-3, "Step size of Adam.", 0, 1, low_open=True),
    Setting("anneal", "bool", False, "Let the step size fall linearly to zero over `steps`."),
    Setting("max_grad_norm", "float", 0.5, "Longer gradients are scaled down to this norm; 0 for no limit.", 0),
)
_NETWORK = (
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
_TASKS = Setting(
    "tasks",
    "choice",
    "together",
    "Whether an episode is about all tasks, or about one of them in turn.",
    choices=("together", "each"),
)
_COUNTERFACTUAL = Setting(
    "counterfactual", "bool", True, "Learn from every step for all states in which a reward machine could have been."
)
_REWARD = (
    Setting("normalize_rewards", "bool", False, "Scale rewards by the running deviation of the return."),
    Setting("novelty", "float", 0.0, "Bonus for an observation at its first visit; it falls with the visits.", 0),
    _TASKS,
)
_SHIELD = (
    Setting("shield", "bool", False, "Act under the shields that `deploy` names, as a mask of the actions."),
)
_BOX = (
    Setting("box", "text", "", "The system's controller around whose action the policy's is kept at first."),
    Setting("box_width", "float", 0.2, "How wide that box is at first, of the range.", 0, 1, low_open=True),
    Setting("box_share", "float", 0.5, "Share of `steps` in which it grows to all of it.", 0, 1, low_open=True),
)
_BUDGETS = (
    Setting("budget_kp", "float", 0.1, "How much a budget's multiplier is of the present excess of the cost.", 0),
    Setting("budget_ki", "float", 0.01, "How much it is of the sum of excesses so far.", 0),
    Setting("budget_kd", "float", 0.01, "How much it is of the rise of the cost since the update before.", 0),
)
_BUDGETED = (
    Setting(
        "budget_method",
        "choice",
        "lagrangian",
        "How budgets are kept: multipliers weigh costs against rewards, or each update is projected onto them.",
        choices=("lagrangian", "projection"),
    ),
    *_BUDGETS,
    Setting("budget_radius", "float", 0.01, "How far a projection may move the policy (divergence).", 0, low_open=True),
)
_STARTS = (
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
_PRIVILEGED = (
    Setting("privileged", "text", "", "Parts of the observation that the value function alone reads, by name."),
)
_DISCOUNT = {"discount": "reward { discount = ... }", "gamma": "reward { discount = ... }"}

_WEIGHTING = (
    Setting(
        "weighting",
        "choice",
        "uniform",
        "Which episodes are drawn more often: none, or those of high return or advantage.",
        choices=("uniform", "return", "advantage"),
    ),
    Setting("weight_alpha", "float", 0.1, "How even the weights are: they are `softmax(x / alpha)`.", 0, low_open=True),
)

PPO = TrainerSchema(
    "ppo",
    "Proximal policy optimisation with a clipped objective and generalised advantages.",
    _settings(
        _RUN,
        (
            Setting("rollout", "int", 128, "Steps of each environment between two updates.", 1, 1_000_000),
            Setting("epochs", "int", 4, "Passes over each batch of experience.", 1, 1000),
            Setting("minibatches", "int", 8, "Parts into which a batch is shuffled in each pass.", 1, 100_000),
        ),
        _ADAM,
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
            *_WEIGHTING,
        ),
        _REWARD,
        _STARTS,
        _NETWORK,
        _PRIVILEGED,
        _SHIELD,
        _BOX,
        _BUDGETED,
        anneal=True,
    ),
    _DISCOUNT,
)

_REPLAY = (
    replace(_COUNTERFACTUAL, default=False),
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
_OFF_POLICY: dict[str, Scalar] = {
    "envs": 1, "rollout": 500, "learning_rate": 3e-4, "max_grad_norm": 0.0, "hidden": 256, "activation": "relu",
}  # fmt: skip

DQN = TrainerSchema(
    "dqn",
    "Deep Q-learning: the values of discrete actions from replay, double by default.",
    _settings(
        _RUN,
        _REPLAY,
        (
            Setting("double", "bool", True, "Choose the next action with the network, not with its target."),
            Setting("target_every", "int", 1, "Gradient steps between two moves of the target network.", 1),
            Setting("exploration", "float", 0.3, "Share of `steps` over which `epsilon_start` falls.", 0, 1),
            Setting("epsilon_start", "float", 1.0, "Probability of a random action at first.", 0, 1),
            Setting("epsilon_end", "float", 0.05, "Probability of a random action in the end.", 0, 1),
        ),
        _ADAM,
        _REWARD,
        _STARTS,
        _NETWORK,
        _SHIELD,
        **{**_OFF_POLICY, "learning_rate": 1e-3, "max_grad_norm": 10.0, "hidden": 64, "batch": 64},
    ),
    _DISCOUNT,
)

_SOFT = (
    Setting("critics", "int", 2, "Critics; the least of two of them is believed.", 1, 100),
    Setting("layer_norm", "bool", False, "Normalise the hidden layers of the critics."),
    Setting("entropy_weight", "float", 0.0, "Fixed weight of the entropy; 0 to learn it.", 0),
    Setting("initial_temperature", "float", 1.0, "Weight of the entropy at first, if it is learned.", 0, low_open=True),
    Setting(
        "target_entropy", "float", 0.6, "Of discrete actions: the entropy aimed at, as a share of the greatest.", 0, 1
    ),
)
_FILE = Setting("data", "text", "", "The file of recorded experience.")

SAC = TrainerSchema(
    "sac",
    "Soft actor-critic: entropy-regularised learning from replay, continuous or discrete.",
    _settings(_RUN, _REPLAY, _SOFT, _ADAM, _REWARD, _STARTS, _NETWORK, _PRIVILEGED, _BOX, _BUDGETS, **_OFF_POLICY),
    _DISCOUNT,
)

RLPD = TrainerSchema(
    "rlpd",
    "Soft actor-critic with recorded data in half of each batch, many critics and many updates.",
    _settings(
        _RUN,
        (_FILE, Setting("prior_share", "float", 0.5, "Share of each batch that comes from `data`.", 0, 1)),
        _REPLAY,
        _SOFT,
        _ADAM,
        _REWARD,
        _STARTS,
        _NETWORK,
        _PRIVILEGED,
        **{**_OFF_POLICY, "critics": 10, "layer_norm": True, "updates": 10},
    ),
    _DISCOUNT,
)

_DELAYED = (
    Setting("policy_delay", "int", 2, "Gradient steps of the critics between two of the policy.", 1, 1000),
    Setting("target_noise", "float", 0.2, "Deviation of the noise on the target's action.", 0),
    Setting("target_clip", "float", 0.5, "Bound of that noise.", 0),
)

TD3 = TrainerSchema(
    "td3",
    "Twin delayed deep deterministic policy gradient: continuous actions from replay.",
    _settings(
        _RUN,
        _REPLAY,
        _DELAYED,
        (
            Setting("exploration_noise", "float", 0.1, "Deviation of the noise on actions, of half their range.", 0),
            Setting("bc_alpha", "float", 0.0, "Weight of the value beside cloning; 0 for no cloning.", 0),
        ),
        _BOX,
        _ADAM,
        _REWARD,
        _STARTS,
        _NETWORK,
        _PRIVILEGED,
        **_OFF_POLICY,
    ),
    _DISCOUNT,
)

_OFFLINE = (
    Setting("steps", "int", 100_000, "Gradient steps to train for.", 1),
    Setting("rollout", "int", 500, "Gradient steps between two lines of the log.", 1, 1_000_000),
    _FILE,
    Setting("batch", "int", 256, "Transitions of a gradient step.", 1, 1_000_000),
    *_WEIGHTING,
)
_OFFLINE_RUN = (*(s for s in _RUN if s.name != "envs"), *_OFFLINE)
_OFFLINE_DEFAULTS = {k: v for k, v in _OFF_POLICY.items() if k != "envs"}

BC = TrainerSchema(
    "bc",
    "Behaviour cloning of recorded experience.",
    _settings(_OFFLINE_RUN, _ADAM, _NETWORK, **_OFFLINE_DEFAULTS),
    _DISCOUNT,
)

DT = TrainerSchema(
    "dt",
    "Decision transformer: actions of recorded experience, told the return that is still to come.",
    _settings(
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
        _ADAM,
        (
            Setting("hidden", "int", 64, "Size of a token.", 4, 8192),
            Setting("layers", "int", 3, "Blocks of the transformer.", 1, 64),
        ),
        **{**_OFFLINE_DEFAULTS, "learning_rate": 1e-3, "max_grad_norm": 0.25, "hidden": 64, "batch": 64},
    ),
    _DISCOUNT,
)

IQL = TrainerSchema(
    "iql",
    "Implicit Q-learning from recorded experience.",
    _settings(
        _OFFLINE_RUN,
        (
            Setting("expectile", "float", 0.7, "Which expectile of the critics the value is.", 0, 1, low_open=True),
            Setting("beta", "float", 3.0, "How much better actions are preferred when they are cloned.", 0),
            Setting("tau", "float", 0.005, "Share of the way that a target network goes at a time.", 0, 1),
        ),
        _ADAM,
        _NETWORK,
        **_OFFLINE_DEFAULTS,
    ),
    _DISCOUNT,
)

TD3_BC = TrainerSchema(
    "td3_bc",
    "TD3 with behaviour cloning, from recorded experience.",
    _settings(
        _OFFLINE_RUN,
        _DELAYED,
        (
            Setting("bc_alpha", "float", 2.5, "Weight of the value beside cloning.", 0, low_open=True),
            Setting("tau", "float", 0.005, "Share of the way that a target network goes at a time.", 0, 1),
        ),
        _ADAM,
        _NETWORK,
        **_OFFLINE_DEFAULTS,
    ),
    _DISCOUNT,
)

Q = TrainerSchema(
    "q",
    "Q-learning in a table, for environments with few observations.",
    _settings(
        _RUN,
        (
            Setting("envs", "int", 1, "Environments stepped at once; they share the table.", 1, 4096),
            Setting("rollout", "int", 1000, "Steps of each environment between two lines of the log.", 1, 1_000_000),
            Setting("learning_rate", "float", 0.5, "How far a value moves to its new estimate.", 0, 1, low_open=True),
            Setting("epsilon", "float", 0.1, "How often a random action is taken.", 0, 1),
            Setting("initial", "float", 1.0, "Value of what was never tried: high values explore."),
            Setting("hierarchy", "choice", "none", "Whether options for the edges of the machine are learned (`hrm`).",
                    choices=("none", "hrm")),
        ),
        (_TASKS, _COUNTERFACTUAL),
    ),
    _DISCOUNT,
)  # fmt: skip

CRM = TrainerSchema(
    "crm",
    "Deep Q-learning for reward machines: every step teaches the values of all their states.",
    _settings(
        _RUN,
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
        _ADAM,
        (
            Setting("hidden", "int", 256, "Units of a hidden layer.", 1, 8192),
            Setting("layers", "int", 3, "Hidden layers that all states share.", 1, 16),
        ),
        (_TASKS, _COUNTERFACTUAL),
        **{"learning_rate": 5e-4, "max_grad_norm": 10.0},
    ),
    _DISCOUNT,
)  # fmt: skip

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
    "history", "memory", "privileged", "tasks", "novelty", "normalize_rewards", "legal_coef", "shield",
    *(s.name for s in _STARTS), *(s.name for s in _BUDGETED), *(s.name for s in _BOX),
}  # fmt: skip
TGPO = TrainerSchema(
    "tgpo",
    "A policy that is told timed subgoals of the formulas, and plans for it that the critic chooses.",
    tuple(
        replace(s, default=_TGPO_DEFAULTS.get(s.name, s.default))
        for s in (*PPO.settings, *_PLANS)
        if s.name not in _WITHOUT
    ),
    _DISCOUNT,
)

DESCENT = TrainerSchema(
    "descent",
    "Gradients of robustness through the declared dynamics, for a policy of the state.",
    _settings(
        tuple(s for s in _RUN if s.name != "envs"),
        (
            Setting("steps", "int", 2000, "Gradient steps to train for.", 1),
            Setting("rollout", "int", 20, "Gradient steps between two lines of the log.", 1, 1_000_000),
            Setting("batch", "int", 64, "Runs of a gradient step.", 1, 1_000_000),
            Setting("margin", "float", 0.05, "Robustness that every run is to have.", 0),
            Setting("hard", "float", 0.5, "Share of a batch that begins where a proof has failed.", 0, 1),
            Setting("tube", "float", 0.0, "Weight of what bounds of robustness on reach tubes lack.", 0),
            Setting("tubes", "int", 4, "Parts of the starts whose tubes a gradient step follows.", 1),
            Setting("cells", "int", 4, "How many of these parts lie along a side.", 1),
        ),
        _ADAM,
        _NETWORK,
        **{
            "learning_rate": 3e-3, "anneal": True, "max_grad_norm": 1.0, "hidden": 32, "normalize_observations": True,
        },
    ),
)  # fmt: skip

NPC = TrainerSchema(
    "npc",
    "A controller trained up the robustness of its rollouts in the declared system, which predicts what it will do.",
    _settings(
        tuple(s for s in _RUN if s.name != "envs"),
        (
            Setting("steps", "int", 2000, "Gradient steps to train for, each over a batch of rollouts.", 1),
            Setting("rollout", "int", 20, "Gradient steps between two lines of the log.", 1, 1_000_000),
            Setting("batch", "int", 128, "Rollouts of a gradient step.", 1, 100_000),
            Setting("margin", "float", 0.1, "Robustness beyond which nothing is gained.", 0),
            Setting("sharpness", "float", 10.0, "How sharp the smooth robustness is (log-sum-exp).", 0, low_open=True),
            Setting("predict_every", "int", 5, "Steps between two predictions of a run.", 1, 100_000),
            Setting("refine", "int", 60, "Gradient steps on the inputs where a prediction fails; 0 for none.", 0),
            Setting("backup", "text", "", "The declared controller that acts where that fails too."),
        ),
        _ADAM,
        tuple(s for s in _NETWORK if s.name not in ("history", "memory", "encoder")),
        **{"learning_rate": 3e-3, "max_grad_norm": 1.0, "anneal": True, "normalize_observations": True},
    ),
    _DISCOUNT,
)

TRAINERS: dict[str, TrainerSchema] = {
    schema.algorithm: schema
    for schema in (PPO, TGPO, NPC, DQN, SAC, TD3, RLPD, BC, IQL, TD3_BC, DT, Q, CRM, DESCENT)
}
"""Every algorithm that a ``train`` block may name."""

STATE_POLICIES: frozenset[str] = frozenset(("descent",))
"""Those that learn from the formulas themselves, of the state alone: they need no reward and can end with a proof."""


def proved_names(until: str | None) -> tuple[str, ...]:
    """The formulas that ``train ... until proved(f) & proved(g)`` is to end with proved; none for other conditions."""
    return tuple(re.findall(r"proved\((\w+)\)", until or ""))


def check_algorithm(name: str, span: Span | None) -> Diagnostic | None:
    """The diagnostic for an algorithm that does not exist, or None."""
    if name in TRAINERS:
        return None
    known = ", ".join(f"`{a}`" for a in TRAINERS)
    return report("AS0610", span, name=name, known=known, suggestion=_nearest(name, TRAINERS))


def check_settings(algorithm: str, given: Mapping[str, Given]) -> tuple[dict[str, Scalar], list[Diagnostic]]:
    """Validate the settings of a ``train`` block.

    Returns every key of the algorithm with its value (the default where none or a wrong one was given) and
    the diagnostics. ``algorithm`` is in :data:`TRAINERS`.
    """
    return check_against(TRAINERS[algorithm], given)


def check_against(schema: TrainerSchema, given: Mapping[str, Given]) -> tuple[dict[str, Scalar], list[Diagnostic]]:
    """Validate settings against a schema, as :func:`check_settings` does for an algorithm."""
    values = schema.defaults()
    found: list[Diagnostic] = []
    for name, entry in given.items():
        setting = schema.setting(name)
        if setting is None:
            if name in schema.elsewhere:
                found.append(report("AS0612", entry.key_span, name=name, place=schema.elsewhere[name]))
            else:
                nearest = _nearest(name, [s.name for s in schema.settings])
                owner = schema.algorithm
                found.append(report("AS0611", entry.key_span, name=name, algorithm=owner, suggestion=nearest))
            continue
        value = _convert(setting, entry)
        where = entry.value_span or entry.key_span
        if value is None:
            nearest = _nearest(str(entry.value), setting.choices) if setting.kind == "choice" else None
            shown = _show(entry)
            found.append(report("AS0613", where, name=name, value=shown, domain=setting.domain(), suggestion=nearest))
        elif not _within(setting, value):
            found.append(report("AS0614", where, name=name, value=_show(entry), domain=setting.domain()))
        else:
            values[name] = value
    return values, found


def describe(topic: str) -> str:
    """What a setting means, or all of an algorithm's, or which algorithms there are.

    Topics are ``train``, ``train.ppo``, ``train.ppo.envs``. Raises ``AgentcError`` for what is not there.
    """
    words = topic.split(".")
    if len(words) == 1:
        return "".join(f"train.{schema.algorithm}: {schema.doc}\n" for schema in TRAINERS.values())
    schema = TRAINERS.get(words[1])
    if schema is None:
        found = check_algorithm(words[1], None)
        raise AgentcError([found] if found is not None else [])
    settings = {s.name: s for s in schema.settings}
    if len(words) == 2:
        head = f"train.{schema.algorithm}: {schema.doc}\n\n"
        return head + "".join(_described(s) for s in settings.values())
    name = ".".join(words[2:])
    if name not in settings:
        near = _nearest(name, list(settings))
        raise AgentcError([report("AS0611", None, algorithm=schema.algorithm, name=name, suggestion=near)])
    return _described(settings[name])


def _described(setting: Setting) -> str:
    default = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
    if setting.kind == "text":
        default = f'"{default}"'
    unit = "s" if setting.kind == "duration" else ""
    return f"{setting.name} = {default}{unit}\n    {setting.doc} It is {setting.domain()}.\n"


def _convert(setting: Setting, entry: Given) -> Scalar | None:
    value = entry.value
    if setting.kind == "bool":
        return value if isinstance(value, bool) else None
    if setting.kind == "choice":
        return value if isinstance(value, str) and value in setting.choices else None
    if setting.kind == "text":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value != value or value in (float("inf"), float("-inf")):
        return None
    if entry.is_duration != (setting.kind == "duration"):
        return None
    if setting.kind == "int":
        return int(value) if value == int(value) else None
    return float(value)


def _within(setting: Setting, value: Scalar) -> bool:
    if isinstance(value, str) or setting.kind == "bool":
        return True
    if setting.low is not None and (value < setting.low or (setting.low_open and value == setting.low)):
        return False
    return setting.high is None or value <= setting.high


def _show(entry: Given) -> str:
    if isinstance(entry.value, bool):
        return "true" if entry.value else "false"
    return f"{entry.value}s" if entry.is_duration else str(entry.value)


def _nearest(word: str, valid: Mapping[str, object] | list[str] | tuple[str, ...]) -> str | None:
    from difflib import get_close_matches  # only where something is wrong

    matches = get_close_matches(word, list(valid), n=1)
    return matches[0] if matches else None
