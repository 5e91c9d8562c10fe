"""The loop of a language-model agent: the model writes under the decoder, tools answer, a transcript is kept.

Tokens that have no alternative are never sampled: they are read in one pass together with what comes before the next
choice. Where a finite choice is open (the next phase, the tool) and ``decode { choice exact }`` is given, the choice is
drawn from the model's own distribution over the whole texts, scored in one batched pass: masking token by token would
give each first token the probability of everything that begins with it, legal or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.decoder import contents
from agentc.compiler.logic.ir import Value
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.choices import exact_choice
from agentc.runtime.llm.decoder import Decoder, Session, Step
from agentc.runtime.llm.models import LanguageModel, Logits, Stream
from agentc.runtime.llm.tools import Toolbox
from agentc.runtime.llm.transcript import TranscriptWriter
from agentc.runtime.llm.valuation import unsaid
from agentc.runtime.llm.world import World

Listener = Callable[[str, Mapping[str, Any]], None]
"""Called with each event as it happens: its kind, and its fields."""


@dataclass(frozen=True)
class RunSettings:
    """How a run is decoded: limits, temperature (0 is greedy), seed, and whether finite choices are exact."""

    max_tokens: int = 512
    max_steps: int | None = None
    temperature: float = 0.0
    seed: int = 0
    exact: bool = False


@dataclass(frozen=True)
class RunResult:
    """A run that has ended.

    ``kept`` says of each promise whether the transcript keeps it, by the reference semantics; ``forced`` counts the
    tokens that had no alternative, ``passes`` the passes of the model.
    """

    steps: tuple[Step, ...]
    valuations: tuple[Mapping[str, Value], ...]
    kept: Mapping[str, bool]
    tokens: int
    forced: int
    passes: int
    seconds: float
    satisfied: Mapping[str, bool] = field(default_factory=dict)


def run_agent(
    decoder: Decoder,
    model: LanguageModel,
    world: World,
    settings: RunSettings | None = None,
    *,
    transcript: Path | None = None,
    listen: Listener | None = None,
) -> RunResult:
    """One episode of an agent.

    Raises ``AgentcError``: AS1407 for limits that no run fits, AS1430 and AS1431 for tools that cannot be called.
    """
    writer = None if transcript is None else TranscriptWriter(transcript)
    try:
        return _Run(decoder, model, world, settings or RunSettings(), writer, listen).run()
    finally:
        if writer is not None:
            writer.close()


class _Run:
    def __init__(
        self, decoder: Decoder, model: LanguageModel, world: World, settings: RunSettings,
        writer: TranscriptWriter | None, listen: Listener | None,
    ) -> None:  # fmt: skip
        self.decoder, self.model, self.world, self.settings = decoder, model, world, settings
        self.writer, self.listen = writer, listen
        self.randomness = np.random.default_rng(settings.seed)
        self.forced = self.passes = 0

    def say(self, event: str, **fields: Any) -> None:
        if self.writer is not None:
            self.writer.write(event, **fields)
        if self.listen is not None:
            self.listen(event, fields)

    def run(self) -> RunResult:
        began = time.monotonic()
        decoder, settings = self.decoder, self.settings
        session = decoder.start(settings.max_tokens, settings.max_steps)
        message = self.world.reset(settings.seed)
        toolbox = Toolbox(decoder.writer.tools, self.world.tools)
        self.say("start", agent=decoder.agent.name, model=self.model.name, message=message, seed=settings.seed)
        stream: Stream = self.model.stream()
        logits = self._read(stream, self.model.prompt(decoder.writer.prompts.get("system", ""), message))
        while not session.ended:
            if session.answering:
                text = self._answer(session, toolbox)
                logits = self._read(stream, decoder.vocabulary.spell(text))
                continue
            logits = self._write(session, stream, logits)
        trace = Trace(session.valuations)
        kept = {f.name: evaluate(f.formula, trace) for f in decoder.agent.of_role("behavior", "safe") if not f.each}
        reached = {f.name: evaluate(f.formula, trace) for f in decoder.agent.of_role("task") if not f.each}
        seconds = time.monotonic() - began
        self.say("end", kept=kept, satisfied=reached, tokens=session.tokens, seconds=round(seconds, 3))
        return RunResult(
            tuple(session.steps), tuple(session.valuations), kept, session.tokens, self.forced, self.passes, seconds,
            reached,
        )  # fmt: skip

    def _read(self, stream: Stream, tokens: list[int]) -> Logits:
        self.passes += 1
        return stream.read(tokens)

    def _answer(self, session: Session, toolbox: Toolbox) -> str:
        """Call the tool and write its result; what the model is to read of it."""
        call = session.steps[-1]
        assert call.tool is not None
        result = toolbox.call(call.tool, call.arguments)
        phase = session.answering[0]
        step = session.answer(result.text, self._signals(Step(phase, result.text)))
        self.say("result", phase=phase, tool=call.tool, text=step.text, outcome=result.outcome)
        return f"{contents.label(phase)}{step.text}\n"

    def _signals(self, step: Step) -> dict[str, Value]:
        """The environment's signals after a step; Boolean ones that the world does not give are false."""
        found = unsaid(self.decoder.agent)
        found.update({k: v for k, v in self.world.signals(step).items() if k in found})
        return found

    def _write(self, session: Session, stream: Stream, logits: Logits) -> Logits:
        """Write the forced tokens, or one that is chosen (or one choice of several), and read them."""
        tokens = session.forced()
        if tokens:
            self.forced += len(tokens)
        elif self.settings.exact and (options := session.options()):
            chosen = exact_choice(stream, logits, options, self.settings.temperature, self.randomness)
            tokens = list(options[chosen])
        else:
            tokens = [self._choose(session, logits)]
        written = []
        for token in tokens:
            step = session.advance(token)
            written.append(token)
            if session.ended:
                return logits
            if step is not None:
                signals = self._signals(step)
                if session.waiting is not None:
                    session.complete(signals)
                else:
                    session.observe(signals)
                self.say("step", phase=step.phase, text=step.text, tool=step.tool, arguments=dict(step.arguments))
                break
        return self._read(stream, written)

    def _choose(self, session: Session, logits: Logits) -> int:
        legal = session.legal()
        scores = np.where(legal[: len(logits)], logits[: len(legal)], -np.inf)
        if self.settings.temperature == 0.0:
            return int(np.argmax(scores))
        weights = np.exp((scores - scores.max()) / self.settings.temperature)
        return int(self.randomness.choice(len(weights), p=weights / weights.sum()))


def settings_of(decoder: Decoder, **given: Any) -> RunSettings:
    """The settings of an agent's ``decode`` block, with what is given in their place.

    Raises ``AgentcError`` (AS1433) for a setting that does not exist.
    """
    known = ("max_tokens", "max_steps", "temperature", "choice")
    values: dict[str, Any] = {}
    for name, value in decoder.writer.decode.items():
        if name not in known:
            raise AgentcError([report("AS1433", None, name=name, known=", ".join(f"`{k}`" for k in known))])
        if name == "choice":
            values["exact"] = value == "exact"
        else:
            values[name] = value
    values.update({k: v for k, v in given.items() if v is not None})
    return RunSettings(**values)
