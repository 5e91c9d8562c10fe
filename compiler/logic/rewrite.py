"""Rewriting formulas: removal of sugar, negation normal form, simplification, and atoms made local to a step.

Every rewriting says which meanings it keeps. *Boolean* means the truth value at every step of every trace;
*quantitative* means the robustness too. All passes are iterative.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from agentc.compiler.logic.ir import (
    ALWAYS,
    AUTOMATON,
    FALSE,
    TRUE,
    Formula,
    Interval,
    Node,
    Term,
    Value,
    and_,
    atom,
    const,
    formula,
    not_,
    or_,
    postorder,
    signal,
    term,
)

DUAL = {"and": "or", "or": "and", "U": "R", "R": "U", "S": "T", "T": "S", "true": "false", "false": "true"}
"""The operator that a negation turns each core operator into."""


def rebuild(root: Formula, make: Callable[[Formula, list[Formula]], Formula]) -> Formula:
    """The formula that ``make(node, rewritten arguments)`` builds bottom-up; atoms come with no arguments."""
    made: dict[Node, Formula] = {}
    for node in formula_nodes(root):
        made[node] = make(node, [] if node.op == "atom" else [made[a] for a in node.args])
    return made[root]


def formula_nodes(*roots: Formula) -> list[Formula]:
    """The formulas below the roots, arguments first, atoms as leaves: formulas inside terms are left out."""
    order: list[Formula] = []
    seen: set[Node] = set()
    stack: list[tuple[Formula, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if node.op != "atom":
                stack.extend((a, False) for a in reversed(node.args) if a not in seen)
    return order


# ---------------------------------------------------------------- sugar


def desugar(f: Formula) -> Formula:
    """The core formula (``true false atom not and or U R S T``) of ``f``. Keeps the Boolean and quantitative meaning.

    Source: the definitions of LANGUAGE, "Temporal operators and what they mean".
    """
    return rebuild(f, _desugar)


def _desugar(node: Formula, x: list[Formula]) -> Formula:
    match node.op:
        case "atom":
            return node
        case "true" | "false" | "not" | "and" | "or" | "U" | "R" | "S" | "T":
            return formula(node.op, x, node.interval)
        case "first":  # no step before this one
            return formula("T", (FALSE, FALSE), (1, 1))
        case "last":
            return formula("R", (FALSE, FALSE), (1, 1))
        case "implies":
            return or_(not_(x[0]), x[1])
        case "xor":
            return or_(and_(x[0], not_(x[1])), and_(not_(x[0]), x[1]))
        case "iff":  # the negation of xor, also in robustness
            return and_(or_(not_(x[0]), x[1]), or_(x[0], not_(x[1])))
        case "F" | "X":
            return formula("U", (TRUE, x[0]), node.interval)
        case "G" | "WX":
            return formula("R", (FALSE, x[0]), node.interval)
        case "O" | "Y":
            return formula("S", (TRUE, x[0]), node.interval)
        case "H" | "WY":
            return formula("T", (FALSE, x[0]), node.interval)
        case "M":
            return formula("U", (x[1], and_(x[0], x[1])), node.interval)
        case "W":
            return formula("R", (x[1], or_(x[0], x[1])), node.interval)
        case op:
            raise ValueError(f"no operator is named {op!r}")


# ---------------------------------------------------------------- negation normal form


def nnf(f: Formula) -> Formula:
    """The core formula with negations at atoms only. Keeps the Boolean and quantitative meaning."""
    core = desugar(f)
    made: dict[tuple[Formula, bool], Formula] = {}
    stack: list[tuple[Formula, bool]] = [(core, True)]
    while stack:
        node, sign = stack[-1]
        if (node, sign) in made:
            stack.pop()
            continue
        if node.op == "atom":
            made[node, sign] = node if sign else not_(node)
            continue
        need = [(a, sign != (node.op == "not")) for a in node.args]
        missing = [n for n in need if n not in made]
        if missing:
            stack.extend(missing)
        elif node.op == "not":
            made[node, sign] = made[need[0]]
        else:
            made[node, sign] = formula(node.op if sign else DUAL[node.op], [made[n] for n in need], node.interval)
    return made[core, True]


# ---------------------------------------------------------------- simplification


def simplify(f: Formula, *, boolean: bool = False) -> Formula:
    """A smaller formula of the same meaning, core if ``f`` is. Idempotent, deterministic.

    By default every rule keeps the Boolean *and* the quantitative meaning: units and zeros, idempotence,
    absorption, flattening, double negation, windows that are empty or of one step, ``F[a,b] F[c,d]`` and its
    three mirror images. With ``boolean`` also ``f & !f`` and ``f | !f``, whose robustness is ``-|f|`` and ``|f|``.
    """
    while True:
        simpler = rebuild(f, lambda node, x: _simplify(node, x, boolean))
        if simpler is f:
            return f
        f = simpler


def _simplify(node: Formula, x: list[Formula], boolean: bool) -> Formula:
    match node.op:
        case "not":
            if x[0].op in ("true", "false"):
                return FALSE if x[0].op == "true" else TRUE
            return x[0].args[0] if x[0].op == "not" else not_(x[0])
        case "and" | "or":
            return _lattice(node.op, x, boolean)
        case "U" | "S":
            return _until(node.op, x, node.interval or ALWAYS, TRUE, FALSE)
        case "R" | "T":
            return _until(node.op, x, node.interval or ALWAYS, FALSE, TRUE)
        case "F" | "O" | "G" | "H":
            unit = TRUE if node.op in "FO" else FALSE
            op = {"F": "U", "G": "R", "O": "S", "H": "T"}[node.op]
            if x[0].op == node.op:
                (a, b), (c, d) = node.interval or ALWAYS, x[0].interval or ALWAYS
                return formula(node.op, x[0].args, (a + c, None if b is None or d is None else b + d))
            made = _until(op, [unit, x[0]], node.interval or ALWAYS, unit, FALSE if unit is TRUE else TRUE)
            return formula(node.op, (made.args[1],), made.interval) if made.op == op and made.args[0] is unit else made
        case "atom":
            return node
        case _:
            return formula(node.op, x, node.interval)


def _lattice(op: str, x: list[Formula], boolean: bool) -> Formula:
    """Conjunction and disjunction as the operations of a lattice with top and bottom."""
    unit, zero = (TRUE, FALSE) if op == "and" else (FALSE, TRUE)
    parts: dict[Formula, None] = {}
    for a in x:
        for b in a.args if a.op == op else (a,):
            if b is zero:
                return zero
            if b is not unit:
                parts[b] = None
    if boolean and any((b.args[0] if b.op == "not" else not_(b)) in parts for b in parts):
        return zero
    dual = DUAL[op]
    kept = [b for b in parts if b.op != dual or not any(c in parts for c in b.args)]
    return unit if not kept else kept[0] if len(kept) == 1 else formula(op, kept)


def _until(op: str, x: list[Formula], window: Interval, unit: Formula, zero: Formula) -> Formula:
    """``f U[a,b] g`` with ``unit`` true and ``zero`` false; its dual with the two exchanged; the past alike."""
    f, g = x
    a, b = window
    if g is zero:
        return zero
    if a == 0 and (g is unit or f is zero or b == 0 or f is g):
        return g
    if a > 0 and f is zero:
        return zero
    # at one further step exactly, and unit in between: F[a,b] F[c,d] g is F[a+c,b+d] g
    if f is unit and g.op == op and g.args[0] is unit and g.interval is not None:
        c, d = g.interval
        return formula(op, (f, g.args[1]), (a + c, None if b is None or d is None else b + d))
    if window == ALWAYS and g.op == op and g.interval == ALWAYS and g.args[0] is f:
        return g  # f U (f U g)
    return formula(op, x, window)


# ---------------------------------------------------------------- atoms local to a step


def is_aggregate(predicate: Node) -> bool:
    """Whether an atom looks further than one step back (``seen``, ``count``, ``sum``, an automaton)."""
    return any(n.op in ("in_seen", "occurs_in_seen", "count", "sum", AUTOMATON) for n in postorder(predicate))


def reads_previous(predicate: Node) -> bool:
    """Whether an atom reads the step before."""
    return any(n.op == "prev" for n in postorder(predicate))


def localize(f: Formula, domains: Mapping[str, Sequence[Value]] | None = None, limit: int = 64) -> Formula:
    """The formula with atoms over the previous step turned into ``Y`` of atoms over the present one.

    An atom that reads ``prev`` signals only becomes ``Y`` of the same atom on the signals themselves: both are
    without value, hence false with robustness ``-inf``, at step 0; keeps the Boolean and quantitative meaning.
    An atom that mixes both is expanded over the values of its ``prev`` signals where ``domains`` lists them and
    there are at most ``limit`` combinations: ``prev.s == s`` becomes ``(Y s == v) & s == v | ...``, which keeps
    the Boolean meaning only. What cannot be expanded, and aggregates, are left as they are.
    """

    def make(node: Formula, x: list[Formula]) -> Formula:
        if node.op != "atom":
            return formula(node.op, x, node.interval)
        predicate = node.predicate
        if is_aggregate(predicate) or not reads_previous(predicate):
            return node
        past = list(dict.fromkeys(str(n.value) for n in postorder(predicate) if n.op == "prev"))
        if not any(n.op == "signal" for n in postorder(predicate)):
            present = _substitute(predicate, {name: signal(name) for name in past})
            return formula("Y", (atom(present),))
        values = [(domains or {}).get(name, ()) for name in past]
        size = 1
        for column in values:
            size *= len(column)
        if not 0 < size <= limit:
            return node
        cases = []
        for combination in itertools.product(*values):
            was = [compared(name, v) for name, v in zip(past, combination, strict=True)]
            now = _substitute(predicate, {n: const(v) for n, v in zip(past, combination, strict=True)})
            cases.append(and_(formula("Y", (and_(*was),)), atom(now)))
        return or_(*cases)

    return rebuild(f, make)


def compared(name: str, value: Value) -> Formula:
    """The atom ``name == value``, written as the language writes it for Booleans: ``name`` or its negation."""
    if value is True:
        return atom(signal(name))
    if value is False:  # not `!name`: that would be true where the signal has no value
        return atom(term("compare", (signal(name), const(False)), "=="))
    return atom(term("compare", (signal(name), const(value)), "=="))


def _substitute(root: Term, values: Mapping[str, Term]) -> Term:
    """The term with ``prev`` of the named signals replaced."""
    made: dict[Node, Node] = {}
    for node in postorder(root):
        if node.op == "prev" and str(node.value) in values:
            made[node] = values[str(node.value)]
        elif isinstance(node, Term):
            made[node] = term(node.op, [made[a] for a in node.args], node.value, node.interval)
        else:
            made[node] = node
    result = made[root]
    assert isinstance(result, Term)
    return result


# ---------------------------------------------------------------- measures


def size(*roots: Formula) -> int:
    """The number of distinct subformulas, atoms included."""
    return len(formula_nodes(*roots))


def horizon(f: Formula) -> int | None:
    """How many steps ahead ``f`` can look at most; None if that is unbounded."""
    ahead: dict[Formula, int | None] = {}
    for node in formula_nodes(f):
        inner: int | None = 0
        for a in node.args if node.op != "atom" else ():
            deepest = ahead[a]
            inner = None if inner is None or deepest is None else max(inner, deepest)
        if node.op in ("F", "G", "X", "WX", "U", "R", "W", "M"):
            reach = (node.interval or ALWAYS)[1]
            inner = None if inner is None or reach is None else inner + reach
        elif node.op == "last":
            inner = 1
        elif node.op == "atom" and node.predicate.op == AUTOMATON:
            inner = None
        ahead[node] = inner
    return ahead[f]
