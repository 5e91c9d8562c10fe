"""Coverage and robustness of training episodes are those of the single environments and of the reference semantics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentc.compiler.logic.semantics import robustness
from agentc.compiler.logic.trace import Trace
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.spec_env import SpecEnv, compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.watching import JUDGED, Watched

SPECS = Path(__file__).parents[2] / "specs"
POINT = """system point {
  state x, y : real [m]
  input u, v : real in [-1, 1] [m/s]
  x' = u
  y' = v
  step 0.5s by euler
  init { x in [0, 1]; y in [0, 1] }
}

agent Point {
  env point(horizon = 12)
  region spot = circle(center = (1.5, 1.5), radius = 0.6)
  region wall = circle(center = (1, 0), radius = 0.5)
  task reach = F[0, 10] (x, y) in spot
  safe clear = G !((x, y) in wall)
  reward { reach : 1; clear : -1 continues }
  train ppo { steps = 100 }
}
"""


def test_the_states_that_were_met_are_those_of_the_single_environments() -> None:
    compiled = compiled_spec(SPECS / "office_coffee.agentspec")
    n = 3
    vector, singles = SpecVectorEnv(compiled, n), [SpecEnv.make(compiled) for _ in range(n)]
    met: dict[str, set[tuple[int, int]]] = {}

    def take(info: dict) -> None:
        for name, states in info["agentc"]["states"].items():
            met.setdefault(name, {(k, 0) for k in range(len(states))}).update(enumerate(states))

    vector.reset(4)
    for env, seed in zip(singles, training_seeds(4, n), strict=True):
        take(env.reset(seed=seed)[1])
    rng = np.random.default_rng(0)
    for _ in range(300):
        actions = rng.integers(vector.action_space.n, size=n)
        vector.step(actions)
        for i, env in enumerate(singles):
            *_, terminated, truncated, info = env.step(int(actions[i]))
            take(info)
            if terminated or truncated:
                take(env.reset()[1])
    visited = vector.watched().visited
    assert visited.keys() == met.keys()
    for name, parts in visited.items():
        assert {(k, int(s)) for k, row in enumerate(parts) for s in np.flatnonzero(row)} == met[name]
    monitor = vector.rewards.monitor
    for row, name in enumerate(monitor.names):
        assert vector.figures()["coverage"][name] == len(met[name]) / sum(monitor.sizes(row))
    other = SpecVectorEnv(compiled, n)
    other.restore(vector.snapshot())
    assert other.figures() == vector.figures()


def test_robustness_is_that_of_the_reference_semantics(tmp_path: Path) -> None:
    (tmp_path / "point.agentspec").write_text(POINT)
    compiled = compiled_spec(tmp_path / "point.agentspec")
    n = 3
    vector, singles = SpecVectorEnv(compiled, n), [SpecEnv.make(compiled) for _ in range(n)]
    vector.reset(4)
    traces = []
    for env, seed in zip(singles, training_seeds(4, n), strict=True):
        env.reset(seed=seed)
        traces.append([dict(env.valuation)])
    rng = np.random.default_rng(0)
    expected: list[dict[str, float]] = []
    for t in range(47):
        actions = rng.uniform(-0.5, 0.5, (n, 2)).astype(np.float32)
        vector.step(actions)
        for i, env in enumerate(singles):
            *_, terminated, truncated, _ = env.step(actions[i])
            traces[i].append(dict(env.valuation))
            if terminated or truncated:
                trace = Trace(traces[i])
                expected.append({f.name: robustness(f.formula, trace) for f in compiled.agent.formulas})
                env.reset()
                traces[i] = [dict(env.valuation)]
        if t == 20:  # in the middle of episodes: those that ended are asked for, those under way go on elsewhere
            early = [values for *_, values in vector.watched().episodes]
            assert early == [pytest.approx(e) for e in expected]
            state, expected = vector.snapshot(), []
            vector = SpecVectorEnv(compiled, n)
            vector.restore(state)
    watched = vector.watched()
    assert len(expected) > 2
    assert [values for *_, values in watched.episodes] == [pytest.approx(e) for e in expected[-JUDGED:]]
    assert vector.watched().episodes == ()
    said = watched.figures()["robustness"]["reach"]
    values = [e["reach"] for e in expected[-JUDGED:]]
    expects = {"mean": np.mean(values), "least": min(values), "episodes": len(values)}
    assert said == {name: pytest.approx(value) for name, value in expects.items()}


def test_environments_side_by_side_say_what_one_would_that_had_all() -> None:
    met = (np.array([True, False, True]),)
    one = Watched({"f": met}, ((5, 0, {"f": 1.0}), (9, 1, {"f": 2.0})))
    two = Watched({"f": (np.array([True, True, False]),)}, ((5, 1, {"f": 3.0}), (7, 0, {"f": float("inf")})))
    both = Watched.joined([(0, one), (2, two)])
    assert both.visited["f"][0].tolist() == [True, True, True]
    assert [(t, row) for t, row, _ in both.episodes] == [(5, 0), (5, 3), (7, 2), (9, 1)]
    assert both.figures() == {
        "coverage": {"f": 1.0}, "robustness": {"f": {"mean": 2.0, "least": 1.0, "episodes": 3}},
    }  # fmt: skip
