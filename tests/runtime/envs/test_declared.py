"""Declared systems as environments: spaces, signals, exact snapshots, batches, drawings, under a spec."""

import xml.etree.ElementTree as ElementTree

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from systems.declared import DIE, GRID, THERMOSTAT, UNICYCLE, agent

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.envs.declared import DeclaredEnv, declared_environment
from agentc.runtime.envs.declared_batch import DeclaredBatch
from agentc.runtime.spec_env import SpecEnv
from agentc.runtime.spec_vector import SpecVectorEnv

MIXED = """system mixed {
  state x : real in [-100, 100] [m], gear : enum {low, high}, on : bool, n : int
  input push : real in [-1, 1] [m/s], shift : bool, count : int in [0, 2]
  disturbance w : real in [-0.1, 0.1] [m/s], k : int in [0, 3]
  x' = x + (push + w) * 1s
  gear' = high
  on' = shift & !on
  n' = n + count + k
  step 1s by difference
  output x : real [m], gear : enum {low, high}
  init { x = 0m; gear = low; on = false; n = 0 }
}"""

ALL = {"unicycle": UNICYCLE, "thermostat": THERMOSTAT, "grid": GRID, "die": DIE, "mixed": MIXED}


def environment(text, horizon=40, render_mode=None):
    return declared_environment(agent(text, f"horizon = {horizon}"), render_mode)


def chosen(env, info, rng):
    if isinstance(env.action_space, spaces.Discrete):
        mask = info.get("action_mask", np.ones(env.action_space.n, bool))
        return int(rng.choice(np.flatnonzero(mask)))
    return rng.uniform(env.action_space.low, env.action_space.high).astype(np.float32)


def test_spaces_come_from_inputs_and_outputs():
    unicycle = environment(UNICYCLE)
    assert unicycle.action_space == spaces.Box(np.float32([0, -1]), np.float32([1, 1]))
    assert unicycle.observation_space.shape == (3,)
    thermostat = environment(THERMOSTAT)
    assert thermostat.observation_space.shape == (4,)  # two states, and the mode as two numbers
    grid = environment(GRID)
    assert grid.action_space == spaces.Discrete(4) and grid.observation_space == spaces.Discrete(25)
    assert environment(DIE).observation_space == spaces.Discrete(7 * 2 * 2)
    mixed = environment(MIXED)
    assert mixed.action_space.shape == (3,)
    assert mixed.observation_space.shape == (3,)  # x, and gear as two numbers


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("name", ["unicycle", "thermostat", "grid", "mixed"])
def test_gymnasium_finds_nothing_wrong(name):
    check_env(environment(ALL[name]), skip_render_check=True)


@pytest.mark.parametrize("name", ALL)
def test_snapshots_are_exact(name):
    env, rng = environment(ALL[name]), np.random.default_rng(0)
    _, info = env.reset(seed=5)
    for _ in range(3):
        *_, done, _, info = env.step(chosen(env, info, rng))
        if done:
            _, info = env.reset()
    snapshot, mask = env.snapshot(), info
    traces = []
    for _ in range(2):
        choices, info = np.random.default_rng(1), mask
        trace = [env.restore(snapshot)]
        for _ in range(12):
            observation, _, done, cut, info = env.step(chosen(env, info, choices))
            trace.append((np.asarray(observation).tobytes(), env.batch.state.tobytes(), done, cut))
            if done:
                trace.append(np.asarray(env.reset()[0]).tobytes())
                break
        traces.append((np.asarray(trace[0]).tobytes(), trace[1:]))
    assert traces[0] == traces[1]


