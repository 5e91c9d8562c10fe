"""Running examples: each claims that a trace satisfies or violates a formula, and is held to the semantics.

A ``safe`` is violated exactly when some prefix has the final verdict false, so it is judged by its automaton;
all other formulas are judged on the whole trace by the reference semantics.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentc.compiler.agent import AgentIR, ExampleIR, FormulaIR, SignalIR
from agentc.compiler.judgement import Judgement, judge
from agentc.compiler.logic.ir import signals
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.records import dataclass


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """How an example came out; ``passed`` is None where it could not be decided."""

    agent: str
    example: ExampleIR
    passed: bool | None
    decided: int | None
    """The first step at which the verdict was final, None if only the end of the trace decided it."""
    diagnostics: tuple[Diagnostic, ...]


def run_examples(agent: AgentIR) -> tuple[ExampleResult, ...]:
    """Run all examples of an agent."""
    return tuple(_run(agent, example) for example in agent.examples)


def _run(agent: AgentIR, example: ExampleIR) -> ExampleResult:
    subject = agent.formula(example.subject)
    found = _unset(agent, example) or _contradictions(agent, example)
    if found:
        return ExampleResult(agent.name, example, None, None, tuple(found))
    trace = Trace(example.valuations)
    declared = (*all_signals(agent), *(SignalIR(name, "bool") for name in example.opaque))
    try:
        judgement = judge(example.formula, trace, subject.role, declared, subject.each)
    except AgentcError as error:
        return ExampleResult(agent.name, example, None, None, error.diagnostics)
    if judgement.holds == example.satisfies:
        return ExampleResult(agent.name, example, True, judgement.decided, ())
    failed = report(
        "AS0517",
        example.span,
        title=_quoted(example),
        claims="claims to satisfy" if example.satisfies else "claims to violate",
        formula=example.subject,
        outcome=_outcome(subject, judgement, len(trace)),
        step=judgement.decided,
    )
    return ExampleResult(agent.name, example, False, judgement.decided, (failed,))


def _quoted(example: ExampleIR) -> str:
    return f'"{example.title}"'


def _outcome(subject: FormulaIR, judgement: Judgement, length: int) -> str:
    """What came out, and when: ``it is violated at step 2``."""
    if subject.role == "safe":
        holds, fails = "it is never violated", "it is violated"
    else:
        holds, fails = "it is true", "it is false"
    what = holds if judgement.holds else fails
    if judgement.decided is None:
        at = f"at the end, after step {length - 1}"
        return what if subject.role == "safe" and judgement.holds else f"{what} {at}"
    return f"{what}, whatever follows, from step {judgement.decided} on"


def all_signals(agent: AgentIR) -> tuple[SignalIR, ...]:
    """The signals of the environment and the agent's own."""
    return (*(agent.environment.signals if agent.environment else ()), *agent.signals)


def _unset(agent: AgentIR, example: ExampleIR) -> list[Diagnostic]:
    """Signals that the formula reads and the steps do not set in time: at step 0, an action's at step 1."""
    found = []
    phases = {s.name for s in agent.signals if s.phase}
    for name in signals(example.formula):
        first = 1 if name.split(".")[0] == "action" and name not in phases else 0
        if name in agent.formula(example.subject).each:
            continue
        if first == 1 and name in example.valuations[0]:
            found.append(report("AS0554", example.span, name=name))
        elif first < len(example.valuations) and name not in example.valuations[first]:
            found.append(report("AS0514", example.span, name=name, step=first))
    return found


def _contradictions(agent: AgentIR, example: ExampleIR) -> list[Diagnostic]:
    """Propositions whose stated value is not the one that the signals give them."""
    found = []
    trace = Trace(example.valuations)
    for item in agent.propositions:
        if item.name not in example.opaque:
            continue
        if any(name not in example.valuations[0] for name in signals(item.formula)):
            continue
        for t in range(len(trace)):
            said, computed = bool(trace[t].get(item.name)), evaluate(item.formula, trace, t)
            if said != computed:
                words = {True: "true", False: "false"}
                found.append(
                    report("AS0516", example.span, step=t, name=item.name, said=words[said], is_=words[computed])
                )
                break
    return found


def failures(results: Iterable[ExampleResult]) -> list[Diagnostic]:
    """The findings of all results."""
    return [d for result in results for d in result.diagnostics]
