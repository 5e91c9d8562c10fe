"""Worlds stepped as arrays do what the single environments do, row by row and step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from agentc.compiler.agent import EnvironmentIR
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.envs.batch import BatchBinding
from agentc.runtime.envs.craft import craft_map
from agentc.runtime.envs.craft_maps import MAPS
from agentc.runtime.envs.letter_world import CELLS, COPIES, LETTERS, NEXT, sample_map
from agentc.runtime.envs.registry import binding, complete_arguments, make_environment, signal_reader
from agentc.runtime.envs.water_world import BALLS, RADIUS, SIZE, SPEED, advance, touching, water_map
from agentc.runtime.envs.zone_world import GAP, sample_world, zone_of
from agentc.runtime.envs.zone_world import RADIUS as DISC
from agentc.runtime.labelling import encode

CALLS = [
    "office(max_steps = 30)",
    "office(max_steps = 25, slip = 0.3, random_start = true)",
    "craft(map = 4, max_steps = 40)",
    "craft(map = 2, max_steps = 40, slip = 0.25)",
    "water(map = 3, max_steps = 50)",
    "letters(max_steps = 12)",
    "zones(max_steps = 30)",
]


def environment(call: str) -> EnvironmentIR:
    name = call.partition("(")[0]
    result = check(Source("<test>", f"import std.env.{name}: {name}\nagent A {{\n  env {call}\n}}\n"))
    found = result.agents[0].environment
    assert found is not None
    return found


def rows(values: Mapping[str, Any], row: int) -> dict[str, Any]:
    return {name: array[row] for name, array in values.items()}


@pytest.mark.parametrize("call", CALLS)
def test_rows_are_the_single_environments(call: str) -> None:
    declared = environment(call)
    found = binding(declared.engine)
    assert isinstance(found, BatchBinding)
    n, steps = 5, 130
    names = [s.name for s in declared.signals]
    world = found.batch(complete_arguments(found.engine, found.arguments, declared.arguments), n)
    singles = [make_environment(declared) for _ in range(n)]
    readers = [signal_reader(declared.engine, env, names) for env in singles]
    source = np.random.default_rng(3)
    seeds = [int(s) for s in source.integers(1 << 30, size=n)]
    seen = [env.reset(seed=seed)[0] for env, seed in zip(singles, seeds, strict=True)]
    read = [reader.reset() for reader in readers]
    world.reset(np.ones(n, np.bool_), seeds)
    ended_somewhere = 0
    for _ in range(steps):
        np.testing.assert_array_equal(world.observation(), np.stack(seen))
        for name, signal, column in zip(names, declared.signals, zip(*read, strict=True), strict=True):
            np.testing.assert_array_equal(world.signals(names)[name], encode(name, signal, column))
        if isinstance(world.action_space, spaces.Discrete):
            actions = source.integers(world.action_space.n, size=n)
        else:
            actions = source.uniform(-1.5, 1.5, (n, *world.action_space.shape)).astype(np.float32)
        paid, terminated, truncated = world.step(actions)
        for i, env in enumerate(singles):
            seen[i], reward, stop, cut, _ = env.step(actions[i])
            read[i] = readers[i].step(actions[i], float(reward))
            assert (paid[i], terminated[i], truncated[i]) == (reward, stop, cut)
        np.testing.assert_array_equal(world.observation(), np.stack(seen))
        ended = terminated | truncated
        if source.random() < 0.05:  # rows may be begun anew at any time
            ended = ended | (source.random(n) < 0.5)
        world.reset(ended)
        for i in np.flatnonzero(ended):
            ended_somewhere += 1
            seen[i] = singles[i].reset()[0]
            read[i] = readers[i].reset()
    assert ended_somewhere > n


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_gymnasium_s_own_checks(call: str) -> None:
    check_env(make_environment(environment(call)).unwrapped, skip_render_check=True)


def test_the_published_craft_maps() -> None:
    # as drawn for the article: on every map five pieces of wood, of grass and of iron, two of everything else
    for number, tiles in enumerate(MAPS):
        assert {name: len(cells) for name, cells in tiles.items()} == {
            "wood": 5, "toolshed": 2, "workbench": 2, "grass": 5, "factory": 2, "iron": 5, "gold": 2, "gem": 2,
        }  # fmt: skip
        every = [cell for cells in tiles.values() for cell in cells]
        assert len(set(every)) == len(every) and (19, 19) not in every
        assert craft_map(number).tiles.astype(bool).sum() == len(every)


def test_water_maps_are_as_described() -> None:
    for number in range(11):
        position, velocity = water_map(number)
        assert position.shape == velocity.shape == (BALLS + 1, 2)
        np.testing.assert_allclose(np.hypot(*velocity[1:].T), SPEED)
        apart = np.hypot(*(position[:, None] - position[None]).transpose(2, 0, 1)) + SIZE * np.eye(BALLS + 1)
        assert apart.min() >= 2 * RADIUS and apart[0].min() > 4 * RADIUS
        assert not touching(position).any()
    assert not np.array_equal(water_map(0)[0], water_map(1)[0])


def test_balls_bounce_and_the_agent_has_a_limit() -> None:
    position, velocity = water_map(0)
    for _ in range(400):
        position, velocity = advance(position, velocity, np.asarray(2))
        assert (position >= RADIUS).all() and (position <= SIZE - RADIUS).all()
        assert np.abs(velocity[0]).max() <= 90.0
        np.testing.assert_allclose(np.hypot(*velocity[1:].T), SPEED)


def test_letters_can_be_reached() -> None:
    source = np.random.default_rng(0)
    for _ in range(50):
        tiles = sample_map(source)
        assert tiles[0] == 0 and np.bincount(tiles)[1:].tolist() == [COPIES] * len(LETTERS)
        reached, todo = {0}, [0]
        while todo:
            cell = todo.pop()
            for following in NEXT[cell].tolist() if tiles[cell] == 0 else ():
                if following not in reached:
                    reached.add(following)
                    todo.append(following)
        assert len(reached) == CELLS


def test_zones_do_not_overlap() -> None:
    source = np.random.default_rng(0)
    for _ in range(30):
        centres, vehicle = sample_world(source)
        apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) + 9 * np.eye(len(centres))
        assert apart.min() >= GAP > 2 * DISC
        assert zone_of(centres, vehicle) == 0
        for k, centre in enumerate(centres):
            assert zone_of(centres, np.array([*centre, 0.0, 0.0])) == 1 + k // 2