@pytest.mark.parametrize("name", ALL)
def test_a_batch_is_as_many_single_environments(name):
    n, spec = 7, agent(ALL[name], "horizon = 9")
    singles = [declared_environment(spec) for _ in range(n)]
    batch, rng = DeclaredBatch(spec.system, 9, n), np.random.default_rng(2)
    infos = []
    for i, env in enumerate(singles):
        infos.append(env.reset(seed=i)[1])
        batch.reset(i, np.random.Generator(np.random.PCG64(np.random.SeedSequence(i))))
    for _ in range(30):
        actions = [chosen(env, info, rng) for env, info in zip(singles, infos, strict=True)]
        terminated, truncated = batch.step(np.array(actions))
        mask, seen = batch.mask(), batch.observation()
        for i, env in enumerate(singles):
            observation, _, done, cut, infos[i] = env.step(actions[i])
            assert np.asarray(observation).tobytes() == np.asarray(seen[i], env.observation_space.dtype).tobytes()
            assert (terminated[i], truncated[i]) == (done, cut)
            assert env.batch.state.tobytes() == batch.state[i : i + 1].tobytes()
            if mask is not None:
                assert np.array_equal(mask[i], infos[i]["action_mask"])
            if done or cut:
                generator = env.np_random
                twin = np.random.Generator(np.random.PCG64())
                twin.bit_generator.state = generator.bit_generator.state
                _, infos[i] = env.reset()
                batch.reset(i, twin)


def test_signals_are_states_inputs_mode_and_command():
    env = environment(THERMOSTAT)
    reader = env.reader(("temperature", "mode", "action.draught"))
    env.reset(seed=1)
    assert reader.reset()[1:] == ["heating", None]
    env.step(np.float32([0.25]))
    temperature, mode, draught = reader.step(None, 0.0)
    assert temperature == env.batch.state[0, 0] and mode in ("heating", "cooling") and draught == 0.25
    die = environment(DIE)
    reader = die.reader(("face", "thrown", "hand", "action"))
    die.reset(seed=3, options={"state": {"hand": "left"}})
    assert reader.reset() == [0, False, "left", None]
    die.step(1)
    assert reader.step(1, 0.0) == [0, False, "right", "swap"]


def test_a_transition_system_ends_where_nothing_is_enabled():
    env = environment(DIE, horizon=1000)
    _, info = env.reset(seed=0)
    done, rng = False, np.random.default_rng(0)
    while not done:
        _, _, done, cut, info = env.step(chosen(env, info, rng))
        assert not cut
    assert env.batch.state[0, 1] == 1 and info["action_mask"].all()


def test_starts_can_be_given():
    env = environment(UNICYCLE)
    observation, _ = env.reset(seed=0, options={"state": {"x": 7.5, "theta": -1}})
    assert observation[0] == 7.5 and observation[2] == -1
    for wrong in ({"state": {"z": 1}}, {"state": {"x": "1"}}, {"state": {"x": float("nan")}}, {"mode": "fast"}):
        with pytest.raises(AgentcError) as error:
            env.reset(options=wrong)
        assert error.value.diagnostics[0].code == "AS1116"


def test_actions_are_clipped_by_what_float32_rounds_and_no_more():
    env = environment(UNICYCLE.replace("[0, 1] [m/s]", "[0, 0.1] [m/s]"))
    env.reset(seed=0)
    env.step(env.action_space.high)  # 0.1 in float32 is more than 0.1
    assert env.batch.action[0, 0] == 0.1
    for wrong in ([0.2, 0], [np.nan, 0], [0.1]):
        with pytest.raises(AgentcError) as error:
            env.step(np.float32(wrong))
        assert error.value.diagnostics[0].code == "AS1107"


TASK = """
  region goal = ball(center = (1, 0), radius = 0.6)
  region wall = union(box(lo = (0, 0.4), hi = (1, 0.5)), halfspace(normal = (0, 1), offset = -2))
  task reach = F[0s, 3s] (x, y) in goal
  safe clear = G (x, y) not in wall
  task turned = F (prev.theta > theta & v > 0.5)
  reward { reach : 1; clear : -1 }
"""


def test_under_a_spec_verdicts_are_those_of_the_semantics():
    spec = agent(UNICYCLE, "horizon = 30", TASK)
    env, rng = SpecEnv.make(spec), np.random.default_rng(0)
    for seed in range(6):
        _, info = env.reset(seed=seed)
        trace = [dict(env.valuation)]
        done = False
        while not done:
            action = rng.uniform([0, -1], [1, 1]).astype(np.float32)
            _, _, ended, cut, info = env.step(action)
            trace.append(dict(env.valuation))
            done = ended or cut
        said = info["agentc"]
        for item in spec.of_role("task"):
            assert said["satisfied"][item.name] == evaluate(item.formula, Trace(trace))
        assert said["violated"]["clear"] == (not evaluate(spec.formula("clear").formula, Trace(trace)))


