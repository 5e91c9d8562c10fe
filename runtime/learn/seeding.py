"""Seeds: one number of the user becomes disjoint streams for training, evaluation and the learner.

Training environments are reset with seeds below ``2**30``, evaluation episodes with seeds in
``[2**30, 2**31)``: no evaluation episode repeats a layout seed that training was given, whatever the two
numbers of the user are. All seeds fit into a signed 32-bit integer, which some environments want.
"""

from __future__ import annotations

import numpy as np

_HALF = 2**30


def training_seeds(seed: int, count: int) -> list[int]:
    """``count`` pairwise different seeds of training environments, in ``[0, 2**30)``."""
    return _distinct(np.random.SeedSequence([seed, 0]), count, 0)


def resumed_seed(seed: int, generation: int) -> int:
    """The seed of a run's environments after it was resumed ``generation`` times; ``seed`` itself for 0."""
    if generation == 0:
        return seed
    return int(np.random.SeedSequence([seed, 3, generation]).generate_state(1)[0])


def evaluation_seeds(seed: int, count: int) -> list[int]:
    """``count`` pairwise different seeds of evaluation episodes, in ``[2**30, 2**31)``."""
    return _distinct(np.random.SeedSequence([seed, 1]), count, _HALF)


def learner_sequence(seed: int) -> np.random.SeedSequence:
    """The source of the learner's own randomness: initial weights, actions, minibatches."""
    return np.random.SeedSequence([seed, 2])


def _distinct(sequence: np.random.SeedSequence, count: int, offset: int) -> list[int]:
    generator = np.random.Generator(np.random.PCG64(sequence))
    seeds: dict[int, None] = {}
    while len(seeds) < count:
        seeds[int(generator.integers(_HALF)) + offset] = None
    return list(seeds)
