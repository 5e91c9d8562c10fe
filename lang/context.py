"""What the rules of elaboration share: reports, fresh nodes, the bounds on depth and size, each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agentc.lang import ast
from agentc.lang.diagnostics import AgentcError, Annotation, Diagnostic, report
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.typed import Typed, Value
from agentc.lang.types import ERROR, Type
from agentc.lang.units import Unit

MAX_DEPTH = 150
"""How deep terms and calls may be nested; each level takes up to three Python frames."""

MAX_NESTING = 20_000
"""How deep operators of formulas may be nested; they are walked with an explicit stack."""

MAX_EXPANSIONS = 5_000
"""How many calls of patterns and propositions one formula may expand."""

Scales = tuple[float, ...] | None
"""What one unit of distance is along each coordinate of a region, in SI base units, if it says so."""


class Context:
    """The state of an elaboration, and the entry points that the rules call each other by.

    ``formula``, ``term`` and ``region`` are set by :class:`agentc.lang.elaborate.Elaborator`.
    """

    formula: Callable[[ast.Expr, Scope], Typed]
    proposition: Callable[[ast.Expr, Scope, str], Typed]
    term: Callable[[ast.Expr, Scope, Type | None], Typed]
    call: Callable[[ast.Call, Scope], Typed]
    region: Callable[[ast.Expr, Scope, tuple[Unit, ...] | None], tuple[Typed, Scales]]
    interval: Callable[[ast.Interval, str, Scope], tuple[int, int | None] | None]
    expand: Callable[[Symbol, ast.Call | None, Span, Scope], Typed]
    constant_of: Callable[[Symbol, Span], Typed]
    bind: Callable[[Symbol, tuple[ast.Parameter, ...], ast.Call | None, Span, Scope], Scope | None]
    type: Callable[[ast.TypeExpr, Scope, bool], Type]
    read: Callable[[str, Span], str]

    def __init__(self, overrides: Mapping[str, ast.Expr]) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.overrides = overrides
        self.via: tuple[Span, ...] = ()
        self.depth = 0
        self.expansions = 0
        self.too_deep = False
        """Whether the present expression has been reported as too deep."""
        self.generic = False
        """Whether a definition is checked by itself: what only a use can tell (the step, say) is not reported."""
        self.each_types: dict[int, Type] = {}
        """Types found for the parameters of ``each``, by the identity of their symbols."""
        self._reported: set[tuple[str, int, int, int]] = set()
        self._unknown: dict[tuple[int, str], Scope] = {}
        self._sources: list[object] = []  # keeps the sources alive whose ids are in _reported

    def report(
        self, code: str, span: Span, *, annotations: Iterable[Annotation] = (), suggestion: str | None = None,
        suggestion_span: Span | None = None, **values: Any,
    ) -> None:  # fmt: skip
        """Collect a diagnostic; one in the body of a definition shows the calls. The same one is not said twice."""
        key = (code, id(span.source), span.start, span.stop)
        if key in self._reported:
            return
        self._reported.add(key)
        self._sources.append(span.source)
        calls = tuple(Annotation(call, "expanded from here") for call in reversed(self.via))
        self.diagnostics.append(
            report(
                code,
                span,
                annotations=(*annotations, *calls),
                suggestion=suggestion,
                suggestion_span=suggestion_span,
                **values,
            )
        )

    def make(
        self, op: str, args: tuple[Typed, ...], type: Type, span: Span, value: Value = None,
        interval: tuple[int, int | None] | None = None,
    ) -> Typed:  # fmt: skip
        """A node; of type ``error`` if one of its arguments is."""
        if any(a.type.kind == "error" for a in args):
            return Typed("error", (), ERROR, span, via=self.via)
        return Typed(op, args, type, span, value, interval, self.via)

    def error(self, span: Span) -> Typed:
        """What stands for an expression that has been reported."""
        return Typed("error", (), ERROR, span, via=self.via)

    def failed(self, code: str, span: Span, **values: Any) -> Typed:
        """Report, and what then stands there."""
        self.report(code, span, **values)
        return self.error(span)

    def is_first(self, name: str, scope: Scope) -> bool:
        """Whether an unknown name has not been reported in this agent (or, outside of agents, this file) yet."""
        around = list(scope.chain())
        place = around[-2] if len(around) > 1 else around[-1]
        key = (id(place), name)
        if key in self._unknown:
            return False
        self._unknown[key] = place
        return True

    def begin(self) -> None:
        """Begin with an expression from outside: the bounds are for each of them."""
        self.expansions, self.too_deep = 0, False

    def descend(self, span: Span) -> bool:
        """Go one level deeper; False, and a report, where that is too deep. Pair with ``depth -= 1``."""
        self.depth += 1
        if self.depth <= MAX_DEPTH:
            return True
        if not self.too_deep:
            self.report("AS0219", span, limit=MAX_DEPTH)
        self.too_deep = True
        return False


def no_file(path: str, span: Span | None) -> str:
    """What reads files where there is no project. Raises AgentcError (AS1620)."""
    raise AgentcError([report("AS1620", span, path=path, reason="there is no project folder to look in")])


def article(word: str) -> str:
    """The word with its indefinite article."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def described(type: Type) -> str:
    """A type in words, for a sentence: ``a number in m/s``, ``one of {open, closed}``."""
    match type.kind:
        case "bool":
            return "a proposition"
        case "formula":
            return "a temporal formula"
        case "enum":
            return f"one of {{{', '.join(type.members)}}}"
        case "int":
            return "an integer" + (f" in {type.unit}" if str(type.unit) else "")
        case "real":
            return "a number" + (f" in {type.unit}" if str(type.unit) else "")
        case "vector":
            return f"a vector of {type.size[0] if type.size else 'some'} coordinates"
        case kind:
            return article(kind)


def measured(unit: Unit) -> str:
    """A unit in words: ``m/s``, or that it is a pure number."""
    return str(unit) or "a pure number"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant, if any."""
    from agentc.lang.spelling import nearest as find  # only needed where something is wrong

    return find(word, list(candidates))
