"""Online verdicts of the reference semantics: finality by exhausting residuals. For small formulas.

A *residual* says what a formula still asks of the steps to come: a positive Boolean combination of obligations,
kept as its minimal disjunctive form (a set of clauses, none containing another), which is canonical for monotone
functions, so that there are finitely many and exhausting them terminates. An obligation ``(f, True)`` asks for a
next step at which ``f`` holds; ``(f, False)`` asks that ``f`` not hold at the next step if there is one. Past
operators are carried along as the residuals that they had at the step before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agentc.compiler.logic.ir import TRUE, Formula, Node, atoms, formula, not_, postorder
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.logic.verdict import Verdict

Obligation = tuple[Formula, bool]
Residual = frozenset[frozenset[Obligation]]
Memory = dict[Obligation, Residual]

NOTHING: Residual = frozenset([frozenset()])  # the residual that asks for nothing
IMPOSSIBLE: Residual = frozenset()


def verdict(f: Formula, prefix: Trace, valuations: Iterable[Valuation]) -> Verdict:
    """The verdict of ``f`` after ``prefix`` if every later step is one of ``valuations``.

    Raises ``ValueError`` for a formula whose atoms look further back than one step (``seen``, ``count``, ``sum``).
    """
    holds = evaluate(f, prefix)
    letters = tuple(valuations)
    if any(n.op in ("in_seen", "occurs_in_seen", "count", "sum", "automaton") for n in postorder(f)):
        raise ValueError("finality is not decided here for formulas with aggregates over the past or automata")
    root = _primitive(f)
    alphabet = atoms(root)
    residual, memory = frozenset([frozenset([(root, True)])]), _initial_memory(root)
    for t in range(len(prefix)):
        residual, memory = _step(residual, memory, lambda a, t=t: evaluate(a, prefix, t))  # type: ignore[misc]

    start = (residual, frozenset(memory.items()), -1)
    seen, todo = {start}, [start]
    while todo:
        residual, memory_items, at = todo.pop()
        if _at_end(residual) != holds:
            return Verdict.PRESUMABLY_TRUE if holds else Verdict.PRESUMABLY_FALSE
        before = prefix[prefix.last] if at < 0 else letters[at]
        for k, letter in enumerate(letters):
            pair = Trace([before, letter])
            value = {a: evaluate(a, pair, 1) for a in alphabet}
            after, next_memory = _step(residual, dict(memory_items), value.__getitem__)
            state = (after, frozenset(next_memory.items()), k)
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return Verdict.TRUE if holds else Verdict.FALSE


def violated(f: Formula, trace: Trace, valuations: Iterable[Valuation]) -> bool:
    """Whether a ``safe`` formula is violated: some prefix has the final verdict false."""
    letters = tuple(valuations)
    return any(
        verdict(f, Trace(trace.valuations[: n + 1]), letters) is Verdict.FALSE for n in range(len(trace))
    )


# ---------------------------------------------------------------- one step


def _step(residual: Residual, memory: Memory, letter: Callable[[Formula], bool]) -> tuple[Residual, Memory]:
    """Residual and memory after one more step with the atoms valued by ``letter``."""
    now: Memory = {}

    def at(f: Formula, sign: bool) -> Residual:
        """What ``f`` (or its negation) at this step asks of the next one."""
        key = (f, sign)
        if key not in now:
            now[key] = ask(f, sign)
        return now[key]

    def ask(f: Formula, sign: bool) -> Residual:
        con, dis = (_and, _or) if sign else (_or, _and)
        match f.op:
            case "true" | "false":
                return NOTHING if (f.op == "true") == sign else IMPOSSIBLE
            case "atom":
                return NOTHING if letter(f) == sign else IMPOSSIBLE
            case "not":
                return at(f.args[0], not sign)
            case "and":
                result = NOTHING if sign else IMPOSSIBLE
                for a in f.args:
                    result = con(result, at(a, sign))
                return result
            case _:  # f U[a,b] g is f & X(f U[a-1,b-1] g) for a > 0, else g | f & X(f U[0,b-1] g); S likewise with Y
                later = _decrement(f)
                rest = NOTHING if not sign else IMPOSSIBLE
                if later is not None:
                    if f.op == "U":
                        rest = frozenset([frozenset([(later, sign)])])
                    else:
                        rest = progressed(memory[later, sign])
                    rest = con(at(f.args[0], sign), rest)
                assert f.interval is not None
                return rest if f.interval[0] > 0 else dis(at(f.args[1], sign), rest)

    def progressed(residual: Residual) -> Residual:
        """What a residual of the step before asks of the next one."""
        after = IMPOSSIBLE
        for clause in residual:
            whole = NOTHING
            for f, sign in clause:
                whole = _and(whole, at(f, sign))
            after = _or(after, whole)
        return after

    return progressed(residual), {key: at(*key) for key in memory}


def _at_end(residual: Residual) -> bool:
    """The value if the trace ends here: what asks for a next step fails, what asks only if there is one holds."""
    return any(all(not sign for _, sign in clause) for clause in residual)


def _minimal(clauses: set[frozenset[Obligation]]) -> Residual:
    return frozenset(c for c in clauses if not any(d < c for d in clauses))


def _or(a: Residual, b: Residual) -> Residual:
    return _minimal(set(a | b))


def _and(a: Residual, b: Residual) -> Residual:
    return _minimal({c | d for c in a for d in b})


# ---------------------------------------------------------------- primitives


def _decrement(f: Formula) -> Formula | None:
    """``f U[a,b] g`` seen from one step nearer; None if its window has passed."""
    assert f.interval is not None
    a, b = f.interval
    if b == 0:
        return None
    return formula(f.op, f.args, (max(a - 1, 0), None if b is None else b - 1))


def _initial_memory(root: Formula) -> Memory:
    """Before step 0 nothing past holds."""
    memory: Memory = {}
    for node in postorder(root):
        if isinstance(node, Formula) and node.op == "S":
            later = _decrement(node)
            while later is not None and (later, True) not in memory:
                memory[later, True], memory[later, False] = IMPOSSIBLE, NOTHING
                later = _decrement(later)
    return memory


def _primitive(root: Formula) -> Formula:
    """The formula over ``true atom not and U S`` alone, by the definitions of the language."""
    made: dict[Node, Formula] = {}

    def either(*fs: Formula) -> Formula:
        return not_(formula("and", tuple(not_(f) for f in fs)))

    def both(*fs: Formula) -> Formula:
        return formula("and", fs)

    def until(op: str, f: Formula, g: Formula, node: Formula) -> Formula:
        return formula(op, (f, g), node.interval)

    for node in postorder(root):
        if not isinstance(node, Formula):
            continue
        if node.op == "atom":
            made[node] = node
            continue
        x = [made[a] for a in node.args]
        match node.op:
            case "true" | "false" | "not" | "and" | "U" | "S":
                made[node] = formula(node.op, x, node.interval)
            case "first":
                made[node] = not_(formula("S", (TRUE, TRUE), (1, 1)))
            case "last":
                made[node] = not_(formula("U", (TRUE, TRUE), (1, 1)))
            case "or":
                made[node] = either(*x)
            case "implies":
                made[node] = either(not_(x[0]), x[1])
            case "xor" | "iff":
                differ = either(both(x[0], not_(x[1])), both(not_(x[0]), x[1]))
                made[node] = differ if node.op == "xor" else not_(differ)
            case "F" | "X":
                made[node] = until("U", TRUE, x[0], node)
            case "G" | "WX":
                made[node] = not_(until("U", TRUE, not_(x[0]), node))
            case "R":
                made[node] = not_(until("U", not_(x[0]), not_(x[1]), node))
            case "M":
                made[node] = until("U", x[1], both(x[0], x[1]), node)
            case "W":
                made[node] = not_(until("U", not_(x[1]), not_(either(x[0], x[1])), node))
            case "O" | "Y":
                made[node] = until("S", TRUE, x[0], node)
            case "H" | "WY":
                made[node] = not_(until("S", TRUE, not_(x[0]), node))
            case "T":
                made[node] = not_(until("S", not_(x[0]), not_(x[1]), node))
            case op:
                raise ValueError(f"no operator is named {op!r}")
    return made[root]
