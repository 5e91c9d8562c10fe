"""Method 61: the behaviour of language-model agents in temporal logic, kept by the decoder; prompts are checked.

"Formally Specifying the High-Level Behavior of LLM-Based Agents" (2023, arXiv 2310.08535). Here: SmolLM2-135M-Instruct,
four behaviours of ``std.agents`` on questions about a small corpus. Both arms get one prompt, which shows the forms of
all steps and a whole example; only one has the mask of the decoder. A run conforms if it is a whole run that keeps the
behaviour by the reference semantics. Errors are planted in the example transcripts: a step is left out, doubled, or
changes places with the next one; what then breaks the behaviour by the reference semantics has to be found by the check
of prompts, and what does not must pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from agentc.benchmarks.agents import Prefilled
from agentc.benchmarks.free_writing import forms, free_run
from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder.few_shot import check_examples
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.compiler.writer import PromptIR
from agentc.lang.source import Source
from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.models import EMBEDDED, load_model
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.tools import Function
from agentc.runtime.llm.world import Silent
from agentc.runtime.llm.worlds.corpus_qa import CorpusQA

SPEC = "methods/61_formally_specified_agents.agentspec"
QUESTIONS = 2
"""Questions for each behaviour and seed."""
MAX_TOKENS, MAX_STEPS, TEMPERATURE = 120, 9, 0.7
PLANTED = 40
"""Planted errors for each behaviour and seed."""

SHOWN: Mapping[str, str] = {
    "Solver": "Thought: The harbour has three piers.\nAnswer: three",
    "Reader": 'Thought: I have to search.\nAction: search {"query": "piers of Tarn"}\n'
    "Reply: The harbour of Tarn has three piers.\nThought: Now I can answer.\n"
    'Action: finish {"answer": "three"}',
    "Learner": 'Thought: I try an answer.\nAction: submit {"answer": "two"}\nReply: wrong\n'
    'Reflection: I did not search.\nThought: I search now.\nAction: search {"query": "piers of Tarn"}\n'
    "Reply: The harbour of Tarn has three piers.\nThought: Now I can answer.\n"
    'Action: submit {"answer": "three"}\nReply: right',
    "Planner": 'Plan: I search for the piers.\nAction: search {"query": "piers of Tarn"}\n'
    'Reply: The harbour of Tarn has three piers.\nAction: finish {"answer": "three"}',
}
"""The example that a prompt shows, by agent."""


@cache
def agents() -> tuple[AgentIR, ...]:
    """The agents of the spec."""
    text = (files("agentc.specs") / SPEC).read_text(encoding="utf-8")
    return check(Source(SPEC, text), examples=False).agents


@cache
def _ready() -> tuple[Mapping[str, Decoder], Mapping[str, Prefilled]]:
    model = load_model(EMBEDDED)
    decoders = {a.name: Decoder(a, model.vocabulary) for a in agents()}
    return decoders, {a.name: Prefilled(model, told(a)) for a in agents()}


def told(agent: AgentIR) -> str:
    """The prompt of both arms."""
    return f"{forms(agent)}\nAn example:\nHow many piers has the harbour of Tarn?\n{SHOWN[agent.name]}"


def world(seed: int) -> Silent:
    """A question, and tools to search, to submit and to finish."""
    corpus = CorpusQA()
    question = corpus.reset(seed)

    def submit(answer: str) -> str:
        corpus.finish(answer)
        return "right" if corpus.solved else "wrong"

    tools: dict[str, Function] = {"search": corpus.search, "finish": corpus.finish, "submit": submit}
    return Silent(question, tools)


def run(seed: int, folder: Path, constrained: bool) -> Mapping[str, float]:
    """Conformance over all behaviours and questions, tokens of a run, and what was found of planted errors."""
    decoders, models = _ready()
    kept, tokens = [], []
    for agent in agents():
        decoder, model = decoders[agent.name], models[agent.name]
        for k in range(QUESTIONS):
            number = QUESTIONS * seed + k
            if constrained:
                settings = RunSettings(MAX_TOKENS, MAX_STEPS, TEMPERATURE, number)
                done = run_agent(decoder, model, world(number), settings)
                kept.append(all(done.kept.values()))
                tokens.append(done.tokens)
            else:
                free = free_run(
                    decoder, model, world(number), told(agent), seed=number, temperature=TEMPERATURE,
                    max_tokens=MAX_TOKENS, max_steps=MAX_STEPS,
                )  # fmt: skip
                kept.append(free.conforming)
                tokens.append(free.tokens)
    planted, caught, alarms, harmless = planted_errors(seed)
    return {
        "conformance": float(np.mean(kept)), "tokens": float(np.mean(tokens)), "planted": float(planted),
        "caught": caught / planted, "false alarms": alarms / max(harmless, 1), "harmless": float(harmless),
    }  # fmt: skip


def planted_errors(seed: int, each: int = PLANTED) -> tuple[int, int, int, int]:
    """How many errors were planted and found, how many sound examples were refused, of how many."""
    randomness = np.random.default_rng(seed)
    planted = caught = alarms = harmless = 0
    for agent in agents():
        lines = SHOWN[agent.name].split("\n")
        for _ in range(each):
            changed = _planted(lines, randomness)
            found = check_examples(agent, PromptIR("system", "\n".join(changed)))
            if not changed:
                continue
            if _breaks(agent, changed):
                planted, caught = planted + 1, caught + bool(found)
            else:
                harmless, alarms = harmless + 1, alarms + bool(found)
    return planted, caught, alarms, harmless


def _planted(lines: Sequence[str], randomness: np.random.Generator) -> list[str]:
    """A transcript with a step left out, doubled, or in the place of the next one."""
    at = int(randomness.integers(len(lines)))
    kind = int(randomness.integers(3))
    found = list(lines)
    if kind == 0:
        del found[at]
    elif kind == 1:
        found.insert(at, found[at])
    else:
        other = (at + 1) % len(found)
        found[at], found[other] = found[other], found[at]
    return found


def _breaks(agent: AgentIR, lines: Sequence[str]) -> bool:
    """Whether a transcript breaks a behaviour, by the reference semantics, or has a result that answers no call."""
    assert agent.writer is not None
    phases = {p.name: p for p in agent.writer.phases}
    valuations = []
    before = ""
    for row in lines:
        label, _, rest = row.partition(": ")
        name = label.lower()
        answers = phases[name].answers
        if answers is not None and before != answers:
            return True
        before = name
        here: dict[str, object] = {s.name: False for s in agent.signals if s.phase and "." not in s.name}
        here[name] = True
        if phases[name].tools:
            here[rest.partition(" ")[0]] = True
        valuations.append(here)
    trace = Trace(valuations)  # type: ignore[arg-type]
    return not all(evaluate(f.formula, trace) for f in agent.of_role("behavior"))


EXPERIMENT = Experiment(
    number=61,
    title="Formally specified LLM agents",
    source="Crouse et al., 2023 (arXiv 2310.08535)",
    spec=SPEC,
    removed="the mask of the decoder (M1)",
    metric="conformance",
    better="higher",
    steps=MAX_TOKENS,
    seeds=(0, 1, 2, 3, 4),
    arms=(
        Arm("prompt", lambda seed, folder: run(seed, folder, False), "told the forms and an example"),
        Arm("decoder", lambda seed, folder: run(seed, folder, True), "the same prompt, and the decoder"),
    ),
    paired=True,
    notes="The share of runs that are whole and keep the behaviour: chain of thought, ReAct, Reflexion, plan and "
    "replan, two questions each. SmolLM2-135M-Instruct; that a larger model answers better under a behaviour, as in "
    "the paper, is not shown. Errors are planted in the example of each prompt: `caught` is the share that the check "
    "of prompts finds, `false alarms` the share of sound changes that it refuses.",
)
