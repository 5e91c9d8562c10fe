"""Learning from reward machines: the office and craft worlds against the published curves.

What is measured is that of Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022, section 6:
all tasks of a world trained together, one episode each in turn; the reward per step of the last episodes (400 in the
office, 1,000 in the craft world), each divided by what the optimal policy of its task earns per step while it
explores as the learner does. The machines are compiled from the formulas of ``specs/office.agentspec`` and
``specs/craft.agentspec``. The optimum is by value iteration on the product, evaluated exactly.

    agentc bench reward-machines                                  the rows
    python -m agentc.benchmarks.reward_machines craft crm         one curve, as it is learned

Independent runs (seeds and maps) are rows of one batch, each with a table of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentc.benchmarks.rows import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class World:
    """A world of the published experiments: its maps, how long it was trained, what was reached then."""

    name: str
    maps: tuple[int, ...]
    steps: int
    window: int
    target: float


WORLDS = {
    "office": World("office", (0,), 49_000, 400, 1.0),
    "craft": World("craft", tuple(range(1, 11)), 1_000_000, 1000, 0.99),
}

ARMS = {
    "crm": {"counterfactual": True},
    "crm-shaped": {"counterfactual": True, "shaping": True},
    "plain": {"counterfactual": False},
    "hrm": {"hierarchy": True},
}
"""Counterfactual experience; with the shaping too; without any (Q-learning on the product); options."""

EPSILON = 0.1


@dataclass(frozen=True)
class Curve:
    """The normalised reward per step, ``values[k, run]`` after ``steps[k]`` steps of each run."""

    steps: tuple[int, ...]
    values: NDArray[np.float64]


def learn(
    world: World,
    arm: str,
    seeds: int = 5,
    maps: tuple[int, ...] | None = None,
    steps: int | None = None,
    tell: Callable[[int, NDArray[np.float64]], None] | None = None,
) -> Curve:
    """Train one arm on every map with as many seeds; ``tell`` hears the figures twenty times on the way."""
    import numpy as np

    from agentc.runtime.envs.cell_world import CellBatch, atlas
    from agentc.runtime.learn.curves import EpisodeRates
    from agentc.runtime.learn.options import OptionTables
    from agentc.runtime.learn.tabular import QConfig, QTables, Step
    from agentc.runtime.machine_table import tabulate
    from agentc.runtime.task_vector import TaskVectorEnv

    chosen = ARMS[arm]
    agent, grids = _agent(world, bool(chosen.get("shaping"))), _grids(world, world.maps if maps is None else maps)
    table = tabulate(agent, each=True)
    discount = table.discount
    n, size = seeds * len(grids), grids[0].cells
    of_map, owner = np.arange(n) % len(grids), np.arange(n) // len(grids)
    batch = CellBatch(atlas(grids), n, 1000, starts=grids[0].start + size * of_map)
    env = TaskVectorEnv(agent, table, n, shaping=False, world=batch, same_task=True, product=True)
    optimum = np.stack([best_rates(agent, table, grid) for grid in grids])
    config = QConfig(
        epsilon=EPSILON, initial=1.0, discount=discount, counterfactual=bool(chosen.get("counterfactual")),
        shaping=bool(chosen.get("shaping")),
    )  # fmt: skip
    make: Any = OptionTables if chosen.get("hierarchy") else QTables
    tables: QTables | OptionTables = make(table, batch.world.cells, 4, config, owner)
    rates, randomness = EpisodeRates(n, world.window), np.random.default_rng(0)
    env.reset(0)
    cells, states = batch.observation(), env.state
    total = world.steps if steps is None else steps
    every = max(1, total // 20)
    marks, values = [], []
    for t in range(1, total + 1):
        actions = tables.act(cells, states, randomness)
        done = env.step(actions)
        read = done.monitors
        assert not isinstance(done.final_observation, dict)
        following = done.final_observation // table.size
        step = Step(cells, states, actions, following, read["letter"], read["earlier"], read["over"])
        ended = done.terminated | done.truncated
        if isinstance(tables, OptionTables):
            tables.update(step, read["next_state"], ended)
        else:
            tables.update(step)
        if done.info:
            best = optimum[of_map, done.info["task"]]
            rates.add(ended, done.info["return"], done.info["length"], best)
        cells, states = batch.observation(), env.state
        if t % every == 0 or t == total:
            marks.append(t)
            values.append(rates.read())
            if tell is not None:
                tell(t, values[-1])
    return Curve(tuple(marks), np.stack(values))


def best_rates(agent: Any, table: Any, grid: Any) -> NDArray[np.float64]:
    """What the optimal policy of each task earns per step on a map, exploring as the learner does."""
    import numpy as np

    from agentc.runtime.envs.cell_world import CellBatch
    from agentc.runtime.labelling import Labeller
    from agentc.runtime.optimum import reward_per_step, value_iteration
    from agentc.runtime.spec_signals import needed_signals

    everywhere = CellBatch(grid, grid.cells, 1, starts=np.arange(grid.cells))
    letters = Labeller(table.atoms, agent.agent.declared)(everywhere.signals(needed_signals(table.atoms)))
    classes = table.classes(letters)
    values = value_iteration(table, grid.next, classes, table.discount)
    return reward_per_step(table, grid.next, classes, grid.start, values, EPSILON)


def _agent(world: World, shaped: bool) -> Any:
    from agentc.compiler.pipeline import check, read
    from agentc.runtime.compiled import CompiledAgent

    path = str(files("agentc.specs").joinpath(f"{world.name}.agentspec"))
    compiled = CompiledAgent.from_ir(check(read(path)).agents[0])
    if not shaped:
        return compiled
    agent = compiled.agent
    assert agent.reward is not None
    reward = replace(agent.reward, shape=tuple(item.name for item in agent.of_role("task")))
    return CompiledAgent.from_ir(replace(agent, reward=reward))


def _grids(world: World, maps: tuple[int, ...]) -> list[Any]:
    from agentc.runtime.envs.craft import craft_map
    from agentc.runtime.envs.office_world import office_map

    return [office_map()] if world.name == "office" else [craft_map(number) for number in maps]


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows: the office with every arm, the craft world on two maps. ``rounds`` are the seeds, at least 5."""
    seeds = max(5, rounds)
    rows = [_row(WORLDS["office"], arm, seeds, None) for arm in ARMS]
    return [*rows, _row(WORLDS["craft"], "crm", seeds, (1, 2))]


