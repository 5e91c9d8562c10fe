"""What a ``verify`` item may say: the methods and the settings of each, as plain data."""

from __future__ import annotations

from agentc.compiler.settings import Setting, TrainerSchema

_TIME = Setting("time", "duration", 60.0, "Give up after this much time.", 0, low_open=True)
_SEED = Setting("seed", "int", 0, "Seed of everything random.", 0, 2**31 - 1)
_SPLIT = Setting("split", "int", 1, "Parts into which each side of the initial set is cut.", 1, 4096)
_HORIZON = Setting("horizon", "duration", 0.0, "Time to cover; 0 for the horizon of the environment.", 0)

TRAINED = "trained"
"""The controller that is the policy which was trained for the agent."""

_CONTROLLER = Setting(
    "controller",
    "text",
    "",
    "What sets the inputs: a controller that the system declares, the path of an ONNX file from the spec's folder, "
    "`trained`, the policy that was trained, or, for an environment, the folder of a training run.",
)
_VARY = Setting("vary", "text", "", 'Arguments of the environment that vary, with their ranges: `"max_steps 50 100"`.')

METHODS: dict[str, TrainerSchema] = {
    schema.algorithm: schema
    for schema in (
        TrainerSchema(
            "network",
            "Input-output properties of a network, by bounds and branching.",
            (_TIME, _CONTROLLER, Setting("splits", "int", 1_000_000, "Most boxes to bound.", 1)),
        ),
        TrainerSchema(
            "model",
            "Explicit finite models: safety, reachability probability.",
            (
                _TIME,
                Setting("controller", "text", "", "What acts: the folder of a trained policy, from the spec's folder."),
                Setting("states", "int", 1_000_000, "Most states to build.", 1),
                Setting("starts", "int", 1000, "Seeds whose starts are explored, where an environment draws them.", 1),
                Setting("tolerance", "float", 1e-6, "Greatest error of a probability.", 0, 1, low_open=True),
            ),
        ),
        TrainerSchema(
            "bmc",
            "Bounded search for a violation with a solver.",
            (_TIME, Setting("bound", "int", 20, "Longest trace to look at, in steps.", 0, 100_000)),
        ),
        TrainerSchema(
            "induction",
            "Proof by k-induction or an inductive invariant.",
            (_TIME, Setting("k", "int", 1, "Steps that the induction may look back.", 1, 10_000)),
        ),
        TrainerSchema(
            "reach",
            "Reachable sets of declared dynamics under a controller.",
            (
                _HORIZON,
                _SPLIT,
                _TIME,
                _CONTROLLER,
                Setting("order", "int", 4, "Order of the Taylor expansion.", 1, 32),
            ),
        ),
        TrainerSchema(
            "data",
            "Reachable sets from recorded trajectories under a noise bound.",
            (
                _HORIZON,
                _SPLIT,
                _TIME,
                _CONTROLLER,
                Setting("trajectories", "text", "", "The recorded trajectories, a path from the spec's folder."),
                Setting("plan", "text", "", "The actions in question, a path from the spec's folder; none: all."),
                Setting("noise", "float", 0.0, "Bound of what is added to every state in every step.", 0),
                Setting("noises", "text", "", 'Bounds of single states: `"x 0.01, theta 0.002"`.'),
                Setting(
                    "model",
                    "choice",
                    "linear",
                    "What the next state is of states and inputs.",
                    choices=("linear", "affine", "polynomial", "lipschitz"),
                ),
                Setting("degree", "int", 2, "Of a `polynomial`.", 1, 8),
                Setting("features", "text", "", 'What it is a combination of, not `model`: `"x v*cos(theta)"`.'),
                Setting("lipschitz", "float", 0.0, "The constant of a `lipschitz` model, of every next state.", 0),
                Setting(
                    "bounds",
                    "choice",
                    "tight",
                    "How the models are enclosed: by linear programs, or as a matrix zonotope.",
                    choices=("tight", "zonotope"),
                ),
            ),
        ),
        TrainerSchema(
            "automaton",
            "Every dialogue that the decoder can write, or that its behaviour allows, satisfies it.",
            (
                _TIME,
                Setting(
                    "of",
                    "choice",
                    "auto",
                    "Whose dialogues: what the decoder can write, or all that every `behavior` allows (of a `safe`).",
                    choices=("auto", "decoder", "behavior"),
                ),
            ),
        ),
        TrainerSchema(
            "falsify",
            "Search for a violation in a simulator, by robustness.",
            (
                _TIME,
                _SEED,
                _CONTROLLER,
                _VARY,
                Setting("episodes", "int", 1000, "Most episodes to run.", 1),
                Setting(
                    "search",
                    "choice",
                    "auto",
                    "What chooses runs: `bayesian` where they are dear.",
                    choices=("auto", "bayesian"),
                ),
            ),
        ),
        TrainerSchema(
            "statistical",
            "A hypothesis test on simulated episodes.",
            (
                _TIME,
                _SEED,
                _CONTROLLER,
                _VARY,
                Setting("episodes", "int", 1000, "Most episodes to run.", 1),
                Setting("confidence", "float", 0.95, "Confidence of the test.", 0, 1, low_open=True),
            ),
        ),
    )
}
"""Every method that ``verify f by ...`` may name."""

SHIELD = TrainerSchema(
    "shield",
    "The safe actions of a finite model as a mask.",
    (
        Setting("threshold", "float", 1.0, "Least probability of staying safe that an action must leave.", 0, 1,
                low_open=True),
        Setting("states", "int", 1_000_000, "Most states to build.", 1),
    ),
)  # fmt: skip
"""What ``shield f { ... }`` may say."""

SHIELDING: tuple[str, ...] = ("model",)
"""The methods that make shields."""
