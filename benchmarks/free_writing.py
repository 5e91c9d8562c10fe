"""Agents without a decoder: a model writes what it likes, and what it wrote is judged afterwards.

A line that is no step of the agent (a label, a tool with its arguments, each of its type) ends the run: from there on
nothing could be executed. What was written before is judged by the reference semantics, like a run under the decoder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentc.benchmarks.experts import expert_of
from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import byte_automaton
from agentc.compiler.decoder.context_free import Content
from agentc.compiler.decoder.regular import Language, any_text
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.runtime.llm.decoder import Decoder, Step
from agentc.runtime.llm.models import LanguageModel
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.scripted import ScriptedModel
from agentc.runtime.llm.tools import Toolbox
from agentc.runtime.llm.valuation import unsaid
from agentc.runtime.llm.verdicts import kept
from agentc.runtime.llm.vocabulary import Vocabulary
from agentc.runtime.llm.world import World

SHOWN_SEED = 1_000_003
"""The episode whose transcript a prompt shows; no run is on it."""


@dataclass(frozen=True)
class FreeRun:
    """A run without a decoder: its steps, whether it is a whole run that keeps every promise, and why not."""

    steps: tuple[Step, ...]
    conforming: bool
    solved: bool
    tokens: int
    reason: str = ""


def bare_prompt(agent: AgentIR) -> str:
    """What an unconstrained model is told: the task, and the tools with their arguments."""
    assert agent.writer is not None
    tools = ", ".join(f"{t.name}({', '.join(a.name for a in t.arguments)})" for t in agent.writer.tools)
    return f"{agent.writer.prompts.get('system', '')}\nYour tools: {tools}."


def full_prompt(agent: AgentIR, world: World) -> str:
    """The task, the form of every step, and the transcript of an expert in another episode of the world."""
    return "\n".join([forms(agent), "An example:", *expert_transcript(agent, world)])


def forms(agent: AgentIR) -> str:
    """The task, and the form of every step."""
    assert agent.writer is not None
    lines = [agent.writer.prompts.get("system", ""), "Write one step a line, in these forms and no others:"]
    for phase in agent.writer.phases:
        label = contents.label(phase.name)
        if phase.answers is not None:
            continue
        for tool in phase.tools:
            arguments = {a.name: "|".join(a.members) or "..." for a in agent.writer.tool(tool).arguments}
            lines.append(f"{label}{tool} {json.dumps(arguments)}")
        if not phase.tools:
            lines.append(f"{label}...")
    return "\n".join(lines)


def expert_transcript(agent: AgentIR, world: World, seed: int = SHOWN_SEED) -> list[str]:
    """What an expert and the world write in an episode, a line each, the first message included."""
    message = world.reset(seed)
    vocabulary = Vocabulary.of_bytes()
    expert = expert_of(world)
    model = ScriptedModel(vocabulary, lambda text: expert(world, text), seed)
    settings = RunSettings(max_tokens=None, max_steps=30, seed=seed)
    result = run_agent(Decoder(agent, vocabulary), model, world, settings)
    return [message, *(f"{contents.label(s.phase)}{s.text}" for s in result.steps)]


def well_formed(decoder: Decoder, row: str) -> Step | None:
    """The step that a line is, whatever the spaces in its JSON; None if it is none."""
    for phase in decoder.writer.phases:
        if phase.answers is not None or not row.startswith(contents.label(phase.name)):
            continue
        if phase.tools:
            tool, _, body = row.removeprefix(contents.label(phase.name)).strip().partition(" ")
            try:
                given = json.dumps(json.loads(body or "{}"), ensure_ascii=False)
            except (ValueError, RecursionError):
                return None
            row = f"{contents.label(phase.name)}{tool} {given}"
        insides: list[tuple[Content, ...]] = [(any_text(),)]
        if phase.tools:
            calls = [decoder.writer.tool(t) for t in phase.tools]
            insides = [contents.call(t, [contents.values(a) for a in t.arguments]) for t in calls]
        for inside in insides:
            (language,) = contents.step(phase, inside)
            assert isinstance(language, Language), "what these agents write is regular"
            if byte_automaton(language).accepts(row + contents.ending(phase)):
                return decoder.read(row + contents.ending(phase))
    return None


def free_run(
    decoder: Decoder, model: LanguageModel, world: World, system: str, *,
    seed: int, temperature: float, max_tokens: int, max_steps: int,
) -> FreeRun:  # fmt: skip
    """One episode of a model that writes freely."""
    randomness = np.random.default_rng(seed)
    message = world.reset(seed)
    toolbox = Toolbox(decoder.writer.tools, world.tools)
    stream = model.stream()
    logits = stream.read(model.prompt(system, message))
    steps: list[Step] = []
    valuations: list[Any] = []
    written, tokens = b"", 0
    reason = "the tokens are used up"

    def take(step: Step) -> None:
        signals = {**unsaid(decoder.agent)}
        signals.update({k: v for k, v in world.signals(step).items() if k in signals})
        steps.append(step)
        valuations.append(decoder.valuation(step, signals))

    while tokens < max_tokens and len(steps) < max_steps:
        weights = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
        token = int(randomness.choice(len(weights), p=weights / weights.sum()))
        tokens += 1
        ends = token == decoder.vocabulary.eos
        if ends and not written.strip():
            reason = ""
            break
        written += b"\n" if ends else decoder.vocabulary.bytes_of[token]  # its turn ends, and with that the line
        answer = ""
        if b"\n" in written:
            row, _, rest = written.partition(b"\n")
            written = b""
            if row.strip():
                step = well_formed(decoder, row.decode("utf-8", errors="replace"))
                if step is None or rest.strip():
                    reason = f"no step: {row.decode('utf-8', errors='replace')[:80]}"
                    break
                take(step)
                answering = [p.name for p in decoder.writer.phases if p.answers == step.phase]
                if step.tool == "finish":
                    reason = ""
                    break
                if step.tool is not None and answering:
                    answer = toolbox.call(step.tool, step.arguments).text
                    take(Step(answering[0], answer))
                    answer = f"{contents.label(answering[0])}{answer}\n"
        read = decoder.vocabulary.spell("\n") if ends else [token]
        logits = stream.read([*read, *decoder.vocabulary.spell(answer)] if answer else read)
    trace = Trace(valuations) if valuations else None
    held = trace is not None and all(kept(decoder.agent, trace).values())
    tasks = decoder.agent.of_role("task")
    solved = trace is not None and all(evaluate(f.formula, trace) for f in tasks if not f.each)
    return FreeRun(tuple(steps), not reason and held, solved, tokens, reason or ("" if held else "a promise is broken"))
