"""Films of episodes: every step is there, with what the monitors said; and a file is as small as it has to be."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import run_episodes
from agentc.runtime.report.animation import PAUSE, SIDE, STEP, Shot, _lines, animated, encoded
from agentc.runtime.spec_env import SpecEnv, compiled_spec

SPECS = {
    "drawn": """import std.env.office

agent Film {
  env office(max_steps = 25)
  task fetch = F tile == coffee
  reward { fetch : 1 }
}
""",
    "declared": """system point {
  state x, y : real [m]
  input u, v : real in [-1, 1] [m/s]
  x' = u
  y' = v
  step 0.5s by euler
  init { x in [0, 1]; y in [0, 1] }
}

agent Film {
  env point(horizon = 6)
  region spot = circle(center = (1.5, 1.5), radius = 0.6)
  task reach = F (x, y) in spot
  reward { reach : 1 }
}
""",
    "told": """import std.env.water

agent Film {
  env water(max_steps = 6)
  task touch = F red
  reward { touch : 1 }
}
""",
}


class Chance:
    """Acts at random, as the generator of the episode says."""

    def __init__(self, compiled: CompiledAgent) -> None:
        env = SpecEnv.make(compiled)
        self._space = env.action_space
        env.close()

    def act(self, observation, mask, randomness):
        if hasattr(self._space, "n"):
            return randomness.integers(self._space.n, size=1)
        return randomness.uniform(-1, 1, (1, *self._space.shape)).astype(np.float32)


@pytest.mark.parametrize("kind", SPECS)
def test_a_film_has_every_step_of_the_first_episodes_of_the_evaluation(kind, tmp_path):
    (tmp_path / "film.agentspec").write_text(SPECS[kind])
    compiled = compiled_spec(tmp_path / "film.agentspec")
    actor = Chance(compiled)
    film = Image.open(io.BytesIO(animated(compiled, actor, episodes=2, seed=7)))
    episodes = run_episodes(lambda: SpecEnv.make(compiled), actor, 2, 7)
    durations, colours = [], set()
    for k in range(film.n_frames):
        film.seek(k)
        durations.append(film.info["duration"])
        colours.add(len(film.convert("RGB").getcolors(1 << 20)))
    # steps that look alike are one frame, shown as long as all of them
    assert sum(durations) == sum(e.length * STEP + PAUSE for e in episodes)
    assert max(film.size) <= SIDE + 100 and min(colours) > 1
    assert film.info["loop"] == 0


def shots(count, size=40):
    rng = np.random.default_rng(0)
    black = (0, 0, 0)
    return [
        Shot(0, k, rng.integers(0, 256, (size, size, 3), dtype=np.uint8), "", ((f"step {k}", black),), k % 20 == 0)
        for k in range(count)
    ]


def test_a_long_film_is_thinned_and_made_smaller_until_it_fits():
    film = shots(80)
    free, bound = encoded(film, 1 << 30), 40_000
    assert len(free) > 100_000  # noise cannot be compressed
    small = encoded(film, bound)
    assert len(small) <= bound
    assert Image.open(io.BytesIO(small)).n_frames >= 4  # those that have to be there


def test_what_is_necessary_is_kept_even_where_nothing_fits():
    assert Image.open(io.BytesIO(encoded(shots(80), 10))).n_frames >= 4


def test_the_caption_says_verdicts_and_states():
    said = {"verdicts": {"reach": "presumably false", "careful": "false"}, "states": {"reach": [1, 2], "careful": [0]}}
    lines = [text for text, _ in _lines(0, 3, 12, {**said, "labels": {"has_key": True, "at_goal": False}})]
    assert lines == [
        "episode 1 of 3, step 12", "reach: presumably false (state 1, 2)", "careful: false (state 0)", "has_key",
    ]  # fmt: skip
    colours = [colour for _, colour in _lines(0, 3, 12, {**said, "labels": {}})]
    assert len(set(colours)) == 3
    ended = {"verdicts": {}, "states": {}, "satisfied": {"reach": True}, "violated": {"careful": True}, "labels": {}}
    assert [text for text, _ in _lines(0, 1, 9, ended)] == ["step 9", "reach: true", "careful: false", ""]
