"""What ignoring a mask costs: the policy gradient of an enumerable problem, in exact arithmetic.

A constraint with a few states leaves some of a few actions; the policy is a table of weights per state of the
constraint, and acts by the masked distribution. All trajectories are enumerated with fractions. The true gradient is
that of the masked log-probabilities; the naive one puts the log-probabilities of the unmasked distribution into the
same estimator, as a learner does that forgets the mask. ``run`` is called by ``agentc bench masked-gradient``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from agentc.benchmarks.rows import Row

Table = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Problem:
    """``successors[u][a]`` is the constraint's next state, negative where illegal; ``weights[u][a]`` are positive and
    proportional to the unmasked policy; ``pays[t][a]`` is paid for action ``a`` at step ``t``, the return squared.
    """

    successors: tuple[tuple[int, ...], ...]
    weights: Table
    pays: Table

    def probabilities(self, state: int, *, masked: bool) -> tuple[Fraction, ...]:
        """Of each action in a state of the constraint."""
        legal = [w if s >= 0 or not masked else Fraction(0) for w, s in zip(
            self.weights[state], self.successors[state], strict=True)]  # fmt: skip
        total = sum(legal, Fraction(0))
        return tuple(w / total for w in legal)

    def trajectories(self) -> Iterator[tuple[Fraction, Fraction, tuple[tuple[int, int], ...]]]:
        """Every trajectory that can happen: its probability, its return, its (state, action) pairs."""
        open_: list[tuple[Fraction, Fraction, tuple[tuple[int, int], ...], int]] = [
            (Fraction(1), Fraction(0), ((0, -1),), 0)
        ]
        while open_:
            chance, paid, path, state = open_.pop()
            t = len(path) - 1
            if t == len(self.pays):
                yield chance, paid * paid, path[1:]
                continue
            for action, p in enumerate(self.probabilities(state, masked=True)):
                if p > 0:
                    following = self.successors[state][action]
                    step = (*path, (state, action))
                    open_.append((chance * p, paid + self.pays[t][action], step, following))

    def gradient(self, *, masked: bool) -> list[list[Fraction]]:
        """The expected gradient of the return times the log-probability, by the logits (the logarithms of weights).

        ``d log p(a) / d logit(b) = [a = b] - p(b)``, with the masked or with the unmasked distribution.
        """
        width = len(self.weights[0])
        total = [[Fraction(0)] * width for _ in self.weights]
        for chance, paid, path in self.trajectories():
            for state, action in path:
                for b, p in enumerate(self.probabilities(state, masked=masked)):
                    total[state][b] += chance * paid * (Fraction(int(action == b)) - p)
        return total

    def variance(self, *, masked: bool) -> Fraction:
        """The expected squared distance of one trajectory's gradient from the mean of its estimator."""
        mean = self.gradient(masked=masked)
        width, spread = len(self.weights[0]), Fraction(0)
        for chance, paid, path in self.trajectories():
            own = [[Fraction(0)] * width for _ in self.weights]
            for state, action in path:
                for b, p in enumerate(self.probabilities(state, masked=masked)):
                    own[state][b] += paid * (Fraction(int(action == b)) - p)
            spread += chance * sum(((x - m) ** 2 for r, q in zip(own, mean, strict=True) for x, m in zip(
                r, q, strict=True)), Fraction(0))  # fmt: skip
        return spread


def problem(seed: int, states: int = 3, actions: int = 4, steps: int = 4) -> Problem:
    """A random problem: about half of the actions are legal, at least one in every state."""
    rng = random.Random(seed)
    successors = []
    for _ in range(states):
        row = [rng.randrange(states) if rng.random() < 0.5 else -1 for _ in range(actions)]
        row[rng.randrange(actions)] = rng.randrange(states)
        successors.append(tuple(row))
    weights = tuple(tuple(Fraction(rng.randint(1, 9)) for _ in range(actions)) for _ in range(states))
    pays = tuple(tuple(Fraction(rng.randint(0, 3)) for _ in range(actions)) for _ in range(steps))
    return Problem(tuple(successors), weights, pays)


def flat(gradient: Sequence[Sequence[Fraction]]) -> list[float]:
    """As numbers, for norms."""
    return [float(x) for row in gradient for x in row]


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """Medians over ``10 * rounds`` random problems whose true gradient is not zero."""
    biases, cosines, variances = [], [], []
    for seed in range(10 * rounds):
        one = problem(seed)
        true, naive = flat(one.gradient(masked=True)), flat(one.gradient(masked=False))
        size = math.hypot(*true)
        if size == 0.0:
            continue
        biases.append(math.hypot(*(a - b for a, b in zip(true, naive, strict=True))) / size)
        cosines.append(sum(a * b for a, b in zip(true, naive, strict=True)) / (size * math.hypot(*naive)))
        variances.append(float(one.variance(masked=False) / one.variance(masked=True)))
    middle = len(biases) // 2

    def row(case: str, figures: list[float], replay: float, note: str) -> Row:
        return Row(case, replay, sorted(figures)[middle], "mask ignored", None, "", "", None, note)

    return [
        row("relative bias of the gradient", biases, 0.0, f"median of {len(biases)} problems, exact arithmetic"),
        row("cosine to the true gradient", cosines, 1.0, ""),
        row("variance, times that of replay", variances, 1.0, ""),
    ]
