"""Small environments that the tests of the learner train on."""

import gymnasium
import numpy as np
from gymnasium import spaces

from agentc.runtime.learn.vector import SyncVector


class Corridor(gymnasium.Env):
    """Walk right along ``length`` cells; 1 is paid at the end, which terminates; ``limit`` steps truncate."""

    def __init__(self, length=4, limit=12, observation="vector", masked=False):
        self.length, self.limit, self.masked, self.kind = length, limit, masked, observation
        self.action_space = spaces.Discrete(3)
        vector = spaces.Box(0, 1, (length,), np.float32)
        grid = spaces.Box(0, 255, (1, length, 3), np.uint8)
        self.observation_space = {
            "vector": vector,
            "grid": grid,
            "discrete": spaces.Discrete(length, start=1),
            "dict": spaces.Dict({"observation": grid, "automaton": vector}),
        }[observation]

    def _look(self):
        vector = np.zeros(self.length, np.float32)
        vector[self.at] = 1
        grid = np.zeros((1, self.length, 3), np.uint8)
        grid[0, self.at] = (10, 5, 3)
        return {
            "vector": vector,
            "grid": grid,
            "discrete": self.at + 1,
            "dict": {"observation": grid, "automaton": vector},
        }[self.kind]

    def _info(self):
        # Going left from the first cell is not legal, standing still never.
        return {"action_mask": np.array([self.at > 0, False, True])} if self.masked else {}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.time = int(self.np_random.integers(self.length - 1)), 0
        return self._look(), self._info()

    def step(self, action):
        if self.masked:
            assert self._info()["action_mask"][action], "an illegal action was taken"
        self.at = min(max(self.at + int(action) - 1, 0), self.length - 1)
        self.time += 1
        done = self.at == self.length - 1
        return self._look(), float(done), done, self.time >= self.limit, self._info()


class Target(gymnasium.Env):
    """One step: say the number that is shown. Bounds narrower than what a policy draws at first."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Box(-1, 1, (1, 1), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.number = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.number, {}

    def step(self, action):
        assert self.action_space.contains(action)
        return self.number, -float(abs(action[0, 0] - self.number[0])), True, False, {}


class Faulty(Corridor):
    """A corridor whose reward or observation goes bad after some steps."""

    def __init__(self, what, after):
        super().__init__()
        self.what, self.after, self.count = what, after, 0

    def step(self, action):
        observation, reward, done, cut, info = super().step(action)
        self.count += 1
        if self.count > self.after:
            if self.what == "reward":
                reward = float("nan")
            else:
                observation = np.full_like(observation, np.inf)
        return observation, reward, done, cut, info


def vector_of(n, make=Corridor, **arguments):
    return SyncVector([lambda: make(**arguments)] * n)
