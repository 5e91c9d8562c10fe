"""Finite choices by the embedded model: what masking token by token draws instead of the model's own distribution.

Twelve tool names behind one request. Exact: each name scored as a whole, renormalised over the twelve. Masked: each
token renormalised over the legal ones, the probability of a name being the product. Printed are the total variation
between the two, and what resampling with 4 candidates costs in tokens read for each token that is accepted.
"""

from __future__ import annotations

import numpy as np

from agentc.benchmarks.rows import Row
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.llm.choices import choice_scores, log_softmax
from agentc.runtime.llm.decoder import Decoder, Session
from agentc.runtime.llm.models import Logits, Stream, TransformersModel
from agentc.runtime.llm.resampling import resample_step

NAMES = (
    "get_order", "get_user", "get_item", "cancel_order", "cancel_item", "change_address", "change_order", "list_orders",
    "list_items", "refund", "refund_item", "transfer",
)  # fmt: skip
MESSAGES = ("I want my money back.", "I moved to another street.")
CANDIDATES = 4


def rows(model: TransformersModel) -> list[Row]:
    """The distance between exact and masked choices, and the cost of resampling."""
    tools = "\n".join(f"  tool {n}(id : text[1..6])" for n in NAMES)
    phase = f"  phase act = call({' | '.join(NAMES)})\n  behavior b = act & last"
    text = f'agent Desk {{\n  model "m"\n{tools}\n{phase}\n}}'
    (agent,) = check(Source("desk.agentspec", text)).agents
    decoder = Decoder(agent, model.vocabulary)
    distances, costs, effective = [], [], []
    randomness = np.random.default_rng(0)
    for message in MESSAGES:
        prompt = model.prompt("You call one tool.", message)
        session, stream = decoder.start(100), model.stream()
        logits = stream.read(prompt)
        options = session.options()
        exact = _shares(choice_scores(stream, logits, options))
        masked = _shares(np.array([_masked(session.fork(), stream.fork(), logits, o) for o in options]))
        distances.append(float(np.abs(exact - masked).sum() / 2))
        found = resample_step(session, stream, logits, CANDIDATES, 1.0, randomness)
        costs.append(found.read / len(found.tokens))
        effective.append(found.effective)
    said = ", ".join(f"{d:.2f}" for d in distances)
    return [
        Row("masked against exact choice of 12 tools, total variation", float(np.median(distances)), None, "", None, "",
            "", None, f"{len(MESSAGES)} requests: {said}; exact choices are at 0 by their definition"),
        Row(f"resampling with {CANDIDATES} candidates, tokens read for one accepted", float(np.median(costs)), None, "",
            None, "tokens", "", None, f"{np.median(effective):.1f} effective candidates (median)"),
    ]  # fmt: skip


def _shares(scores: np.ndarray) -> np.ndarray:
    weights: np.ndarray = np.exp(scores - scores.max())
    shares: np.ndarray = weights / weights.sum()
    return shares


def _masked(session: Session, stream: Stream, logits: Logits, option: list[int]) -> float:
    """The log-probability of an option where each token is drawn among the legal ones."""
    total = 0.0
    for i, token in enumerate(option):
        legal = session.legal()[: len(logits)]
        if legal.sum() > 1:
            total += float(log_softmax(np.where(legal, logits, -np.inf))[token])
        session.advance(token)
        if i + 1 < len(option):
            logits = stream.read([token])
    return total
