"""Importance-weighted resampling: whole steps from the model's own distribution, given that they are legal.

Masking token by token draws ``x`` with ``q(x) = prod p(x_t) / Z_t``, where ``Z_t`` is the mass of the legal tokens:
what few tokens lead to is drawn too often. Here ``count`` candidates of a step are drawn like that, each is weighted
with ``p(x) / q(x) = prod Z_t`` (a forced token with its own probability), and one is drawn in proportion. With more
candidates the draws approach ``p(x | x is legal)``. With one, nothing is changed.

The cost is ``count`` times the tokens of a step, and the pass that reads the accepted one; both are counted. Whole
steps of a finite choice need none of it (:mod:`.choices`).

Source: Rubin, *Using the SIR algorithm to simulate posterior distributions*, Bayesian Statistics 3, 1988; Kong, *A note
on importance sampling using standardized weights*, 1992 (the effective number of candidates). The bias of masking:
Park, Wang, Berg-Kirkpatrick, Polikarpova, D'Antoni, *Grammar-aligned decoding*, NeurIPS 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from agentc.runtime.llm.choices import log_softmax
from agentc.runtime.llm.models import Logits, Stream
from agentc.runtime.llm.session import Session


@dataclass(frozen=True)
class Resampled:
    """The accepted tokens of a step.

    ``read`` tokens of the model were read for all candidates in ``passes`` passes; ``effective`` of them count.
    """

    tokens: list[int]
    read: int
    passes: int
    effective: float


def resample_step(
    session: Session, stream: Stream, logits: Logits, count: int, temperature: float, randomness: np.random.Generator
) -> Resampled:
    """Draw one step (to its end, or to the end of the run); the session and the stream stay where they are.

    Args:
        session: where the run stands, at the agent's turn.
        stream: what the model has read; ``logits`` ``(vocabulary,)`` are those after it.
        count: how many candidates are drawn.
        temperature: above 0; the distribution that is aimed at is the model's at this temperature.
    """
    candidates = [_candidate(session.fork(), stream.fork(), logits, temperature, randomness) for _ in range(count)]
    weights = np.array([c.weight for c in candidates])
    shares = np.exp(weights - weights.max())
    shares /= shares.sum()
    chosen = candidates[int(randomness.choice(count, p=shares))]
    read = sum(c.read for c in candidates)
    return Resampled(chosen.tokens, read, sum(c.passes for c in candidates), float(1.0 / np.square(shares).sum()))


@dataclass
class _Candidate:
    tokens: list[int]
    weight: float = 0.0
    """The logarithm of its weight."""
    read: int = 0
    passes: int = 0


def _candidate(
    session: Session, stream: Stream, logits: Logits, temperature: float, randomness: np.random.Generator
) -> _Candidate:
    made = _Candidate([])
    while True:
        forced = session.forced()
        chances = log_softmax(logits / temperature)
        if forced:
            made.weight += float(chances[forced[0]])
            if len(forced) > 1:
                made.weight += _scored(stream, forced, temperature)
                made.read += len(forced) - 1
                made.passes += 1
        else:
            legal = session.legal()[: len(chances)]
            masked = np.where(legal, chances[: len(legal)], -np.inf)
            most = masked.max()
            shares = np.exp(masked - most)
            made.weight += float(most + np.log(shares.sum()))
            forced = [int(randomness.choice(len(shares), p=shares / shares.sum()))]
        for token in forced:
            step = session.advance(token)
            made.tokens.append(token)
            if step is not None or session.ended:
                return made
        logits = stream.read(forced)
        made.read += len(forced)
        made.passes += 1


def _scored(stream: Stream, tokens: list[int], temperature: float) -> float:
    """The log-probability of forced tokens but the first."""
    if temperature == 1.0:
        return stream.score([tokens])[0]
    fork = stream.fork()
    total = 0.0
    for before, token in pairwise(tokens):
        total += float(log_softmax(fork.read([before]) / temperature)[token])
    return total
