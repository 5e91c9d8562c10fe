"""Proximal policy optimisation as a composition: rollouts, credit, the clipped objective, no replay.

Schulman et al., "Proximal Policy Optimization Algorithms" (2017); the objective is in
:mod:`agentc.runtime.learn.objectives.clipped`. Details after Huang et al., "The 37 Implementation Details of
Proximal Policy Optimization" (2022): orthogonal initial weights, Adam with epsilon 1e-5, annealed step size,
advantages normalised per minibatch, gradient norm clipped, value clipping off unless asked for, entropy bonus.

Deviations: values and log-probabilities of a rollout are computed in one pass after it, with the weights that
acted; illegal actions are masked out of the distribution (Huang and Ontañón, 2022), whose masks are replayed from
the constraint's states; losses and entropies are means over decisions: a step with a single legal action is none.
``legal_coef`` adds minus the logarithm of the legal mass of the unmasked distribution, so that the policy learns to
do without its mask. Where costs have budgets, they have critics of their own, and ``budget_method`` says how they are
kept: multipliers weigh the advantages of costs against those of rewards
(:mod:`agentc.runtime.learn.objectives.costs`), or each update is projected onto the budgets
(:mod:`agentc.runtime.learn.objectives.projection`). Demonstrations may be cloned before and during training
(:mod:`agentc.runtime.learn.demonstrations.cloning`); networks are then computed with torch, not by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.credit.estimators import CREDITS
from agentc.runtime.learn.demonstrations.cloning import Cloning, CloningConfig
from agentc.runtime.learn.distributions import Categorical
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.networks.dense import DenseActor, DenseActorCritic, is_dense
from agentc.runtime.learn.networks.encoders import check_codes
from agentc.runtime.learn.objectives.base import named, part
from agentc.runtime.learn.objectives.clipped import clipped_objective, decision_mean, normalized, value_loss
from agentc.runtime.learn.objectives.clipped_dense import DenseClipped
from agentc.runtime.learn.objectives.costs import CostCritic, charged
from agentc.runtime.learn.objectives.projection import Projection, Rollout
from agentc.runtime.learn.optimizer import FlatAdam, learned, refuse, restore_learned
from agentc.runtime.learn.shields.box import Box, box_of
from agentc.runtime.learn.shields.projected import Boxes, ProjectedActor, boxes_of, in_box
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Evaluation, Trajectory
from agentc.runtime.learn.vector import Array, Budgeted, VectorEnv


@dataclass(frozen=True, slots=True)
class PPOConfig(CloningConfig):
    """The settings of ``train ppo``, documented in :data:`agentc.compiler.training_online.PPO`.

    ``privileged`` are names of observation parts for the value function alone, separated by blanks.
    """

    algorithm: ClassVar[str] = "ppo"

    anneal: bool = True
    epochs: int = 4
    minibatches: int = 8
    gae_lambda: float = 0.95
    credit: str = "gae"
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float = 0.0
    value_clip: float = 0.0
    value_coef: float = 0.5
    entropy_coef: float = 0.01
    legal_coef: float = 0.0
    target_kl: float = 0.0
    privileged: str = ""
    shield: bool = False
    box: str = ""
    box_width: float = 0.2
    box_share: float = 0.5
    budget_method: str = "lagrangian"
    budget_kp: float = 0.1
    budget_ki: float = 0.01
    budget_kd: float = 0.01
    budget_radius: float = 0.01


@dataclass(frozen=True, slots=True)
class UpdateStatistics:
    """Means over the minibatches of one update, and what was explained of the returns before it.

    ``decisions`` is the share of steps with more than one legal action, ``legal_mass`` what the unmasked policy
    gives to the legal ones.
    """

    policy_loss: float
    value_loss: float
    entropy: float
    kl: float
    clip_fraction: float
    grad_norm: float
    explained_variance: float
    learning_rate: float
    epochs: int
    decisions: float = 1.0
    legal_mass: float = 1.0
    imitation_loss: float = 0.0


class PPOLearner:
    """Weights and optimiser, and how a trajectory changes them."""

    def __init__(
        self,
        architecture: Architecture,
        config: PPOConfig,
        generator: torch.Generator,
        *,
        by_hand: bool = True,
        costs: tuple[str, ...] = (),
        box: Box | None = None,
    ) -> None:
        """Build a network with weights drawn from ``generator``.

        ``by_hand`` computes small dense networks without torch (:mod:`agentc.runtime.learn.networks.dense`); ``costs``
        are those that have a budget; numbers as actions are kept in ``box``.
        """
        self.config = config
        self.architecture = architecture
        self.network = ActorCritic(architecture, generator)
        self.optimizer = FlatAdam(self.network)
        self.actor = StochasticActor(self.network) if box is None else ProjectedActor(self.network, box)
        self._box = box
        self._cloning = Cloning(architecture, config) if config.data else None
        self._by_hand: DenseClipped | None = None
        imitates = self._cloning is not None and self._cloning.concurrent
        if by_hand and is_dense(architecture) and not imitates and box is None:
            dense = DenseActorCritic(self.network)
            self.actor, self._by_hand = DenseActor(self.network, dense), DenseClipped(dense, self.optimizer, config)
            self._dense = dense
        self.cycle = config.rollout
        self._credit = CREDITS[config.credit](config.discount, config.gae_lambda)
        self._costs = CostCritic(costs, architecture, config, generator) if costs else None
        self._projection = None
        if costs and config.budget_method == "projection":
            self._projection = Projection(self.network, config.budget_radius)
        self._kept: dict[str, float] = {}
        self.baseline = True
        """Whether the critic's value is subtracted from returns."""

    def prepare(self, randomness: np.random.Generator) -> None:
        """Clone demonstrations, before the first rollout of a run."""
        if self._cloning is not None and self.config.pretrain > 0:
            self._cloning.pretrain(self.network, self.optimizer, randomness)

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """One update; see :meth:`update`."""
        assert trajectory is not None
        c = self.config
        rate = c.rate(at.steps - trajectory.steps * trajectory.num_envs)  # that of the update's beginning
        figures = asdict(self.update(trajectory, trajectory.rewards, rate, randomness, (at.steps, at.updates)))
        return figures | self._kept

    def state(self) -> dict[str, Array]:
        """Weights and optimiser, and those of the critic of costs."""
        own = learned(self.network, self.optimizer)
        return own if self._costs is None else own | named("costs", self._costs.state())

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_learned(self.network, self.optimizer, state)
        if self._costs is not None:
            self._costs.restore(part(state, "costs"))

    def worth(self, observation: Mapping[str, Array]) -> NDArray[np.float32]:
        """The critic's values ``(batch,)`` of observations by part."""
        if self._by_hand is not None:
            return self._by_hand.values(self._dense.rows(observation, len(next(iter(observation.values())))))
        with torch.inference_mode():
            found: NDArray[np.float32] = self.network.value(self.network.inputs(observation)).numpy()
        return found

    def evaluate(self, trajectory: Trajectory, boxes: Boxes | None = None) -> Evaluation:
        """Log-probabilities and values of a trajectory under the present weights, and in boxes ``(T * N, d)``."""
        steps, envs = trajectory.steps, trajectory.num_envs
        network = self.network
        if self._by_hand is not None:
            return self._evaluate_by_hand(self._by_hand, trajectory)
        with torch.inference_mode():
            inputs = network.inputs({k: a.reshape(-1, *a.shape[2:]) for k, a in trajectory.observations.items()})
            policy, values = network.both(inputs, _flat(trajectory.masks))
            policy = in_box(policy, boxes)
            log_probs = policy.log_prob(_flat(trajectory.actions))
            bootstrap = np.zeros((steps, envs), np.float32)
            finals = trajectory.finals
            if len(finals.step):
                bootstrap[finals.step, finals.env] = network.value(network.inputs(finals.observation)).numpy()
            last = network.value(network.inputs(trajectory.last_observation)).numpy()
        return Evaluation(log_probs.numpy().reshape(steps, envs), values.numpy().reshape(steps, envs), bootstrap, last)

    def _evaluate_by_hand(self, by_hand: DenseClipped, trajectory: Trajectory) -> Evaluation:
        shape = (trajectory.steps, trajectory.num_envs)
        total = shape[0] * shape[1]
        x, masks = self._dense.rows(trajectory.observations, total), trajectory.masks
        actions = trajectory.actions.reshape(total, *trajectory.actions.shape[2:])
        legal = None if masks is None else masks.reshape(total, -1)
        bootstrap = np.zeros(shape, np.float32)
        finals = trajectory.finals
        if len(finals.step):
            rows = self._dense.rows(finals.observation, len(finals.step))
            bootstrap[finals.step, finals.env] = by_hand.values(rows)
        last = by_hand.values(self._dense.rows(trajectory.last_observation, shape[1]))
        log_probs = by_hand.log_probs(x, actions, legal).reshape(shape)
        return Evaluation(log_probs, by_hand.values(x).reshape(shape), bootstrap, last)

    def update(
        self,
        trajectory: Trajectory,
        rewards: NDArray[np.float32],
        learning_rate: float,
        randomness: np.random.Generator,
        at: tuple[int, int],
    ) -> UpdateStatistics:
        """Improve the policy on ``trajectory``, with ``rewards`` in place of its own.

        ``at`` is ``(steps, update)`` for a diagnostic: AS0942 is raised before a loss or gradient that is not
        finite reaches the weights.
        """
        c = self.config
        check_codes(self.network.architecture, trajectory.observations)
        total = trajectory.steps * trajectory.num_envs
        boxes = boxes_of(self._box, trajectory, at[0] - total)
        before = self.evaluate(trajectory, boxes)
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is found in the loss, and named
            advantages = self._credit(trajectory, rewards, before)
            targets = advantages + before.values
            advantages = advantages if self.baseline else targets
        costs = {} if self._costs is None else self._costs.advantages(self.network, trajectory)
        ahead = None if self._projection is None else self._projection.weights()
        if costs and ahead is None:
            advantages = charged(advantages, costs, trajectory.budgets)
        columns = tuple(a.reshape(-1) for a in (before.log_probs, advantages, targets, before.values))
        legal = trajectory.masks
        decided, share = decisions(trajectory, legal)
        size = -(-total // min(c.minibatches, total))
        step = self._minibatches(trajectory, legal, columns, decided, boxes)
        sums = np.zeros(7)
        count = 0
        epochs = 0
        if self._cloning is not None:
            self._cloning.begin(at[0] - total, randomness)
        for _ in range(c.epochs):
            order = randomness.permutation(total)
            epochs += 1
            moved = 0.0
            batches = 0
            for start in range(0, total, size):
                with np.errstate(over="ignore", invalid="ignore"):  # likewise
                    row = step(order[start : start + size], learning_rate, at)
                sums += row
                moved += row[3]
                batches += 1
            count += batches
            if c.target_kl > 0.0 and moved / batches > c.target_kl:
                break
        if self._costs is not None:
            self._kept = {"cost_value_loss": self._costs.learn(learning_rate, randomness, at)}
        if self._projection is not None and ahead is not None:
            flat = {name: torch.from_numpy(array.reshape(-1)) for name, array in costs.items()}
            rows = self._judged(trajectory, legal, before, decided, boxes)
            self._kept |= self._projection(ahead, rows, flat, trajectory.budgets)
        policy_loss, error, entropy, kl, clip_fraction, grad_norm, mass = (sums / count).tolist()
        spread = float(targets.var())
        explained = 1.0 - float(advantages.var()) / spread if spread > 0.0 else 0.0
        imitated = 0.0 if self._cloning is None else self._cloning.mean_loss
        found = (policy_loss, error, entropy, kl, clip_fraction, grad_norm, explained)
        return UpdateStatistics(*found, learning_rate, epochs, share, mass, imitated)

    def _judged(
        self,
        trajectory: Trajectory,
        legal: NDArray[np.bool_] | None,
        before: Evaluation,
        decided: NDArray[np.bool_] | None,
        boxes: Boxes | None,
    ) -> Rollout:
        """The steps of a trajectory as a projection reads them."""
        inputs = self.network.inputs({k: a.reshape(-1, *a.shape[2:]) for k, a in trajectory.observations.items()})
        made = None if decided is None else torch.from_numpy(decided)
        return Rollout(inputs, _flat(legal), _flat(trajectory.actions), _flat(before.log_probs), made, boxes)

    def _minibatches(
        self,
        trajectory: Trajectory,
        legal: NDArray[np.bool_] | None,
        columns: tuple[NDArray[np.float32], ...],
        decided: NDArray[np.bool_] | None,
        boxes: Boxes | None,
    ) -> Callable[[NDArray[np.int64], float, tuple[int, int]], NDArray[np.float64]]:
        """A gradient step on given rows of a trajectory, with torch or by hand."""
        total = trajectory.steps * trajectory.num_envs
        if self._by_hand is not None:
            by_hand = self._by_hand
            x = self._dense.rows(trajectory.observations, total)
            actions = trajectory.actions.reshape(total, *trajectory.actions.shape[2:])
            masks = None if legal is None else legal.reshape(total, -1)

            def step_by_hand(rows: NDArray[np.int64], learning_rate: float, at: tuple[int, int]) -> NDArray[np.float64]:
                old, advantages, targets, values = (column[rows] for column in columns)
                chosen = None if decided is None else decided[rows]
                mask = None if masks is None else masks[rows]
                found = (old, advantages, targets, values)
                return by_hand.step(x[rows], mask, actions[rows], found, chosen, learning_rate, at)

            return step_by_hand
        flat = {k: a.reshape(-1, *a.shape[2:]) for k, a in trajectory.observations.items()}
        inputs = self.network.inputs(flat)
        mask, taken = _flat(legal), _flat(trajectory.actions)
        tensors = tuple(torch.from_numpy(column) for column in columns)
        made = None if decided is None else torch.from_numpy(decided)

        def step(numbers: NDArray[np.int64], learning_rate: float, at: tuple[int, int]) -> NDArray[np.float64]:
            rows = torch.from_numpy(numbers)
            return self._minibatch(
                tuple(x[rows] for x in inputs),
                None if mask is None else mask[rows],
                taken[rows],
                tuple(x[rows] for x in tensors),
                None if made is None else made[rows],
                None if boxes is None else (boxes[0][rows], boxes[1][rows]),
                learning_rate,
                at,
            )

        return step

    def _minibatch(
        self,
        inputs: tuple[Tensor, ...],
        mask: Tensor | None,
        actions: Tensor,
        columns: tuple[Tensor, ...],
        decided: Tensor | None,
        boxes: Boxes | None,
        learning_rate: float,
        at: tuple[int, int],
    ) -> NDArray[np.float64]:
        c = self.config
        old_log_probs, advantages, targets, old_values = columns
        policy, values = self.network.both(inputs, mask)
        policy = in_box(policy, boxes)
        log_ratio = policy.log_prob(actions) - old_log_probs
        surrogate = clipped_objective(
            log_ratio, normalized_decisions(advantages, decided), c.clip_low, c.clip_high, c.dual_clip
        )
        policy_loss = -decision_mean(surrogate, decided)
        error = value_loss(values, targets, old_values, c.value_clip).mean()
        entropy = decision_mean(policy.entropy(), decided)
        loss = policy_loss + c.value_coef * error - c.entropy_coef * entropy
        mass = 1.0
        log_mass = policy.log_mass if isinstance(policy, Categorical) else None
        if log_mass is not None:
            mass = float(log_mass.detach().exp().mean())
            if c.legal_coef > 0.0:
                loss = loss - c.legal_coef * log_mass.mean()
        if self._cloning is not None and self._cloning.weight > 0.0:
            loss = loss + self._cloning.weight * self._cloning.loss(self.network)
        refuse(("loss", float(loss.detach())), at=at)
        norm = self.optimizer.descend(loss, learning_rate, c.max_grad_norm, at)
        with torch.no_grad():
            change = log_ratio.detach()
            kl = (change.exp() - 1 - change).mean()  # Schulman's estimator k3, never negative
            # `exp` first, as the objective clips the ratio and not its logarithm.
            ratio = change.exp()
            clipped = ((ratio < 1 - c.clip_low) | (ratio > 1 + c.clip_high)).float().mean()
        return np.array([policy_loss.item(), error.item(), entropy.item(), kl.item(), clipped.item(), norm, mass])


def ppo(architecture: Architecture, config: PPOConfig, generator: torch.Generator, env: VectorEnv) -> PPOLearner:
    """The learner of ``train ppo``. Raises AS1508 for a box around a controller that the environment lacks."""
    box = box_of(env, config.box, config.box_width, round(config.box_share * config.steps))
    costs = tuple(env.budgets) if isinstance(env, Budgeted) else ()
    return PPOLearner(architecture, config, generator, costs=costs, box=box)


def decisions(trajectory: Trajectory, legal: NDArray[np.bool_] | None) -> tuple[NDArray[np.bool_] | None, float]:
    """Which steps ``(T * N,)`` were decisions, and their share; None where all were.

    A step with a single legal action decides nothing, nor does one that the trajectory leaves out (``decided``).
    """
    chosen = trajectory.decided
    if legal is not None:
        free = legal.sum(-1) > 1
        chosen = free if chosen is None else chosen & free
    if chosen is None or chosen.all():
        return None, 1.0
    return chosen.reshape(-1), float(chosen.mean())


def normalized_decisions(advantages: Tensor, decided: Tensor | None) -> Tensor:
    """Advantages normalised over the decisions; the others are not read."""
    if decided is None:
        return normalized(advantages)
    made = advantages.clone()
    made[decided] = normalized(advantages[decided])
    return made


def _flat(array: Any) -> Any:
    return None if array is None else torch.from_numpy(array.reshape(-1, *array.shape[2:]))
