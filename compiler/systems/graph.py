"""The expression graph of a declared system: instructions on numbers and truth values, in single assignment form.

Everything that computes with a system walks this one graph: the simulators in numpy and torch, the explorer of
transition systems, and the arithmetics of verification (intervals, zonotopes, solver terms). An arithmetic says
what a constant is and what each operator does (:class:`Arithmetic`); :meth:`Graph.walk` does the rest.

Vectors and regions are gone here: a norm takes its components, membership in a region is comparisons. A Boolean
variable is a number that is not zero, an enum the index of its member. The operators:

==========================================  ===========================================================
``const`` (``value``), ``var`` (its name)    numbers
``neg abs sqrt sin cos tan exp log``         one number
``add sub mul div pow atan2``                two numbers
``min max norm``                             one number or more; ``norm`` is the Euclidean norm
``truth``                                    whether a number is not zero
``true false not and or``                    truth values; ``and`` and ``or`` are n-ary
``compare`` (``value`` of ``== != < <= > >=``)  two numbers to a truth value
==========================================  ===========================================================

What the reference semantics says of missing values holds here of not-a-number: an operation without a finite value
has none, and a comparison of it is false, ``!=`` too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple, Protocol, TypeVar

from agentc.compiler.agent import VariableIR
from agentc.compiler.logic.ir import Formula, Node, postorder, term
from agentc.compiler.logic.semantics import apply
from agentc.lang.records import dataclass

V = TypeVar("V")

FUNCTIONS = ("neg", "abs", "sqrt", "sin", "cos", "tan", "exp", "log", "add", "sub", "mul", "div", "pow", "atan2",
             "min", "max", "norm")  # fmt: skip
"""The operators from numbers to a number."""


class Instruction(NamedTuple):
    """One node: its operator, the indices of its arguments (all smaller than its own), its payload."""

    op: str
    args: tuple[int, ...] = ()
    value: float | str | None = None


class Arithmetic(Protocol[V]):
    """Numbers and truth values of some kind: arrays, tensors, intervals, terms of a solver."""

    def const(self, value: float) -> V:
        """A constant number."""
        ...

    def truth(self, value: bool) -> V:
        """A constant truth value."""
        ...

    def apply(self, op: str, args: Sequence[V], value: float | str | None) -> V:
        """Any operator but ``const var true false``; ``value`` is that of the instruction (of ``compare``)."""
        ...


@dataclass(frozen=True, slots=True)
class Graph:
    """Instructions in order, and which of them are the values asked for; ``variables`` are those that are read."""

    nodes: tuple[Instruction, ...]
    roots: tuple[int, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The names that the graph reads, in order of occurrence."""
        return tuple(str(node.value) for node in self.nodes if node.op == "var")

    def walk(self, arithmetic: Arithmetic[V], values: Mapping[str, V]) -> list[V]:
        """The values of the roots in an arithmetic, given those of the variables."""
        found: list[V] = []
        for op, args, value in self.nodes:
            if op == "var":
                found.append(values[str(value)])
            elif op == "const":
                assert isinstance(value, int | float)
                found.append(arithmetic.const(value))
            elif op in ("true", "false"):
                found.append(arithmetic.truth(op == "true"))
            else:
                found.append(arithmetic.apply(op, [found[a] for a in args], value))
        return [found[r] for r in self.roots]


def graph_of(
    roots: Iterable[Node], variables: Iterable[VariableIR], targets: Sequence[VariableIR | None] = ()
) -> Graph:
    """The graph of terms and formulas over the present values of variables.

    ``targets`` are the variables whose values the roots are, needed for those of enums. Equal parts are one node,
    constants are folded. Raises ``ValueError`` for an operator that is not of the present state, which
    :func:`agentc.compiler.systems.wellformed.check_system` lets nowhere in a system.
    """
    builder = _Builder(variables)
    return builder.finished([builder.scalar(root, target) for root, target in zip_longest(roots, targets)])


def encode(value: object, variable: VariableIR) -> float:
    """A value of a variable as a number: 1 or 0 of a Boolean, the index of an enum's member."""
    if variable.kind == "enum":
        return float(variable.members.index(str(value)))
    return float(value)  # type: ignore[arg-type]  # a number or a Boolean


def decode(number: float, variable: VariableIR) -> bool | int | float | str:
    """The inverse of :func:`encode`."""
    if variable.kind == "bool":
        return bool(number)
    if variable.kind == "enum":
        return variable.members[int(number)]
    return int(number) if variable.kind == "int" else float(number)


_Shape = Any  # an index, a tuple of indices (a vector), or a region: (kind, its parts)


