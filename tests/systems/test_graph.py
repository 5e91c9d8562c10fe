"""The expression graph gives what the reference semantics gives; derivatives are those of finite differences."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentc.compiler.agent import VariableIR
from agentc.compiler.logic.ir import (
    COMPARISONS,
    FUNCTIONS,
    Formula,
    Node,
    Term,
    atom,
    compare,
    const,
    formula,
    postorder,
    signal,
    term,
)
from agentc.compiler.logic.semantics import apply, evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.systems import arithmetic
from agentc.compiler.systems.derivatives import NotSmoothError, derivative
from agentc.compiler.systems.graph import graph_of

VARIABLES = (
    VariableIR("x", "state", "real"), VariableIR("y", "state", "real"), VariableIR("n", "input", "int", lo=-5, hi=5),
    VariableIR("on", "state", "bool"), VariableIR("m", "state", "enum", ("a", "b", "c")),
)  # fmt: skip
CODES = {"a": 0.0, "b": 1.0, "c": 2.0}

SIMPLE = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, -2.5])
numbers = st.one_of(SIMPLE, st.floats(-50, 50, allow_subnormal=False).map(lambda v: round(v, 3)))

EVERY = ("neg", "abs", "sqrt", "sin", "cos", "tan", "exp", "log", "add", "sub", "mul", "div", "pow", "atan2",
         "min", "max", "norm", "dist", "index")  # fmt: skip
EXACT = ("neg", "abs", "sqrt", "add", "sub", "mul", "div", "min", "max")
"""What IEEE 754 rounds in one way only, so that comparisons of it are the same everywhere."""
SMOOTH = ("neg", "sin", "cos", "exp", "add", "sub", "mul")


def terms(ops: tuple[str, ...]) -> st.SearchStrategy[Term]:
    leaves = st.one_of(st.sampled_from([signal("x"), signal("y"), signal("n")]), numbers.map(const))

    def made(op: str, a: Term, b: Term) -> Term:
        pair = term("tuple", (a, b))
        if op == "norm":
            return term("norm", (pair,))
        if op == "dist":
            return term("dist", (pair, term("tuple", (b, const(0.25)))))
        if op == "index":
            return term("index", (pair,), 1)
        return term(op, (a,) if FUNCTIONS[op] == 1 else (a, b))

    return st.recursive(leaves, lambda inner: st.builds(made, st.sampled_from(ops), inner, inner), max_leaves=6)


def region(kind: str, c: tuple[float, float], d: tuple[float, float]) -> Term:
    if kind == "box":
        return term("box", (const(c), const((c[0] + d[0], c[1] + d[1]))))
    if kind == "halfspace":
        return term("halfspace", (const((c[0], 1.0)), const(c[1])))
    return term(kind, (const(c), const(d[0] if kind == "ball" else d)))


def regions() -> st.SearchStrategy[Term]:
    point, size = st.tuples(numbers, numbers), st.tuples(st.floats(0.1, 5), st.floats(0.1, 5))
    kinds = st.sampled_from(("box", "ball", "ellipsoid", "halfspace"))

    def joined(op: str, parts: list[Term]) -> Term:
        return term(op, parts[:1] if op == "complement" else parts)

    ops = st.sampled_from(("union", "intersection", "complement"))
    return st.recursive(
        st.builds(region, kinds, point, size),
        lambda inner: st.builds(joined, ops, st.lists(inner, min_size=1, max_size=2)),
        max_leaves=3,
    )


def formulas() -> st.SearchStrategy[Formula]:
    number, negated, members = terms(EXACT), st.sampled_from([True, None]), st.lists(st.sampled_from("abc"), min_size=1)

    equal = st.sampled_from(("==", "!="))

    def within(op: str, args: list[Term], no: bool | None) -> Formula:
        return atom(term(op, args, no))

    def in_region(x: Term, y: Term, area: Term, no: bool | None) -> Formula:
        return atom(term("in_region", (term("tuple", (x, y)), area), no))

    leaves = st.one_of(
        st.builds(compare, st.sampled_from(COMPARISONS), number, number),
        st.builds(within, st.just("in_range"), st.lists(number, min_size=3, max_size=3), negated),
        st.builds(within, st.just("in_set"), st.lists(number, min_size=2, max_size=3), negated),
        st.builds(in_region, number, number, regions(), negated),
        st.builds(lambda of, no: within("in_set", [signal("m"), *map(const, of)], no), members, negated),
        st.builds(lambda op, m: compare(op, signal("m"), const(m)), equal, st.sampled_from("ab")),
        st.builds(lambda op, v: compare(op, const(v), signal("on")), equal, st.booleans()),
        st.just(atom(signal("on"))),
    )
    ops = st.sampled_from(("not", "and", "or", "implies", "xor", "iff"))

    def joined(op: str, a: Formula, b: Formula) -> Formula:
        return formula(op, (a,) if op == "not" else (a, b))

    return st.recursive(leaves, lambda inner: st.builds(joined, ops, inner, inner), max_leaves=4)


points = st.fixed_dictionaries(
    {"x": numbers, "y": numbers, "n": st.integers(-5, 5), "on": st.booleans(), "m": st.sampled_from("abc")}
)


def reference(root: Term, values: dict[str, Any]) -> float | None:
    table: dict[Node, Any] = {}
    for node in postorder(root):
        assert isinstance(node, Term)
        if node.op == "const":
            table[node] = node.value
        elif node.op == "signal":
            table[node] = values[str(node.value)]
        else:
            table[node] = apply(node, [table[a] for a in node.args])
    found = table[root]
    return None if found is None else float(found)


def coded(values: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    rows = [{**v, "on": float(v["on"]), "m": CODES[v["m"]]} for v in values]
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(terms(EVERY), st.lists(points, min_size=1, max_size=5))
def test_numbers_are_those_of_the_reference(root: Term, values: list[dict[str, Any]]) -> None:
    (found,) = arithmetic.evaluate(graph_of([root], VARIABLES), coded(values))
    for got, at in zip(np.broadcast_to(found, len(values)), values, strict=True):
        expected = reference(root, at)
        if expected is None:
            assert math.isnan(got) or not math.isfinite(got)
        else:
            assert got == pytest.approx(expected, rel=1e-9, abs=1e-9) or abs(expected) > 1e6


@settings(max_examples=150, deadline=None, derandomize=True)
@given(formulas(), st.lists(points, min_size=1, max_size=5))
def test_truth_is_that_of_the_reference(root: Formula, values: list[dict[str, Any]]) -> None:
    (found,) = arithmetic.evaluate(graph_of([root], VARIABLES), coded(values))
    expected = [evaluate(root, Trace([v])) for v in values]
    assert list(np.broadcast_to(found, len(values))) == expected


def test_a_value_lost_inside_stays_lost() -> None:
    inverse = term("div", (const(1.0), term("div", (const(1.0), signal("x")))))
    (found,) = arithmetic.evaluate(graph_of([inverse], VARIABLES), {"x": np.array([0.0, 2.0])})
    assert math.isnan(found[0]) and found[1] == 2.0
    truth = graph_of([compare("!=", inverse, const(1.0)), compare("==", inverse, inverse)], VARIABLES)
    differs, same = arithmetic.evaluate(truth, {"x": np.array([0.0, 2.0])})
    assert list(differs) == [False, True] and list(same) == [False, True]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(terms(SMOOTH), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_derivatives_are_those_of_differences(root: Term, x: float, y: float) -> None:
    try:
        slope = derivative(root, "x")
    except NotSmoothError:
        pytest.fail("every operator here is smooth")
    h = 1e-5
    values = {"x": np.array([x - h, x, x + h]), "y": np.full(3, y), "n": np.full(3, 2.0)}
    f, d = (np.broadcast_to(v, 3) for v in arithmetic.evaluate(graph_of([root, slope], VARIABLES), values))
    if not (np.isfinite(f).all() and np.isfinite(d).all()) or np.abs(f).max() > 1e3:
        return
    size = 1 + abs(d[1])
    if abs(d[2] - d[0]) < 1e-2 * size:  # where the slope itself does not change within h
        assert (f[2] - f[0]) / (2 * h) == pytest.approx(d[1], rel=1e-2, abs=1e-2 * size)


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (term("pow", (signal("x"), const(3.0))), lambda x: 3 * x * x),
        (term("sqrt", (signal("x"),)), lambda x: 0.5 / math.sqrt(x)),
        (term("log", (signal("x"),)), lambda x: 1 / x),
        (term("tan", (signal("x"),)), lambda x: 1 / math.cos(x) ** 2),
        (term("div", (const(1.0), signal("x"))), lambda x: -1 / x**2),
        (term("atan2", (signal("x"), const(2.0))), lambda x: 2 / (x * x + 4)),
        (term("pow", (const(2.0), signal("x"))), lambda x: math.log(2) * 2**x),
        (term("norm", (term("tuple", (signal("x"), const(3.0))),)), lambda x: x / math.hypot(x, 3)),
    ],
)
def test_derivatives_of_the_other_functions(root: Term, expected: Any) -> None:
    graph = graph_of([derivative(root, "x")], VARIABLES)
    for x in (0.3, 1.2, 2.5):
        assert arithmetic.evaluate(graph, {"x": np.array([x])})[0][0] == pytest.approx(expected(x), rel=1e-12)


def test_what_has_no_derivative_is_refused() -> None:
    with pytest.raises(NotSmoothError, match="'abs' has no derivative by 'x'"):
        derivative(term("abs", (signal("x"),)), "x")
    assert derivative(term("abs", (signal("y"),)), "x") is const(0.0)


def test_equal_parts_are_one_instruction_and_constants_are_folded() -> None:
    twice = term("mul", (signal("x"), signal("x")))
    root = term("add", (twice, term("mul", (term("mul", (twice, const(1.0))), term("add", (const(1.0), const(2.0)))))))
    graph = graph_of([root], VARIABLES)
    assert [n.op for n in graph.nodes] == ["var", "mul", "const", "mul", "add"]
    assert graph.nodes[2].value == 3.0 and graph.variables == ("x",)
