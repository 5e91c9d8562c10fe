"""The missions of MiniGrid and BabyAI as bags of words."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

WORDS = (
    "a", "after", "and", "at", "avoid", "ball", "behind", "blue", "box", "door", "end", "fetch", "find", "from",
    "front", "get", "go", "goal", "green", "grey", "hallway", "in", "key", "lava", "left", "matching", "must", "near",
    "next", "object", "of", "on", "open", "opening", "pick", "purple", "put", "reach", "red", "right", "room", "rooms",
    "square", "the", "then", "to", "traverse", "unlock", "up", "use", "yellow", "you", "your",
)  # fmt: skip
"""The words of MiniGrid's and BabyAI's missions; every other word counts as one more, the last."""

_WORD_INDEX = {word: i for i, word in enumerate(WORDS)}


@cache
def words(mission: str) -> NDArray[np.float32]:
    """Which words are in a mission, zeros and ones ``(54,)``. The array is shared: copy it to keep it."""
    bag = np.zeros(len(WORDS) + 1, np.float32)
    for word in mission.replace(",", " ").lower().split():
        bag[_WORD_INDEX.get(word, len(WORDS))] = 1.0
    return bag


COLOURS = ("none", "red", "green", "blue", "purple", "yellow", "grey")
"""The members of the signals of colours."""


@cache
def named(mission: str) -> NDArray[np.bool_]:
    """Which of :data:`COLOURS` are among the words of a mission, ``(7,)``. The array is shared: copy it to keep it."""
    bag = words(mission)
    return np.array([bool(bag[_WORD_INDEX[colour]]) if colour in _WORD_INDEX else False for colour in COLOURS])
