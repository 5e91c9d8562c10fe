"""What a guard remembers of the past: `count`, `sum`, `rate` and `seen`, step by step, without the events themselves.

Each is the reference's term (:mod:`agentc.compiler.logic.semantics`), kept as a running value: a number where the whole
past counts, the last values where a window does, the different values for `seen`. What they hold at a step is told by
what the step says alone; an aggregate inside of another one is not for here (:func:`incremental`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agentc.compiler.logic.ir import Formula, Node, Term, Value, const, formula, postorder, term
from agentc.compiler.logic.semantics import evaluate, values
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError, report

MAX_SEEN = 10_000
"""The most different values that one `seen` holds."""
MAX_SEEN_TEXT = 10_000_000
"""The most characters of them."""
OPS = ("count", "sum", "in_seen", "occurs_in_seen")
_LOCAL = ("true", "false", "atom", "not", "and", "or", "implies", "xor", "iff")


class Running(Protocol):
    """One aggregate as it runs."""

    def ahead(self, held: bool, value: Any) -> Any:
        """What it is after one more step, at which its formula holds or not and its term has a value."""
        ...

    def take(self, held: bool, value: Any) -> None:
        """That step happened."""
        ...

    def copy(self) -> Running:
        """One that goes its own way."""
        ...


class Total:
    """`count` and `sum` over all of the past."""

    def __init__(self, total: Any = 0) -> None:
        self._total = total

    def ahead(self, held: bool, value: Any) -> Any:
        """See :class:`Running`."""
        return self._total + value if held and value is not None else self._total

    def take(self, held: bool, value: Any) -> None:
        """See :class:`Running`."""
        self._total = self.ahead(held, value)

    def copy(self) -> Total:
        """See :class:`Running`."""
        return Total(self._total)


class Window:
    """`count`, `sum` and `rate` over the steps from `near` to `far` back; `far` None is all that is further back."""

    def __init__(self, near: int, far: int | None) -> None:
        self._near, self._far = near, far
        self._total: Any = 0
        """What has left the window on its near side, where all that is further back counts."""
        self._last: deque[Any] = deque()

    def ahead(self, held: bool, value: Any) -> Any:
        """See :class:`Running`."""
        last = [*self._last, value if held else None]
        if self._far is None:
            passed = last[0] if len(last) > self._near else None
            return self._total if passed is None else self._total + passed
        kept = last[-(self._far + 1) :]
        return sum(v for v in kept[: max(len(kept) - self._near, 0)] if v is not None)

    def take(self, held: bool, value: Any) -> None:
        """See :class:`Running`."""
        self._last.append(value if held else None)
        if self._far is None:
            if len(self._last) > self._near:
                passed = self._last.popleft()
                self._total = self._total if passed is None else self._total + passed
        elif len(self._last) > self._far:
            self._last.popleft()

    def copy(self) -> Window:
        """See :class:`Running`."""
        made = Window(self._near, self._far)
        made._total, made._last = self._total, deque(self._last)
        return made


class Seen:
    """The different values of a signal so far. Raises ``AgentcError`` (AS1481) for more than are held."""

    def __init__(self, values: Mapping[Any, None] | None = None, size: int = 0) -> None:
        self._values = dict(values or {})
        self._size = size

    def ahead(self, held: bool, value: Any) -> Sequence[Any]:
        """See :class:`Running`."""
        return tuple(self._values) if value is None or value in self._values else (*self._values, value)

    def take(self, held: bool, value: Any) -> None:
        """See :class:`Running`."""
        if value is None or value in self._values:
            return
        size = self._size + (len(value) if isinstance(value, str) else 0)
        if len(self._values) >= MAX_SEEN or size > MAX_SEEN_TEXT:
            limit = f"{MAX_SEEN} values or {MAX_SEEN_TEXT} characters"
            raise AgentcError([report("AS1481", None, limit=limit)])
        self._values[value] = None
        self._size = size

    def copy(self) -> Seen:
        """See :class:`Running`."""
        return Seen(self._values, self._size)


def aggregates(atoms: Sequence[Formula]) -> tuple[Term, ...]:
    """The aggregates that atoms read."""
    return tuple(dict.fromkeys(n for a in atoms for n in postorder(a) if isinstance(n, Term) and n.op in OPS))


def incremental(node: Term) -> bool:
    """Whether an aggregate can be kept step by step: nothing temporal and no aggregate is inside."""
    inside = [n for a in node.args for n in postorder(a)]
    return all(n.op in _LOCAL if isinstance(n, Formula) else n.op not in (*OPS, "automaton") for n in inside)


def running(node: Term) -> Running:
    """An aggregate before the first step."""
    if node.op in ("in_seen", "occurs_in_seen"):
        return Seen()
    near, far = node.interval or (0, None)
    return Total() if (near, far) == (0, None) else Window(near, far)


def step(node: Term, recent: Trace) -> tuple[bool, Any]:
    """Whether an aggregate's formula holds at the last step, and what its term is there."""
    if node.op in ("in_seen", "occurs_in_seen"):
        return True, value_of(node.args[1], recent)
    held = node.args[-1]
    assert isinstance(held, Formula)
    value = 1 if node.op == "count" else value_of(node.args[0], recent)
    return evaluate(held, recent, len(recent) - 1), value


def value_of(node: Node, recent: Trace) -> Any:
    """The value of a term at the last step; None if it has none."""
    assert isinstance(node, Term)
    return values(node, recent)[-1]


def decided(of: Formula, known: Mapping[Node, Any], recent: Trace) -> Formula:
    """An atom with its aggregates replaced by what they are now."""
    made: dict[Node, Node] = {}
    for node in postorder(of):
        if node in known:
            made[node] = _replaced(node, known[node], recent)
            continue
        args = [made[a] for a in node.args]
        if isinstance(node, Term):
            made[node] = term(node.op, args, node.value, node.interval)
        elif node.op == "atom" and args[0].op == "const":
            made[node] = formula("true" if args[0].value else "false", [])
        else:
            made[node] = formula(node.op, args, node.interval)
    found = made[of]
    assert isinstance(found, Formula)
    return found


def _replaced(node: Node, value: Any, recent: Trace) -> Term:
    if node.op in ("count", "sum"):
        return const(value)
    subject = value_of(node.args[0], recent)
    if subject is None:
        return const(False)
    found = subject in value if node.op == "in_seen" else any(subject in text for text in value)
    return const(found != (node.value is True))


def bound_term(node: Term, values: Mapping[str, Value]) -> Term:
    """An aggregate with its parameters replaced by values."""
    made: dict[Node, Node] = {}
    for part in postorder(node):
        if part.op in ("signal", "prev") and part.value in values:
            made[part] = const(values[str(part.value)])
            continue
        args = [made[a] for a in part.args]
        if isinstance(part, Term):
            made[part] = term(part.op, args, part.value, part.interval)
        else:
            made[part] = formula(part.op, args, part.interval)
    found = made[node]
    assert isinstance(found, Term)
    return found
