"""Terms and atoms as expressions of the solver z3, over real numbers, with room for the rounding of doubles.

An atom has two encodings: when it may be true, and when it may be false. Without ``slack`` they are each other's
negation; with it a comparison of computed terms may be both within ``slack`` times the sizes of the terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Node, Term, Value, const

MAX_POWER = 6


class BeyondError(Exception):
    """What the solver is not given, in words."""


@dataclass(frozen=True)
class _Number:
    """A term: its expression, when it has a value, and a bound of its size for rounding."""

    value: Any
    defined: tuple[Any, ...]
    size: Any
    computed: bool


class Encoding:
    """The terms of a group as expressions of the solver, with the constraints of its variables."""

    def __init__(self, z3: Any, declared: Mapping[str, SignalIR], slack: float) -> None:
        self.z3, self.declared, self.slack = z3, declared, Fraction(slack)
        self.constraints: list[Any] = []
        self.variables: dict[str, tuple[Any, SignalIR, int | None]] = {}
        self._fresh = 0

    def exactly(self, value: float | Fraction) -> Any:
        """A number as the solver's."""
        exact = Fraction(value)
        return self.z3.Q(exact.numerator, exact.denominator)

    def variable(self, name: str, at: int | None = None) -> Any:
        """The variable of a signal, or of one coordinate of a vector; ``name`` may begin with ``prev.``."""
        key = name if at is None else f"{name}[{at}]"
        if key in self.variables:
            return self.variables[key][0]
        signal = self.declared.get(name.removeprefix("prev."))
        if signal is None:
            raise BeyondError(f"nothing is declared of `{name}`")
        z3 = self.z3
        made: Any
        if signal.kind == "bool":
            made = z3.Bool(key)
        elif signal.kind == "enum":
            made = z3.Int(key)
            self.constraints += [made >= 0, made < len(signal.members)]
        elif signal.kind in ("int", "real", "vector"):
            made = z3.Int(key) if signal.kind == "int" else z3.Real(key)
            self.constraints += [] if signal.lo is None else [made >= self.exactly(signal.lo)]
            self.constraints += [] if signal.hi is None else [made <= self.exactly(signal.hi)]
        else:
            raise BeyondError(f"`{name}` is a {signal.kind}")
        self.variables[key] = (made, signal, at)
        return made

    def sorts(self) -> dict[str, str]:
        """The sort of every variable, by name: ``Bool``, ``Int`` or ``Real``."""
        return {key: str(variable.sort()) for key, (variable, _, _) in self.variables.items()}

    def values(self, model: Mapping[str, bool | Fraction]) -> dict[str, Value]:
        """The values of all signals, from those of the variables."""
        found: dict[str, Value] = {}
        coordinates: dict[str, dict[int, float]] = {}
        for key, (_, signal, at) in self.variables.items():
            value = model[key]
            if signal.kind == "bool":
                found[key] = bool(value)
            elif signal.kind == "enum":
                found[key] = signal.members[int(value)]
            elif signal.kind == "int":
                found[key] = int(value)
            elif at is None:
                found[key] = float(value)
            else:
                coordinates.setdefault(key.partition("[")[0], {})[at] = float(value)
        for name, parts in coordinates.items():
            size = self.declared[name.removeprefix("prev.")].size
            found[name] = tuple(parts.get(i, 0.0) for i in range(size[0] if size is not None else len(parts)))
        return found

    # ------------------------------------------------------------ terms

    def number(self, term: Node) -> _Number:
        """A term that is a number."""
        z3, op = self.z3, term.op
        if op == "const":
            if isinstance(term.value, bool) or not isinstance(term.value, int | float):
                raise BeyondError(f"`{term}` is no number")
            return _Number(self.exactly(term.value), (), self.exactly(abs(term.value)), False)
        if op in ("signal", "prev"):
            name = str(term.value) if op == "signal" else f"prev.{term.value}"
            made = self.variable(name)
            if self.declared[str(term.value)].kind not in ("int", "real"):
                raise BeyondError(f"`{name}` is no number")
            made = z3.ToReal(made) if z3.is_int(made) else made
            return _Number(made, (), self._size(name, made), False)
        if op == "index":
            return self.vector(term.args[0])[int(str(term.value))]
        if op in ("norm", "dist"):
            points = [self.vector(a) for a in term.args]
            parts = points[0] if op == "norm" else [
                self._joined("sub", (a, b)) for a, b in zip(*points, strict=True)
            ]  # fmt: skip
            squares = [self._joined("mul", (p, p)) for p in parts]
            total = squares[0]
            for square in squares[1:]:
                total = self._joined("add", (total, square))
            size = parts[0].size
            for part in parts[1:]:
                size = size + part.size
            return self._root(total, size)
        if op == "sqrt":
            of = self.number(term.args[0])
            if self.slack and of.computed:
                raise BeyondError("the rounding of a root has no bound")
            return self._root(of, of.size + 1)
        if op == "pow":
            return self._power(self.number(term.args[0]), term.args[1])
        if op in ("neg", "abs", "add", "sub", "mul", "div", "min", "max"):
            return self._joined(op, tuple(map(self.number, term.args)))
        raise BeyondError(f"`{op}` is beyond the solver")

    def _size(self, name: str, variable: Any) -> Any:
        """How large a variable can be: by its declaration if that tells, else what it is."""
        signal = self.declared[name.removeprefix("prev.")]
        if signal.lo is None or signal.hi is None:
            return _absolute(self.z3, variable)
        return self.exactly(max(abs(signal.lo), abs(signal.hi)))

    def _joined(self, op: str, x: tuple[_Number, ...]) -> _Number:
        z3 = self.z3
        defined = tuple(d for a in x for d in a.defined)
        if op == "neg":
            return _Number(-x[0].value, defined, x[0].size, x[0].computed)
        if op == "abs":
            return _Number(_absolute(z3, x[0].value), defined, x[0].size, x[0].computed)
        if op in ("min", "max"):
            made = x[0].value
            for other in x[1:]:
                first = made <= other.value if op == "min" else made >= other.value
                made = z3.If(first, made, other.value)
            return _Number(made, defined, sum((a.size for a in x[1:]), x[0].size), any(a.computed for a in x))
        a, b = x
        if op in ("add", "sub"):
            value = a.value + b.value if op == "add" else a.value - b.value
            return _Number(value, defined, a.size + b.size, True)
        if op == "mul":
            return _Number(a.value * b.value, defined, a.size * b.size, True)
        if self.slack and not z3.is_rational_value(b.value):
            raise BeyondError("the rounding of a quotient has no bound")
        return _Number(a.value / b.value, (*defined, b.value != 0), a.size / _absolute(z3, b.value), True)

    def _power(self, base: _Number, exponent: Node) -> _Number:
        power = exponent.value if exponent.op == "const" else None
        if not isinstance(power, int | float) or power != int(power) or not 1 <= power <= MAX_POWER:
            raise BeyondError("a power that is no small whole number")
        made = base
        for _ in range(int(power) - 1):
            made = self._joined("mul", (made, base))
        return made

    def _root(self, of: _Number, size: Any) -> _Number:
        """The root as a variable of its own."""
        z3 = self.z3
        self._fresh += 1
        root = z3.Real(f"?root{self._fresh}")
        self.constraints += [root >= 0, z3.Implies(of.value >= 0, root * root == of.value)]
        return _Number(root, (*of.defined, of.value >= 0), size, True)

    def vector(self, term: Node) -> list[_Number]:
        """A term that is a vector."""
        if term.op == "tuple":
            return [self.number(a) for a in term.args]
        if term.op == "const" and isinstance(term.value, tuple):
            return [self.number(const(v)) for v in term.value]
        if term.op in ("signal", "prev"):
            signal = self.declared.get(str(term.value))
            if signal is None or signal.kind != "vector" or signal.size is None:
                raise BeyondError(f"`{term}` is no vector")
            name = str(term.value) if term.op == "signal" else f"prev.{term.value}"
            coordinates = [self.variable(name, i) for i in range(signal.size[0])]
            return [_Number(c, (), self._size(name, c), False) for c in coordinates]
        raise BeyondError(f"`{term.op}` is beyond the solver")

    # ------------------------------------------------------------ atoms

    def atom(self, predicate: Term, sign: bool) -> Any:
        """When an atom may be true (``sign``) or false; without a value it is false."""
        z3 = self.z3
        op, args = predicate.op, predicate.args
        wanted = sign != (predicate.value is True)  # `not in` has the value true
        if op == "signal":
            made = self.variable(str(predicate.value))
            return made if sign else z3.Not(made)
        defined: list[Any] = []
        if op == "compare":
            made = self._compared(str(predicate.value), args[0], args[1], sign, defined)
        elif op == "in_range":
            bounds = ((">=", args[1]), ("<=", args[2]))
            parts = [self._compared(word, args[0], bound, wanted, defined) for word, bound in bounds]
            made = z3.And(*parts) if wanted else z3.Or(*parts)
        elif op == "in_set":
            parts = [self._compared("==", args[0], member, wanted, defined) for member in args[1:]]
            made = z3.Or(*parts) if wanted else z3.And(*parts)
        elif op == "in_region":
            point = self.vector(args[0])
            defined = [d for p in point for d in p.defined]
            made = self._region(args[1], point, wanted)
        else:
            raise BeyondError(f"`{op}` is beyond the solver")
        if not defined:
            return made
        return z3.And(*defined, made) if sign else z3.Or(z3.Not(z3.And(*defined)), made)

    def _compared(self, op: str, left: Node, right: Node, sign: bool, defined: list[Any]) -> Any:
        """When a comparison of terms that have values may hold or fail; when they have, goes to ``defined``."""
        if self._is_symbol(left) or self._is_symbol(right):
            same = self._symbol(left, right) == self._symbol(right, left)
            return same if (op == "==") == sign else self.z3.Not(same)
        a, b = self.number(left), self.number(right)
        defined += (*a.defined, *b.defined)
        margin = self.slack_of(a, b)
        return self._ordered(op if sign else _NEGATED[op], a.value - b.value, margin)

    def slack_of(self, *terms: _Number) -> Any:
        """The rounding that is granted to terms that are compared; None where nothing is computed."""
        if not self.slack or not any(t.computed for t in terms):
            return None
        return self.exactly(self.slack) * sum((t.size for t in terms[1:]), terms[0].size)

    def _ordered(self, op: str, difference: Any, margin: Any) -> Any:
        """``difference op 0``, widened by a margin."""
        wide = 0 if margin is None else margin
        match op:
            case ">":
                return difference > -wide if margin is not None else difference > 0
            case ">=":
                return difference >= -wide
            case "<":
                return difference < wide
            case "<=":
                return difference <= wide
            case "==":
                return difference == 0 if margin is None else self.z3.And(difference >= -wide, difference <= wide)
            case _:
                return difference != 0 if margin is None else self.z3.BoolVal(True)

    def _is_symbol(self, term: Node) -> bool:
        if term.op == "const":
            return isinstance(term.value, str | bool)
        signal = self.declared.get(str(term.value)) if term.op in ("signal", "prev") else None
        return signal is not None and signal.kind in ("enum", "bool", "text")

    def _symbol(self, term: Node, other: Node) -> Any:
        """An enum or a Boolean; a constant is a member of the other's enum."""
        if term.op in ("signal", "prev"):
            theirs = self._members(other) if other.op != "const" else self._members(term)
            if self._members(term) != theirs:
                raise BeyondError("two enums of different members")
            return self.variable(str(term.value) if term.op == "signal" else f"prev.{term.value}")
        if isinstance(term.value, bool):
            return self.z3.BoolVal(term.value)
        members = self._members(other)
        if term.op != "const" or members is None:
            raise BeyondError("a text is beyond the solver")
        return self.z3.IntVal(members.index(str(term.value)) if term.value in members else -1)

    def _members(self, term: Node) -> tuple[str, ...] | None:
        signal = self.declared.get(str(term.value)) if term.op in ("signal", "prev") else None
        return signal.members if signal is not None and signal.kind == "enum" else None

    # ------------------------------------------------------------ regions

    def _region(self, region: Node, point: Sequence[_Number], inside: bool) -> Any:
        """When a point may lie inside a region, or outside."""
        z3, op = self.z3, region.op
        if op in ("union", "intersection", "polytope"):
            parts = [self._region(a, point, inside) for a in region.args]
            return z3.Or(*parts) if (op == "union") == inside else z3.And(*parts)
        if op == "complement":
            return self._region(region.args[0], point, not inside)
        parameters = [self.vector(a) if _is_vector(a) else [self.number(a)] for a in region.args]
        if op == "box":
            lo, hi = parameters
            bounds = [(self._joined("sub", (v, a)) if v.computed or a.computed else _plain(v, a), ">=")
                      for v, a in zip(point, lo, strict=True)]  # fmt: skip
            bounds += [(self._joined("sub", (v, b)) if v.computed or b.computed else _plain(v, b), "<=")
                       for v, b in zip(point, hi, strict=True)]  # fmt: skip
            made = [self._zero(d, op_ if inside else _NEGATED[op_]) for d, op_ in bounds]
            return z3.And(*made) if inside else z3.Or(*made)
        if op == "halfspace":
            normal, (offset,) = parameters
            total = self._sum([self._joined("mul", (n, v)) for n, v in zip(normal, point, strict=True)])
            return self._zero(self._joined("sub", (total, offset)), "<=" if inside else ">")
        if op == "ball":
            center, (radius,) = parameters
            away = [self._joined("sub", (v, c)) for v, c in zip(point, center, strict=True)]
            distance = self._sum([self._joined("mul", (a, a)) for a in away])
            limit = self._joined("mul", (radius, radius))
            return self._zero(self._joined("sub", (distance, limit)), "<=" if inside else ">")
        if op == "ellipsoid":
            center, axes = parameters
            away = [self._joined("div", (self._joined("sub", (v, c)), a))
                    for v, c, a in zip(point, center, axes, strict=True)]  # fmt: skip
            total = self._sum([self._joined("mul", (a, a)) for a in away])
            one = _Number(self.exactly(1), (), self.exactly(1), False)
            return self._zero(self._joined("sub", (total, one)), "<=" if inside else ">")
        raise BeyondError(f"`{op}` is beyond the solver")

    def _sum(self, parts: Sequence[_Number]) -> _Number:
        total = parts[0]
        for part in parts[1:]:
            total = self._joined("add", (total, part))
        return total

    def _zero(self, difference: _Number, op: str) -> Any:
        return self._ordered(op, difference.value, self.slack_of(difference))


def _plain(a: _Number, b: _Number) -> _Number:
    """The difference of two numbers that are compared as they are: nothing is rounded."""
    return _Number(a.value - b.value, (*a.defined, *b.defined), a.size + b.size, False)


def _absolute(z3: Any, value: Any) -> Any:
    return z3.If(value >= 0, value, -value)


def _is_vector(term: Node) -> bool:
    return term.op == "tuple" or (term.op == "const" and isinstance(term.value, tuple))


_NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
