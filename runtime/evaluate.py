"""Deciding ``expect``: fresh seeded episodes, exact bounds, three outcomes.

LANGUAGE, section 3, **expect**: the number of episodes is fixed beforehand. ``satisfaction(f) >= p with
confidence c`` holds if the one-sided exact (Clopper-Pearson) lower bound reaches ``p``, is not met if the
upper bound lies below ``p``, and is otherwise unknown. ``return >= r`` does the same with a one-sided
bootstrap bound of the mean. ``violations(f) <= n`` counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv  # type: ignore[import-untyped]

from agentc.runtime.learn.seeding import evaluation_seeds
from agentc.runtime.learn.vector import Array, Observation


class Decision(Enum):
    """Whether an expectation holds."""

    HOLDS = "holds"
    NOT_MET = "not met"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision with what it rests on and its sentence.

    ``estimate`` is the observed rate, mean or count; ``lower`` and ``upper`` are one-sided bounds at
    ``confidence`` each (None where nothing was estimated).
    """

    decision: Decision
    estimate: float
    threshold: float
    episodes: int
    sentence: str
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """What one episode came to. ``satisfied`` and ``violated`` are per formula, by its name in the spec.

    ``assumptions_broken`` names the assumptions that did not hold: such an episode is counted apart.
    """

    seed: int
    total_reward: float
    length: int
    terminated: bool
    satisfied: Mapping[str, bool] = field(default_factory=dict)
    violated: Mapping[str, bool] = field(default_factory=dict)
    assumptions_broken: tuple[str, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)
    """The sum of each cost of the spec, by its name."""


class Actor(Protocol):
    """Something that chooses actions for a batch of observations, such as a trained policy."""

    def act(
        self, observation: Observation, mask: NDArray[np.bool_] | None, randomness: np.random.Generator | None
    ) -> Array:
        """One action per row; the likeliest where ``randomness`` is None."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """An actor that sees more of an environment than it shows: the last steps, say."""

    def within(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment as the actor sees it."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """An actor that knows which spaces it was made for."""

    def check_spaces(self, observation_space: gymnasium.Space[Any], action_space: gymnasium.Space[Any]) -> None:
        """Raise :class:`agentc.AgentcError` if these are others."""
        ...


Verdicts = Callable[[Mapping[str, Any]], tuple[Mapping[str, bool], Mapping[str, bool]]]
"""Reads ``(satisfied, violated)`` off the ``info`` of an episode's last step."""


def clopper_pearson(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """The exact one-sided bounds ``(lower, upper)`` of a success probability, each at ``confidence``.

    Clopper and Pearson, "The Use of Confidence or Fiducial Limits" (1934): quantiles of beta distributions.
    Raises ``ValueError`` unless ``0 <= successes <= n``, ``n >= 1`` and ``0 < confidence < 1``.
    """
    if not 0 <= successes <= n or n < 1 or not 0.0 < confidence < 1.0:
        raise ValueError(f"no bounds for {successes} of {n} at confidence {confidence}")
    lower = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, 1.0 - confidence))
    upper = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, confidence))
    return lower, upper


def bootstrap_mean(
    returns: Sequence[float], confidence: float, seed: int, resamples: int = 10_000
) -> tuple[float, float]:
    """One-sided percentile bootstrap bounds ``(lower, upper)`` of the mean, each at ``confidence``.

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3. Raises ``ValueError`` for
    no returns, returns that are not finite, or a confidence outside ``(0, 1)``.
    """
    values = np.asarray(returns, np.float64)
    if len(values) == 0 or not np.isfinite(values).all() or not 0.0 < confidence < 1.0:
        raise ValueError(f"no bounds for {len(values)} returns at confidence {confidence}")
    randomness = np.random.default_rng([seed, 4])
    means = np.empty(resamples)
    for i in range(resamples):
        means[i] = values[randomness.integers(len(values), size=len(values))].mean()
    return float(np.quantile(means, 1.0 - confidence)), float(np.quantile(means, confidence))


def bootstrap_mean_lower(returns: Sequence[float], confidence: float, seed: int) -> float:
    """The lower bound of :func:`bootstrap_mean`."""
    return bootstrap_mean(returns, confidence, seed)[0]


def decide_satisfaction(successes: int, n: int, p: float, confidence: float) -> Outcome:
    """``satisfaction(f) >= p with confidence c``, from ``n`` episodes that were fixed beforehand."""
    lower, upper = clopper_pearson(successes, n, confidence)
    seen = f"satisfied in {successes} of {n} episodes ({successes / n:.1%})"
    return _decide(successes / n, p, n, lower, upper, confidence, seen, "the rate")


