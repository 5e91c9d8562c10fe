"""Examples in prompts: transcripts that a model is shown are held to the agent's promises before it ever sees them.

An example is written as the decoder would let the agent write it: a line that begins with the label of a phase is a
step (``Thought: ...``, ``Action: search {"query": "tea"}``, and the results). What stands before the first step is
prose; a blank line ends the example. In a file of JSON lines (``.jsonl``) it is a recorded transcript instead.

Each step has to be what its phase may hold, each result has to answer a call, and each promise has to hold of the whole
example; what does not is reported at the line from which on it cannot be mended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton, TooLargeError, byte_automaton
from agentc.compiler.decoder.regular import Language, both
from agentc.compiler.judgement import judge
from agentc.compiler.logic.ir import Value, signals
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.writer import PhaseIR, PromptIR, WriterIR
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.records import dataclass
from agentc.lang.source import Source, Span
from agentc.lang.spelling import nearest


@dataclass(frozen=True, slots=True)
class ShotStep:
    """A step of an example, and where it stands."""

    phase: str
    text: str
    tool: str | None
    arguments: Mapping[str, Value]
    span: Span | None


def check_prompts(agent: AgentIR) -> list[Diagnostic]:
    """What is wrong with the examples in an agent's prompts (AS1460 to AS1465)."""
    assert agent.writer is not None
    found: list[Diagnostic] = []
    for prompt in agent.writer.texts:
        found += check_examples(agent, prompt)
    return found


def check_examples(agent: AgentIR, prompt: PromptIR) -> list[Diagnostic]:
    """What is wrong with the examples in one prompt."""
    assert agent.writer is not None
    found: list[Diagnostic] = []
    reader = _Reader(agent.writer, prompt, found)
    for steps in reader.episodes():
        if steps:
            found += _answers(agent.writer, steps)
            found += _promises(agent, steps)
    return found


def system_text(writer: WriterIR) -> str:
    """What a model reads before it begins: the system prompt, and the prompts that come from files."""
    texts = [writer.prompts.get("system", ""), *(_shown(p) for p in writer.texts if p.file is not None)]
    return "\n\n".join(t.strip("\n") if len(texts) > 1 else t for t in texts if t)


def _shown(prompt: PromptIR) -> str:
    """A prompt as the model reads it: a recorded transcript as text."""
    if not _recorded(prompt):
        return prompt.text
    lines: list[str] = []
    for event in _events(prompt, []):
        kind = event[1].get("event")
        if kind == "start":
            lines += [*([""] if lines else []), str(event[1].get("message", ""))]
        elif kind in ("step", "result"):
            lines.append(f"{contents.label(str(event[1].get('phase')))}{event[1].get('text')}")
    return "\n".join(lines)


def _recorded(prompt: PromptIR) -> bool:
    return prompt.file is not None and prompt.file.endswith(".jsonl")


def _events(prompt: PromptIR, wrong: list[Diagnostic]) -> Iterator[tuple[Span, Mapping[str, Any]]]:
    source = Source(prompt.file or "<prompt>", prompt.text)
    start = 0
    for line in prompt.text.split("\n"):
        span = Span(source, start, start + len(line))
        start += len(line) + 1
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            if not isinstance(event, dict) or "event" not in event:
                raise ValueError("it has no `event`")
        except ValueError as error:
            wrong.append(report("AS1465", span, file=prompt.file, reason=str(error)))
            continue
        yield span, event


