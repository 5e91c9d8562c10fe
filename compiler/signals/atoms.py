"""Atoms as operations of the scalar graph: their truth, and their margin where numbers are compared.

The meaning is that of :mod:`agentc.compiler.logic.semantics`: an atom without a value is false, with robustness
``-inf``, negated or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.fragments import TERMS
from agentc.compiler.logic.ir import REGIONS, Formula, Node, Term, postorder
from agentc.compiler.signals.regions import Region, contains, signed_distance
from agentc.compiler.signals.scalars import Graph
from agentc.lang.diagnostics import AgentcError, report

_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_TEXTUAL = ("contains", "starts_with", "ends_with", "matches", "from")
_PLAIN = ("neg", "abs", "sqrt", "sin", "cos", "tan", "exp", "log", "add", "sub", "mul", "div", "pow", "atan2")

DOES = frozenset(TERMS)
"""The terms and predicates that are evaluated; aggregates over the past are not among them."""


@dataclass(frozen=True, slots=True)
class Atom:
    """The operation that is 1 where the atom is true, and the one that is its margin; None if that is infinite."""

    formula: Formula
    truth: int
    margin: int | None


@dataclass(frozen=True, slots=True)
class _Made:
    """A term: a scalar, a vector of them, or a region. ``kind``: number, bool, word (of an enum), text."""

    kind: str
    value: Any


class Atoms:
    """Compiles atoms into one graph, in which equal terms are computed once.

    ``codes`` numbers the members of all enums, so that those of two signals can be compared. Raises ``AgentcError``
    (AS0701) for terms that look further back than one step, (AS1002) for a vector whose size is not declared.
    """

    def __init__(self, signals: Iterable[SignalIR]) -> None:
        self.signals = {s.name: s for s in signals}
        self.graph = Graph()
        self.codes: dict[str, int] = {}
        self._made: dict[Node, _Made] = {}
        for signal in self.signals.values():
            for member in signal.members:
                self.codes.setdefault(member, len(self.codes))

    def atom(self, formula: Formula) -> Atom:
        """The operations of an atom."""
        for node in postorder(formula.predicate):
            if node not in self._made and node is not formula.predicate:
                assert isinstance(node, Term)
                self._made[node] = self._term(node)
        truth, margin = self._predicate(formula.predicate)
        return Atom(formula, truth, margin)

    # ------------------------------------------------------------ terms

    def _term(self, node: Term) -> _Made:
        x = [self._made[a] for a in node.args]
        add = self.graph.add
        match node.op:
            case "const":
                return self._constant(node.value)
            case "signal":
                return self._signal(str(node.value))
            case "prev":
                now = self._signal(str(node.value))
                if isinstance(now.value, tuple):
                    return _Made(now.kind, tuple(add("prev", v) for v in now.value))
                return _Made(now.kind, add("prev", now.value))
            case "tuple":
                return _Made("vector", tuple(a.value for a in x))
            case "index":
                assert isinstance(node.value, int)
                vector = x[0].value
                inside = 0 <= node.value < len(vector)
                return _Made("number", vector[node.value] if inside else add("const", value=float("nan")))
            case "min" | "max":
                return _Made("number", self.graph.fold(node.op, x[0].value if len(x) == 1 else [a.value for a in x]))
            case "norm":
                return _Made("number", add("norm", *x[0].value))
            case "dist":
                apart = [add("sub", a, b) for a, b in zip(x[0].value, x[1].value, strict=True)]
                return _Made("number", add("norm", *apart))
            case "length":
                return _Made("number", add("length", x[0].value))
            case op if op in REGIONS:
                return _Made("region", Region(op, tuple(_parameter(a) for a in x)))
            case op if op in _PLAIN:
                return _Made("number", add(op, *(a.value for a in x)))
        raise AgentcError([report("AS0701", None, operator=node.op, backend="robustness", able=_REFERENCE)])

    def _constant(self, value: Any) -> _Made:
        if isinstance(value, tuple):
            return _Made("vector", tuple(self.graph.number(v) for v in value))
        if isinstance(value, str):
            return _Made("literal", value)
        return _Made("bool" if isinstance(value, bool) else "number", self.graph.number(value))

    def _signal(self, name: str) -> _Made:
        signal = self.signals.get(name)
        kind = signal.kind if signal is not None else "bool"
        if name.endswith("@from"):
            kind = "text"  # a tuple of origins, an object like a text
        if kind == "vector":
            assert signal is not None
            size = vector_size(signal)
            return _Made("vector", tuple(self.graph.add("input", value=(name, i)) for i in range(size)))
        if kind == "text":
            return _Made("text", self.graph.add("text", value=(name, 0)))
        known = "number" if kind in ("int", "real") else "word" if kind == "enum" else "bool"
        return _Made(known, self.graph.add("input", value=(name, 0)))

    # ------------------------------------------------------------ predicates

    def _predicate(self, node: Term) -> tuple[int, int | None]:
        add = self.graph.add
        if node.op == "signal":
            return self._signal(str(node.value)).value, None
        x = [self._made.get(a) or self._term_of(a) for a in node.args]
        negated = node.value is True

        def truth(index: int) -> int:
            return add("flip", index) if negated else index

        match node.op:
            case "compare":
                return self._compare(str(node.value), x[0], x[1])
            case "in_range":
                v, lo, hi = (a.value for a in x)
                margin = add("min", add("difference", v, lo), add("difference", hi, v))
                inside = add("min", add("le", lo, v), add("le", v, hi))
                return truth(inside), add("neg", margin) if negated else margin
            case "in_set":
                equal = [self._compare("==", x[0], m) for m in x[1:]]
                among = self.graph.fold("max", [t for t, _ in equal])
                margins = [m for _, m in equal if m is not None]
                if len(margins) < len(equal):
                    return truth(among), None
                margin = self.graph.fold("max", margins)
                return truth(among), add("neg", margin) if negated else margin
            case "in_region":
                point, region = x[0].value, x[1].value
                margin = signed_distance(self.graph, region, point)
                return truth(contains(self.graph, region, point)), add("neg", margin) if negated else margin
            case op if op in _TEXTUAL:
                return truth(add(op, *(self._text(a) for a in x))), None
        if node.op == "prev":
            return self._term(node).value, None
        raise AgentcError([report("AS0701", None, operator=node.op, backend="robustness", able=_REFERENCE)])

    def _term_of(self, node: Node) -> _Made:
        assert isinstance(node, Term)
        return self._made.setdefault(node, self._term(node))

    def _text(self, made: _Made) -> int:
        return self.graph.add("const", value=made.value) if made.kind == "literal" else int(made.value)

    def _compare(self, op: str, left: _Made, right: _Made) -> tuple[int, int | None]:
        graph = self.graph
        if "text" in (left.kind, right.kind) or left.kind == right.kind == "literal":
            same = graph.add("same", self._text(left), self._text(right))
            return (same if op == "==" else graph.add("flip", same)), None
        if "vector" in (left.kind, right.kind):
            same = graph.fold(
                "min", [graph.add("eq", a, b) for a, b in zip(left.value, right.value, strict=True)]
            )
            return (same if op == "==" else graph.add("flip", same)), None
        a, b = self._scalar(left), self._scalar(right)
        truth = graph.add(_COMPARE[op], a, b)
        if left.kind != "number" or right.kind != "number":
            return truth, None
        if op in (">", ">="):
            return truth, graph.add("difference", a, b)
        if op in ("<", "<="):
            return truth, graph.add("difference", b, a)
        apart = graph.add("abs", graph.add("difference", a, b))
        return truth, apart if op == "!=" else graph.add("neg", apart)

    def _scalar(self, made: _Made) -> int:
        if made.kind == "literal":  # a member; one that no enum has is equal to none
            return self.graph.number(self.codes.setdefault(made.value, len(self.codes)))
        return int(made.value)


def vector_size(signal: SignalIR) -> int:
    """How many components a vector has. Raises ``AgentcError`` (AS1002) if that is not declared."""
    if signal.size is None or signal.size[0] != signal.size[1]:
        raise AgentcError([report("AS1002", None, name=signal.name)])
    return signal.size[0]


def _parameter(made: _Made) -> Any:
    return made.value


_REFERENCE = "the reference semantics does it, which `agentc test` runs"
