"""Other forms of a formula: expansion laws, data, text, and rewritings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.pipeline import compile_formula
from agentc.lang.diagnostics import AgentcError
from conformance.backends.modules import (
    NAIVE,
    REWRITE,
)
from conformance.registry import Case, Implementation, Load, RefusedError, backend, everything


@backend("expansion laws", "boolean", NAIVE)
def _naive(load: Load) -> Implementation:
    naive = load(NAIVE)
    return Implementation(everything, lambda case: [naive.holds(case.formula, t) for t in case.traces])


@backend("expansion laws, robust", "robust", NAIVE)
def _naive_margin(load: Load) -> Implementation:
    naive = load(NAIVE)
    return Implementation(everything, lambda case: [naive.margin(case.formula, t) for t in case.traces])


@backend("data round trip", "same")
def _data(load: Load) -> Implementation:
    def run(case: Case) -> list[ir.Node]:
        text = json.dumps(ir.to_data(case.formula))
        return [ir.from_data(json.loads(text))[0] for _ in case.traces]

    return Implementation(everything, run)


@backend("text round trip", "robust", least=0.75)
def _text(load: Load) -> Implementation:
    """What is shown reads back as a formula of the same meaning, sanity checks apart."""

    def run(case: Case) -> Sequence[Any]:
        f = case.formula
        try:
            g = compile_formula(ir.show(f), case.signals.values())
        except AgentcError as error:
            if {d.code for d in error.diagnostics} & {"AS0316", "AS0322"}:  # no finite value, always true
                raise RefusedError from error
            raise
        return [robustness(g, t) if evaluate(g, t) == evaluate(f, t) else "another truth value" for t in case.traces]

    return Implementation(lambda case: all(map(can_be_written, ir.postorder(case.formula))), run)


def can_be_written(node: ir.Node) -> bool:
    """The language has no negated predicates of texts, and shown texts look like enum members where they compare."""
    text = any(a.op == "const" and isinstance(a.value, str) for a in node.args)
    if node.op == "compare" and text:
        return not any(a.value in ("say", "note") for a in node.args)
    if node.op in ("contains", "starts_with", "ends_with", "matches"):
        return node.value is not True
    return not (node.op == "in_seen" and text)


# ---------------------------------------------------------------- rewritings, by the reference's meaning of the result


def _rewriting(
    rewrite: Callable[[Case], Formula], value: Callable[[Formula, Any], Any], of_form: Callable[[Formula], bool]
) -> Implementation:
    def run(case: Case) -> Sequence[Any]:
        g = rewrite(case)
        if not of_form(g):
            raise ValueError(f"the result is not of the form that is promised: {ir.show(g)}")
        return [value(g, trace) for trace in case.traces]

    return Implementation(everything, run)


def _formulas(root: Formula) -> list[Formula]:
    """The formulas below the root, those in aggregates left out."""
    seen: dict[Formula, None] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen[node] = None
            stack.extend(node.args if node.op != "atom" else ())
    return list(seen)


def _any_form(f: Formula) -> bool:
    return True


def _is_core(f: Formula) -> bool:
    return all(g.op in ir.CORE for g in _formulas(f))


def _is_nnf(f: Formula) -> bool:
    return _is_core(f) and all(g.args[0].op == "atom" for g in _formulas(f) if g.op == "not")


@backend("desugar", "boolean", REWRITE)
def _desugar(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.desugar(case.formula), evaluate, _is_core)


@backend("desugar, robust", "robust", REWRITE)
def _desugar_robust(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.desugar(case.formula), robustness, _is_core)


@backend("negation normal form", "boolean", REWRITE)
def _nnf(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.nnf(case.formula), evaluate, _is_nnf)


@backend("negation normal form, robust", "robust", REWRITE)
def _nnf_robust(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.nnf(case.formula), robustness, _is_nnf)


@backend("simplify", "boolean", REWRITE)
def _simplify(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.simplify(case.formula, boolean=True), evaluate, _any_form)


@backend("simplify, robust", "robust", REWRITE)
def _simplify_robust(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.simplify(case.formula), robustness, _any_form)


@backend("simplify the core, robust", "robust", REWRITE)
def _simplify_core(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.simplify(rewrite.nnf(case.formula)), robustness, _is_nnf)


@backend("localize, robust", "robust", REWRITE)
def _localize(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.localize(case.formula), robustness, _any_form)


@backend("localize over domains", "boolean", REWRITE)
def _localize_domains(load: Load) -> Implementation:
    rewrite = load(REWRITE)

    def run(case: Case) -> Formula:
        domains = {name: list(s.members) for name, s in case.signals.items() if s.kind == "enum"}
        domains |= {
            name: list(range(int(s.lo), int(s.hi) + 1))
            for name, s in case.signals.items()
            if s.kind == "int" and s.lo is not None and s.hi is not None
        }
        return rewrite.localize(case.formula, domains)  # type: ignore[no-any-return]

    return _rewriting(run, evaluate, _any_form)
