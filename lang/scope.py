"""Symbols and scopes: what a name means where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from agentc.lang.diagnostics import Annotation, Diagnostic, report
from agentc.lang.source import Span
from agentc.lang.types import Type

SymbolKind = Literal[
    "signal", "state", "input", "output", "disturbance", "const", "param", "parameter", "prop", "pattern", "region",
    "task", "safe", "behavior", "assume", "environment", "system", "phase", "tool", "module", "machine", "cost",
    "role", "agent", "recipe", "controller", "mode", "error",
]  # fmt: skip

READABLE: tuple[SymbolKind, ...] = ("signal", "state", "input", "output", "disturbance")
"""Kinds that have a value at every step."""

BUILT_IN_NAMES = ("first", "last", "prev")
"""Names that cannot be declared anew."""

FUNCTIONS = (
    "abs", "min", "max", "sqrt", "sin", "cos", "tan", "exp", "log", "norm", "dist", "atan2", "length",
    "contains", "starts_with", "ends_with", "matches", "count", "sum", "rate", "seen", "hoa",
    "box", "ball", "circle", "halfspace", "polytope", "ellipsoid", "union", "intersection", "complement",
)  # fmt: skip
"""Names that cannot be declared as something that is called."""


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """What a name stands for.

    ``signal state input output disturbance`` are read as signals of ``type``; ``phase`` and ``tool`` are true
    at the steps that are theirs; the text of a phase ``p`` is the signal ``p.text``, an argument of a tool the
    signal ``tool.argument``. ``const param prop pattern region task safe behavior assume`` have the item that
    declares them as ``node``, whose body is read in ``scope``. A ``parameter`` has its argument as ``value`` (a
    ``Typed``, or None where its definition is checked by itself). ``error`` is what could not be parsed: its
    uses are not reported.

    ``exports`` are the names behind the dot, for a module.
    """

    name: str
    kind: SymbolKind
    type: Type | None = None
    span: Span | None = None
    node: object | None = None
    scope: Scope | None = None
    value: object = None
    exports: Scope | None = None
    imported: Span | None = None
    """Where an import brings it in."""


@dataclass(eq=False)
class Scope:
    """Names with their meaning, and the scope around them.

    ``step`` is the duration of a step in seconds, if the environment declares one; ``trace`` says whether a
    step is one of the environment's or a completed phase of a language-model agent. None means: as outside.
    """

    parent: Scope | None = None
    step: float | None = None
    trace: Literal["steps", "phases"] | None = None
    symbols: dict[str, Symbol] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    """Names of this scope that have been looked up."""
    lenient: bool = False
    """Whether names may be missing here because what declares them is wrong: then only near misses are reported."""

    def child(self, *, step: float | None = None, trace: Literal["steps", "phases"] | None = None) -> Scope:
        """A scope inside this one."""
        return Scope(self, step, trace)

    def define(self, symbol: Symbol) -> Diagnostic | None:
        """Add a symbol. If the name is taken in this very scope, nothing changes and the report comes back."""
        called = symbol.kind in ("pattern", "prop", "region") and bool(getattr(symbol.node, "parameters", ()))
        if symbol.name in BUILT_IN_NAMES or (symbol.name in FUNCTIONS and (called or symbol.kind == "pattern")):
            return report("AS0202", symbol.span, name=symbol.name)
        first = self.symbols.get(symbol.name)
        if first is None:
            self.symbols[symbol.name] = symbol
            return None
        if "error" in (first.kind, symbol.kind):
            return None
        before = first.imported or first.span
        there = (Annotation(before, "first declared here"),) if before is not None else ()
        return report("AS0201", symbol.imported or symbol.span, annotations=there, name=symbol.name, kind=first.kind)

    def lookup(self, name: str) -> Symbol | None:
        """What the name means here, which counts as a use; None if nothing."""
        for scope in self.chain():
            symbol = scope.symbols.get(name)
            if symbol is not None:
                scope.used.add(name)
                return symbol
        return None

    def find(self, name: str) -> Symbol | None:
        """What the name means here, without using it."""
        return next((s.symbols[name] for s in self.chain() if name in s.symbols), None)

    def names(self, *kinds: SymbolKind) -> list[str]:
        """The visible names of these kinds (of all kinds if none is given), inner ones first."""
        found: dict[str, Symbol] = {}
        for scope in self.chain():
            for name, symbol in scope.symbols.items():
                found.setdefault(name, symbol)
        return [name for name, symbol in found.items() if not kinds or symbol.kind in kinds]

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    @property
    def incomplete(self) -> bool:
        """Whether this scope or one around it is lenient."""
        return any(s.lenient for s in self.chain())

    @property
    def step_duration(self) -> float | None:
        """The duration of a step in seconds, from the nearest scope that knows it."""
        return next((s.step for s in self.chain() if s.step is not None), None)

    @property
    def trace_kind(self) -> Literal["steps", "phases"]:
        """What a step of the trace is."""
        return next((s.trace for s in self.chain() if s.trace is not None), "steps")
