"""The signals of MiniGrid, against the grid itself."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from agentc.compiler.agent import EnvironmentIR
from agentc.runtime.envs.minigrid import ACTIONS, BINDING, DIRECTIONS, WORDS
from agentc.runtime.envs.registry import make_environment, signal_reader

DOORKEY = "MiniGrid-DoorKey-6x6-v0"


def make(name: str, view: str = "partial", max_steps: int = 250):
    return make_environment(EnvironmentIR("e", "minigrid", {"id": name, "view": view, "max_steps": max_steps}, ()))


class Driver:
    """Drives an environment by names of actions and reads all of its signals."""

    def __init__(self, name: str, seed: int) -> None:
        self.env = make(name)
        self.reader = signal_reader("minigrid", self.env, BINDING.signals)
        self.env.reset(seed=seed)
        self.values = dict(zip(BINDING.signals, self.reader.reset(), strict=True))
        self.ended = False

    def do(self, action: str) -> dict[str, object]:
        code = ACTIONS.index(action)
        _, reward, terminated, truncated, _ = self.env.step(code)
        self.ended = terminated or truncated
        self.values = dict(zip(BINDING.signals, self.reader.step(code, float(reward)), strict=True))
        return self.values

    def face(self, direction: str) -> None:
        while self.values["direction"] != direction:
            self.do("right")

    def walk(self, target: tuple[int, int], beside: bool) -> None:
        """Go to a cell, or to one that faces it, by breadth-first search over empty cells."""
        bare = self.env.unwrapped
        start = (int(bare.agent_pos[0]), int(bare.agent_pos[1]))
        back: dict[tuple[int, int], tuple[tuple[int, int], str] | None] = {start: None}
        queue = [start]
        for cell in queue:
            for direction, (dx, dy) in zip(DIRECTIONS, ((1, 0), (0, 1), (-1, 0), (0, -1)), strict=True):
                following = (cell[0] + dx, cell[1] + dy)
                there = bare.grid.get(*following)
                if following not in back and (following == target or there is None or there.can_overlap()):
                    back[following] = (cell, direction)
                    queue.append(following)
        way, at = [], target
        while back[at] is not None:
            at, direction = back[at]  # type: ignore[misc]
            way.append(direction)
        way.reverse()
        for i, direction in enumerate(way):
            self.face(direction)
            if not (beside and i == len(way) - 1):
                self.do("forward")


def find(env, kind: str) -> tuple[int, int]:
    grid = env.unwrapped.grid
    (found,) = [(i % grid.width, i // grid.width) for i, cell in enumerate(grid.grid) if cell and cell.type == kind]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_doorkey_solved_by_a_script(seed: int) -> None:
    d = Driver(DOORKEY, seed)
    start = {"carrying": "none", "door": "locked", "doors": 1, "open_doors": 0, "tile": "empty", "steps": 0}
    assert {k: d.values[k] for k in start} == start
    assert d.values["action"] is None and d.values["solved"] is False
    d.walk(find(d.env, "key"), beside=True)
    assert d.values["front"] == "key" and d.values["front_color"] == "yellow"
    d.do("pickup")
    assert d.values["carrying"] == "key" and d.values["carrying_color"] == "yellow" and d.values["action"] == "pickup"
    assert d.values["front"] == "empty"
    door = find(d.env, "door")
    d.walk(door, beside=True)
    d.do("toggle")
    assert d.values["door"] == "open" and d.values["open_doors"] == 1 and d.values["front"] == "door"
    d.do("toggle")
    assert d.values["door"] == "closed"
    d.do("toggle")
    d.do("forward")
    assert d.values["tile"] == "door" and (d.values["x"], d.values["y"]) == door
    d.walk(find(d.env, "goal"), beside=False)
    assert d.values["tile"] == "goal" and d.values["solved"] is True and d.ended
    assert d.values["steps"] == d.env.unwrapped.step_count


def test_a_new_episode_has_its_own_door() -> None:
    env = make(DOORKEY)
    reader = signal_reader("minigrid", env, ["door"])
    for seed in range(20):
        env.reset(seed=seed)
        assert reader.reset() == ["locked"]
        x, y = find(env, "door")
        env.unwrapped.grid.get(x, y).is_locked = False
        assert reader.step(0, 0.0) == ["closed"]


def test_the_nearest_of_several_doors() -> None:
    env = make("MiniGrid-RedBlueDoors-6x6-v0")
    reader = signal_reader("minigrid", env, ["door", "doors", "open_doors"])
    env.reset(seed=1)
    assert reader.reset() == ["closed", 2, 0]
    bare = env.unwrapped
    doors = [
        (i % bare.grid.width, i // bare.grid.width, c) for i, c in enumerate(bare.grid.grid) if c and c.type == "door"
    ]
    x, y = bare.agent_pos
    near = min(doors, key=lambda d: abs(d[0] - x) + abs(d[1] - y))
    far = next(d for d in doors if d is not near)
    far[2].is_open = True
    assert reader.step(0, 0.0) == ["closed", 2, 1]
    near[2].is_open = True
    far[2].is_open = False
    assert reader.step(0, 0.0) == ["open", 2, 1]


def test_no_door_is_none() -> None:
    env = make("MiniGrid-Empty-5x5-v0")
    env.reset(seed=0)
    assert signal_reader("minigrid", env, ["door", "doors"]).reset() == ["none", 0]


# every wrapped environment gets this warning from the checker, whatever the wrapper does
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
@pytest.mark.parametrize("view", ["partial", "full"])
@pytest.mark.parametrize("name", [DOORKEY, "BabyAI-GoToLocal-v0"])
def test_gymnasium_accepts_the_observations(name: str, view: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_env(make(name, view), skip_render_check=True)
    assert capsys.readouterr().out == ""


def test_full_view_shows_the_agent_and_what_it_carries() -> None:
    env = make(DOORKEY, "full")
    observation, _ = env.reset(seed=0)
    x, y = env.unwrapped.agent_pos
    assert observation["image"].shape == (6, 6, 3)
    assert tuple(observation["image"][x, y]) == (10, 0, env.unwrapped.agent_dir)
    others = np.argwhere(observation["image"][:, :, 0] == 10)
    assert len(others) == 1
    assert observation["carrying"] == 0
    key = find(env, "key")
    env.unwrapped.carrying = env.unwrapped.grid.get(*key)
    after = env.step(ACTIONS.index("done"))[0]
    assert after["carrying"] == 1 + 6 * 0 + 4  # a yellow key


def test_missions_are_words() -> None:
    env = make("BabyAI-GoToLocal-v0")
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        told = {WORDS[i] if i < len(WORDS) else "?" for i in np.flatnonzero(observation["mission"])}
        assert told == set(env.unwrapped.mission.split())
    assert "mission" not in make(DOORKEY).observation_space.spaces


def test_babyai_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    env = make("BabyAI-GoToObjMaze-v0")
    for seed in range(30):
        env.reset(seed=seed)
    assert capsys.readouterr().out == ""


def test_what_needs_another_package_is_a_diagnostic() -> None:
    from agentc.lang.diagnostics import AgentcError

    try:
        import imageio  # noqa: F401
    except ImportError:
        with pytest.raises(AgentcError) as error:
            make("MiniGrid-WFC-MazeSimple-v0").reset(seed=0)
        assert [d.code for d in error.value.diagnostics] == ["AS0910"]
    else:
        pytest.skip("everything is installed")
