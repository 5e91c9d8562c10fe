"""The method ``falsify``: search the starts, disturbances and free inputs of a system for a run that violates.

Random runs, then the cross-entropy of Rubinstein and Kroese ("The Cross-Entropy Method", 2004) or CMA-ES (Hansen,
"The CMA Evolution Strategy: A Tutorial", 2016, by the package ``cmaes``) where there are at most :data:`CMA` numbers to
choose. Robustness guides the search (Annpureddy, Liu, Fainekos, Sankaranarayanan, "S-TaLiRo", TACAS 2011); the verdict
is the replay's. A run that violates is shrunk towards the middle of the starts with no disturbance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentc.compiler.signals.robustness import compile_robustness
from agentc.compiler.systems.initial import initial_boxes
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.simulation import Floats, Found, Simulation, controller_of, horizon_of, is_safety

NAME = "falsify"
BATCH = 64
CMA = 40


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
        """It needs a declared system with equations."""
        return search_refusal(problem)

    def solve(self, problem: Problem) -> Answer:
        """Falsified with a run, or unknown with the budget that was spent."""
        settings = problem.settings(NAME)
        system = problem.agent.system
        assert system is not None
        controller = controller_of(problem, str(settings["controller"]), system)
        steps, _ = horizon_of(problem)
        simulation = Simulation(system, controller, problem.item.formula, steps)
        found, spent, least = search(problem, simulation, int(settings["episodes"]), int(settings["seed"]))
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
    problem: Problem, simulation: Simulation, episodes: int, seed: int
) -> tuple[Found | None, int, float]:
    """A run that violates (or None), the runs that were made, and the least robustness of any."""
    rng = np.random.default_rng(seed)
    space = _Space(simulation)
    robust = compile_robustness(simulation.formula, problem.agent.declared)
    spent, least = 0, np.inf
    best: Floats | None = None
    optimizer = _optimizer(space, seed)
    while spent < episodes and problem.left() > 0:
        if spent < min(episodes, 4 * BATCH):
            points = space.random(rng, BATCH, corners=spent == 0)
        else:
            points = optimizer.ask(rng, best)
        start, noise = space.runs(points)
        try:
            signals = simulation.rollouts(start, noise)
        except AgentcError:  # one of them leaves what the system promises: look at each alone
            points = np.array([p for p in points if space.stays(p)]).reshape(-1, space.size)
            spent += BATCH - len(points)
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
        optimizer.tell(points, finite)
        problem.progress(f"{spent} runs, least robustness {least:.4g}")
    return None, spent, least


class _Space:
    """Points of the unit cube as starts and noise of runs: the start's sides, then the noise of all steps."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._boxes = initial_boxes(simulation.system)
        self._first = self._boxes[0]
        self.starts = int((self._first.hi > self._first.lo).sum())
        # noise is piecewise constant: at most so many pieces that the search stays small
        self._pieces = min(simulation.steps, max(1, 24 // max(simulation.width, 1))) if simulation.width else 0
        self.size = self.starts + self._pieces * simulation.width

    def random(self, rng: np.random.Generator, count: int, *, corners: bool) -> Floats:
        """Uniform points; among the first some corners of the starts."""
        points = rng.random((count, self.size))
        if corners:
            some = count // 2
            points[:some, : self.starts] = rng.integers(0, 2, (some, self.starts))
            width = self._simulation.width
            if width:  # each disturbance at one end all the time
                held = rng.integers(0, 2, (some, 1, width))
                points[:some, self.starts :] = np.tile(held, (1, self._pieces, 1)).reshape(some, -1)
        return points

    def runs(self, points: Floats) -> tuple[Floats, Floats]:
        """Starts ``(batch, n)`` and noise ``(batch, steps, k)``."""
        lo, hi = self._first.lo, self._first.hi
        wide = np.flatnonzero(hi > lo)
        start = np.tile(lo, (len(points), 1))
        span = np.where(np.isfinite(lo) & np.isfinite(hi), hi - lo, 0.0)
        low = np.where(np.isfinite(lo), lo, 0.0)
        start[:, wide] = np.clip(low[wide] + points[:, : self.starts] * span[wide], lo[wide], hi[wide])
        simulation = self._simulation
        noise = np.zeros((len(points), simulation.steps, simulation.width))
        if self._pieces:
            pieces = np.clip(points[:, self.starts :], 0, 1 - 1e-12).reshape(len(points), self._pieces, -1)
            noise = pieces[:, np.arange(simulation.steps) * self._pieces // max(simulation.steps, 1)]
        return start, noise

    def stays(self, point: Floats) -> bool:
        """Whether the run of a point keeps what the system promises."""
        start, noise = self.runs(point[None])
        try:
            self._simulation.rollouts(start, noise)
        except AgentcError:
            return False
        return True


class _CrossEntropy:
    """A normal distribution that moves to the best tenth."""

    def __init__(self, size: int) -> None:
        self._mean, self._spread = np.full(size, 0.5), np.full(size, 0.3)

    def ask(self, rng: np.random.Generator, best: Floats | None) -> Floats:
        points = np.clip(rng.normal(self._mean, self._spread, (BATCH, len(self._mean))), 0, 1)
        if best is not None:
            points[: BATCH // 4] = np.clip(rng.normal(best, 0.5 * self._spread, (BATCH // 4, len(best))), 0, 1)
        return points

    def tell(self, points: Floats, values: Floats) -> None:
        elite = points[np.argsort(values)[: max(4, len(points) // 10)]]
        self._mean = 0.3 * self._mean + 0.7 * elite.mean(axis=0)
        self._spread = np.maximum(0.3 * self._spread + 0.7 * elite.std(axis=0), 0.01)


class _Cma:
    """CMA-ES over the unit cube."""

    def __init__(self, size: int, seed: int) -> None:
        from cmaes import CMA as Optimizer  # type: ignore[import-untyped]

        self._size, self._made = size, Optimizer
        self._seed = seed
        self._inner = self._fresh()

    def _fresh(self, mean: Floats | None = None) -> object:
        bounds = np.tile([0.0, 1.0], (self._size, 1))
        start = np.full(self._size, 0.5) if mean is None else mean
        self._seed += 1
        return self._made(mean=start, sigma=0.3, bounds=bounds, seed=self._seed % 2**31, population_size=BATCH // 2)

    def ask(self, rng: np.random.Generator, best: Floats | None) -> Floats:
        inner = self._inner
        if inner.should_stop():  # type: ignore[attr-defined]
            self._inner = inner = self._fresh(best)
        return np.stack([inner.ask() for _ in range(BATCH // 2)])  # type: ignore[attr-defined]

    def tell(self, points: Floats, values: Floats) -> None:
        if len(points) == BATCH // 2:
            self._inner.tell([(p, float(v)) for p, v in zip(points, values, strict=True)])  # type: ignore[attr-defined]


def _optimizer(space: _Space, seed: int) -> _Cma | _CrossEntropy:
    if 2 <= space.size <= CMA:
        try:
            return _Cma(space.size, seed)
        except ImportError:
            pass
    return _CrossEntropy(space.size)


def _shrunk(simulation: Simulation, space: _Space, point: Floats, found: Found) -> Found:
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