class _Builder:
    """Makes instructions, each once."""

    def __init__(self, variables: Iterable[VariableIR]) -> None:
        self._variables = {v.name: v for v in variables}
        self._nodes: list[Instruction] = []
        self._index: dict[tuple[object, ...], int] = {}
        self._made: dict[Node, _Shape] = {}

    def finished(self, roots: Sequence[int]) -> Graph:
        """The graph without what no root needs."""
        needed = set(roots)
        for i in range(len(self._nodes) - 1, -1, -1):
            if i in needed:
                needed.update(self._nodes[i].args)
        place = {old: new for new, old in enumerate(sorted(needed))}
        nodes = tuple(
            Instruction(n.op, tuple(place[a] for a in n.args), n.value)
            for i, n in enumerate(self._nodes)
            if i in needed
        )
        return Graph(nodes, tuple(place[r] for r in roots))

    def scalar(self, root: Node, target: VariableIR | None = None) -> int:
        """The instruction of a term or formula that is a number, a truth value or a member of the target's enum."""
        for node in postorder(root):
            if node not in self._made:
                self._made[node] = self._node(node)
        found = self._made[root]
        if target is not None and target.kind == "enum":
            if isinstance(found, str):
                return self.emit("const", value=encode(found, target))
            if self._members(root) != target.members:
                raise ValueError(f"{root!r} is no member of {target.name}")
        elif isinstance(self._members(root), tuple):
            raise ValueError(f"{root!r} is no number")
        if not isinstance(found, int):
            raise ValueError(f"{root.op!r} is no number")
        return found

    def emit(self, op: str, *args: int, value: float | str | None = None) -> int:
        """An instruction, folded where its arguments are constants."""
        nodes = self._nodes
        if op in FUNCTIONS and args and all(nodes[a].op == "const" for a in args):
            node_args = [nodes[a].value for a in args]
            folded = apply(term(op), [node_args] if op == "norm" else node_args)
            if folded is not None:
                return self.emit("const", value=float(folded))
        if op in ("mul", "div"):  # what a unit leaves behind
            if nodes[args[1]] == Instruction("const", (), 1.0):
                return args[0]
            if op == "mul" and nodes[args[0]] == Instruction("const", (), 1.0):
                return args[1]
        if op in ("and", "or"):
            return self._junction(op, args)
        if op == "not" and nodes[args[0]].op in ("true", "false", "not"):
            inner = nodes[args[0]]
            return inner.args[0] if inner.op == "not" else self.emit("false" if inner.op == "true" else "true")
        return self._new(op, args, value)

    def _new(self, op: str, args: tuple[int, ...], value: float | str | None) -> int:
        key = (op, args, repr(value))
        if key not in self._index:
            self._index[key] = len(self._nodes)
            self._nodes.append(Instruction(op, args, value))
        return self._index[key]

    def _junction(self, op: str, args: Sequence[int]) -> int:
        neutral, absorbing = ("true", "false") if op == "and" else ("false", "true")
        kept = [a for a in dict.fromkeys(args) if self._nodes[a].op != neutral]
        if any(self._nodes[a].op == absorbing for a in kept):
            return self.emit(absorbing)
        return self.emit(neutral) if not kept else kept[0] if len(kept) == 1 else self._new(op, tuple(kept), None)

    def _node(self, node: Node) -> _Shape:
        op, value = node.op, node.value
        args = [self._made[a] for a in node.args]
        if isinstance(node, Formula):
            return self._formula(node, args)
        if op == "const":
            return self._constant(value)
        if op == "signal":
            return self.emit("var", value=str(value))
        if op == "tuple":
            return tuple(args)
        if op == "index":
            return args[0][value]
        if op == "norm":
            return self.emit("norm", *args[0])
        if op == "dist":
            return self.emit("norm", *(self.emit("sub", a, b) for a, b in zip(*args, strict=True)))
        if op in FUNCTIONS:
            return args[0] if op in ("min", "max") and len(args) == 1 else self.emit(op, *args)
        if op in _REGIONS:
            return (op, *args)
        if op == "compare":
            return self._compare(str(value), node)
        return self._predicate(node, args)

    def _constant(self, value: object) -> _Shape:
        if isinstance(value, bool):
            return self.emit("true" if value else "false")
        if isinstance(value, tuple):
            return tuple(self._constant(v) for v in value)
        if isinstance(value, str):
            return value  # the member of some enum: what it is compared with says which
        assert isinstance(value, int | float)
        return self.emit("const", value=float(value))

    def _formula(self, node: Formula, args: list[int]) -> int:
        match node.op:
            case "atom":
                return self._truth(node.args[0], args[0])
            case "implies":
                return self.emit("or", self.emit("not", args[0]), args[1])
            case "xor":
                return self.emit("not", self._same(*args))
            case "iff":
                return self._same(*args)
            case "true" | "false" | "not" | "and" | "or":
                return self.emit(node.op, *args)
        raise ValueError(f"{node.op!r} is not of the present state")

    def _same(self, a: int, b: int) -> int:
        both, neither = self.emit("and", a, b), self.emit("and", self.emit("not", a), self.emit("not", b))
        return self.emit("or", both, neither)

    def _truth(self, node: Node, made: int) -> int:
        """A Boolean variable that is read as a number, as a truth value."""
        return self.emit("truth", made) if node.op == "signal" else made

    # ------------------------------------------------------------ predicates

    def _compare(self, op: str, node: Node) -> int:
        left, right = node.args
        for a, b in ((left, right), (right, left)):
            if self._members(a) is not None or isinstance(self._made[b], str):
                return self._equal_members(op, a, b)
        if any(self._is_truth(a) for a in (left, right)):
            same = self._same(*(self._truth(a, self._made[a]) for a in (left, right)))
            return same if op == "==" else self.emit("not", same)
        return self.emit("compare", self._made[left], self._made[right], value=op)

    def _is_truth(self, node: Node) -> bool:
        if node.op == "signal":
            variable = self._variables.get(str(node.value))
            return variable is not None and variable.kind == "bool"
        return node.op == "const" and isinstance(node.value, bool)

    def _members(self, node: Node) -> tuple[str, ...] | None:
        variable = self._variables.get(str(node.value)) if node.op == "signal" else None
        return variable.members if variable is not None and variable.kind == "enum" else None

    def _equal_members(self, op: str, a: Node, b: Node) -> int:
        """``a == b`` where ``a`` is an enum and ``b`` a member, an enum or any text; or both are texts."""
        if op not in ("==", "!="):
            raise ValueError("members of an enum have no order")
        of_a, of_b = self._members(a), self._members(b)
        if of_a is None and of_b is None:
            same = self.emit("true" if self._made[a] == self._made[b] else "false")
        elif of_a is not None and of_b is not None:
            both = [self.emit("and", self._is_member(a, m), self._is_member(b, m)) for m in of_a if m in of_b]
            same = self.emit("or", *both)
        else:
            enum, other = (a, b) if of_a is not None else (b, a)
            same = self._is_member(enum, str(self._made[other]))
        return same if op == "==" else self.emit("not", same)

    def _is_member(self, enum: Node, member: str) -> int:
        members = self._members(enum)
        assert members is not None
        if member not in members:
            return self.emit("false")
        code = self.emit("const", value=float(members.index(member)))
        return self.emit("compare", self._made[enum], code, value="==")

    def _predicate(self, node: Node, args: list[_Shape]) -> int:
        match node.op:
            case "in_range":
                x, lo, hi = args
                found = self.emit("and", self._at_most(lo, x), self._at_most(x, hi))
            case "in_set":
                item, *members = node.args
                pairs = (term("compare", (item, m), "==") for m in members)
                found = self.emit("or", *(self._compare("==", pair) for pair in pairs))
            case "in_region":
                found = self._contains(args[1], args[0])
            case _:
                raise ValueError(f"{node.op!r} is not of the present state")
        # without a value it is false, `not in` too
        present = [self.emit("compare", i, i, value="==") for arg in args for i in _numbers(arg) if self._computed(i)]
        return self.emit("and", self.emit("not", found) if node.value is True else found, *present)

    def _computed(self, i: int) -> bool:
        """Whether a number may be missing: variables and constants never are."""
        return self._nodes[i].op in FUNCTIONS

    def _at_most(self, a: int, b: int) -> int:
        return self.emit("compare", a, b, value="<=")

    def _contains(self, region: _Shape, x: tuple[int, ...]) -> int:
        """Whether a point is in a region; regions are closed."""
        kind, *parts = region
        if kind == "complement":
            return self.emit("not", self._contains(parts[0], x))
        if kind in ("union", "intersection", "polytope"):
            return self.emit("or" if kind == "union" else "and", *(self._contains(part, x) for part in parts))
        if kind == "box":
            lo, hi = parts
            above = [self._at_most(a, v) for a, v in zip(lo, x, strict=True)]
            return self.emit("and", *above, *(self._at_most(v, b) for v, b in zip(x, hi, strict=True)))
        return self._at_most(*self._size(kind, parts, x))

    def _size(self, kind: str, parts: Sequence[_Shape], x: tuple[int, ...]) -> tuple[int, int]:
        """A number and the most that it is inside a ball, a halfspace or an ellipsoid."""
        if kind == "halfspace":
            normal, offset = parts
            products = [self.emit("mul", n, v) for n, v in zip(normal, x, strict=True)]
            total = products[0]
            for product in products[1:]:
                total = self.emit("add", total, product)
            return total, offset
        differences = [self.emit("sub", v, c) for v, c in zip(x, parts[0], strict=True)]
        if kind == "ball":
            return self.emit("norm", *differences), parts[1]
        assert kind == "ellipsoid", kind
        scaled = [self.emit("div", d, a) for d, a in zip(differences, parts[1], strict=True)]
        return self.emit("norm", *scaled), self.emit("const", value=1.0)


_REGIONS = ("box", "ball", "halfspace", "polytope", "ellipsoid", "union", "intersection", "complement")


def _numbers(shape: _Shape) -> Iterator[int]:
    """The numbers in a number, a vector or a region; a member of an enum and a truth value have none."""
    if isinstance(shape, int):
        yield shape
    elif isinstance(shape, tuple):
        for part in shape:
            yield from _numbers(part)
