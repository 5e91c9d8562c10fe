"""The quick view is MiniGrid's own."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from agentc.runtime.envs.minigrid import BINDING
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
    env = gymnasium.make(name, max_steps=steps, disable_env_checker=True)
    bare = env.unwrapped
    if not can_replace(bare):
        return 0
    rng = np.random.default_rng(0)
    found = 0
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        found += not np.array_equal(observation["image"], egocentric(bare))
        for _ in range(steps):
            observation, _, terminated, truncated, _ = env.step(int(rng.integers(env.action_space.n)))
            image = egocentric(bare)
            assert image.dtype == observation["image"].dtype and image.flags.c_contiguous
            found += not np.array_equal(observation["image"], image)
            if terminated or truncated:
                break
    return found


@pytest.mark.parametrize("name", FEW)
def test_view_is_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert disagreements(name, 5, 120) == 0


@pytest.mark.slow
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

    assert not can_replace(Custom())
    assert can_replace(EmptyEnv())
