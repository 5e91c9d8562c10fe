"""Conformance of the decoder: random-logits models and the embedded model on random agents, judged by the reference.

Random agents are those of :mod:`.random_agents`. A run conforms if it has ended within its limits of tokens and of
steps and keeps every promise by the reference semantics, on the valuations that its finished steps were read as.

- 10,000 runs of *random-logits models*, 20 on each of 500 agents: the logits after a token are a row of a random
  matrix, one matrix per run. Beside them, as the control, runs of the same models on the same phases and tools with the
  promises left out: how often they are kept by chance.
- 300 runs of *the embedded model* (SmolLM2-135M-Instruct, at temperature 0.7), each on an agent of its own, in batches
  with one agent per row, through ``generate`` of ``transformers`` with the decoder as its logits processor. What the
  environment answers is appended, and the rows that go on are continued as a new batch.

What has run is in ``recorded/conformance.jsonl`` and is not run again unless the text of its agent has changed;
``agentc bench conformance`` runs what is missing. ``python -m agentc.benchmarks.conformance --batches 1 --agents 10
--record FILE`` makes a smaller record of one's own.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.benchmarks import recording
from agentc.benchmarks.free_writing import forms
from agentc.benchmarks.random_agents import agent_text, drawn
from agentc.benchmarks.rows import Row, table
from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder import contents
from agentc.compiler.decoder.dialogue import START
from agentc.compiler.logic.finality import verdict
from agentc.compiler.logic.ir import Formula, postorder, signals
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.writer import ArgumentIR
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.cli.waiting import Waiting
from agentc.runtime.llm.decoder import Decoder, Session, Step
from agentc.runtime.llm.models import EMBEDDED, TransformersModel, load_model
from agentc.runtime.llm.processor import PhaseLogitsProcessor
from agentc.runtime.llm.vocabulary import Vocabulary

RECORDED = Path(__file__).parent / "recorded" / "conformance.jsonl"
AGENTS, RUNS = 500, 20
"""Agents of random-logits models, and runs on each."""
BATCHES, BATCH = 15, 20
"""Batches of the embedded model, and rows of each."""
APART = 1_000
"""How far the seeds of two batches are apart; the embedded model's begin behind ``MODEL_SEEDS``."""
MODEL_SEEDS = 1_000_000
TEMPERATURE = 0.7
ROOM = (30, 70)
"""The limits of tokens, drawn evenly; where no run fits, the least that fits."""
ANSWERS = ("", "ann", "12", "not yet", "The order of bob is 7.")
EOS = 0
TOKENS = (
    b"<eos>", b"P0: ", b"P1", b"P2: n", b"Act: ", b"Act: t0 {", b': "', b'{"a0', b'": ', b'", "a', b'"}\n', b"}\n",
    b"true", b"false", b"ann", b'"b', b"ob", b"yes\n", b"not yet", b"north", b"east\n", b"ab", b"12", b"0.", b" 1\n",
)  # fmt: skip
"""Tokens of random-logits models beside the single bytes; many reach over the end of a label or of a step."""


@dataclass(frozen=True)
class Recorded:
    """Runs on one agent. ``by_chance`` of them kept the promises without the decoder knowing them (None: not asked)."""

    model: str
    seed: int
    agent: str
    runs: int
    conforming: int
    by_chance: int | None
    tokens: int
    steps: int
    seconds: float


