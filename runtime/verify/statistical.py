"""The method ``statistical``: Wald's sequential test on simulated runs. It says 'statistical' and proves nothing.

Abraham Wald, "Sequential Tests of Statistical Hypotheses", 1945; for model checking: Younes and Simmons, "Probabilistic
Verification of Discrete Event Systems Using Acceptance Sampling", CAV 2002. The hypotheses lie :data:`INDIFFERENCE` to
either side of the bound; a formula without a bound is tested for ``P >= 1 - INDIFFERENCE``. Where the sequential test
does not decide within its runs, the exact binomial bounds of all of them do, or the answer is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from agentc.compiler.signals.robustness import compile_robustness
from agentc.runtime.evaluate import clopper_pearson
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.falsify import search_refusal
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.simulation import Simulation, controller_of, horizon_of

NAME = "statistical"
INDIFFERENCE = 0.01
BATCH = 100


@dataclass(frozen=True)
class StatisticalMethod:
    """Tests a probability by sampling starts and disturbances as the system declares them."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """It needs a declared system with equations."""
        why = search_refusal(problem)
        return None if why == "it asks for a probability" else why

    def solve(self, problem: Problem) -> Answer:
        """Unknown with what the test says, or falsified where the bound is refuted; never proved."""
        settings = problem.settings(NAME)
        system = problem.agent.system
        assert system is not None
        simulation = Simulation(
            system, controller_of(problem, str(settings["controller"]), system), problem.item.formula,
            horizon_of(problem)[0],
        )  # fmt: skip
        op, p = problem.item.bound or (">=", 1.0 - INDIFFERENCE)
        confidence = float(settings["confidence"])
        most, seed = int(settings["episodes"]), int(settings["seed"])
        holds, runs, decided = _test(problem, simulation, p, confidence, most, seed)
        if runs == 0:
            return unknown(NAME, "the time was over before the first run")
        lower, upper = clopper_pearson(holds, runs, confidence)
        seen = f"it holds in {holds} of {runs} runs"
        evidence = {"satisfied": holds, "runs": runs, "lower": lower, "upper": upper, "confidence": confidence}
        if decided is None:
            decided = lower >= p if lower >= p or upper < p else None
        if decided is None:
            return unknown(NAME, f"statistical: {seen}, which does not decide P {op} {p:g}", **evidence)
        above = f"P {'>=' if decided else '<'} {p:g} with confidence {confidence:g}"
        if decided == (op == ">="):
            return unknown(NAME, f"statistical, no proof: {seen}; {above}", **evidence, supported=True)
        if problem.item.bound is None:
            return unknown(NAME, f"statistical: {seen}; {above}", **evidence, supported=False)
        return Answer(Verdict.FALSIFIED, NAME, f"statistical: {seen}; {above}", evidence=evidence)


def _test(
    problem: Problem, simulation: Simulation, p: float, confidence: float, most: int, seed: int
) -> tuple[int, int, bool | None]:
    """Runs that satisfy, runs, and what the sequential test says of ``P >= p``."""
    high, low = min(p + INDIFFERENCE, 1 - 1e-9), max(p - INDIFFERENCE, 1e-9)
    error = 1 - confidence
    accept, reject = log(error / (1 - error)), log((1 - error) / error)
    robust = compile_robustness(simulation.formula, problem.agent.declared)
    holds, runs, ratio = 0, 0, 0.0
    rng = np.random.default_rng([seed, 13])
    while runs < most and problem.left() > 0:
        count = min(BATCH, most - runs)
        start, _ = simulation.simulator.start(rng, count)
        noise = rng.random((count, simulation.steps, simulation.width))
        for truth in np.asarray(robust.satisfaction_at(simulation.rollouts(start, noise)), bool):
            runs += 1
            holds += int(truth)
            ratio += log(low / high) if truth else log((1 - low) / (1 - high))  # of `P = low` to `P = high`
            if ratio <= accept:
                return holds, runs, True
            if ratio >= reject:
                return holds, runs, False
        problem.progress(f"{holds} of {runs} runs satisfy it")
    return holds, runs, None
