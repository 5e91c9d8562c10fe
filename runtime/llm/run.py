"""The loop of a language-model agent: the model writes under the decoder, tools answer, a transcript is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentc.compiler.decoder import contents
from agentc.compiler.decoder.few_shot import system_text
from agentc.compiler.logic.ir import Value
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.llm.decoder import Decoder, Session, Step
from agentc.runtime.llm.models import LanguageModel
from agentc.runtime.llm.origins import Origins, labelled
from agentc.runtime.llm.served import ServedModel
from agentc.runtime.llm.served_writer import ServedWriter
from agentc.runtime.llm.settings import RunSettings, settings_of
from agentc.runtime.llm.standing import Standing
from agentc.runtime.llm.step_writer import StepWriter, TokenWriter
from agentc.runtime.llm.tools import Toolbox
from agentc.runtime.llm.transcript import TranscriptWriter
from agentc.runtime.llm.valuation import unsaid
from agentc.runtime.llm.verdicts import kept
from agentc.runtime.llm.world import World

__all__ = ["Listener", "RunResult", "RunSettings", "run_agent", "settings_of"]

Listener = Callable[[str, Mapping[str, Any]], None]
"""Called with each event as it happens: its kind, and its fields."""


@dataclass(frozen=True)
class RunResult:
    """A run that has ended.

    ``kept`` says of each promise whether the transcript keeps it, by the reference semantics; ``forced`` counts the
    tokens that had no alternative, ``passes`` the passes of the model (or the requests to its server), ``drawn``
    the tokens that candidates took where whole steps are drawn (``resample``). ``promise`` says how promises were kept:
    ``by construction``, or ``checked`` where the model could not be kept from breaking them.
    """

    steps: tuple[Step, ...]
    valuations: tuple[Mapping[str, Value], ...]
    kept: Mapping[str, bool]
    tokens: int
    forced: int
    passes: int
    drawn: int
    seconds: float
    satisfied: Mapping[str, bool] = field(default_factory=dict)
    promise: str = "by construction"


def run_agent(
    decoder: Decoder,
    model: LanguageModel | ServedModel,
    world: World,
    settings: RunSettings | None = None,
    *,
    transcript: Path | None = None,
    listen: Listener | None = None,
) -> RunResult:
    """One episode of an agent.

    Raises ``AgentcError``: AS1407 for limits that no run fits, AS1430 and AS1431 for tools that cannot be called,
    AS1470 to AS1477 for a server that fails; the transcript ends with what went wrong.
    """
    writer = None if transcript is None else TranscriptWriter(transcript)
    try:
        return _Run(decoder, model, world, settings or RunSettings(), writer, listen).run()
    finally:
        if writer is not None:
            writer.close()


class _Run:
    def __init__(
        self, decoder: Decoder, model: LanguageModel | ServedModel, world: World, settings: RunSettings,
        writer: TranscriptWriter | None, listen: Listener | None,
    ) -> None:  # fmt: skip
        self.decoder, self.model, self.world, self.settings = decoder, model, world, settings
        self.writer, self.listen = writer, listen
        self.standing: Standing | None = None
        self.asked = labelled(decoder.agent)
        self.origins = Origins(self.asked)
        self.hand: StepWriter
        if isinstance(model, ServedModel):
            self.hand = ServedWriter(model, settings, self.say)
        else:
            self.hand = TokenWriter(model, settings)

    def say(self, event: str, **fields: Any) -> None:
        if self.writer is not None:
            self.writer.write(event, **fields)
        if self.listen is not None:
            self.listen(event, fields)

    def show(self, piece: str) -> None:
        if self.listen is not None:
            self.listen("text", {"text": piece})

    def run(self) -> RunResult:
        try:
            return self._episode()
        except AgentcError as error:
            self.say("error", codes=[d.code for d in error.diagnostics], text=[d.message for d in error.diagnostics])
            raise

    def _episode(self) -> RunResult:
        began = time.monotonic()
        decoder, settings, hand = self.decoder, self.settings, self.hand
        session = hand.start(decoder)
        message = self.world.reset(settings.seed)
        toolbox = Toolbox(decoder.writer.tools, self.world.tools)
        watched = self.writer is not None or self.listen is not None
        self.standing = Standing(decoder) if watched else None
        self.origins.tell("user", message)
        self.say(
            "start", agent=decoder.agent.name, model=self.model.name, message=message, seed=settings.seed,
            promise=hand.promise, **self._now(session),
        )  # fmt: skip
        hand.begin(system_text(decoder.writer), message)
        while not session.ended:
            if session.answering:
                hand.read(self._answer(session, toolbox))
                continue
            step = hand.write(session, self.show)
            if step is not None:
                signals = self._signals(step)
                if session.waiting is not None:
                    session.complete(signals)
                else:
                    session.observe(signals)
                self.origins.tell(step.phase, step.text)
                self.say(
                    "step", phase=step.phase, text=step.text, tool=step.tool, arguments=dict(step.arguments),
                    **self._now(session),
                )  # fmt: skip
        trace = Trace(session.valuations)
        held = kept(decoder.agent, trace)
        reached = {f.name: evaluate(f.formula, trace) for f in decoder.agent.of_role("task") if not f.each}
        seconds = time.monotonic() - began
        self.say(
            "end", kept=held, satisfied=reached, tokens=hand.tokens, seconds=round(seconds, 3), promise=hand.promise
        )
        return RunResult(
            tuple(session.steps), tuple(session.valuations), held, hand.tokens, hand.forced, hand.passes, hand.drawn,
            seconds, reached, hand.promise,
        )  # fmt: skip

    def _answer(self, session: Session, toolbox: Toolbox) -> str:
        """Call the tool and write its result; what the model is to read of it."""
        call = session.steps[-1]
        assert call.tool is not None
        result = toolbox.call(call.tool, call.arguments)
        phase = session.answering[0]
        step = session.answer(result.text, self._signals(Step(phase, result.text)))
        self.origins.tell(phase, step.text)
        self.origins.tell(call.tool, step.text)
        self.say(
            "result", phase=phase, tool=call.tool, text=step.text, outcome=result.outcome, **self._now(session)
        )
        return f"{contents.label(phase)}{step.text}\n"

    def _signals(self, step: Step) -> dict[str, Value]:
        """The environment's signals after a step; Boolean ones that the world does not give are false."""
        found = unsaid(self.decoder.agent)
        found.update({k: v for k, v in self.world.signals(step).items() if k in found})
        values = {f"{step.tool}.{k}": v for k, v in step.arguments.items()} | {f"{step.phase}.text": step.text}
        found.update(dict.fromkeys(self.asked))
        found.update(self.origins.labels(values))
        return found

    def _now(self, session: Session) -> Mapping[str, Any]:
        """Where the run stands, for who watches it."""
        if self.standing is None or session.ended:
            return {}
        return self.standing.now(session)
