"""The one intermediate representation: hash-consed formulas and terms.

Two equal nodes are the same object, so equality is identity, and a formula is a DAG. A node's ``id`` is
larger than those of its arguments: passes walk :func:`postorder` with a dictionary and never recurse.

The *surface* operators are all of the language's; the *core* is ``true false atom not and or U R S T``, to which
:func:`agentc.compiler.logic.rewrite.desugar` reduces everything else. The reference semantics gives a meaning
to all of them, so that the reduction itself can be tested against it; backends see the core only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from weakref import WeakValueDictionary

Interval = tuple[int, int | None]
"""``(a, b)`` in steps, ``b`` None for infinity."""

Value = bool | int | float | str | tuple["Value", ...] | None
"""What a signal can hold: a Boolean, a number, an enum member or text, a vector."""

ALWAYS: Interval = (0, None)

CONNECTIVES = ("not", "and", "or", "implies", "xor", "iff")
FUTURE = ("F", "G", "X", "WX", "U", "R", "W", "M")
PAST = ("O", "H", "Y", "WY", "S", "T")
CORE = ("true", "false", "atom", "not", "and", "or", "U", "R", "S", "T")

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
FUNCTIONS = {
    "neg": 1, "abs": 1, "sqrt": 1, "sin": 1, "cos": 1, "tan": 1, "exp": 1, "log": 1, "norm": 1,
    "length": 1,
    "add": 2, "sub": 2, "mul": 2, "div": 2, "pow": 2, "dist": 2, "atan2": 2, "min": None, "max": None,
}  # fmt: skip
"""Functions of terms with their arity; ``norm`` and ``dist`` take vectors, ``min`` and ``max`` any number."""

PREDICATES = ("compare", "in_range", "in_set", "in_region", "in_seen", "occurs_in_seen", "from", "contains",
              "starts_with", "ends_with", "matches", "signal")  # fmt: skip
AUTOMATON = "automaton"
"""The predicate that an automaton accepts the trace from this step on; what it reads are formulas."""

REGIONS = ("box", "ball", "halfspace", "polytope", "ellipsoid", "union", "intersection", "complement")


class Node:
    """A hash-consed node; do not construct, use the functions below."""

    __slots__ = ("__weakref__", "args", "hash", "id", "interval", "op", "value")
    hash: int
    op: str
    args: tuple[Node, ...]
    interval: Interval | None
    value: Value
    id: int

    def __hash__(self) -> int:
        return self.hash

    def __repr__(self) -> str:
        return show(self)

    def __lt__(self, other: Node) -> bool:
        return self.id < other.id


class Formula(Node):
    """True or false at a step of a trace.

    ======================  ==================================================================
    ``true false``
    ``atom``                ``args = (term,)``, a predicate: ``compare``, ``member`` or ``signal``
    ``not and or``          ``and`` and ``or`` are n-ary
    ``implies xor iff``     two arguments
    ``first last``          the ends of the trace
    ``F G O H``             ``interval``, one argument
    ``X WX Y WY``           ``interval = (k, k)``, one argument
    ``U R W M S T``         ``interval``, two arguments
    ======================  ==================================================================
    """

    __slots__ = ()
    args: tuple[Formula, ...]  # of an atom, a Term: read it through `predicate`

    @property
    def predicate(self) -> Term:
        """The term of an atom."""
        term = self.args[0]
        assert isinstance(term, Term)
        return term


class Term(Node):
    """A number, text, enum member, vector, region or predicate at a step; it may have no value there.

    ========================  ================================================================
    ``const``                 ``value``
    ``signal``                ``value`` is its name; fields of calls are signals ``finish.answer``
    ``prev``                  ``value`` is a signal's name; no value at step 0
    functions                 see ``FUNCTIONS``
    ``tuple``                 a vector
    ``index``                 ``args = (vector,)``, ``value`` the index
    ``count``                 ``args = (formula,)``, ``interval`` into the past: how often it held
    ``sum``                   ``args = (term, formula)``, likewise
    regions                   see ``REGIONS``: ``box(lo, hi)``, ``ball(center, radius)``,
                              ``halfspace(normal, offset)`` (``normal . x <= offset``),
                              ``polytope(tuple of halfspaces)``, ``ellipsoid(center, semi_axes)``,
                              ``union``, ``intersection`` (n-ary), ``complement``
    ``compare``               predicate, ``value`` one of ``COMPARISONS``
    ``in_range``              predicate ``(x, lo, hi)``; ``value`` True if negated (``not in``)
    ``in_set``                predicate ``(x, member, ...)``; likewise
    ``in_region``             predicate ``(point, region)``; likewise
    ``in_seen``               predicate ``(x, source)``: among the values ``source`` had so far; likewise
    ``occurs_in_seen``        predicate of texts: ``x`` occurs in one of those values; likewise
    ``from``                  predicate ``(origins, source)``: the label ``source`` is among the origins;
                              the signal ``x@from`` holds the tuple of origins of ``x``; likewise
    ``automaton``             predicate, ``args`` formulas: the automaton accepts the steps from this one on, if it
                              reads which of them hold at each; ``value`` is ``(title, names, nodes, roots,
                              accepting)``: what is shown, the names of its propositions, and the diagrams of
                              :class:`agentc.compiler.automata.dfa.DFA`, complete
    ``contains`` ``matches``  predicates of texts ``(x, y)``, as are ``starts_with`` and ``ends_with``; likewise
    ========================  ================================================================
    """

    __slots__ = ()


_table: WeakValueDictionary[tuple[object, ...], Node] = WeakValueDictionary()
_ids = itertools.count()


def _distinct(value: Value) -> object:
    """A key in which 1, 1.0 and True differ, and 0.0 and -0.0, which Python holds equal."""
    if isinstance(value, tuple):
        return tuple(map(_distinct, value))
    return (type(value), repr(value)) if isinstance(value, float) else (type(value), value)


def _make(cls: type[Node], op: str, args: tuple[Node, ...], interval: Interval | None, value: Value) -> Node:
    key = (cls, op, args, interval, _distinct(value))
    node = _table.get(key)
    if node is None:
        node = cls.__new__(cls)
        node.op, node.args, node.interval, node.value = op, args, interval, value
        node.id = next(_ids)
        node.hash = hash(key)
        _table[key] = node
    return node


def formula(op: str, args: Iterable[Node] = (), interval: Interval | None = None) -> Formula:
    """The formula ``op(args)``; raises ``ValueError`` for a bad operator, arity or interval."""
    args = tuple(args)
    arity = {"true": 0, "false": 0, "first": 0, "last": 0, "not": 1, "atom": 1, "F": 1, "G": 1, "O": 1, "H": 1,
             "X": 1, "WX": 1, "Y": 1, "WY": 1, "and": None, "or": None}.get(op, 2)  # fmt: skip
    if op not in CONNECTIVES and op not in FUTURE and op not in PAST and arity == 2:
        raise ValueError(f"no formula operator is named {op!r}")
    if arity is not None and len(args) != arity:
        raise ValueError(f"{op} takes {arity} arguments, not {len(args)}")
    if op in FUTURE or op in PAST:
        if interval is None:
            interval = (1, 1) if op in ("X", "WX", "Y", "WY") else ALWAYS
        lo, hi = interval
        if type(lo) is not int or (hi is not None and type(hi) is not int):
            raise ValueError(f"the interval {interval} is not of whole numbers of steps")
        if lo < 0 or (hi is not None and hi < lo):
            raise ValueError(f"the interval {interval} is not 0 <= a <= b")
        if op in ("X", "WX", "Y", "WY") and lo != hi:
            raise ValueError(f"{op} takes a count, not the interval {interval}")
    elif interval is not None:
        raise ValueError(f"{op} takes no interval")
    node = _make(Formula, op, args, interval, None)
    assert isinstance(node, Formula)
    return node


def term(op: str, args: Iterable[Node] = (), value: Value = None, interval: Interval | None = None) -> Term:
    """The term ``op(args)`` with its payload."""
    node = _make(Term, op, tuple(args), interval, value)
    assert isinstance(node, Term)
    return node


TRUE = formula("true")
FALSE = formula("false")
FIRST = formula("first")
LAST = formula("last")


def atom(predicate: Term) -> Formula:
    """The atomic formula of a predicate."""
    return formula("atom", (predicate,))


def prop(name: str) -> Formula:
    """The atom of the Boolean signal ``name``."""
    return atom(signal(name))


def signal(name: str) -> Term:
    """The value of a signal at the present step."""
    return term("signal", value=name)


def const(value: Value) -> Term:
    """A constant."""
    return term("const", value=value)


def compare(op: str, left: Term, right: Term) -> Formula:
    """The atom ``left op right``."""
    if op not in COMPARISONS:
        raise ValueError(f"no comparison is written {op!r}")
    return atom(term("compare", (left, right), op))


def not_(f: Formula) -> Formula:
    """Negation."""
    return formula("not", (f,))


def and_(*fs: Formula) -> Formula:
    """N-ary conjunction; of nothing it is ``true``, of one formula that formula."""
    return TRUE if not fs else fs[0] if len(fs) == 1 else formula("and", fs)


def or_(*fs: Formula) -> Formula:
    """N-ary disjunction; of nothing it is ``false``, of one formula that formula."""
    return FALSE if not fs else fs[0] if len(fs) == 1 else formula("or", fs)


def postorder(*roots: Node) -> Iterator[Node]:
    """Every node below the roots once, arguments first (iterative)."""
    seen: set[Node] = set()
    for root in roots:
        stack: list[tuple[Node, bool]] = [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                yield node
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.args) if a not in seen)


def atoms(*roots: Formula) -> tuple[Formula, ...]:
    """The atoms of formulas in order of first occurrence, those inside aggregates not counted."""
    found: dict[Formula, None] = {}
    seen: set[Node] = set()
    stack: list[Node] = list(reversed(roots))
    while stack:
        node = stack.pop()
        if node in seen or not isinstance(node, Formula):
            continue
        seen.add(node)
        if node.op == "atom":
            found[node] = None
        else:
            stack.extend(reversed(node.args))
    return tuple(found)


def signals(*roots: Node) -> tuple[str, ...]:
    """Names of the signals that the nodes read, at the present or a previous step, in order of occurrence."""
    return tuple(dict.fromkeys(str(n.value) for n in postorder(*roots) if n.op in ("signal", "prev")))


# ---------------------------------------------------------------- text

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
_WORDS = {"and": " & ", "or": " | ", "implies": " -> ", "xor": " xor ", "iff": " <-> "}


def show_interval(op: str, interval: Interval | None) -> str:
    """The interval as the language writes it; empty for the default."""
    if interval is None or interval == ALWAYS:
        return ""
    lo, hi = interval
    if op in ("X", "WX", "Y", "WY"):
        return "" if lo == 1 else f"[{lo}]"
    return f"[{lo}, inf)" if hi is None else f"[{lo}, {hi}]"


def _show_value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if value.isidentifier() else _quoted(value)  # a member of an enum is not quoted
    return f"({', '.join(map(_show_value, value))})" if isinstance(value, tuple) else str(value)


def _quoted(value: str) -> str:
    from agentc.lang.literals import write_string

    return write_string(value)


SHOWN = 100_000
"""The most characters of a text; what shares its parts can be small as a DAG and yet too large to write out."""


def show(root: Node) -> str:
    """The node in the language's own syntax, fully parenthesised where operators mix; deterministic.

    A part whose text would be longer than ``SHOWN`` is written ``...``.
    """
    text: dict[Node, str] = {}

    def as_text(node: Node) -> str:
        """An argument where only texts can stand."""
        return _quoted(node.value) if node.op == "const" and isinstance(node.value, str) else text[node]

    def inner(node: Node) -> str:
        bare = node.op in ("true", "false", "first", "last", "atom", "signal", "const", "prev", "not", "tuple")
        return text[node] if bare or node.op in REGIONS or len(node.args) == 1 else f"({text[node]})"

    for node in postorder(root):
        op, args = node.op, node.args
        if op in ("true", "false", "first", "last"):
            text[node] = op
        elif op == "atom":
            predicate = args[0]
            text[node] = text[predicate] if predicate.op == "signal" else f"({text[predicate]})"
        elif op == "not":
            text[node] = f"!{inner(args[0])}"
        elif op in _WORDS:
            text[node] = _WORDS[op].join(map(inner, args))
        elif isinstance(node, Formula):
            word = op + show_interval(op, node.interval)
            text[node] = f"{word} {inner(args[0])}" if len(args) == 1 else f"{inner(args[0])} {word} {inner(args[1])}"
        elif op == "const":
            text[node] = _show_value(node.value)
        elif op == "signal":
            text[node] = str(node.value)
        elif op == "prev":
            text[node] = f"prev.{node.value}"
        elif op == "neg":
            text[node] = f"-{inner(args[0])}"
        elif op in _INFIX:
            left = inner(args[0])
            if op == "pow" and left.startswith("-"):  # -x ** y is -(x ** y)
                left = f"({left})"
            text[node] = f"{left} {_INFIX[op]} {inner(args[1])}"
        elif op == "compare":
            text[node] = f"{inner(args[0])} {node.value} {inner(args[1])}"
        elif op.startswith("in_") or op == "occurs_in_seen":
            what = as_text(args[0]) if op == "occurs_in_seen" else inner(args[0])
            head = f"{what} {'not in' if node.value else 'in'} "
            rest = [text[a] for a in args[1:]]
            shape = {"in_range": "[{}]", "in_set": "{{{}}}", "in_region": "{}"}.get(op, "seen({})")
            text[node] = head + shape.format(", ".join(rest))
        elif op == AUTOMATON:
            assert isinstance(node.value, tuple) and isinstance(node.value[1], tuple)
            bound = (f"{name} = {text[a]}" for name, a in zip(node.value[1], node.args, strict=True))
            head = str(node.value[0]).removesuffix(")")
            text[node] = f"{head}{', ' if head != node.value[0] else '('}{', '.join(bound)})"
        elif op in ("contains", "starts_with", "ends_with", "matches"):
            text[node] = f"{op}({', '.join(map(as_text, args))})"
        elif op == "index":
            text[node] = f"{inner(args[0])}[{node.value}]"
        elif op == "tuple":
            text[node] = f"({', '.join(text[a] for a in args)})"
        elif op == "sum":
            text[node] = f"sum{show_interval(op, node.interval)}({text[args[0]]} when {text[args[1]]})"
        else:
            text[node] = f"{op}{show_interval(op, node.interval)}({', '.join(text[a] for a in args)})"
        if len(text[node]) > SHOWN:
            text[node] = "..."
    return text[root]


# ---------------------------------------------------------------- data


def _as_lists(value: Value) -> object:
    return [_as_lists(v) for v in value] if isinstance(value, tuple) else value


def _as_tuples(value: object) -> Value:
    if isinstance(value, list):
        return tuple(map(_as_tuples, value))
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"{value!r} is not a value")
    return value


def to_data(*roots: Node) -> dict[str, object]:
    """The DAG as plain data for JSON: ``nodes`` in postorder, ``roots`` as indices into it."""
    index: dict[Node, int] = {}
    nodes: list[dict[str, object]] = []
    for node in postorder(*roots):
        row: dict[str, object] = {"op": node.op, "kind": "formula" if isinstance(node, Formula) else "term"}
        if node.args:
            row["args"] = [index[a] for a in node.args]
        if node.interval is not None:
            row["interval"] = list(node.interval)
        if node.value is not None:
            row["value"] = _as_lists(node.value)
        index[node] = len(nodes)
        nodes.append(row)
    return {"nodes": nodes, "roots": [index[r] for r in roots]}


def from_data(data: Mapping[str, object]) -> tuple[Node, ...]:
    """The inverse of :func:`to_data`.

    Raises ``ValueError`` if the data is not of that form, or if an operator gets arguments that it does not take
    (:mod:`agentc.compiler.logic.sorts`).
    """
    from agentc.compiler.logic.sorts import check_sorts  # which is about the nodes of this module

    made: list[Node] = []
    try:
        for row in data["nodes"]:  # type: ignore[attr-defined]
            indices = row.get("args", [])
            if any(type(i) is not int or not 0 <= i < len(made) for i in indices):
                raise ValueError(f"an argument of {row['op']!r} is no node before it")
            args = tuple(made[i] for i in indices)
            interval = None if row.get("interval") is None else tuple(row["interval"])
            if row["kind"] == "formula":
                if row.get("value") is not None:
                    raise ValueError(f"the formula {row['op']!r} has a value")
                made.append(formula(row["op"], args, interval))
            elif row["kind"] == "term":
                made.append(term(row["op"], args, _as_tuples(row.get("value")), interval))
            else:
                raise ValueError(f"a node is a formula or a term, not {row['kind']!r}")
        check_sorts(made)
        roots = data["roots"]
        if any(type(i) is not int or i < 0 for i in roots):  # type: ignore[attr-defined]
            raise ValueError("a root is no index")
        return tuple(made[i] for i in roots)  # type: ignore[attr-defined]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a formula: {error}") from error
