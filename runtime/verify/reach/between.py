"""Violations between samples: runs of the equations that are looked at many times a period.

The language reads the samples, and a proof by reachable sets is about every moment. A run that violates only between
samples is found here: inputs and disturbances are held for a period, the equations are integrated in :data:`FINE` parts
of it, and the formula is read with its intervals in these parts. It is believed if a run of half the step violates as
well, by a robustness that is far beyond what the two differ by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SystemIR
from agentc.compiler.logic.ir import Formula, formula
from agentc.compiler.logic.rewrite import rebuild
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.systems.integrators import runge_kutta
from agentc.runtime.verify.answer import Answer, Verdict
from agentc.runtime.verify.falsify import search
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.simulation import Controller, Floats, Found, Simulation

FINE = 16
"""Parts of a period."""
SURE = 100.0
"""How many times the difference of two integrations a violation is to be."""
FAR = 1e12


def divided(f: Formula, parts: int) -> Formula:
    """The formula for a trace with so many steps in place of each."""

    def made(node: Formula, args: list[Formula]) -> Formula:
        if node.op == "atom":
            return node
        if node.interval is None:
            return formula(node.op, tuple(args))
        a, b = node.interval
        return formula(node.op, tuple(args), (a * parts, None if b is None else b * parts))

    return rebuild(f, made)


class Between(Simulation):
    """Runs of the equations with ``parts`` samples a period; control and disturbances change once a period.

    ``formula`` is that of the divided trace; ``plain`` the one that was asked.
    """

    def __init__(
        self, system: SystemIR, controller: Controller, plain: Formula, steps: int, parts: int = FINE
    ) -> None:
        super().__init__(system, controller, divided(plain, parts), steps)
        self.parts, self.plain = parts, plain

    def replay(self, start: Floats, noise: Floats) -> Found | None:
        """The run, if it violates and so does one of half the step, by far more than the two differ."""
        found = super().replay(start, noise)
        if found is None or self.parts > FINE:
            return found
        finer = Between(self.system, self.controller, self.plain, self.steps, 2 * self.parts).replay(start, noise)
        if finer is None or not abs(found.robustness) > SURE * abs(found.robustness - finer.robustness):
            return None
        return found

    def answer(self, name: str, found: Found, spent: int) -> Answer:
        """The violation as an answer: when it is decided, and where."""
        at = self._decided(found)
        seconds = at * self.simulator.step_size / self.parts
        state = {v.name: float(found.valuations[at][v.name]) for v in self.system.states}
        there = ", ".join(f"{key} = {value:.6g}" for key, value in state.items())
        start = ", ".join(f"{v:.6g}" for v in found.start)
        said = (f"the run from ({start}) violates it between samples, at {seconds:.6g} s ({there}), with robustness "
                f"{found.robustness:.4g}, of {spent} that were tried")  # fmt: skip
        if not evaluate(self.plain, Trace(found.valuations[:: self.parts])):
            said += "; that is of the equations, for the declared integrator does not show it"
        between = {"time": seconds, "state": state, "samples per step": self.parts}
        evidence = {**found.evidence(), "between": between, "episodes": spent}
        return Answer(Verdict.FALSIFIED, name, said, evidence=evidence)

    def _decided(self, found: Found) -> int:
        """The first sample by which the run is lost: of a safety formula, whose violations are those of prefixes."""
        low, high = 0, len(found.valuations) - 1
        while low < high:
            middle = (low + high) // 2
            if evaluate(self.formula, Trace(found.valuations[: middle + 1])):
                low = middle + 1
            else:
                high = middle
        return low

    def _run(self, start: Floats, noise: Floats, *, exact: bool) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """States ``(batch, steps * parts + 1, n)`` and the inputs of each part."""
        batch, k = len(start), len(self.system.disturbances)
        dynamics, h = self.simulator.dynamics, self.simulator.step_size / self.parts
        state = start.astype(np.float64)
        states = np.empty((batch, self.steps * self.parts + 1, start.shape[1]))
        inputs = np.empty((batch, self.steps, len(self.system.inputs)))
        states[:, 0] = state
        for t in range(self.steps):
            inputs[:, t] = self._control(state, noise[:, t, k:], exact, t)
            held = dynamics.columns(state, inputs[:, t], self.simulator.noise_of(noise[:, t, :k]))
            rate = dynamics.rate(0, {v.name: held[v.name] for v in (*self.system.inputs, *self.system.disturbances)})
            x = np.ascontiguousarray(state.T)
            for part in range(self.parts):
                with np.errstate(all="ignore"):
                    x = np.clip(np.nan_to_num(runge_kutta("rk4", rate, x, h)), -FAR, FAR)
                states[:, t * self.parts + part + 1] = x.T
            state = np.ascontiguousarray(x.T)
        return states, np.repeat(inputs, self.parts, axis=1), np.zeros(states.shape[:2], np.int64)


def search_between(
    problem: Problem, controller: Controller, steps: int, runs: int
) -> Answer | None:
    """A violation between samples of a formula whose violations are those of prefixes; None if none was found."""
    system = problem.agent.system
    assert system is not None
    simulation = Between(system, controller, problem.item.formula, steps)
    found, spent, _ = search(problem, simulation, runs, 0)
    return None if found is None else simulation.answer("reach", found, spent)