def decide_return(returns: Sequence[float], r: float, confidence: float, seed: int) -> Outcome:
    """``return >= r with confidence c``, from the returns of episodes that were fixed beforehand."""
    lower, upper = bootstrap_mean(returns, confidence, seed)
    mean = float(np.mean(np.asarray(returns, np.float64)))
    seen = f"mean return {mean:.4g} over {len(returns)} episodes"
    return _decide(mean, r, len(returns), lower, upper, confidence, seen, "the mean")


def decide_violations(violations: int, n: int, limit: int) -> Outcome:
    """``violations(f) <= limit``: an exact count over the ``n`` episodes, never unknown."""
    seen = f"violated in {violations} of {n} episodes"
    if violations <= limit:
        return Outcome(Decision.HOLDS, violations, limit, n, f"{seen}, at most {limit} as expected")
    return Outcome(Decision.NOT_MET, violations, limit, n, f"{seen}, more than the {limit} allowed")


def _decide(
    estimate: float, threshold: float, n: int, lower: float, upper: float, confidence: float, seen: str, what: str
) -> Outcome:
    if lower >= threshold:
        decision, why = Decision.HOLDS, f"{what} is at least {lower:.4g} with confidence {confidence:g}"
    elif upper < threshold:
        decision, why = Decision.NOT_MET, f"{what} is at most {upper:.4g} with confidence {confidence:g}"
    else:
        decision, why = Decision.UNKNOWN, f"{what} lies between {lower:.4g} and {upper:.4g}: {n} episodes do not decide"
    sentence = f"{seen}; {why}; {threshold:g} was expected"
    return Outcome(decision, estimate, threshold, n, sentence, lower, upper, confidence)


def spec_verdicts(info: Mapping[str, Any]) -> tuple[Mapping[str, bool], Mapping[str, bool]]:
    """The ``satisfied`` and ``violated`` that a spec's environment puts into ``info["agentc"]`` at the end."""
    said = info.get("agentc", {})
    return dict(said.get("satisfied", {})), dict(said.get("violated", {}))


def run_episodes(
    make_env: Callable[[], gymnasium.Env[Any, Any]],
    policy: Actor,
    episodes: int,
    seed: int,
    *,
    deterministic: bool = False,
    verdicts: Verdicts = spec_verdicts,
    on_episode: Callable[[int, Episode], None] | None = None,
) -> list[Episode]:
    """Run exactly ``episodes`` episodes, each from its own fresh seed, one after the other.

    Seeds are disjoint from those of every training run (:mod:`agentc.runtime.learn.seeding`) and from each
    other, and each episode draws its actions from a generator of its own seed: an episode can be repeated
    alone. Discrete actions count from 0. ``on_episode`` is told the number done and the episode.
    """
    env = make_env()
    if isinstance(policy, Remembering):
        env = policy.within(env)
    first = int(env.action_space.start) if isinstance(env.action_space, gymnasium.spaces.Discrete) else None
    done = []
    try:
        if isinstance(policy, Fitted):
            policy.check_spaces(env.observation_space, env.action_space)
        for each in evaluation_seeds(seed, episodes):
            done.append(_run(env, policy, each, first, deterministic, verdicts))
            if on_episode is not None:
                on_episode(len(done), done[-1])
    finally:
        env.close()
    return done


def _batch_of_one(observation: Any) -> Observation:
    if isinstance(observation, dict):
        return {key: np.asarray(array)[None] for key, array in observation.items()}
    return np.asarray(observation)[None]


def _run(
    env: gymnasium.Env[Any, Any],
    policy: Actor,
    seed: int,
    first: int | None,
    deterministic: bool,
    verdicts: Verdicts,
) -> Episode:
    randomness = None if deterministic else np.random.default_rng([seed, 5])
    observation, info = env.reset(seed=seed)
    total, length, terminated, truncated = 0.0, 0, False, False
    costs: dict[str, float] = {}
    while not (terminated or truncated):
        mask = info.get("action_mask")
        row = policy.act(
            _batch_of_one(observation), None if mask is None else np.asarray(mask, np.bool_)[None], randomness
        )[0]
        action = row if first is None else int(row) + first
        observation, reward, terminated, truncated, info = env.step(action)
        total += float(reward)
        length += 1
        for name, cost in info.get("agentc", {}).get("costs", {}).items():
            costs[name] = costs.get(name, 0.0) + cost
    satisfied, violated = verdicts(info)
    broken = tuple(info.get("agentc", {}).get("assumptions_broken", ()))
    return Episode(seed, total, length, bool(terminated), satisfied, violated, broken, costs)
