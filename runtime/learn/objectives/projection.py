"""Projection of a policy onto a budget: what an update did to the expected cost is taken back as far as it must be.

Yang, Rosca, Narasimhan and Ramadge, "Projection-Based Constrained Policy Optimization" (ICLR 2020), section 3: an
update that looks at rewards alone is followed by the least change, in Kullback-Leibler divergence, after which the
linearised cost keeps to its limit (equation 6 with ``L = H``): ``theta - max(0, s / (a' H^-1 a)) H^-1 a``, where ``s``
is how far the cost is above the limit, ``a`` its gradient and ``H`` the Hessian of the divergence. ``H^-1 a`` is found
by conjugate gradients (Schulman et al., "Trust Region Policy Optimization", 2015, appendix C). Where that change would
leave the trust region, the update is dropped, and the policy goes from where it was down the cost alone, to the border
of the region: the recovery of Achiam et al., "Constrained Policy Optimization" (ICML 2017), equation 14.

The cost after an update is estimated as in the latter (equation 10): what an episode cost, and on top of it, for each
of the steps of an episode, the mean of ``(ratio - 1) * advantage``.

Deviations: the update before it is PPO's instead of TRPO's; ``s`` and ``a`` are taken where it has led, with importance
weights, not linearised at its beginning; several budgets are projected onto one after the other; a change that does not
lower the estimated cost, or leaves the region all the same, is halved up to ten times and else dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from agentc.runtime.learn.distributions import Divergent
from agentc.runtime.learn.networks.actor_critic import ActorCritic, Inputs
from agentc.runtime.learn.objectives.clipped import decision_mean
from agentc.runtime.learn.shields.projected import Boxes, in_box
from agentc.runtime.learn.trajectory import Budget

DAMPING, ITERATIONS, HALVINGS = 0.1, 10, 10
"""Of the Hessian, of conjugate gradients, and of a change that is too long."""
SAMPLE = 512
"""Steps of a rollout, evenly spaced, on which the Hessian is estimated."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """The steps that are judged on: inputs, masks, actions, old log-probabilities, decisions, and boxes of actions."""

    inputs: Inputs
    masks: Tensor | None
    actions: Tensor
    log_probs: Tensor
    decided: Tensor | None
    boxes: Boxes | None = None


class Projection:
    """Moves a policy to its budgets; ``radius`` bounds the mean divergence of one projection."""

    def __init__(self, network: ActorCritic, radius: float) -> None:
        self._network, self._radius = network, radius
        self._parameters = [p for name, p in network.named_parameters() if not name.startswith("critic.")]

    def weights(self) -> Tensor:
        """The policy's, as one vector; a copy."""
        return torch.cat([p.detach().reshape(-1) for p in self._parameters])

    def __call__(
        self, before: Tensor, rollout: Rollout, costs: Mapping[str, Tensor], budgets: Mapping[str, Budget]
    ) -> dict[str, float]:
        """Project onto every budget in turn; ``before`` are the weights ahead of the update, as :meth:`weights`.

        ``costs`` are the advantages ``(batch,)`` by cost. Figures for the log: ``projected``, the divergence of the
        change (its largest, of several budgets), and ``recovered``, the share of budgets for which the update was
        dropped.
        """
        moved, dropped = 0.0, 0.0
        for name, budget in budgets.items():
            if budget.excess is None:
                continue

            def cost(budget: Budget = budget, advantages: Tensor = costs[name]) -> Tensor:
                assert budget.excess is not None
                policy = self._policy(rollout)
                ratio = (policy.log_prob(rollout.actions) - rollout.log_probs).exp()
                change = decision_mean((ratio - 1.0) * advantages, rollout.decided)
                share = 1.0 if rollout.decided is None else float(rollout.decided.float().mean())
                return budget.excess + budget.length * share * change

            step, recovered = self._kept(cost, before, rollout)
            moved, dropped = max(moved, step), dropped + recovered / len(budgets)
        return {"projected": moved, "recovered": dropped}

    def _kept(self, cost: Callable[[], Tensor], before: Tensor, rollout: Rollout) -> tuple[float, float]:
        """Project onto one budget: the divergence of the change, and whether the update was dropped."""
        excess = cost()
        if float(excess.detach()) <= 0.0:
            return 0.0, 0.0
        direction, slope = self._natural(excess, rollout)
        if slope <= 0.0:
            return 0.0, 0.0
        wanted = float(excess.detach()) / slope
        if 0.5 * wanted * wanted * slope <= self._radius:
            return self._moved(cost, direction, wanted, rollout), 0.0
        self._write(before)
        excess = cost()
        direction, slope = self._natural(excess, rollout)
        if slope <= 0.0:
            return 0.0, 1.0
        return self._moved(cost, direction, float(np.sqrt(2.0 * self._radius / slope)), rollout), 1.0

    def _natural(self, excess: Tensor, rollout: Rollout) -> tuple[Tensor, float]:
        """``H^-1 a``, and ``a' H^-1 a``."""
        gradient = self._gradient(excess).detach()
        rows = torch.arange(0, len(rollout.actions), max(1, len(rollout.actions) // SAMPLE))
        sample = replace(
            rollout,
            inputs=tuple(x[rows] for x in rollout.inputs),
            masks=None if rollout.masks is None else rollout.masks[rows],
            boxes=None if rollout.boxes is None else (rollout.boxes[0][rows], rollout.boxes[1][rows]),
        )
        with torch.no_grad():
            here = self._policy(sample)
        slope = self._gradient(self._policy(sample).kl(here).mean(), create_graph=True)

        def product(v: Tensor) -> Tensor:
            return self._gradient((slope * v).sum(), retain_graph=True).detach() + DAMPING * v

        found = conjugate_gradients(product, gradient, ITERATIONS)
        return found, float(gradient @ found)

    def _moved(self, cost: Callable[[], Tensor], direction: Tensor, length: float, rollout: Rollout) -> float:
        """Go down a direction as far as the cost falls and the region lasts; the mean divergence of the change."""
        start = self.weights()
        with torch.no_grad():
            was, here = float(cost()), self._policy(rollout)
            for k in range(HALVINGS):
                self._write(start - length * 0.5**k * direction)
                far = float(self._policy(rollout).kl(here).mean())
                if far <= 1.5 * self._radius and float(cost()) < was:
                    return far
            self._write(start)
        return 0.0

    def _policy(self, rollout: Rollout) -> Divergent:
        made = in_box(self._network.policy(rollout.inputs, rollout.masks), rollout.boxes)
        assert isinstance(made, Divergent)
        return made

    def _gradient(self, value: Tensor, *, create_graph: bool = False, retain_graph: bool | None = None) -> Tensor:
        found = torch.autograd.grad(
            value, self._parameters, create_graph=create_graph, retain_graph=retain_graph, allow_unused=True
        )
        pairs = zip(found, self._parameters, strict=True)
        return torch.cat([(torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in pairs])

    def _write(self, weights: Tensor) -> None:
        at = 0
        with torch.no_grad():
            for p in self._parameters:
                p.copy_(weights[at : at + p.numel()].view_as(p))
                at += p.numel()


def conjugate_gradients(product: Callable[[Tensor], Tensor], right: Tensor, iterations: int) -> Tensor:
    """An ``x`` with ``product(x)`` near ``right``, for a symmetric positive definite product."""
    x = torch.zeros_like(right)
    residual, direction = right.clone(), right.clone()
    square = residual @ residual
    for _ in range(iterations):
        if float(square) <= 1e-12:
            break
        image = product(direction)
        length = square / (direction @ image)
        x += length * direction
        residual -= length * image
        following = residual @ residual
        direction = residual + (following / square) * direction
        square = following
    return x
