"""A controller that predicts: it acts while its prediction satisfies the formulas, else something is done about it.

Source: Meng, Fan, *Signal Temporal Logic Neural Predictive Control*, arXiv 2309.05131, section IV (roll out, check,
execute, roll out again; a backup policy where the check fails). Deviation: a prediction is the controller's own rollout
behind what has happened so far, so that what is checked is the robustness of the whole trace. Where it fails, many
first inputs are tried, each with the controller's own behind them (``search``: the paper's backup policy, which tries a
grid over four steps; ours are drawn, half of them held over those steps). Where none of them will do, whole sequences
of held inputs are drawn, and drawn nearer to the best (the cross-entropy method, as in
:mod:`agentc.runtime.planning.cross_entropy`). Where that fails, the inputs to come are moved up the gradient of the
robustness, from the best that was found (``refine``). Where that fails too the declared controller that is named
``backup`` acts, or what was best so far if there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.policy import Policy
from agentc.runtime.planning.cross_entropy import CrossEntropy, nearer_to_the_best
from agentc.runtime.predictive.model import Model, repeated
from agentc.runtime.subgoals.judging import JudgedEnv

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

FIRST = 4
"""The steps of the first inputs that a search tries."""
ROWS = 8192
"""Rollouts of a search at once."""
ROUNDS, BEST, MOVE = 8, 0.1, 0.7
"""Of whole sequences: how often they are drawn, the share that is the best, and the share of the move towards those."""
CHOSEN = ("policy", "refined", "backup", "searched")
MARGIN = 0.05
"""The robustness beyond which a refinement gains nothing from a part of the formulas, and a search ends."""
RATE = 0.1
"""The step size of the refinement, in units of half an input's range."""


@dataclass(frozen=True)
class Ran:
    """What came of runs: traces ``(batch, last + 1, n + m)``, whether each satisfies the formulas by the exact
    semantics, and in what share of the predictions each of ``CHOSEN`` acted."""

    traces: Floats
    satisfied: Truths
    shares: Mapping[str, float]


