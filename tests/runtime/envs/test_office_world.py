"""The office world against what is published of it."""

from __future__ import annotations

from collections import deque

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from agentc.runtime.envs.office_world import (
    HEIGHT,
    ID,
    MOVES,
    PLACES,
    START,
    TILES,
    WIDTH,
    OfficeWorld,
    register,
    transitions,
)


def shortest(*orders: tuple[str, ...]) -> int:
    """Length of the shortest way that visits the places of one of the orders and never steps on a plant."""
    table = transitions()
    lengths = []
    for order in orders:
        start = (START[0] + WIDTH * START[1], 0)
        queue, seen = deque([(start, 0)]), {start}
        while queue:
            (cell, done), length = queue.popleft()
            tile = PLACES.get((cell % WIDTH, cell // WIDTH), "empty")
            if tile == "plant":
                continue
            while done < len(order) and tile == order[done]:
                done += 1
            if done == len(order):
                lengths.append(length)
                break
            for following in ((int(c), done) for c in table[cell]):
                if following not in seen:
                    seen.add(following)
                    queue.append((following, length + 1))
    return min(lengths)


def test_optimal_lengths_of_the_published_tasks() -> None:
    # the four tasks of the ICML 2018 experiments and the optimal numbers of steps published with them
    assert shortest(("coffee", "office")) == 15
    assert shortest(("mail", "office")) == 29
    assert shortest(("coffee", "mail", "office"), ("mail", "coffee", "office")) == 29
    assert shortest(("a", "b", "c", "d")) == 30


def test_walls_are_the_same_from_both_sides() -> None:
    table = transitions()
    back = {0: 2, 1: 3, 2: 0, 3: 1}
    moved = 0
    for cell in range(WIDTH * HEIGHT):
        for action, opposite in back.items():
            following = int(table[cell, action])
            if following != cell:
                moved += 1
                assert table[following, opposite] == cell
                dx, dy = MOVES[action]
                assert following - cell == dx + WIDTH * dy
    # 12 rooms with 12 inner edges each, 6 doors sideways and 6 up or down, each passed both ways
    assert moved == 2 * (12 * 12 + 6 + 6)


def test_steps_follow_the_model() -> None:
    env = OfficeWorld(max_steps=300)
    table = transitions()
    cell, _ = env.reset(seed=3)
    assert env.position == START and env.tile == "empty"
    env.action_space.seed(3)
    for t in range(1, 301):
        action = int(env.action_space.sample())
        expected = table[cell, action]
        cell, reward, terminated, truncated, _ = env.step(action)
        assert cell == expected and reward == 0 and not terminated and truncated == (t == 300)
        assert env.tile in TILES


def test_slip_takes_random_actions_at_the_declared_rate() -> None:
    env = OfficeWorld(slip=0.5)
    table = transitions()
    cell, _ = env.reset(seed=0)
    other, total = 0, 4000
    for _ in range(total):
        following = env.step(1)[0]
        other += following != table[cell, 1]
        cell = following
        if env.steps % 50 == 0:
            cell, _ = env.reset()
    # a random action (probability 1/2) differs from `right` in 3 of 4 cases, and then moves unless a wall is there
    assert 0.1 < other / total < 0.375


def test_random_start_covers_the_map() -> None:
    env = OfficeWorld(random_start=True)
    cells = {int(env.reset(seed=s)[0]) for s in range(2000)}
    assert cells == set(range(WIDTH * HEIGHT))


def test_snapshot_restores_the_future() -> None:
    env = OfficeWorld(slip=0.3, max_steps=40)
    env.reset(seed=5)
    for action in (0, 0, 1, 2):
        env.step(action)
    snapshot = env.snapshot()
    future = [env.step(a % 4)[:4] for a in range(36)]
    observation = env.restore(snapshot)
    assert observation == snapshot.cell
    assert [env.step(a % 4)[:4] for a in range(36)] == future


def test_gymnasium_accepts_it() -> None:
    register()
    register()
    env = gymnasium.make(ID, max_steps=50, render_mode="rgb_array")
    check_env(env.unwrapped)
    env.reset(seed=0)
    image = env.render()
    assert isinstance(image, np.ndarray) and image.shape == (HEIGHT * 24, WIDTH * 24, 3) and image.dtype == np.uint8


def test_text_shows_places_and_agent() -> None:
    env = OfficeWorld(render_mode="ansi")
    env.reset(seed=0)
    text = env.render()
    assert [text.count(c) for c in "@abcdmfg*"] == [1, 1, 1, 1, 1, 1, 2, 1, 6]
    assert text.splitlines()[-4].startswith("|  a @ ")


@pytest.mark.parametrize("action", range(4))
def test_the_edge_of_the_map_stops(action: int) -> None:
    env = OfficeWorld()
    env.reset(seed=0)
    for _ in range(20):
        env.step(action)
    assert 0 <= env.position[0] < WIDTH and 0 <= env.position[1] < HEIGHT