def _row(world: World, arm: str, seeds: int, maps: tuple[int, ...] | None) -> Row:
    from agentc.runtime.learn.curves import bootstrap_interval, interquartile_mean

    last = learn(world, arm, seeds, maps).values[-1]
    mean = interquartile_mean(last)
    low, high = bootstrap_interval(last)
    judged = round(mean, 2) >= world.target if arm == "crm" else None
    where = "" if maps is None else f", maps {', '.join(map(str, maps))}"
    return Row(
        f"{world.name}: {arm} after {world.steps:,} steps", mean, None, "the optimum is 1", None,
        "reward per step", f">= {world.target}" if arm == "crm" else "", judged,
        f"{len(last)} runs{where}; 95 % of the interquartile mean in [{low:.3f}, {high:.3f}]",
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """One curve on the command line."""
    from agentc.runtime.learn.curves import bootstrap_interval, interquartile_mean

    parser = argparse.ArgumentParser(description="Learn one curve of the experiments on reward machines.")
    parser.add_argument("world", choices=tuple(WORLDS))
    parser.add_argument("arm", choices=tuple(ARMS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--maps", type=int, nargs="+")
    parser.add_argument("--steps", type=int)
    given = parser.parse_args(arguments)
    began = time.process_time()

    def tell(step: int, values: NDArray[np.float64]) -> None:
        low, high = bootstrap_interval(values)
        mean, least = interquartile_mean(values), float(values.min())
        seconds = time.process_time() - began
        sys.stdout.write(
            f"{step:>9,} steps  {mean:.4f} [{low:.4f}, {high:.4f}]  least {least:.4f}  "
            f"{len(values)} runs  {seconds:.0f} s CPU\n"
        )
        sys.stdout.flush()

    maps = None if given.maps is None else tuple(given.maps)
    learn(WORLDS[given.world], given.arm, given.seeds, maps, given.steps, tell)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
