"""Method 74: a planner that nobody trusts, behind a filter that knows the robot from recordings alone.

Hafez, Naderi Akhormeh, Hegazy, Alanwar, "Safe LLM-Controlled Robots with Formal Guarantees via Reachability Analysis"
(2025, arXiv 2503.03911). The planner stands for the language model: half of its proposals follow a rough route around
the obstacles, a quarter head straight for the dock, through whatever stands there, a quarter are random. Each step it
may propose three times; what the filter refuses is not done. A proposal counts as *safe* if the true robot, from its
true state, does it and then the backup law for the rest of the episode without a collision under 64 sampled
disturbances, some at their bounds all the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.training import agent_of
from agentc.compiler.signals.robustness import compile_robustness
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.simulate import Simulator
from agentc.runtime.verify.data.filter import Backup, ReachFilter
from agentc.runtime.verify.data.models import ModelSet, tight_models, zonotope_models
from agentc.runtime.verify.data.question import features_of, noise_of, question_of
from agentc.runtime.verify.data.recorded import transitions_of
from agentc.runtime.verify.problem import Problem

SPEC = "methods/74_safe_llm_robots.agentspec"
ROBOTS = ("Carrier", "Rover")
EPISODES = 8
STEPS = 50
PROPOSALS = 3
DOCK = np.array([4.0, 0.0])
Floats = NDArray[np.float64]
Enclosure = Callable[[Any, Any, Floats], ModelSet]


@dataclass
class Tally:
    """What happened in the episodes of a robot."""

    collisions: int = 0
    arrivals: int = 0
    proposed: int = 0
    refused: int = 0
    safe: int = 0
    safe_refused: int = 0


class World:
    """The true robot: only this knows its equations."""

    def __init__(self, name: str) -> None:
        self.compiled = agent_of(SPEC, name)
        self.agent = self.compiled.agent
        assert self.agent.system is not None
        self.system = self.agent.system
        self.simulator = Simulator(self.system)
        self.low, self.high = bounds(self.system.inputs)
        self.clear = next(f.formula for f in self.agent.formulas if f.name == "clear")
        self._robust = compile_robustness(self.clear, self.agent.declared)
        n, m = len(self.system.states), len(self.system.inputs)
        self.backup = Backup.constant([0.0] * m, n)
        if name == "Carrier":
            self.backup = Backup(np.array([[0.0, 0.0, -2.0, 0.0], [0.0, 0.0, 0.0, -2.0]]), np.zeros(m))

    def after(self, state: Floats, action: Floats, rng: np.random.Generator) -> Floats:
        """The next states ``(batch, n)``."""
        noise = self.simulator.noise(rng, len(state))
        return self.moved(state, action, noise)

    def moved(self, state: Floats, action: Floats, noise: Floats) -> Floats:
        """The next states under given disturbances."""
        size = len(state)
        found: Floats = self.simulator.step(state, np.zeros(size, np.int64), action, noise, np.zeros(size, np.int64))[0]
        return found

    def hits(self, runs: Floats) -> NDArray[np.bool_]:
        """Which of the runs ``(batch, steps, n)`` collide."""
        found = {v.name: runs[:, :, i] for i, v in enumerate(self.system.states)}
        return ~np.asarray(self._robust.satisfaction_at(found), bool)

    def safe(self, state: Floats, action: Floats, left: int, rng: np.random.Generator) -> bool:
        """Whether no sampled run that does the action and then the backup law collides."""
        batch = 64
        states = [np.tile(state, (batch, 1))]
        held = rng.integers(0, 2, (batch, len(self.system.disturbances))).astype(float)
        for t in range(left):
            given = np.tile(action, (batch, 1)) if t == 0 else self._backup(states[-1])
            uniform = np.where(np.arange(batch)[:, None] < batch // 2, held, rng.random(held.shape))
            states.append(self.moved(states[-1], given, self.simulator.noise_of(uniform)))
        return not self.hits(np.stack(states, axis=1)).any()

    def _backup(self, states: Floats) -> Floats:
        found: Floats = np.clip(states @ self.backup.gain.T + self.backup.offset, self.low, self.high)
        return found

    def proposal(self, state: Floats, rng: np.random.Generator) -> Floats:
        """What the planner proposes: a rough route, the way to the dock as the crow flies, or anything."""
        kind = rng.random()
        if kind < 0.25:
            return rng.uniform(self.low, self.high)
        away = (DOCK if kind < 0.5 else _next_corner(state)) - state[:2]
        if self.agent.name == "Carrier":
            return np.clip(0.8 * away - 1.2 * state[2:4], self.low, self.high)
        turn = np.angle(np.exp(1j * (np.arctan2(away[1], away[0]) - state[2])))
        speed = float(np.linalg.norm(away)) * max(float(np.cos(turn)), 0.0)
        found: Floats = np.clip(np.array([speed, 3.0 * float(turn)]), self.low, self.high)
        return found


def _next_corner(state: Floats) -> Floats:
    """Where the rough route goes from here: over the crate, then down to the dock."""
    for corner, done in (((0.6, 1.5), state[1] > 1.2 or state[0] > 1.0), ((2.4, 1.5), state[0] > 2.1)):
        if not done:
            return np.array(corner)
    return DOCK


def shield_of(world: World, enclosure: Enclosure, seed: int, folder: Path) -> ReachFilter:
    """The filter from twelve recorded runs of thirty steps under random inputs."""
    rng = np.random.default_rng([seed, 74])
    runs = []
    for _ in range(12):
        states, inputs = [world.simulator.start(rng, 1)[0][0]], []
        for t in range(30):
            if t % 3 == 0:
                held = rng.uniform(world.low, world.high)
            inputs.append(held)
            states.append(world.after(states[-1][None], held[None], rng)[0])
        runs.append((np.array(states), np.array(inputs)))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{world.agent.name.lower()}_plan.csv").write_text(
        ",".join(f"action.{v.name}" for v in world.system.inputs) + "\n" + ",".join("0" for _ in world.low) + "\n"
    )
    problem = Problem(world.agent, world.agent.verifies[0], folder)
    settings = problem.settings("data")
    noise = noise_of(settings["noise"], str(settings["noises"]), world.system.states)
    models = enclosure(features_of(problem, question_of(problem)), transitions_of(runs), noise)
    return ReachFilter(models, world.system.states, world.clear, world.low, world.high, world.backup, STEPS)


def drive(world: World, shield: ReachFilter | None, seed: int) -> Tally:
    """The episodes of a seed; starts and disturbances do not depend on the arm as long as the actions agree."""
    tally = Tally()
    for episode in range(EPISODES):
        rng, noise = (np.random.default_rng([seed, episode, k]) for k in (1, 2))
        oracle = np.random.default_rng([seed, episode, 3])
        states = [world.simulator.start(rng, 1)[0][0]]
        for t in range(STEPS):
            wanted = [world.proposal(states[-1], rng) for _ in range(PROPOSALS)]
            action = wanted[0]
            if shield is not None:
                action, place = shield.choose(states[-1], wanted, STEPS - 1 - t)
                for i in range(PROPOSALS if place is None else place + 1):
                    good = world.safe(states[-1], wanted[i], STEPS - t, oracle)
                    tally.proposed += 1
                    tally.safe += good
                    tally.refused += i != place
                    tally.safe_refused += good and i != place
            states.append(world.after(states[-1][None], action[None], noise)[0])
        run = np.array(states)
        tally.collisions += bool(world.hits(run[None])[0])
        tally.arrivals += bool((np.linalg.norm(run[:, :2] - DOCK, axis=1) <= 0.5).any())
    return tally


def run(seed: int, folder: Path, enclosure: Enclosure | None) -> Mapping[str, float]:
    """Both robots, behind the filter or without it; shares over their episodes and proposals."""
    found = []
    for name in ROBOTS:
        world = World(name)
        shield = None if enclosure is None else shield_of(world, enclosure, seed, folder)
        found.append(drive(world, shield, seed))
    whole = Tally(*(sum(getattr(t, f) for t in found) for f in Tally.__dataclass_fields__))
    episodes = EPISODES * len(found)
    figures = {"collisions": whole.collisions / episodes, "arrivals": whole.arrivals / episodes}
    for name, t in zip(ROBOTS, found, strict=True):
        figures[f"collisions, {name.lower()}"] = t.collisions / EPISODES
        figures[f"arrivals, {name.lower()}"] = t.arrivals / EPISODES
        if t.proposed:
            figures[f"refused, {name.lower()}"] = t.refused / t.proposed
            figures[f"safe and refused, {name.lower()}"] = t.safe_refused / max(t.safe, 1)
    if whole.proposed:
        figures["refused"] = whole.refused / whole.proposed
        figures["safe and refused"] = whole.safe_refused / max(whole.safe, 1)
    return figures


EXPERIMENT = Experiment(
    number=74,
    title="Safe robots under language-model planners, by reachability from data",
    source="Hafez et al., 2025 (arXiv 2503.03911)",
    spec=SPEC,
    removed="the filter (M11)",
    metric="collisions",
    better="lower",
    steps=2 * EPISODES * STEPS,
    seeds=(0, 1, 2, 3, 4),
    arms=(
        Arm("unfiltered", lambda seed, folder: run(seed, folder, None), "the first proposal is done"),
        Arm(
            "tight models",
            lambda seed, folder: run(seed, folder, tight_models),
            "the filter with linear programs over all models (this project's)",
        ),
        Arm(
            "matrix zonotope",
            lambda seed, folder: run(seed, folder, zonotope_models),
            "the filter with the matrix zonotope of the paper's method",
        ),
    ),
    paired=True,
    notes="The share of 16 episodes (a double integrator and a unicycle, 50 steps each) with a collision. The planner "
    "is a script (half a rough route, a quarter straight ahead, a quarter random) in place of a language model; the "
    "robots are simulated; 360 recorded transitions. A refused plan is not corrected by its gradient. The runs also "
    "record arrivals, and the share of safe proposals that the filter refuses.",
)
