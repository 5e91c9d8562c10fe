"""``SpecVectorEnv`` is N ``SpecEnv``, and other people's learners can use both."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from scripted import Scripted, agent, letters, read

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.vector import VectorEnv
from agentc.runtime.spec_env import SpecEnv, compiled_spec
from agentc.runtime.spec_gym_vector import SpecGymVector
from agentc.runtime.spec_vector import SpecVectorEnv

SPECS = Path(__file__).parents[2] / "specs"


def rows(observation: object, i: int) -> dict[str, np.ndarray]:
    assert isinstance(observation, dict)
    return {key: array[i].copy() for key, array in observation.items()}


def same(one: object, other: object) -> bool:
    if isinstance(one, dict):
        assert isinstance(other, dict) and one.keys() == other.keys()
        return all(np.array_equal(one[key], other[key]) for key in one)
    return bool(np.array_equal(one, other))


@pytest.mark.parametrize("shaping", [True, False])
@pytest.mark.parametrize("spec", ["doorkey", "cartpole", "office_coffee"])
def test_the_same_as_single_environments(spec: str, shaping: bool) -> None:
    compiled = compiled_spec(SPECS / f"{spec}.agentspec")
    n, steps = 4, 400
    vector = SpecVectorEnv(compiled, n, shaping=shaping)
    assert isinstance(vector, VectorEnv)
    singles = [SpecEnv.make(compiled, shaping=shaping) for _ in range(n)]
    assert vector.observation_space == singles[0].observation_space
    batch = vector.reset(11)
    for i, (env, seed) in enumerate(zip(singles, training_seeds(11, n), strict=True)):
        assert same(rows(batch, i), env.reset(seed=seed)[0])
    rng = np.random.default_rng(0)
    ended = 0
    paid: list[dict[str, float]] = [{} for _ in range(n)]
    for _ in range(steps):
        actions = rng.integers(vector.action_space.n, size=n)
        step = vector.step(actions)
        for i, env in enumerate(singles):
            observation, reward, terminated, truncated, info = env.step(int(actions[i]))
            assert same(rows(step.final_observation, i), observation)
            assert step.reward[i] == np.float32(reward)
            assert (step.terminated[i], step.truncated[i]) == (terminated, truncated)
            for name, amount in info["agentc"]["reward"].items():
                paid[i][name] = paid[i].get(name, 0.0) + amount
            if terminated or truncated:
                sources = {k.removeprefix("reward/"): v[i] for k, v in step.info.items() if k.startswith("reward/")}
                assert sources and sources == pytest.approx({name: paid[i][name] for name in sources}, abs=1e-9)
                assert all(total == 0.0 for k, total in paid[i].items() if k not in {*sources, "environment"})
                paid[i] = {}
                ended += 1
                said = info["agentc"]
                assert step.info["return"][i] == pytest.approx(said["episode"]["return"], abs=1e-9)
                assert step.info["length"][i] == said["episode"]["length"]
                for name, value in said["satisfied"].items():
                    assert step.info[f"satisfied/{name}"][i] == value
                for name, value in said["violated"].items():
                    assert step.info[f"violated/{name}"][i] == value
                observation = env.reset()[0]
            assert same(rows(step.observation, i), observation)
        if not (step.terminated | step.truncated).any():
            assert step.final_observation is step.observation
    assert ended >= n
    vector.close()


def test_the_same_seed_gives_the_same_episodes() -> None:
    vector = SpecVectorEnv(compiled_spec(SPECS / "office_coffee.agentspec"), 3)

    def run() -> list[object]:
        seen: list[object] = [rows(vector.reset(5), i) for i in range(3)]
        rng = np.random.default_rng(1)
        for _ in range(150):
            step = vector.step(rng.integers(4, size=3))
            seen += [rows(step.observation, i) for i in range(3)]
            seen += [step.reward.tolist(), step.terminated.tolist()]
        return seen

    first = run()
    for one, other in zip(first, run(), strict=True):
        assert same(one, other) if isinstance(one, dict) else one == other


def test_the_previous_observation_stays_valid_for_one_step() -> None:
    vector = SpecVectorEnv(compiled_spec(SPECS / "cartpole.agentspec"), 2)
    observation = vector.reset(0)
    kept = {k: v.copy() for k, v in observation.items()}  # type: ignore[union-attr]
    step = vector.step(np.array([0, 1]))
    assert same(observation, kept) and not same(step.observation, kept)


@pytest.mark.parametrize("observation", ["flat", "none"])
def test_other_modes(observation: str) -> None:
    compiled = compiled_spec(SPECS / "cartpole.agentspec")
    vector = SpecVectorEnv(compiled, 2, observation=observation)
    single = SpecEnv.make(compiled, observation=observation)
    seeds = training_seeds(3, 2)
    assert np.array_equal(vector.reset(3)[0], single.reset(seed=seeds[0])[0])
    for action in (0, 1, 1, 0, 0):
        assert np.array_equal(vector.step(np.array([action, 1 - action])).observation[0], single.step(action)[0])


def test_verdicts_of_ended_episodes_are_the_reference_s() -> None:
    compiled = agent("""
    signal p, q, r : bool
    task t = F (p & X q)
    behavior b = G (p -> q | r)
    safe s = G (p -> !r)
    safe x = G (first | (prev.p -> !prev.q | q))
    reward { t : +1 continues; s : -1 continues; x : -1 continues }""")
    rng = np.random.default_rng(3)
    scripts = [
        letters(*["".join(c for c in "pqr" if rng.random() < 0.3) for _ in range(rng.integers(2, 7))])
        for _ in range(40)
    ]
    vector = SpecVectorEnv(compiled, 1, make=lambda: Scripted(scripts, "terminated"), signals=read)
    vector.reset(0)
    played = 0
    while played < len(scripts):
        step = vector.step(np.zeros(1, np.int64))
        if step.terminated[0]:
            trace = Trace(scripts[played])
            for name in "tb":
                assert step.info[f"satisfied/{name}"][0] == evaluate(compiled.agent.formula(name).formula, trace)
            for name in "sx":  # these are violated just when they are false
                assert step.info[f"violated/{name}"][0] != evaluate(compiled.agent.formula(name).formula, trace)
            assert step.info["length"][0] == len(trace) - 1
            played += 1


def test_discrete_actions_count_from_zero() -> None:
    class Shifted(Scripted):
        def __init__(self) -> None:
            super().__init__([letters("", "", "", "")], "none")
            self.action_space = gymnasium.spaces.Discrete(2, start=3)
            self.taken: list[int] = []

        def step(self, action):
            self.taken.append(action)
            return super().step(action)

    env = Shifted()
    compiled = agent("signal p, q, r : bool\nsignal action : enum {a, b}\ntask t = F (action == b)\nreward { t : +1 }")
    vector = SpecVectorEnv(compiled, 1, make=lambda: env, signals=read)
    vector.reset(0)
    assert vector.step(np.array([0])).reward.tolist() == [0]
    assert vector.step(np.array([1])).reward.tolist() == [1]
    assert env.taken == [3, 4]


def test_action_masks_are_passed_on() -> None:
    class Masked(Scripted):
        def reset(self, *, seed=None, options=None):
            observation, _ = super().reset(seed=seed)
            return observation, {"action_mask": np.array([True, False])}

        def step(self, action):
            observation, reward, ended, cut, _ = super().step(action)
            return observation, reward, ended, cut, {"action_mask": np.array([self.t % 2 == 0, True])}

    compiled = agent("signal p, q, r : bool\ntask t = F p\nreward { t : +1 }")
    make = lambda: Masked([letters("", "", "p")], "none")
    vector = SpecVectorEnv(compiled, 2, make=make, signals=read)
    vector.reset(0)
    assert vector.action_mask.tolist() == [[True, False]] * 2
    assert vector.step(np.zeros(2, np.int64)).action_mask.tolist() == [[False, True]] * 2
    ended = vector.step(np.zeros(2, np.int64))
    assert ended.terminated.all() and ended.action_mask.tolist() == [[True, False]] * 2


def test_values_that_the_types_rule_out() -> None:
    compiled = agent("signal x : real in [0, 5]\ntask t = F (x > 4)\nreward { t : +1 }")
    make = lambda: Scripted([[{"x": 1.0}, {"x": 9.0}]], "none")
    vector = SpecVectorEnv(compiled, 2, make=make, signals=read)
    vector.reset(0)
    with pytest.raises(AgentcError) as error:
        vector.step(np.zeros(2, np.int64))
    assert [d.code for d in error.value.diagnostics] == ["AS0908"]


# ---------------------------------------------------------------- other people's code


def test_as_gymnasium_s_vector_environment() -> None:
    compiled = compiled_spec(SPECS / "cartpole.agentspec")
    env = SpecGymVector(SpecVectorEnv(compiled, 3))
    reference = SpecVectorEnv(compiled, 3)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, infos = env.reset(seed=2)
    assert observation in env.observation_space and infos == {}
    assert same(observation, reference.reset(2))
    env.action_space.seed(0)
    ended = 0
    for _ in range(80):
        actions = env.action_space.sample()
        observation, rewards, terminated, truncated, infos = env.step(actions)
        step = reference.step(actions)
        assert observation in env.observation_space
        assert same(observation, step.observation)
        assert np.array_equal(rewards, step.reward) and rewards.dtype == np.float64
        assert np.array_equal(terminated, step.terminated) and np.array_equal(truncated, step.truncated)
        done = terminated | truncated
        assert ("final_obs" in infos) == done.any()
        for i in np.flatnonzero(done):
            ended += 1
            assert infos["final_obs"][i] in env.single_observation_space
            assert same(infos["final_obs"][i], rows(step.final_observation, int(i)))
            assert infos["final_info"]["length"][i] == step.info["length"][i]
    assert ended > 3
    statistics = gymnasium.wrappers.vector.RecordEpisodeStatistics(env)
    statistics.reset(seed=2)
    statistics.step(env.action_space.sample())
    env.close()


COFFEE = """
import std.env.office: office
agent Coffee {
  env office(max_steps = 100, random_start = true)
  task get = F (tile == coffee)
  reward { get : +1; step : -0.01 }
}
"""


def train_with_stable_baselines(folder: Path, steps: int) -> tuple[int, list[bool]]:
    """PPO of Stable-Baselines3 in the office: steps taken, and whether its episodes satisfied the task."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    torch.set_num_threads(1)  # the networks are too small for more
    (folder / "coffee.agentspec").write_text(COFFEE)
    compiled = compiled_spec(folder / "coffee.agentspec")
    satisfied: list[bool] = []

    class Verdicts(BaseCallback):
        def _on_step(self) -> bool:
            for done, info in zip(self.locals["dones"], self.locals["infos"], strict=True):
                if done:
                    satisfied.append(info["agentc"]["satisfied"]["get"])
            return True

    env = make_vec_env(lambda: SpecEnv.make(compiled), n_envs=4, seed=0)
    model = PPO(
        "MultiInputPolicy", env, n_steps=128, batch_size=128, learning_rate=1e-3, gamma=0.99, seed=0, device="cpu"
    )
    model.learn(steps, callback=Verdicts())
    return model.num_timesteps, satisfied


def test_stable_baselines_trains_on_it(tmp_path: Path) -> None:
    steps, satisfied = train_with_stable_baselines(tmp_path, 512)
    assert steps == 512 and len(satisfied) >= 4


@pytest.mark.slow
def test_stable_baselines_learns_the_task(tmp_path: Path) -> None:
    _, satisfied = train_with_stable_baselines(tmp_path, 60_000)
    first, last = satisfied[:100], satisfied[-100:]
    assert sum(last) > 95 > sum(first)
