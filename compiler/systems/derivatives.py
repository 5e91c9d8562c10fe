"""Symbolic derivatives of terms, as terms: Jacobians of declared dynamics.

``min``, ``max`` and ``abs`` have a derivative almost everywhere only, and no term of the language says which, so
they are refused where they depend on the variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentc.compiler.logic.ir import Node, Term, const, postorder, term
from agentc.compiler.logic.semantics import apply

ZERO, ONE = const(0.0), const(1.0)


class NotSmoothError(ValueError):
    """A term has an operator without a derivative everywhere; ``op`` is the operator."""

    def __init__(self, op: str, name: str) -> None:
        super().__init__(f"{op!r} has no derivative by {name!r} everywhere")
        self.op, self.name = op, name


def derivative(root: Term, name: str) -> Term:
    """The partial derivative of a term by the variable ``name``. Raises :class:`NotSmoothError`."""
    made: dict[Node, tuple[Term, ...]] = {}  # of a vector one for each component
    for node in postorder(root):
        assert isinstance(node, Term), node.op
        made[node] = _derivative(node, [made[a] for a in node.args], name)
    return made[root][0]


def jacobian(terms: Iterable[Term], names: Sequence[str]) -> tuple[tuple[Term, ...], ...]:
    """One row for each term, one column for each variable. Raises :class:`NotSmoothError`."""
    return tuple(tuple(derivative(t, name) for name in names) for t in terms)


def add(a: Term, b: Term) -> Term:
    """``a + b``, without zeros."""
    return b if _is(a, 0) else a if _is(b, 0) else _folded("add", a, b)


def sub(a: Term, b: Term) -> Term:
    """``a - b``, without zeros."""
    return a if _is(b, 0) else neg(b) if _is(a, 0) else _folded("sub", a, b)


def mul(a: Term, b: Term) -> Term:
    """``a * b``, without zeros and ones."""
    if _is(a, 0) or _is(b, 0):
        return ZERO
    return b if _is(a, 1) else a if _is(b, 1) else _folded("mul", a, b)


def div(a: Term, b: Term) -> Term:
    """``a / b``, without zeros and ones above and ones below."""
    return ZERO if _is(a, 0) else a if _is(b, 1) else _folded("div", a, b)


def neg(a: Term) -> Term:
    """``-a``."""
    return a.args[0] if a.op == "neg" and isinstance(a.args[0], Term) else _folded("neg", a)


def power(a: Term, n: Term) -> Term:
    """``a ** n``, without exponents 0 and 1."""
    return ONE if _is(n, 0) else a if _is(n, 1) else _folded("pow", a, n)


def _is(node: Term, value: float) -> bool:
    return node.op == "const" and not isinstance(node.value, bool | str | tuple) and node.value == value


def _folded(op: str, *args: Term) -> Term:
    if all(a.op == "const" for a in args):
        value = apply(term(op), [a.value for a in args])
        if value is not None:
            return const(float(value))
    return term(op, args)


def _components(node: Node) -> tuple[Term, ...]:
    if node.op == "const" and isinstance(node.value, tuple):
        return tuple(const(v) for v in node.value)
    assert node.op == "tuple", node.op
    return tuple(a for a in node.args if isinstance(a, Term))


def _derivative(node: Term, below: list[tuple[Term, ...]], name: str) -> tuple[Term, ...]:
    op = node.op
    if op == "const":
        return tuple(ZERO for _ in node.value) if isinstance(node.value, tuple) else (ZERO,)
    if op == "signal":
        return (ONE if node.value == name else ZERO,)
    if op == "tuple":
        return tuple(d for (d,) in below)
    if op == "index":
        assert isinstance(node.value, int)
        return (below[0][node.value],)
    if all(_is(d, 0) for of_arg in below for d in of_arg):
        return (ZERO,)
    if op in ("norm", "dist"):
        return (_of_norm(node, below),)
    args = [a for a in node.args if isinstance(a, Term)]
    return (_of_function(node, args, [d for (d,) in below], name),)


def _of_norm(node: Term, below: list[tuple[Term, ...]]) -> Term:
    vectors = [_components(a) for a in node.args]
    x, dx = vectors[0], below[0]
    if node.op == "dist":
        x = tuple(sub(a, b) for a, b in zip(*vectors, strict=True))
        dx = tuple(sub(a, b) for a, b in zip(*below, strict=True))
    total = ZERO
    for a, d in zip(x, dx, strict=True):
        total = add(total, mul(a, d))
    return div(total, node)


def _of_function(node: Term, x: list[Term], d: list[Term], name: str) -> Term:
    match node.op:
        case "neg":
            return neg(d[0])
        case "add":
            return add(*d)
        case "sub":
            return sub(*d)
        case "mul":
            return add(mul(d[0], x[1]), mul(x[0], d[1]))
        case "div":
            return sub(div(d[0], x[1]), div(mul(x[0], d[1]), mul(x[1], x[1])))
        case "sin":
            return mul(term("cos", (x[0],)), d[0])
        case "cos":
            return neg(mul(term("sin", (x[0],)), d[0]))
        case "tan":
            return mul(add(ONE, mul(node, node)), d[0])
        case "exp":
            return mul(node, d[0])
        case "log":
            return div(d[0], x[0])
        case "sqrt":
            return div(d[0], mul(const(2.0), node))
        case "atan2":
            square = add(mul(x[0], x[0]), mul(x[1], x[1]))
            return div(sub(mul(x[1], d[0]), mul(x[0], d[1])), square)
        case "pow":
            by_base = mul(mul(x[1], power(x[0], sub(x[1], ONE))), d[0])
            return by_base if _is(d[1], 0) else add(by_base, mul(mul(node, term("log", (x[0],))), d[1]))
        case op:
            raise NotSmoothError(op, name)
