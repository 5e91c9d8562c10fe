"""The benchmark of MiniGrid where plain PPO fails: what is missing, what is judged, and what rows say."""

import json
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from agentc.benchmarks import minigrid_learning
from agentc.benchmarks.minigrid_learning import ARMS, SB3, SPEC, TASKS, Recorded, bare, digest, missing, read, rows
from agentc.runtime.envs.minigrid import BINDING
from agentc.runtime.spec_env import compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv

pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date")
TASK = TASKS[0]


def recorded(arm: str = SPEC, seed: int = 0, solved: int = 190, steps: int = 1000) -> Recorded:
    return Recorded(TASK, arm, seed, solved, 200, steps, 10.0, digest(TASK))


def test_what_is_recorded_is_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    stale = asdict(recorded(seed=1)) | {"spec": "of another text"}
    path.write_text(json.dumps(asdict(recorded())) + "\n" + json.dumps(stale) + "\n")
    done = read(path)
    assert done == [recorded()]
    left = missing(done, [TASK], 2)
    assert (TASK, SPEC, 0) not in left and (TASK, SPEC, 1) in left and {task for task, _, _ in left} == {TASK}
    assert [seed for _, arm, seed in left if arm != SPEC] == [0] * len({arm for _, arm, _ in left} - {SPEC})
    assert len([w for w in missing([], [TASK], 7) if w[1] == SPEC]) == 3


def test_the_target_is_judged_of_every_seed() -> None:
    def holds(*done: Recorded) -> bool | None:
        return next(r.holds for r in rows(done) if r.case == f"{TASK}: {SPEC}")

    assert holds(*(recorded(seed=s) for s in range(3))) is True
    assert holds(recorded(), recorded(seed=1), recorded(seed=2, solved=179)) is False
    assert holds(*(recorded(seed=s, steps=10_000_001 if s else 1) for s in range(3))) is False
    assert holds(recorded(), recorded(seed=1)) is None, "a seed is missing"
    assert holds() is None


def test_rows_are_shares_over_all_seeds() -> None:
    table = {r.case: r for r in rows([recorded(), recorded(seed=1, solved=200), recorded(SB3, solved=3)])}
    assert set(table) == {f"{task}: {arm}" for task in TASKS for arm in ARMS}
    assert table[f"{TASK}: {SPEC}"].ours == 0.975 and "0.950, 1.000" in table[f"{TASK}: {SPEC}"].note
    other = table[f"{TASK}: {SB3}"]
    assert other.ours == 0.015 and other.holds is None and other.target == ""
    assert table[f"{TASK}: plain"].note == "not run yet"


@pytest.mark.parametrize("task", TASKS)
def test_episodes_are_as_long_as_the_package_gives_them(task: str) -> None:
    environment = minigrid_learning.specified(task).agent.environment
    assert environment is not None
    package: Any = gymnasium.make(str(environment.arguments["id"])).unwrapped
    assert environment.arguments["max_steps"] == package.max_steps
    assert environment.arguments["view"] == "partial"


@pytest.mark.parametrize(("task", "stages"), list(zip(TASKS, ([6], [7], [3, 5]), strict=True)))
def test_every_stage_raises_the_potential(task: str, stages: list[int]) -> None:
    shapings = minigrid_learning.specified(task).reward_machine.shapings
    assert sorted(len({p for row in s.potentials for p in row if p > 0.0}) for s in shapings) == stages


def test_without_the_spec_there_is_what_the_package_shows_and_pays() -> None:
    env, agent = SpecVectorEnv(bare(TASK), 2), bare(TASK).agent
    assert env.batched and agent.environment is not None
    assert env.observation_space == BINDING.make(agent.environment.arguments).observation_space
    assert agent.train == minigrid_learning.specified(TASK).agent.train


class Scripted:
    """Acts by rote."""

    def __init__(self, *actions: int) -> None:
        self._actions = cycle(actions)

    def act(self, observation: Any, mask: Any, randomness: Any) -> Any:
        return np.array([next(self._actions)])


@pytest.mark.parametrize(("actions", "count"), [((2, 2, 1, 2, 2), 4), ((1,), 0)])
def test_an_episode_counts_if_the_package_pays(actions: tuple[int, ...], count: int, tmp_path: Path) -> None:
    path = tmp_path / "empty.agentspec"
    path.write_text('import std.env.minigrid\nagent Empty { env minigrid("MiniGrid-Empty-5x5-v0", max_steps = 9) }\n')
    assert minigrid_learning.solved(compiled_spec(path), Scripted(*actions), 0, 4) == count


@pytest.mark.parametrize("arm", ARMS)
def test_a_short_run_of_every_arm(arm: str, tmp_path: Path) -> None:
    if arm == SB3:
        pytest.importorskip("stable_baselines3")
    found = minigrid_learning.run_one(TASK, arm, 0, tmp_path, steps=2048, episodes=2)
    assert (found.task, found.arm, found.steps, found.episodes) == (TASK, arm, 2048, 2) and 0 <= found.solved <= 2
    assert found.training > 0 and found.spec == digest(TASK)


def test_stable_baselines_sees_and_is_paid_the_same() -> None:
    pytest.importorskip("stable_baselines3")
    from agentc.benchmarks.minigrid_sb3 import Rows, vectors
    from agentc.runtime.learn.architecture import GRID_CODES

    agent = minigrid_learning.specified(TASK)
    env, peer = SpecVectorEnv(agent, 3), Rows(SpecVectorEnv(agent, 3), 5)
    seen = env.reset(5)
    assert np.array_equal(peer.reset(), vectors(seen))
    assert isinstance(seen, dict)
    width = sum(GRID_CODES)
    codes = peer.reset()[:, : 49 * width].reshape(3, 7, 7, width)
    assert np.array_equal(codes[..., : GRID_CODES[0]].argmax(-1), seen["image"][..., 0])
    assert np.array_equal(codes[..., sum(GRID_CODES[:2]) :].argmax(-1), seen["image"][..., 2])
    rng, over = np.random.default_rng(0), 0
    for _ in range(130):
        actions = rng.integers(7, size=3)
        batch = env.step(actions)
        peer.step_async(actions)
        shown, reward, ended, infos = peer.step_wait()
        assert np.array_equal(shown, vectors(batch.observation)) and np.array_equal(reward, batch.reward)
        assert np.array_equal(ended, batch.terminated | batch.truncated)
        for row in np.flatnonzero(ended).tolist():
            over += 1
            assert infos[row]["TimeLimit.truncated"] == batch.truncated[row]
            assert np.array_equal(infos[row]["terminal_observation"], vectors(batch.final_observation)[row])
    assert over >= 3


def test_the_command_lists_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    from agentc.runtime.cli.application import invoke

    invoke(["bench", "minigrid-learning", "--format", "json"])
    cases = [row["case"] for row in json.loads(capsys.readouterr().out)]
    assert cases == [f"{task}: {arm}" for task in TASKS for arm in ARMS]
    assert invoke(["bench", "minigrid-learning", "multiroom"]) == 1
    assert "AS0968" in capsys.readouterr().err