@pytest.mark.parametrize("mode", ["dict", "flat"])
@pytest.mark.parametrize(("text", "body"), [
    (UNICYCLE, TASK), (THERMOSTAT, "task warm = F (mode == cooling & temperature < 19)\nsafe s = G switches < 9"),
    (GRID, "task corner = F (x == 4 & y == 4 & move == right)\nreward { corner : 1 }"),
    (DIE, "task two = F (face == 2 & action == roll)"),
])  # fmt: skip
def test_the_vector_is_as_many_single_environments(text, body, mode):
    spec, n = agent(text, "horizon = 12", body), 5
    vector = SpecVectorEnv(spec, n, observation=mode)
    copies = SpecVectorEnv(spec, n, observation=mode, make=lambda: declared_environment(spec))
    assert vector.batched and not copies.batched
    rng = np.random.default_rng(3)

    def same(one, other):
        if isinstance(one, dict):
            return all(np.array_equal(one[k], other[k]) for k in one)
        return np.array_equal(one, other)

    for _ in range(2):  # a second reset with the same seed gives the same episodes
        assert same(vector.reset(7), copies.reset(7))
        for _ in range(40):
            if isinstance(vector.action_space, spaces.Discrete):
                masks = vector.action_mask
                size = vector.action_space.n
                if masks is None:
                    masks = np.ones((n, size), bool)
                actions = np.array([rng.choice(np.flatnonzero(m)) for m in masks])
            else:
                space = vector.action_space
                actions = rng.uniform(space.low, space.high, (n, *space.shape))
            if rng.random() < 0.1:  # a new one goes on where the old one was
                old, vector = vector, SpecVectorEnv(spec, n, observation=mode)
                vector.reset(1)
                vector.restore(old.snapshot())
            a, b = vector.step(actions), copies.step(actions)
            assert same(a.observation, b.observation) and same(a.final_observation, b.final_observation)
            for part in ("reward", "terminated", "truncated"):
                assert np.array_equal(getattr(a, part), getattr(b, part))
            assert (a.action_mask is None) == (b.action_mask is None)
            if a.action_mask is not None:
                assert np.array_equal(a.action_mask, b.action_mask)
            assert a.info.keys() == b.info.keys() and all(np.array_equal(a.info[k], b.info[k]) for k in a.info)


@pytest.mark.parametrize("name", ["unicycle", "thermostat", "grid", "die"])
def test_drawings(name):
    body = TASK if name == "unicycle" else ""
    spec = agent(ALL[name], "horizon = 12", body)
    env = declared_environment(spec, "svg")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    info = env._info()
    for _ in range(3):
        *_, done, _, info = env.step(chosen(env, info, rng))
        if done:
            break
    root = ElementTree.fromstring(env.render())
    assert root.tag.endswith("svg") and any(e.tag.endswith("polyline") for e in root.iter())
    if name == "unicycle":
        kinds = {e.tag.split("}")[1] for e in root.iter()}
        assert {"ellipse", "rect", "path", "text"} <= kinds  # the goal, the plane, the wall, the axes
    image = DeclaredEnv.render(_with_mode(env, "rgb_array"))
    assert image.dtype == np.uint8 and image.ndim == 3 and len(np.unique(image.reshape(-1, 3), axis=0)) > 1
    assert "=" in DeclaredEnv.render(_with_mode(env, "ansi"))


def _with_mode(env, mode):
    env.render_mode = mode
    return env


def test_a_foreign_environment_is_refused():
    spec = agent(UNICYCLE, "horizon = 9", "task far = F x > 3m")
    with pytest.raises(AgentcError) as error:
        SpecEnv(gymnasium.make("CartPole-v1"), spec)
    assert error.value.diagnostics[0].code == "AS0909"