class Predictor:
    """Decides, for rows of states with their past, what is done in the next steps.

    Args:
        network: the trained controller.
        model: the declared system and the formulas.
        every: steps between two predictions.
        refine: the most gradient steps of a refinement; 0 for none.
        backup: the name of a declared controller, or nothing.
        search: how many first inputs are tried; 0 for none.
    """

    def __init__(
        self, network: ActorCritic, model: Model, every: int = 5, refine: int = 60, backup: str = "", search: int = 0
    ) -> None:
        self.network, self.model, self.every, self.refine, self.backup = network, model, every, refine, backup
        self.search = search

    def decide(self, past: Floats, t: int) -> tuple[Floats, NDArray[np.int64]]:
        """The inputs ``(batch, k, m)`` of the next ``k <= every`` steps, and who chose them: 0 the policy, 1 the
        refinement, 2 the backup, 3 the search. ``past`` are the traces so far, ``(batch, t + 1, n + m)``.
        """
        model, n = self.model, len(self.model.problem.system.states)
        state, before = torch.tensor(past[:, -1, :n]), torch.tensor(past)
        k = min(self.every, model.last - t)
        with torch.no_grad():
            states, inputs = model.rollout(state, t, self.network)
            predicted = model.robustness(self._whole(before, states, inputs))
        chosen = inputs.numpy()[:, :k].copy()
        who = np.zeros(len(past), np.int64)
        failing = np.flatnonzero(predicted < MARGIN)  # a prediction has no disturbances: what just holds may not
        best, value = inputs.numpy()[failing], predicted[failing]
        for number, found in ((3, self._searched), (1, self._refined)):
            open_ = np.flatnonzero(value < MARGIN)
            if not len(open_) or not (self.search if number == 3 else self.refine):
                continue
            rows = failing[open_]
            other, worth = found(before[rows], state[rows], t, torch.tensor(best[open_]))
            better = open_[worth > value[open_]]
            best[better], value[better] = other[worth > value[open_]], worth[worth > value[open_]]
            who[failing[better]] = number
        chosen[failing] = best[:, :k]
        failing = failing[value < 0.0]
        if len(failing) and self.backup:
            with torch.no_grad():
                held = state[failing]
                mode = torch.zeros(len(failing), dtype=torch.int64)
                nominal = torch.tensor(model.problem.disturbance).expand(len(failing), -1)
                for step in range(k):
                    given = model.simulator.control(self.backup, held)
                    chosen[failing, step] = given.numpy()
                    held, mode = model.simulator.step(held, mode, given, nominal)
            who[failing] = 2
        return chosen, who

    def run(self, start: Floats, seed: int) -> Ran:
        """Runs from states ``(batch, n)``, with disturbances drawn from ``seed``."""
        model, batch = self.model, len(start)
        simulator, rng = model.simulator.numpy, np.random.default_rng([seed, 11])
        width = start.shape[1] + len(model.problem.system.inputs)
        traces = np.zeros((batch, model.last + 1, width))
        traces[:, 0, : start.shape[1]] = start
        state, mode, counts = start, np.zeros(batch, np.int64), np.zeros(len(CHOSEN))
        t = 0
        while t < model.last:
            inputs, who = self.decide(traces[:, : t + 1], t)
            counts += np.bincount(who, minlength=len(CHOSEN))
            for given in inputs.transpose(1, 0, 2):
                state, mode = simulator.step(state, mode, given, simulator.noise(rng, batch))
                t += 1
                traces[:, t] = np.concatenate([state, given], axis=1)
        satisfied: Truths = np.asarray(model.formula.satisfaction_at(traces), np.bool_)
        shares = counts / max(counts.sum(), 1.0)
        return Ran(traces, satisfied, dict(zip(CHOSEN, shares.tolist(), strict=True)))

    # ------------------------------------------------------------ parts

    def _whole(self, past: Tensor, states: Tensor, inputs: Tensor) -> Tensor:
        """The past with what is predicted behind it."""
        return torch.cat([past, torch.cat([states[:, 1:], inputs], dim=2)], dim=1)

    def _searched(self, past: Tensor, state: Tensor, t: int, guess: Tensor) -> tuple[Floats, Floats]:
        """Of many first inputs, each with the controller's behind them, the best, and their exact robustness."""
        model, count = self.model, self.search
        first = min(FIRST, model.last - t)
        rng = np.random.default_rng([t, 19])
        drawn = rng.random((count, first, guess.shape[2]))
        drawn[: count // 2] = drawn[: count // 2, :1]
        tried = model.loop.lo + torch.tensor(drawn) * (model.loop.hi - model.loop.lo)
        best, value = guess.numpy().copy(), np.full(len(guess), -np.inf)
        with torch.no_grad():
            for row in range(len(guess)):
                for some in torch.split(tried, ROWS):
                    n = len(some)
                    nominal = torch.tensor(model.problem.disturbance).expand(n, first, -1)
                    begun, given = model.loop.run(some, state[row].expand(n, -1), nominal)
                    then, behind = model.rollout(begun[:, -1], t + first, self.network)
                    states, inputs = torch.cat([begun, then[:, 1:]], 1), torch.cat([given, behind], 1)
                    exact = model.robustness(self._whole(past[row].expand(n, -1, -1), states, inputs))
                    k = int(np.argmax(exact))
                    if exact[k] > value[row]:
                        best[row], value[row] = inputs[k].numpy(), exact[k]
                if value[row] < MARGIN:
                    sequence, worth = self._drawn(past[row], state[row], t, rng)
                    if worth > value[row]:
                        best[row], value[row] = sequence, worth
        return best, value

    def _drawn(self, past: Tensor, state: Tensor, t: int, rng: np.random.Generator) -> tuple[Floats, float]:
        """Of whole sequences of inputs, each held over as many steps as a search tries first, the best, and its exact
        robustness."""
        model, count = self.model, self.search

        def worth(inputs: Floats) -> Floats:
            given = torch.tensor(inputs)
            states, _ = model.rollout(state.expand(count, -1), t, given)
            return model.robustness(self._whole(past.expand(count, -1, -1), states, given))

        budget = CrossEntropy(count, max(2, int(BEST * count)), ROUNDS, move=MOVE)
        held = np.arange(model.last - t) // FIRST
        lo, hi = model.loop.lo.numpy(), model.loop.hi.numpy()
        return nearer_to_the_best(worth, lo, hi, held, budget, rng, spread=1.0, enough=lambda v: v >= MARGIN)

    def _refined(self, past: Tensor, state: Tensor, t: int, guess: Tensor) -> tuple[Floats, Floats]:
        """Inputs moved up the gradient of the robustness, the best that were met, and their exact robustness."""
        model = self.model
        lo, hi = model.loop.lo, model.loop.hi
        middle, half = (lo + hi) / 2, (hi - lo) / 2
        raw = ((guess - middle) / half).clamp(-1.0, 1.0).clone().requires_grad_(True)
        first, second = torch.zeros_like(raw), torch.zeros_like(raw)
        best, value = guess.numpy().copy(), np.full(len(guess), -np.inf)
        for step in range(1, self.refine + 1):
            inputs = middle + half * raw
            states, _ = model.rollout(state, t, inputs)
            trace = self._whole(past, states, inputs)
            exact = model.robustness(trace)
            better = exact > value
            best[better], value[better] = inputs.detach().numpy()[better], exact[better]
            if (value >= MARGIN).all():
                break
            (gradient,) = torch.autograd.grad(-model.short(trace, MARGIN).sum(), raw)
            gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
            with torch.no_grad():  # Adam, Kingma and Ba (2015), up the gradient, within the ranges
                first = 0.9 * first + 0.1 * gradient
                second = 0.99 * second + 0.01 * gradient.square()
                move = (first / (1 - 0.9**step)) / ((second / (1 - 0.99**step)).sqrt() + 1e-8)
                raw += RATE * move
                raw.clamp_(-1.0, 1.0)
        return best, value


class Predicting:
    """A predictor as an actor of evaluations."""

    def __init__(self, policy: Policy, predictor: Predictor) -> None:
        self.policy, self.predictor = policy, predictor
        self._env: PredictedEnv | None = None

    def within(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with the time in what is observed, and with verdicts at the end."""
        self._env = PredictedEnv(env, self.predictor)
        return self._env

    def check_spaces(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """Raises AS0844 for a policy of other spaces."""
        ahead = self.policy.architecture.action.size // len(self.predictor.model.problem.system.inputs)
        self.policy.check_spaces(observation_space, repeated(action_space, ahead))

    def act(self, observation: Any, mask: Any, randomness: np.random.Generator | None) -> Any:
        """What the prediction that was last made says, for the one row there is."""
        assert self._env is not None
        return self._env.chosen()[None].astype(np.float32)


class PredictedEnv(JudgedEnv):
    """A declared environment, as a controller that predicts sees it."""

    def __init__(self, env: gymnasium.Env[Any, Any], predictor: Predictor) -> None:
        super().__init__(env, predictor.model.problem)
        self._predictor = predictor
        self._ahead: list[Floats] = []
        self.observation_space = spaces.Box(-np.inf, np.inf, (predictor.model.size,), np.float32)

    def chosen(self) -> Floats:
        """The inputs of the next step."""
        if not self._ahead:
            past = np.nan_to_num(np.array(self.trace))[None]
            inputs, _ = self._predictor.decide(past, len(self.trace) - 1)
            self._ahead = list(inputs[0])
        return self._ahead.pop(0)

    def begun(self, info: dict[str, Any]) -> dict[str, Any]:
        """Nothing is planned yet."""
        self._ahead = []
        return info

    def seen(self) -> NDArray[np.float32]:
        """The outputs and the time."""
        state = torch.tensor(self.inner.batch.state)
        found: NDArray[np.float32] = self._predictor.model.seen(state, len(self.trace) - 1).numpy()[0]
        return found
