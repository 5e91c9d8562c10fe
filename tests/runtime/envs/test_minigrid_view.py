"""The quick view is MiniGrid's own."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from agentc.runtime.envs.minigrid import BINDING, ArrayObservation
from agentc.runtime.envs.minigrid_view import can_replace, egocentric

FEW = (
    "MiniGrid-DoorKey-6x6-v0",
    "MiniGrid-Dynamic-Obstacles-Random-6x6-v0",  # sees through walls
    "MiniGrid-LavaCrossingS9N3-v0",
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-KeyCorridorS3R3-v0",
    "MiniGrid-ObstructedMaze-1Dlhb-v0",
    "BabyAI-UnlockPickup-v0",
    "BabyAI-GoToLocal-v0",
)


def disagreements(name: str, episodes: int, steps: int) -> int:
    """Steps at which MiniGrid's own observation and ours differ, in episodes of the same seeds and actions."""
    plain = gymnasium.make(name, max_steps=steps, disable_env_checker=True)
    ours = ArrayObservation(gymnasium.make(name, max_steps=steps, disable_env_checker=True))
    rng = np.random.default_rng(0)
    found = 0
    for seed in range(episodes):
        pair = plain.reset(seed=seed)[0], ours.reset(seed=seed)[0]
        for _ in range(steps):
            assert pair[0]["image"].dtype == pair[1]["image"].dtype and pair[1]["image"].flags.c_contiguous
            found += not np.array_equal(pair[0]["image"], pair[1]["image"])
            found += pair[0]["direction"] != pair[1]["direction"]
            action = int(rng.integers(plain.action_space.n))
            one, other = plain.step(action), ours.step(action)
            assert one[1:4] == other[1:4]
            pair = one[0], other[0]
            if one[2] or one[3]:
                break
    return found


@pytest.mark.parametrize("name", FEW)
def test_view_is_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert disagreements(name, 5, 120) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is out of date")
@pytest.mark.parametrize("name", BINDING.ids())
def test_view_is_the_same_everywhere(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert disagreements(name, 6, 150) == 0
    except gymnasium.error.DependencyNotInstalled as error:
        pytest.skip(str(error))


def test_open_doors_are_seen_through() -> None:
    env = gymnasium.make("MiniGrid-DoorKey-6x6-v0", max_steps=250, disable_env_checker=True)
    bare = env.unwrapped
    opened = 0
    for seed in range(30):
        env.reset(seed=seed)
        for cell in bare.grid.grid:
            if cell is not None and cell.type == "door":
                cell.is_open, cell.is_locked = True, False
        for _ in range(30):
            observation, _, terminated, _, _ = env.step(bare.action_space.sample() % 3)
            opened += (observation["image"][:, :, 0] == 4).any() and (observation["image"][:, :, 2] == 0).all()
            assert np.array_equal(observation["image"], egocentric(bare))
            if terminated:
                break
    assert opened > 0


def test_other_ways_to_observe_are_left_alone() -> None:
    from minigrid.envs.empty import EmptyEnv

    class Custom(EmptyEnv):
        def gen_obs(self):
            return super().gen_obs()

    assert not can_replace(Custom)
    assert can_replace(EmptyEnv)
