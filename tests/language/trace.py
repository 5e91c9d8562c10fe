"""Tables of traces: each row of a formula is checked against the reference semantics, step by step."""

from __future__ import annotations

import math
from pathlib import Path

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.alphabet import admissible_valuations
from agentc.compiler.logic.finality import verdict
from agentc.compiler.logic.ir import Formula, atoms
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.lower import lower
from agentc.lang.checker import check_module
from agentc.lang.diagnostics import Severity
from agentc.lang.imports import Library
from agentc.lang.parser import parse
from agentc.lang.source import Source

from .page import BadPage, Fence, Row, table

WORDS = {"true": True, "1": True, "false": False, "0": False}
VERDICTS = {
    "true": Verdict.TRUE,
    "true?": Verdict.PRESUMABLY_TRUE,
    "false?": Verdict.PRESUMABLY_FALSE,
    "false": Verdict.FALSE,
}


def run_trace(fence: Fence) -> list[str]:
    """The cells of a table that are not what the semantics says."""
    rows = table(fence)
    signals = [row for row in rows if row.kind == "signal"]
    formulas = [row for row in rows if row.kind != "signal"]
    agent = spec_of(signals, formulas)
    steps = len(rows[0].values)
    trace = Trace({row.text: value(row, t) for row in signals} for t in range(steps))
    problems = []
    for row, formula in zip(formulas, (f.formula for f in agent.formulas), strict=True):
        for t, said in enumerate(row.values):
            found = cell(row.kind, formula, trace, t, agent)
            if found != expected(row, said):
                problems.append(f"line {row.line}: `{row.text}` at {t} is {found}, not {said}")
    return problems


def spec_of(signals: list[Row], formulas: list[Row]) -> AgentIR:
    """The agent that declares the signals and has the formulas as tasks, through the whole front end."""
    lines = [f"  signal {row.text} : {'enum ' * row.type.startswith('{')}{row.type}" for row in signals]
    lines += [f"  task f{i} = {row.text}" for i, row in enumerate(formulas)]
    parsed = parse(Source("<trace>", "\n".join(["agent Table {", *lines, "}", ""])))
    spec = check_module(parsed.module, Library(str(Path.cwd())))
    errors = [d for d in (*parsed.diagnostics, *spec.diagnostics) if d.severity is Severity.ERROR]
    if errors:
        raise BadPage("; ".join(f"{d.span.text if d.span else ''}: {d.message}" for d in errors))
    return lower(spec)[0]


def value(row: Row, t: int) -> bool | int | float | str:
    """What a signal is at a step."""
    said = row.values[t]
    kind = row.type.split()[0]
    if kind == "bool":
        return WORDS[said]
    if kind == "int":
        return int(said)
    return float(said) if kind == "real" else said


def expected(row: Row, said: str) -> object:
    """What a cell of a formula says."""
    return {"truth": WORDS.get, "online": VERDICTS.get, "robustness": float}[row.kind](said)


def cell(kind: str, formula: Formula, trace: Trace, t: int, agent: AgentIR) -> object:
    """What the semantics says of a cell."""
    match kind:
        case "truth":
            return evaluate(formula, trace, t)
        case "robustness":
            found = robustness(formula, trace, t)
            return found if math.isinf(found) else round(found, 9)
        case _:
            valuations = admissible_valuations(atoms(formula), agent.signals)
            return verdict(formula, Trace(trace.valuations[: t + 1]), valuations)
