"""The method ``statistical``: Wald's sequential test on simulated runs. It says 'statistical' and proves nothing.

Abraham Wald, "Sequential Tests of Statistical Hypotheses", 1945; for model checking: Younes and Simmons, "Probabilistic
Verification of Discrete Event Systems Using Acceptance Sampling", CAV 2002. The hypotheses lie :data:`INDIFFERENCE` to
either side of the bound; a formula without a bound is tested for ``P >= 1 - INDIFFERENCE``. Where the sequential test
does not decide within its runs, the exact binomial bounds of all of them do, or the answer is unknown; each may err
with half of what the confidence leaves. Runs are those of a declared system, or episodes of an environment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from agentc.compiler.signals.robustness import compile_robustness
from agentc.runtime.evaluate import clopper_pearson
from agentc.runtime.learn.seeding import evaluation_seeds
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.episodes import Episodes, episodes_refusal, has_equations
from agentc.runtime.verify.falsify import search_refusal
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.simulation import Simulation, controller_of, horizon_of

NAME = "statistical"
INDIFFERENCE = 0.01
BATCH = 100


Runs = Callable[[int], Any]
"""Makes so many further runs, and says of each whether it satisfies the formula."""


@dataclass(frozen=True)
class StatisticalMethod:
    """Tests a probability by sampling runs as the system, or the environment, draws them."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """It needs a declared system with equations, or an environment."""
        if not has_equations(problem):
            return episodes_refusal(problem)
        why = search_refusal(problem)
        return None if why == "it asks for a probability" else why

    def solve(self, problem: Problem) -> Answer:
        """Unknown with what the test says, or falsified where the bound is refuted; never proved."""
        settings = problem.settings(NAME)
        controller, most = str(settings["controller"]), int(settings["episodes"])
        if has_equations(problem):
            return _decided(problem, _simulated(problem, controller, int(settings["seed"])), most)
        episodes = Episodes(problem, controller, str(settings["vary"]))
        try:
            return _decided(problem, _experienced(problem, episodes, most, int(settings["seed"])), most)
        finally:
            episodes.close()


def _simulated(problem: Problem, controller: str, seed: int) -> Runs:
    """Runs of a declared system."""
    system = problem.agent.system
    assert system is not None
    simulation = Simulation(
        system, controller_of(problem, controller, system), problem.item.formula, horizon_of(problem)[0]
    )
    robust = compile_robustness(simulation.formula, problem.agent.declared)
    rng = np.random.default_rng([seed, 13])

    def more(count: int) -> Any:
        start, _ = simulation.simulator.start(rng, count)
        noise = rng.random((count, simulation.steps, simulation.width))
        return np.asarray(robust.satisfaction_at(simulation.rollouts(start, noise)), bool)

    return more


def _experienced(problem: Problem, episodes: Episodes, most: int, seed: int) -> Runs:
    """Episodes of an environment, each from a seed of its own; free actions and arguments are drawn uniformly."""
    seeds = iter(evaluation_seeds(seed, most))

    def one(each: int) -> bool:
        rng = np.random.default_rng([each, 7])
        arguments = {s.name: s.value(float(rng.random())) for s in episodes.varied}
        actions = _Drawn(episodes, rng) if episodes.free else None
        return not episodes.run(each, arguments, actions).violated

    def more(count: int) -> Any:
        found: list[bool] = []
        for _ in range(count):
            if found and problem.left() <= 0:
                break
            found.append(one(next(seeds)))
        return np.array(found)

    return more


class _Drawn:
    """Actions without end, each drawn when it is asked for, in order."""

    def __init__(self, episodes: Episodes, rng: np.random.Generator) -> None:
        self._episodes, self._rng = episodes, rng

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, index: int) -> Any:
        return self._episodes.action(self._rng.random(self._episodes.width))


def _decided(problem: Problem, more: Runs, most: int) -> Answer:
    """What the tests say of the item's bound."""
    op, p = problem.item.bound or (">=", 1.0 - INDIFFERENCE)
    confidence = float(problem.settings(NAME)["confidence"])
    holds, runs, decided = _test(problem, more, p, confidence, most)
    if runs == 0:
        return unknown(NAME, "the time was over before the first run")
    lower, upper = clopper_pearson(holds, runs, confidence)
    seen = f"it holds in {holds} of {runs} runs"
    evidence = {"satisfied": holds, "runs": runs, "lower": lower, "upper": upper, "confidence": confidence}
    if decided is None:  # the sequential test had its half of the error
        least, greatest = clopper_pearson(holds, runs, 1 - (1 - confidence) / 2)
        decided = least >= p if least >= p or greatest < p else None
    if decided is None:
        return unknown(NAME, f"statistical: {seen}, which does not decide P {op} {p:g}", **evidence)
    above = f"P {'>=' if decided else '<'} {p:g} with confidence {confidence:g}"
    if decided == (op == ">="):
        return unknown(NAME, f"statistical, no proof: {seen}; {above}", **evidence, supported=True)
    if problem.item.bound is None:
        return unknown(NAME, f"statistical: {seen}; {above}", **evidence, supported=False)
    return Answer(Verdict.FALSIFIED, NAME, f"statistical: {seen}; {above}", evidence=evidence)


def _test(
    problem: Problem, more: Runs, p: float, confidence: float, most: int
) -> tuple[int, int, bool | None]:
    """Runs that satisfy, runs, and what the sequential test says of ``P >= p``."""
    high, low = min(p + INDIFFERENCE, 1 - 1e-9), max(p - INDIFFERENCE, 1e-9)
    error = (1 - confidence) / 2
    accept, reject = log(error / (1 - error)), log((1 - error) / error)
    holds, runs, ratio = 0, 0, 0.0
    while runs < most and problem.left() > 0:
        for truth in more(min(BATCH, most - runs)):
            runs += 1
            holds += int(truth)
            ratio += log(low / high) if truth else log((1 - low) / (1 - high))  # of `P = low` to `P = high`
            if ratio <= accept:
                return holds, runs, True
            if ratio >= reject:
                return holds, runs, False
        problem.progress(f"{holds} of {runs} runs satisfy it")
    return holds, runs, None
