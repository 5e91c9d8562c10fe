"""Exact choices: drawing one of finitely many texts from the model's own distribution, given that it is one of them.

Masking token by token is not that: a first token keeps the probability of all texts that begin with it, legal ones or
not. Here the whole texts are scored, ``p(text) = prod p(token | before)``, and renormalised over the choices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.llm.models import Logits, Stream


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-probabilities over the last axis."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def choice_scores(stream: Stream, logits: Logits, options: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """The log-probability of each option, given what the stream has read; ``logits`` are those after it.

    Options that begin alike share what is known already: the first token needs no pass at all.
    """
    first = log_softmax(logits)
    scores = np.array([first[o[0]] for o in options])
    longer = [i for i, o in enumerate(options) if len(o) > 1]
    if longer:
        rest = stream.score([list(options[i]) for i in longer])
        for i, values in zip(longer, rest, strict=True):
            scores[i] += values
    return scores


def exact_choice(
    stream: Stream,
    logits: Logits,
    options: Sequence[Sequence[int]],
    temperature: float,
    randomness: np.random.Generator,
) -> int:
    """The index of the option that is drawn (or the likeliest, at temperature 0)."""
    scores = choice_scores(stream, logits, options)
    if temperature == 0.0:
        return int(np.argmax(scores))
    weights = np.exp((scores - scores.max()) / temperature)
    return int(randomness.choice(len(weights), p=weights / weights.sum()))
