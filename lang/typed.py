"""The elaborated tree: formulas and terms with every name resolved, every type known, every number in SI units.

The words of ``op``, and what stands in ``args``, ``value`` and ``interval``, are exactly those of the
intermediate representation (``compiler/logic/ir.py``), so that lowering is one fold over the tree. What is
more than there:

- an atom is ``Typed("atom", (predicate,))``; a Boolean signal is the predicate ``signal``;
- an interval in turns has ``value == "turns"`` on its temporal operator;
- ``parameter`` is a parameter of a definition that is checked by itself, ``error`` what has been reported;
- a named proposition that only renames another one is an ``and`` of one argument.

It is a DAG: a proposition used twice is one object. Passes keep a table by identity.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentc.lang.records import dataclass
from agentc.lang.source import Span
from agentc.lang.types import Type

Value = bool | int | float | str | tuple["Value", ...] | None
"""A Boolean, a number in SI base units, an enum member or text, a vector."""


@dataclass(frozen=True, slots=True, eq=False)
class Typed:
    """A node; equality is identity."""

    op: str
    args: tuple[Typed, ...]
    type: Type
    span: Span
    value: Value = None
    interval: tuple[int, int | None] | None = None
    via: tuple[Span, ...] = ()
    """The calls of patterns and propositions that it was expanded from, outermost first."""
    proposition: str | None = None
    """The name of the ``prop`` that this is the whole body of."""

    def __repr__(self) -> str:
        return show(self)

    @property
    def is_constant(self) -> bool:
        """Whether its value is known at compile time."""
        return self.op == "const"


def postorder(*roots: Typed) -> Iterator[Typed]:
    """Every node below the roots once, arguments first (iterative)."""
    seen: set[int] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args) if id(a) not in seen)


MAX_SHOWN = 2_000
"""Characters of the text of a node; the text of a shared tree can be exponentially longer than the tree."""


def show(root: Typed) -> str:
    """The tree in prefix notation, for tests and debugging; ``...`` stands for parts that are too long."""
    text: dict[int, str] = {}
    for node in postorder(root):
        head = node.op
        if node.interval is not None:
            head += f"[{node.interval[0]},{'inf' if node.interval[1] is None else node.interval[1]}]"
        if node.value is not None:
            head += f":{node.value}"
        args = " ".join(text[id(a)] for a in node.args)
        shown = f"({head} {args})" if args else head
        text[id(node)] = shown if len(shown) <= MAX_SHOWN else f"({head} ...)"
    return text[id(root)]