class _Reader:
    """Reads the examples of one prompt; what cannot be read is reported, and ends the example."""

    def __init__(self, writer: WriterIR, prompt: PromptIR, wrong: list[Diagnostic]) -> None:
        self.writer, self.prompt, self.wrong = writer, prompt, wrong
        self.labels = {contents.label(p.name): p for p in writer.phases}
        self._known: dict[tuple[str, str | None], ByteAutomaton | None] = {}

    def episodes(self) -> Iterator[list[ShotStep]]:
        return self._of_events() if _recorded(self.prompt) else self._of_text()

    # ------------------------------------------------------------ texts

    def _of_text(self) -> Iterator[list[ShotStep]]:
        text = self.prompt.text if self.prompt.text.endswith("\n") else f"{self.prompt.text}\n"
        steps: list[ShotStep] = []
        broken = False
        at = 0
        while at < len(text):
            stop = text.index("\n", at) + 1
            line = text[at:stop]
            phase = next((p for label, p in self.labels.items() if line.startswith(label)), None)
            if not line.strip():
                yield steps
                steps, broken = [], False
            elif broken or (phase is None and not steps):
                pass
            elif phase is None:
                meant = self._meant(line)
                self.wrong.append(report("AS1460", self._span(at, stop - 1), line=line.strip()[:40], meant=meant))
                steps, broken = [], True
            else:
                stop = self._end(phase, text, at)
                step = self._step(phase, text[at:stop], self._span(at, min(stop, len(self.prompt.text))))
                if step is None:
                    steps, broken = [], True
                else:
                    steps.append(step)
                if text[stop - 1] != "\n" and text[stop] == "\n":  # a phase with another end, on a line of its own
                    stop += 1
            at = stop
        yield steps

    def _near(self, line: str) -> str | None:
        """The label that a line begins with, or was probably meant to."""
        begins = re.match(r"[^:]*: ?", line)
        if begins is None:
            return None
        return begins.group() if begins.group() in self.labels else nearest(begins.group(), self.labels)

    def _meant(self, line: str) -> str:
        """The labels that a line may begin with, the nearest first."""
        near = self._near(line)
        known = [label for label in self.labels if label != near]
        return ", ".join(f"`{label}`" for label in ([near] if near else []) + known)

    def _end(self, phase: PhaseIR, text: str, at: int) -> int:
        """Where a step that begins at ``at`` ends; a result has as many lines as begin with no label."""
        if phase.answers is None:
            for tool in phase.tools or (None,):
                automaton = self._automaton(phase, tool)
                stop = None if automaton is None else _first_end(automaton, text, at)
                if stop is not None and not any(f"\n{label}" in text[at:stop] for label in self.labels):
                    return stop
        stop = text.index("\n", at) + 1
        while phase.answers is not None and stop < len(text):
            line = text[stop : text.index("\n", stop) + 1]
            if not line.strip() or self._near(line) is not None:
                break
            stop += len(line)
        return stop

    def _step(self, phase: PhaseIR, raw: str, span: Span | None) -> ShotStep | None:
        end = "\n" if phase.answers is not None else contents.ending(phase)
        inside = raw[len(contents.label(phase.name)) :].removesuffix(end)
        if phase.answers is not None:
            return ShotStep(phase.name, inside, None, {}, span)
        if not raw.endswith(end):
            self.wrong.append(report("AS1461", span, phase=phase.name, reason=f"it does not end with {end!r}"))
            return None
        tool = inside.partition(" ")[0] if phase.tools else None
        return self._checked(phase, tool, inside, span)

    def _checked(self, phase: PhaseIR, tool: str | None, inside: str, span: Span | None) -> ShotStep | None:
        """A step that the agent could write; None, and a finding, otherwise."""
        if tool is not None and tool not in phase.tools:
            known = ", ".join(f"`{t}`" for t in phase.tools)
            reason = f"no tool `{tool}` is called in it, only {known}"
            self.wrong.append(report("AS1461", span, phase=phase.name, reason=reason))
            return None
        whole = f"{contents.label(phase.name)}{inside}{contents.ending(phase)}"
        automaton = self._automaton(phase, tool)
        if automaton is not None and not automaton.accepts(whole):
            good = automaton.next_bad(whole)
            reason = f"{whole[good : good + 20]!r} cannot follow {whole[max(0, good - 20) : good]!r}"
            self.wrong.append(report("AS1461", span, phase=phase.name, reason=reason))
            return None
        arguments: dict[str, Value] = {}
        if tool is not None:
            try:
                given = json.loads(inside.partition(" ")[2])
                declared = self.writer.tool(tool).arguments
                arguments = {a.name: contents.as_text(a, given[a.name]) for a in declared}
            except (ValueError, KeyError, TypeError) as error:
                self.wrong.append(report("AS1461", span, phase=phase.name, reason=f"its arguments: {error}"))
                return None
        return ShotStep(phase.name, inside, tool, arguments, span)

    def _automaton(self, phase: PhaseIR, tool: str | None) -> ByteAutomaton | None:
        """The steps of a phase that the agent writes; None where they are not regular."""
        key = (phase.name, tool)
        if key not in self._known:
            self._known[key] = None if tool is not None and tool not in phase.tools else self._make(phase, tool)
        return self._known[key]

    def _make(self, phase: PhaseIR, tool: str | None) -> ByteAutomaton | None:
        if tool is not None:
            declared = self.writer.tool(tool)
            parts = contents.call(declared, [contents.values(a) for a in declared.arguments])
        else:
            given = [contents.content(g) for g in phase.generators]
            regular = [g for g in given if isinstance(g, Language)]
            if not given or len(regular) < len(given):
                return None
            parts = (both(*regular),)
        whole = contents.step(phase, parts)
        first = whole[0]
        try:
            return byte_automaton(first) if len(whole) == 1 and isinstance(first, Language) else None
        except TooLargeError:
            return None

    def _span(self, start: int, stop: int) -> Span | None:
        """A part of the prompt: in its file, or in the spec where its line stands there as it is."""
        prompt = self.prompt
        if prompt.file is not None:
            return Span(Source(prompt.file, prompt.text), start, max(stop, start))
        if prompt.span is None:
            return None
        line = prompt.text[start:stop].strip().split("\n")[0]
        begin, seen = prompt.span.start, 0
        wanted = prompt.text[:start].count(line)
        while line and (at := prompt.span.source.text.find(line, begin, prompt.span.stop)) >= 0:
            if seen == wanted:
                return Span(prompt.span.source, at, at + len(line))
            begin, seen = at + 1, seen + 1
        return prompt.span

    # ------------------------------------------------------------ recorded transcripts

    def _of_events(self) -> Iterator[list[ShotStep]]:
        steps: list[ShotStep] = []
        broken = False
        for span, event in _events(self.prompt, self.wrong):
            kind = event["event"]
            if kind == "start":
                yield steps
                steps, broken = [], False
            if kind not in ("step", "result") or broken:
                continue
            name, text = str(event.get("phase")), str(event.get("text"))
            phase = next((p for p in self.writer.phases if p.name == name), None)
            step = None
            if phase is None:
                meant = ", ".join(f"`{p.name}`" for p in self.writer.phases)
                self.wrong.append(report("AS1460", span, line=name, meant=meant))
            elif phase.answers is not None:
                step = ShotStep(name, text, None, {}, span)
            else:
                step = self._checked(phase, str(event.get("tool")) if phase.tools else None, text, span)
            if step is None:
                steps, broken = [], True
            else:
                steps.append(step)
        yield steps