def digest(text: str) -> str:
    """What a record is of: the text of its agent."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def start(decoder: Decoder, randomness: np.random.Generator) -> Session:
    """A run within random limits, or the least ones that some run fits."""
    steps = decoder.game.rank[START] + int(randomness.integers(0, 8))
    tokens = int(randomness.integers(*ROOM))
    try:
        return decoder.start(tokens, steps)
    except AgentcError:
        return decoder.start(decoder.token_costs(steps)[START], steps)


def kept(agent: AgentIR, session: Session) -> bool:
    """Whether every promise of the agent is kept by what was written, by the reference semantics.

    A ``safe`` that does not hold at the end is kept if some continuation could still fulfil it.
    """
    trace = Trace(session.valuations)
    for item in agent.of_role("behavior", "safe"):
        if evaluate(item.formula, trace):
            continue
        steps = events(session.decoder, item.formula)
        if item.role != "safe" or verdict(item.formula, trace, steps) is Verdict.FALSE:
            return False
    return True


def events(decoder: Decoder, formula: Formula) -> list[Valuation]:
    """A step for each event and each way in which its values can lie to the constants of a formula."""
    constants = {n.value for n in postorder(formula) if n.op == "const"}
    read = set(signals(formula))
    found = []
    for phase in decoder.writer.phases:
        chosen = phase.generators[0].texts if phase.generators[0].kind == "choice" else ("?",)
        found += [Step(phase.name, text) for text in chosen if not phase.tools]
        for name in phase.tools:
            arguments = decoder.writer.tool(name).arguments
            options = [_values(a, constants)[: None if f"{name}.{a.name}" in read else 1] for a in arguments]
            for values in product(*options):
                given = {a.name: v for a, v in zip(arguments, values, strict=True)}
                found.append(Step(phase.name, "?", name, given))
    return [decoder.valuation(step, {}) for step in found]


def _values(argument: ArgumentIR, constants: AbstractSet[Any]) -> list[Any]:
    """Values of an argument, one at least in each of the parts into which constants cut its range."""
    if argument.kind == "enum":
        return list(argument.members)
    if argument.kind == "bool":
        return [False, True]
    if argument.kind == "text":
        return [*(c for c in constants if isinstance(c, str)), "?"]
    low, high = argument.lo, argument.hi
    assert low is not None and high is not None
    near = {c + d for c in constants if isinstance(c, int | float) for d in (-1, 0, 1)} | {low, high}
    return sorted(v for v in near if low <= v <= high)


def conforms(agent: AgentIR, session: Session) -> bool:
    """Whether a run has ended, within its limits, with every promise kept."""
    assert session.max_tokens is not None and session.max_steps is not None
    fits = session.tokens <= session.max_tokens and len(session.steps) <= session.max_steps
    return session.ended and fits and kept(agent, session)


# ---------------------------------------------------------------- random logits


def small_vocabulary() -> Vocabulary:
    """The tokens of random-logits models."""
    return Vocabulary.of_tokens([*TOKENS, *(bytes([b]) for b in range(256))], EOS)


def random_run(session: Session, randomness: np.random.Generator) -> Session:
    """Let a model whose logits are random write until the run ends."""
    size = session.decoder.vocabulary.size
    logits = randomness.normal(0.0, 2.0, (size, size))
    last = EOS
    while not session.ended:
        if session.answering:
            session.answer(ANSWERS[int(randomness.integers(len(ANSWERS)))])
            continue
        last = _drawn(logits[last], session.legal(), randomness)
        session.advance(last)
    return session


def _drawn(logits: NDArray[np.float64], legal: NDArray[np.bool_], randomness: np.random.Generator) -> int:
    """A token of the masked distribution."""
    tokens = np.flatnonzero(legal)
    weights = np.exp(logits[tokens] - logits[tokens].max())
    return int(tokens[np.searchsorted(np.cumsum(weights / weights.sum())[:-1], randomness.random(), side="right")])


def random_runs(seed: int, text: str, agent: AgentIR, vocabulary: Vocabulary) -> Recorded:
    """The runs of random-logits models on one agent, and as many that do not know its promises."""
    began = time.process_time()
    decoder, free = Decoder(agent, vocabulary), Decoder(replace(agent, formulas=()), vocabulary)
    conforming = chance = tokens = steps = 0
    for k in range(RUNS):
        session = random_run(start(decoder, np.random.default_rng((seed, k))), np.random.default_rng((seed, k, 1)))
        conforming += conforms(agent, session)
        tokens, steps = tokens + session.tokens, steps + len(session.steps)
        other = random_run(free.start(session.max_tokens, session.max_steps), np.random.default_rng((seed, k, 1)))
        chance += kept(agent, other)
    seconds = round(time.process_time() - began, 2)
    return Recorded("random logits", seed, digest(text), RUNS, conforming, chance, tokens, steps, seconds)


# ---------------------------------------------------------------- the embedded model


def batch(model: TransformersModel, begin: int) -> list[Recorded]:
    """One run on each of the next agents from a seed on, all in one batch."""
    began = time.process_time()
    taken = list(islice(drawn(begin), BATCH))
    randomness = np.random.default_rng(begin)
    sessions = [start(Decoder(agent, model.vocabulary), randomness) for _, _, agent in taken]
    texts = [model.prompt("", f"{forms(agent)}\nWrite some steps.") for _, _, agent in taken]
    turn = 0
    while alive := [i for i, s in enumerate(sessions) if not s.ended]:
        written = _generate(model, [texts[i] for i in alive], [sessions[i] for i in alive], seed=begin + turn)
        for i, (session, tokens) in zip(alive, written, strict=True):
            sessions[i] = session
            texts[i] = texts[i] + tokens
            while session.answering:
                step = session.answer(ANSWERS[int(randomness.integers(len(ANSWERS)))])
                texts[i] += model.vocabulary.spell(f"{contents.label(step.phase)}{step.text}\n")
        turn += 1
    seconds = round((time.process_time() - began) / BATCH, 2)
    return [
        Recorded(model.name, seed, digest(text), 1, int(conforms(agent, session)), None, session.tokens,
                 len(session.steps), seconds)
        for (seed, text, agent), session in zip(taken, sessions, strict=True)
    ]  # fmt: skip


def _generate(
    model: TransformersModel, texts: Sequence[Sequence[int]], sessions: Sequence[Session], seed: int
) -> list[tuple[Session, list[int]]]:
    """Let the model write until each run ends or its environment is next: where each stands, and its new tokens."""
    import torch

    eos, width = model.vocabulary.eos, max(map(len, texts))
    given = torch.tensor([[eos] * (width - len(t)) + list(t) for t in texts])
    seen = torch.tensor([[0] * (width - len(t)) + [1] * len(t) for t in texts])
    processor = PhaseLogitsProcessor(sessions, width)
    torch.manual_seed(seed)
    most = max(s.max_tokens - s.tokens for s in sessions if s.max_tokens is not None) + 1  # and the end token
    out: Any = model.model.generate(
        given, attention_mask=seen, logits_processor=[processor], max_new_tokens=most, do_sample=True,
        temperature=TEMPERATURE, top_k=0, top_p=1.0, eos_token_id=eos, pad_token_id=eos,
    )  # fmt: skip
    found = []
    for i, row in enumerate(out[:, width:].tolist()):
        session = processor.session(row, i).fork()
        length = session.tokens - sessions[i].tokens
        found.append((session, row[:length]))
    return found


# ---------------------------------------------------------------- the record


def read(path: Path) -> list[Recorded]:
    """What is recorded; rows of agents whose text is another by now are left out."""
    return recording.rows(path, Recorded, lambda r: r.agent == digest(agent_text(r.seed)))


def carry_out(path: Path, agents: int = AGENTS, batches: int = BATCHES) -> list[Recorded]:
    """Run what is missing, recording each agent or batch as it ends; all that there is then."""
    done = read(path)
    with Waiting() as waiting:
        for rows in _missing(done, agents, batches, waiting):
            recording.append(path, *rows)
            done += rows
    return done


def _missing(done: Sequence[Recorded], agents: int, batches: int, waiting: Waiting) -> Iterator[list[Recorded]]:
    have = {r.seed for r in done if r.model == "random logits"}
    if len(have) < agents:
        vocabulary = small_vocabulary()
        new = (each for each in islice(drawn(), agents) if each[0] not in have)
        for (seed, text, agent), where in recording.in_turn(new, "agent", agents - len(have)):
            waiting(f"random logits: {where}")
            yield [random_runs(seed, text, agent, vocabulary)]
    counts = Counter((r.seed - MODEL_SEEDS) // APART for r in done)
    todo = [k for k in range(batches) if counts[k] < BATCH]
    if todo:
        waiting(f"loading {EMBEDDED}")
        try:
            model = load_model(EMBEDDED)
        except AgentcError:
            return
        for k, where in recording.in_turn(todo, "batch"):
            waiting(f"{EMBEDDED}: {where}")
            yield batch(model, MODEL_SEEDS + APART * k)


def rows(done: Sequence[Recorded]) -> list[Row]:
    """A row for each model, and one for the control."""
    found = []
    for model, case in (("random logits", "random-logits models"), (EMBEDDED, EMBEDDED)):
        mine = [r for r in done if r.model == model]
        runs, conforming = sum(r.runs for r in mine), sum(r.conforming for r in mine)
        if not runs:
            found.append(Row(f"{case}: conforming runs", None, None, "", None, "share", "1", None, "not run"))
            continue
        tokens, steps, seconds = (sum(getattr(r, k) for r in mine) / runs for k in ("tokens", "steps", "seconds"))
        note = f"{conforming} of {runs} runs on {len(mine)} agents; {tokens:.0f} tokens and {steps:.1f} steps a run"
        chance = [r.by_chance for r in mine if r.by_chance is not None]
        if not chance:
            note += f"; {runs * seconds / 60:.1f} min of the processor"
        found.append(Row(f"{case}: conforming runs", conforming / runs, None, "", None, "share", "1",
                         conforming == runs, note))  # fmt: skip
        if chance:
            case = f"{case} that do not know the promises: runs that keep them"
            found.append(Row(case, sum(chance) / runs, None, "", None, "share", "", None, f"{runs} runs"))
    return found


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows; ``data`` is a folder with a record of one's own. ``rounds`` has no meaning here."""
    return rows(carry_out(RECORDED if data is None else data / RECORDED.name))


def main() -> None:
    """Run from the command line with a record of one's own."""
    parser = argparse.ArgumentParser(description="Conformance of the decoder on random agents.")
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--record", type=Path, default=RECORDED)
    given = parser.parse_args()
    print(table(rows(carry_out(given.record, given.agents, given.batches))))


if __name__ == "__main__":
    main()
