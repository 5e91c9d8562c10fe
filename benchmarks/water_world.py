"""Deep learning from reward machines in the water world: a recorded run, too long for ``agentc bench``.

The measure is that of Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022, section 6.3: of
the last episodes of each task the reward per step, divided by that of the best episode of that task that was ever
seen on the map; here the best of this run, there of all runs of all methods. The ten machines are compiled from the
formulas of ``specs/water.agentspec``, the learner is the one of ``train crm``.

    python -m agentc.benchmarks.water_world --map 1 --seed 0 --steps 2000000
    python -m agentc.benchmarks.water_world --map 1 --seed 0 --steps 2000000 --plain    without relabelling
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from importlib.resources import files
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Train and write a line of JSON forty times on the way."""
    import numpy as np
    import torch

    from agentc.compiler.pipeline import check, read
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.learn.counterfactual import CounterfactualConfig, CounterfactualQ
    from agentc.runtime.learn.tabular import Step
    from agentc.runtime.machine_table import tabulate
    from agentc.runtime.task_vector import TaskVectorEnv

    parser = argparse.ArgumentParser(description="A recorded run in the water world.")
    parser.add_argument("--map", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--envs", type=int, default=32)
    parser.add_argument("--plain", action="store_true", help="without counterfactual experience")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    path = str(files("agentc.specs").joinpath("water.agentspec"))
    agent = CompiledAgent.from_ir(check(read(path), parameters={"map": str(given.map)}).agents[0])
    table = tabulate(agent, each=True)
    n, rounds = given.envs, given.steps // given.envs
    env = TaskVectorEnv(agent, table, n, shaping=False)
    config = CounterfactualConfig(counterfactual=not given.plain, discount=table.discount)
    randomness = np.random.default_rng(given.seed)
    learner = CounterfactualQ(table, 52, 5, config, torch.Generator().manual_seed(given.seed))
    _say({"run": vars(given), "learner": {name: getattr(config, name) for name in config.__slots__}})
    windows = [deque[float](maxlen=100) for _ in table.tasks]
    best = np.zeros(len(table.tasks))
    seen, began, figures = _observation(env.reset(given.seed)), time.process_time(), {}
    nothing = np.zeros(0, np.int64)
    for t in range(1, rounds + 1):
        epsilon = max(0.02, 1.0 - 0.98 * t / (0.1 * rounds))
        states = env.state
        actions = learner.act(seen, states, epsilon, randomness)
        done = env.step(actions)
        said = done.monitors
        step = Step(nothing, states, actions, nothing, said["letter"], said["earlier"], said["over"])
        learner.replay.add(step, seen, _observation(done.final_observation))
        for i in np.flatnonzero(done.terminated | done.truncated).tolist():
            task, rate = int(done.info["task"][i]), float(done.info["return"][i] / done.info["length"][i])
            windows[task].append(rate)
            best[task] = max(best[task], rate)
        seen = _observation(done.observation)
        if t * n > 2000:
            figures = dict(learner.improve(randomness))
        if t % max(1, rounds // 40) == 0:
            means = np.array([np.mean(w) if w else 0.0 for w in windows])
            share = means / np.maximum(best, 1e-9)
            _say({
                "steps": t * n, "normalised": round(float(share.mean()), 4), "tasks": share.round(3).tolist(),
                "best_lengths": [round(1 / b) if b > 0 else None for b in best.tolist()],
                "loss": figures.get("loss"),
                "cpu_seconds": round(time.process_time() - began),
            })  # fmt: skip
    return 0


def _observation(observation: Any) -> Any:
    return observation["observation"].copy()


def _say(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