def _first_end(automaton: ByteAutomaton, text: str, at: int) -> int | None:
    """Where the word ends that begins in a text; None if there is none."""
    state = 0 if automaton.size else DEAD
    for i in range(at, len(text)):
        state = automaton.run(text[i].encode(), state)
        if state == DEAD:
            return None
        if automaton.accepting[state]:
            return i + 1
    return None


def _answers(writer: WriterIR, steps: Iterable[ShotStep]) -> list[Diagnostic]:
    """Results that answer no call."""
    before: str | None = None
    found = []
    for step in steps:
        answers = writer.phase(step.phase).answers
        if answers is not None and before != answers:
            found.append(report("AS1464", step.span, phase=step.phase, answers=answers))
        before = step.phase
    return found


def _promises(agent: AgentIR, steps: list[ShotStep]) -> list[Diagnostic]:
    """Promises that an example breaks, each at the step from which on it is broken, or at the last one."""
    own = [s for s in agent.signals if s.phase]
    blank: Valuation = {s.name: None if "." in s.name else False for s in own}
    trace = Trace([{**blank, **_values(s)} for s in steps])
    found = []
    for item in agent.of_role("behavior", "safe"):
        if not set(signals(item.formula)) <= {s.name for s in own} | set(item.each):
            continue  # what it says of the world is not in the example
        judged = _judged(item, trace, agent)
        if judged is None or judged.holds:
            continue
        if judged.decided is not None:
            span = steps[min(judged.decided, len(steps) - 1)].span
            found.append(report("AS1462", span, name=item.name, formula=item.source))
        else:
            found.append(report("AS1463", steps[-1].span, name=item.name, formula=item.source))
    return found


def _judged(item: FormulaIR, trace: Trace, agent: AgentIR) -> Any:
    try:
        return judge(item.formula, trace, item.role, agent.signals, item.each)
    except (AgentcError, ValueError):
        return None  # too large to be judged here; the decoder has its own limits


def _values(step: ShotStep) -> dict[str, Value]:
    found: dict[str, Value] = {step.phase: True, f"{step.phase}.text": step.text}
    if step.tool is not None:
        found[step.tool] = True
        found.update({f"{step.tool}.{k}": v for k, v in step.arguments.items()})
    return found
