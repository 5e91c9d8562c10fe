"""A language model that wants to write what a function says: for experts, for attackers, and for tests of agents.

The function is given all that was read so far and says which line comes next. The model puts nearly all of its
probability on the token that goes on with that line; where a decoder forbids it, what is left is uniform up to a little
noise, drawn by the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from agentc.runtime.llm.choices import log_softmax
from agentc.runtime.llm.models import Logits
from agentc.runtime.llm.vocabulary import Vocabulary

Wish = Callable[[str], str]
"""From all that was read to the line that should come next, with its end; empty to end the run."""

STRENGTH = 20.0
"""How much likelier the wished token is than any other, as a difference of logits."""


class ScriptedModel:
    """A model that wants to write the lines that ``wish`` says; see the module."""

    name = "scripted"

    def __init__(self, vocabulary: Vocabulary, wish: Wish, seed: int = 0) -> None:
        self.vocabulary, self.wish, self.seed = vocabulary, wish, seed

    def prompt(self, system: str, user: str) -> list[int]:
        """The two texts, each on lines of its own."""
        return self.vocabulary.spell(f"{system}\n{user}\n")

    def stream(self) -> ScriptedStream:
        """A text of which nothing was read yet."""
        return ScriptedStream(self, b"", 0)


class ScriptedStream:
    """What was read, as bytes."""

    def __init__(self, model: ScriptedModel, data: bytes, length: int) -> None:
        self._model, self._data, self.length = model, data, length

    def read(self, tokens: Sequence[int]) -> Logits:
        """Read tokens; the logits of what follows."""
        self._data += b"".join(self._model.vocabulary.bytes_of[t] for t in tokens)
        self.length += len(tokens)
        return self._logits(self._data)

    def _logits(self, data: bytes) -> Logits:
        model = self._model
        noise = np.random.default_rng((model.seed, len(data)))
        found: Logits = noise.normal(scale=0.5, size=model.vocabulary.size).astype(np.float32)
        text = data.decode("utf-8", errors="replace")
        line = model.wish(text)
        begun = text.rpartition("\n")[2]
        if not line:
            found[model.vocabulary.eos] += STRENGTH
        elif line.startswith(begun):
            found[model.vocabulary.spell(line[len(begun) :])[0]] += STRENGTH
        return found

    def score(self, options: Sequence[Sequence[int]]) -> list[float]:
        """For each option the log-probability of its tokens but the first."""
        found = []
        for option in options:
            data, total = self._data, 0.0
            for before, token in pairwise(option):
                data += self._model.vocabulary.bytes_of[before]
                total += float(log_softmax(self._logits(data))[token])
            found.append(total)
        return found

    def fork(self) -> ScriptedStream:
        """A copy that goes its own way."""
        return ScriptedStream(self._model, self._data, self.length)
