"""MiniGrid worlds stepped at once are the package's, step for step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from minigrid.core.constants import DIR_TO_VEC

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.envs.minigrid import BINDING, MiniGridReader
from agentc.runtime.envs.minigrid_batch import GridWorld, in_port
from agentc.runtime.envs.minigrid_cells import LOOKS, OPAQUE, code_of
from agentc.runtime.envs.minigrid_signals import MEMBERS
from agentc.runtime.learn.train import train
from agentc.runtime.spec_env import compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.training import configuration

SPECS = Path(__file__).parents[3] / "specs"
FRONT = MEMBERS["front"]
TOGGLED = [FRONT.index(kind) for kind in ("door", "box")]
PICKED = [FRONT.index(kind) for kind in ("key", "ball", "box")]

SOLVED_BY_CHANCE = (
    "MiniGrid-DoorKey-5x5-v0",
    "MiniGrid-Unlock-v0",
    "MiniGrid-Fetch-5x5-N2-v0",
    "MiniGrid-GoToDoor-5x5-v0",
    "MiniGrid-GoToObject-6x6-N2-v0",
    "MiniGrid-PutNear-6x6-N2-v0",
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-LavaGapS5-v0",
)
OTHERS = (
    "MiniGrid-KeyCorridorS3R1-v0",
    "MiniGrid-LockedRoom-v0",
    "MiniGrid-MultiRoom-N4-S5-v0",
    "MiniGrid-ObstructedMaze-2Dlh-v0",
    "MiniGrid-ObstructedMaze-Full-v1",
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-RedBlueDoors-6x6-v0",
)


def curious(world: GridWorld, rng: np.random.Generator) -> Any:
    """Actions of one who mostly walks, and often handles what is before it."""
    chosen = rng.choice(7, world.num_envs, p=[0.17, 0.17, 0.5, 0.04, 0.04, 0.04, 0.04])
    front, handles = world.signals(["front"])["front"], rng.random(world.num_envs)
    chosen = np.where(np.isin(front, TOGGLED) & (handles < 0.4), 5, chosen)
    return np.where(np.isin(front, PICKED) & (handles > 0.6), 3, chosen)


def lockstep(name: str, rows: int, steps: int, view: str = "partial") -> tuple[int, int]:
    """Successes and ended episodes in ``rows`` times ``steps`` steps, in which nothing may differ."""
    arguments = {"id": name, "max_steps": 200, "view": view}
    world = GridWorld(BINDING.make(arguments), rows)
    singles = [BINDING.make(arguments) for _ in range(rows)]
    readers = [MiniGridReader(env.unwrapped, BINDING.signals) for env in singles]  # type: ignore[arg-type]

    def same(i: int, seen: Any, said: Any, observation: dict[str, Any], signals: dict[str, Any]) -> None:
        for key, part in seen.items():
            assert np.array_equal(observation[key][i], part), (name, i, key)
        for key, value in zip(BINDING.signals, said, strict=True):
            read = signals[key][i]
            if key in MEMBERS:
                read = None if read < 0 else MEMBERS[key][read]
            assert read == value, (name, i, key)

    world.reset(np.ones(rows, np.bool_), range(rows))
    now, signals = world.observation(), world.signals(BINDING.signals)
    for i, env in enumerate(singles):
        same(i, env.reset(seed=i)[0], readers[i].reset(), now, signals)
    rng, paid, over = np.random.default_rng(0), 0, 0
    for _ in range(steps):
        actions = curious(world, rng)
        reward, terminated, truncated = world.step(actions)
        now, signals = world.observation(), world.signals(BINDING.signals)
        for i, env in enumerate(singles):
            seen, given, stop, cut, _ = env.step(int(actions[i]))
            assert (given, stop, cut) == (reward[i], terminated[i], truncated[i]), (name, i)
            same(i, seen, readers[i].step(int(actions[i]), float(given)), now, signals)
            paid += given > 0
        ended = terminated | truncated
        if ended.any():
            over += int(ended.sum())
            world.reset(ended)
            now, signals = world.observation(), world.signals(BINDING.signals)
            for i in np.flatnonzero(ended).tolist():
                same(i, singles[i].reset()[0], readers[i].reset(), now, signals)
    return paid, over


@pytest.mark.parametrize("name", SOLVED_BY_CHANCE)
def test_the_same_with_successes(name: str) -> None:
    paid, over = lockstep(name, 5, 420)
    assert paid > 0 and over >= 5


@pytest.mark.filterwarnings("ignore:.*is out of date")
@pytest.mark.parametrize("name", OTHERS)
def test_the_same(name: str) -> None:
    assert lockstep(name, 3, 220)[1] >= 3


@pytest.mark.parametrize("name", ["MiniGrid-KeyCorridorS4R3-v0", "MiniGrid-UnlockPickup-v0"])
@pytest.mark.parametrize("genuine", [True, False])
def test_only_the_very_object_is_paid_for(name: str, genuine: bool) -> None:
    """An object that looks like the one that is asked for ends nothing, there as here."""
    arguments = {"id": name, "max_steps": 50, "view": "partial"}
    env, world = BINDING.make(arguments), GridWorld(BINDING.make(arguments), 1)
    env.reset(seed=0)
    world.reset(np.ones(1, np.bool_), [0])
    bare: Any = env.unwrapped
    x, y = (int(c) for c in bare.obj.cur_pos)
    if not genuine:
        bare.grid.set(x, y, type(bare.obj)(bare.obj.color))
        world.cells[0, world.layouts.index(x, y)] = code_of(bare.grid.get(x, y))
    direction, at = next(
        (d, (x - dx, y - dy)) for d, (dx, dy) in enumerate(DIR_TO_VEC) if bare.grid.get(x - dx, y - dy) is None
    )
    bare.agent_dir, bare.agent_pos = direction, tuple(int(c) for c in at)
    world.direction[:], world.at[:] = direction, world.layouts.index(*bare.agent_pos)
    seen, given, stop, cut, _ = env.step(3)
    reward, terminated, truncated = world.step(np.array([3]))
    assert bare.carrying is not None and stop is genuine and (given > 0) is genuine
    assert (given, stop, cut) == (reward[0], terminated[0], truncated[0])
    assert np.array_equal(seen["image"], world.observation()["image"][0])


@pytest.mark.parametrize("name", ["MiniGrid-DoorKey-5x5-v0", "MiniGrid-KeyCorridorS3R1-v0"])
def test_the_whole_grid_is_the_same(name: str) -> None:
    assert lockstep(name, 3, 220, "full")[1] >= 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is out of date")
@pytest.mark.parametrize("name", BINDING.vectorised())
def test_the_same_over_a_hundred_thousand_steps(name: str) -> None:
    try:
        paid, over = lockstep(name, 100, 1000)
        assert over >= 100 and (paid > 0 or name not in (*SOLVED_BY_CHANCE, "MiniGrid-RedBlueDoors-6x6-v0"))
    except AgentcError as error:
        assert "WFC" in name
        pytest.skip(str(error))


def test_which_tasks_are_in_the_port() -> None:
    listed = BINDING.vectorised()
    for name in ("MiniGrid-LockedRoom-v0", "MiniGrid-Dynamic-Obstacles-5x5-v0", "BabyAI-GoToLocal-v0"):
        assert (name in listed) is in_port(BINDING.make({"id": name, "max_steps": 9, "view": "partial"}))
    assert "MiniGrid-LockedRoom-v0" in listed and "BabyAI-GoToLocal-v0" not in listed
    assert "MiniGrid-Dynamic-Obstacles-5x5-v0" not in listed  # its balls move by chance on every step


def test_an_unknown_step_is_not_in_the_port() -> None:
    from minigrid.envs.empty import EmptyEnv

    class Paying(EmptyEnv):
        def step(self, action: Any) -> Any:
            observation, _, terminated, truncated, info = super().step(action)
            return observation, 1.0, terminated, truncated, info

    assert not in_port(Paying()) and in_port(EmptyEnv())
    assert not in_port(EmptyEnv(agent_view_size=5))


def test_members_are_the_declared_ones() -> None:
    declared = {s.name: s for s in compiled_spec(SPECS / "doorkey.agentspec").agent.declared}
    for name, members in MEMBERS.items():
        assert declared[name].members == members


def test_what_hides_is_what_minigrid_says() -> None:
    from minigrid.core.world_object import WorldObj

    for code, (kind, colour, state) in enumerate(LOOKS.tolist()):
        if kind:
            cell = WorldObj.decode(kind, colour, state)
            assert (code >= OPAQUE) == (cell is not None and not cell.see_behind())


def test_a_spec_on_rows_is_the_spec_on_copies() -> None:
    compiled = compiled_spec(SPECS / "doorkey.agentspec")
    rows = SpecVectorEnv(compiled, 5)
    copies = SpecVectorEnv(compiled, 5, make=lambda: BINDING.make({
        "id": "MiniGrid-DoorKey-6x6-v0", "max_steps": 250, "view": "partial",
    }))  # fmt: skip
    assert rows.batched and not copies.batched
    assert rows.observation_space == copies.observation_space and rows.horizon == copies.horizon

    def same(one: Any, other: Any) -> bool:
        return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)

    assert same(rows.reset(3), copies.reset(3))
    rng, ended = np.random.default_rng(1), 0
    for _ in range(350):
        actions = rng.integers(7, size=5)
        one, other = rows.step(actions), copies.step(actions)
        assert same(one.observation, other.observation) and same(one.final_observation, other.final_observation)
        assert np.array_equal(one.reward, other.reward) and same(one.info, other.info)
        assert np.array_equal(one.terminated, other.terminated) and np.array_equal(one.truncated, other.truncated)
        ended += int((one.terminated | one.truncated).sum())
    assert ended > 0


def test_going_on_from_a_snapshot() -> None:
    compiled = compiled_spec(SPECS / "doorkey.agentspec")
    env, other = SpecVectorEnv(compiled, 4), SpecVectorEnv(compiled, 4)
    env.reset(7)
    rng = np.random.default_rng(2)
    for _ in range(40):
        env.step(rng.integers(7, size=4))
    state = env.snapshot()
    assert state is not None
    other.restore(state)
    for _ in range(260):  # over the ends of episodes, whose next beginnings the generators draw
        actions = rng.integers(7, size=4)
        one, two = env.step(actions), other.step(actions)
        assert np.array_equal(one.reward, two.reward)
        assert all(np.array_equal(one.observation[k], two.observation[k]) for k in one.observation)
    with pytest.raises(ValueError, match="4 grids"):
        SpecVectorEnv(compiled, 3).restore(state)


def test_training_is_the_same_on_rows_and_on_copies(tmp_path: Path) -> None:
    compiled = compiled_spec(SPECS / "doorkey.agentspec")
    config = configuration(compiled.agent, 0, 2048)
    make = lambda: BINDING.make({"id": "MiniGrid-DoorKey-6x6-v0", "max_steps": 250, "view": "partial"})
    for folder, env in (
        ("rows", SpecVectorEnv(compiled, config.envs)), ("copies", SpecVectorEnv(compiled, config.envs, make=make)),
    ):  # fmt: skip
        train(env, config, tmp_path / folder)
    lines = [
        [line.split('"wall"')[0] for line in (tmp_path / folder / "metrics.jsonl").read_text().splitlines()]
        for folder in ("rows", "copies")
    ]
    assert lines[0] == lines[1] and lines[0]


def test_a_pool_is_drawn_once() -> None:
    world = GridWorld(BINDING.make({"id": "MiniGrid-DoorKey-6x6-v0", "max_steps": 50, "view": "partial"}), 40, pool=3)
    world.reset(np.ones(40, np.bool_), range(40))
    assert 1 < len({row.tobytes() for row in world.cells}) <= 3
