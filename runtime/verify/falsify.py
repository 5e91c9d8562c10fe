"""The method ``falsify``: search for a run that violates, of a declared system or of an environment.

Of a declared system the starts, disturbances and free inputs are searched: random runs, a descent along the gradient
through the simulator where there is one, then CMA-ES or the cross-entropy (:mod:`.optimizers`); with
``search = bayesian`` few random runs, then a Gaussian process (:mod:`.bayesian`). Robustness guides the
search (Annpureddy, Liu, Fainekos, Sankaranarayanan, "S-TaLiRo", TACAS 2011); the verdict is the replay's. A run that
violates is shrunk towards the middle of the starts with no disturbance. Environments: :mod:`.episode_search`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentc.compiler.signals.robustness import compile_robustness
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.episode_search import search_episodes
from agentc.runtime.verify.episodes import episodes_refusal, has_equations
from agentc.runtime.verify.gradient import Descent
from agentc.runtime.verify.optimizers import Optimizer, optimizer_of
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.search_space import Space
from agentc.runtime.verify.simulation import Floats, Found, Simulation, controller_of, horizon_of, is_safety

NAME = "falsify"
BATCH = 64
FEW = 16
"""Random runs before a Bayesian search."""
DESCENTS = 16
"""The best random runs, from which the gradient is followed."""


def search_refusal(problem: Problem) -> str | None:
    """Why no run of the agent's system can be searched; None if it can."""
    system = problem.agent.system
    if problem.item.bound is not None:
        return "it asks for a probability"
    if system is None:
        return "the agent has no declared system"
    if system.commands:
        return "the system is one of guarded commands"
    if problem.role == "safe" and not is_safety(problem.item.formula):
        return "the formula's violations are not all those of a prefix, and it is judged as `safe`"
    try:
        horizon_of(problem)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class FalsifyMethod:
    """Looks for a violation; never proves anything."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """It needs a declared system with equations, or an environment."""
        if has_equations(problem):
            return search_refusal(problem)
        return "it asks for a probability" if problem.item.bound is not None else episodes_refusal(problem)

    def solve(self, problem: Problem) -> Answer:
        """Falsified with a run, or unknown with the budget that was spent."""
        settings = problem.settings(NAME)
        system = problem.agent.system
        if system is None or not has_equations(problem):
            return search_episodes(problem)
        controller = controller_of(problem, str(settings["controller"]), system)
        steps, _ = horizon_of(problem)
        simulation = Simulation(system, controller, problem.item.formula, steps)
        found, spent, least = search(problem, simulation, int(settings["episodes"]), int(settings["seed"]),
                                    str(settings["search"]))  # fmt: skip
        if found is None:
            low = f"the least robustness is {least:.4g}" if np.isfinite(least) else "no run came near"
            return unknown(NAME, f"no violation in {spent} runs, {low}", episodes=spent)
        return falsified(NAME, found, spent, simulation)


def falsified(name: str, found: Found, spent: int, simulation: Simulation) -> Answer:
    """The answer for a run that violates."""
    start = ", ".join(f"{v:.6g}" for v in found.start)
    said = f"the run from ({start}) violates it with robustness {found.robustness:.4g}, of {spent} that were tried"
    if simulation.free:
        said += "; its inputs are free, for no `controller` is named"
    return Answer(Verdict.FALSIFIED, name, said, evidence={**found.evidence(), "episodes": spent})


def search(
    problem: Problem, simulation: Simulation, episodes: int, seed: int, how: str = "auto"
) -> tuple[Found | None, int, float]:
    """A run that violates (or None), the runs that were made, and the least robustness of any.

    With ``bayesian`` runs are dear: there are few random ones, and no descent.
    """
    rng = np.random.default_rng(seed)
    space = Space(simulation)
    robust = compile_robustness(simulation.formula, problem.agent.declared)
    spent, least = 0, np.inf
    best: Floats | None = None
    optimizer: Optimizer | None = None  # both import much, and a short search asks neither
    few = how == "bayesian"
    descent, descended = None, few
    begun, first = (FEW, FEW) if few else (4 * BATCH, BATCH)
    told: list[tuple[Floats, Floats]] = []
    seen: list[tuple[float, Floats]] = []
    while spent < episodes and problem.left() > 0:
        if spent < min(episodes, begun):
            points = space.random(rng, first, corners=spent == 0)
        elif not descended and (descent := Descent.of(simulation, space, robust)) is not None and seen:
            points = descent.improved(np.stack([p for _, p in seen[:DESCENTS]]))
            spent += descent.runs
            descended = True
        else:
            descended = True
            if optimizer is None:
                optimizer = optimizer_of(space.size, seed, BATCH, how)
                for earlier in told:
                    optimizer.tell(*earlier)
            points = optimizer.ask(rng, best)
        start, noise = space.runs(points)
        try:
            signals = simulation.rollouts(start, noise)
        except AgentcError:  # one of them leaves what the system promises: look at each alone
            points = np.array([p for p in points if space.stays(p)]).reshape(-1, space.size)
            spent += len(start) - len(points)
            if not len(points):
                continue
            start, noise = space.runs(points)
            signals = simulation.rollouts(start, noise)
        value = robust.robustness_at(signals)
        true = robust.satisfaction_at(signals)
        spent += len(points)
        for k in np.flatnonzero(~np.asarray(true)):
            found = simulation.replay(start[k], noise[k])
            if found is not None:
                return _shrunk(simulation, space, points[k], found), spent, float(np.min(value))
        finite = np.clip(np.nan_to_num(np.asarray(value, float), posinf=1e12, neginf=-1e12), -1e12, 1e12)
        at = int(finite.argmin())
        if finite[at] < least:
            least, best = float(finite[at]), points[at]
        if not descended:
            seen = sorted([*seen, *zip(finite.tolist(), points, strict=True)], key=lambda row: row[0])[:DESCENTS]
        if optimizer is None:
            told.append((points, finite))
        else:
            optimizer.tell(points, finite)
        problem.progress(f"{spent} runs, least robustness {least:.4g}")
    return None, spent, least


def _shrunk(simulation: Simulation, space: Space, point: Floats, found: Found) -> Found:
    """A violation that is as near to the middle of the cube as single coordinates allow, in a few replays."""
    best, where = found, point
    for i in range(space.starts, min(space.size, space.starts + 40)):
        trial = where.copy()
        trial[i] = 0.5
        start, noise = space.runs(trial[None])
        try:
            again = simulation.replay(start[0], noise[0])
        except AgentcError:
            continue
        if again is not None:
            best, where = again, trial
    return best
