"""Name resolution: what a name or a dotted path stands for, and what was probably meant where it is nothing."""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.context import Context, nearest
from agentc.lang.diagnostics import Annotation
from agentc.lang.scope import READABLE, Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.typed import Typed
from agentc.lang.types import BOOL, ERROR, TEXT, Type, real
from agentc.lang.units import SECOND

FORMULAS = ("prop", "task", "safe", "behavior", "assume")
"""Kinds of symbols whose body is a formula that is expanded where they are named."""

OPERATOR_WORDS = (
    "always", "eventually", "next", "weak_next", "until", "weak_until", "release", "strong_release", "yesterday",
    "weak_yesterday", "once", "historically", "since", "trigger", "not", "and", "or", "xor",
)  # fmt: skip

_INFINITE = {
    "GF": ("on a finite trace `G F p` says that p holds at the last step", "write `G F p` or `F(last & p)`"),
    "FG": ("on a finite trace `F G p` says that p holds at the last step", "write `F G p` or `F(last & p)`"),
    "infinitely_often": ("a trace is finite", "write `G F p`: p holds at the last step"),
    "always_eventually": ("a trace is finite", "write `G F p`: p holds at the last step"),
    "fair": ("a trace is finite", "bound the wait: `G(p -> F[<= 10] q)`"),
    "fairness": ("a trace is finite", "bound the wait: `G(p -> F[<= 10] q)`"),
    "AG": ("formulas speak of one trace", "write `G`"), "AF": ("formulas speak of one trace", "write `F`"),
    "AX": ("formulas speak of one trace", "write `X`"), "EG": ("formulas speak of one trace", "write `G`"),
    "EF": ("formulas speak of one trace", "write `F`"), "EX": ("formulas speak of one trace", "write `X`"),
    "AU": ("formulas speak of one trace", "write `U`"), "EU": ("formulas speak of one trace", "write `U`"),
}  # fmt: skip

_KINDS = {
    "prop": "proposition", "const": "constant", "param": "constant", "disturbance": "disturbance",
    "machine": "reward machine", "safe": "safety formula", "assume": "assumption",
}  # fmt: skip


def kind_in_words(symbol: Symbol) -> str:
    """What kind of thing a symbol is, with its article."""
    word = _KINDS.get(symbol.kind, symbol.kind)
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def path_of(expr: ast.Expr) -> list[tuple[str, Span]] | None:
    """The names of ``a.b.c`` with their places; None if it is no such path."""
    names: list[tuple[str, Span]] = []
    while isinstance(expr, ast.Attribute):
        names.append((expr.name, expr.name_span))
        expr = expr.base
    if not isinstance(expr, ast.Name):
        return None
    names.append((expr.id, expr.span))
    return names[::-1]


class Names:
    """Resolves names."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def symbol(self, expr: ast.Name | ast.Attribute, scope: Scope, wanted: str = "signal") -> Symbol | None:
        """The symbol of a name or dotted path; None, and a report, if there is none.

        Arguments of tools and texts of phases are signals with a dot in their name.
        """
        path = path_of(expr)
        if path is None:
            assert isinstance(expr, ast.Attribute)
            self.context.report("AS0325", expr.span, what=f"`.{expr.name}`", mend="only names have fields")
            return None
        if len(path) > 1:
            whole = scope.lookup(".".join(name for name, _ in path))
            if whole is not None:
                scope.lookup(path[0][0])
                return whole
        symbol = scope.lookup(path[0][0])
        if symbol is None:
            self.unknown(path[0][0], path[0][1], scope, wanted)
            return None
        for name, span in path[1:]:
            if symbol.kind == "error":
                return symbol
            inner = self._field(symbol, name)
            if inner is None:
                self._unknown_field(symbol, name, span)
                return None
            symbol = inner
        return symbol

    def _field(self, symbol: Symbol, name: str) -> Symbol | None:
        if symbol.exports is not None:
            return symbol.exports.lookup(name)
        dotted = f"{symbol.name}.{name}"
        if symbol.kind == "phase" and name == "text":
            return Symbol(dotted, "signal", TEXT, symbol.span)
        if symbol.kind == "tool" and isinstance(symbol.node, ast.Tool):
            for parameter in symbol.node.parameters:
                if parameter.name == name:
                    given = parameter.type.given is not None
                    of = TEXT if given else self.context.type(parameter.type, symbol.scope or Scope(), False)
                    return Symbol(dotted, "signal", of, parameter.name_span)
        return None

    def _unknown_field(self, symbol: Symbol, name: str, span: Span) -> None:
        known = self.fields(symbol)
        if symbol.kind == "module":
            self.context.report(
                "AS0211", span, suggestion=nearest(name, known), module=symbol.name, name=name,
                known=", ".join(known) or "no definitions",
            )  # fmt: skip
            return
        says = f"it has {', '.join(known)}" if known else f"it is {kind_in_words(symbol)} without fields"
        self.context.report(
            "AS0206", span, suggestion=nearest(name, known), base=symbol.name, name=name, known=says
        )  # fmt: skip

    def fields(self, symbol: Symbol) -> list[str]:
        """The names that can stand behind a symbol's dot."""
        if symbol.exports is not None:
            return list(symbol.exports.symbols)
        if symbol.kind == "tool" and isinstance(symbol.node, ast.Tool):
            return [p.name for p in symbol.node.parameters]
        prefix = f"{symbol.name}."
        dotted = [n for n in symbol.scope.names() if n.startswith(prefix)] if symbol.scope else []
        return ["text", *(n.removeprefix(prefix) for n in dotted)] if symbol.kind == "phase" else dotted

    def unknown(self, name: str, span: Span, scope: Scope, wanted: str) -> None:
        """Report a name that means nothing, with what was probably meant."""
        if not self.context.is_first(name, scope):
            return
        signal = enum_with(name, scope)
        if signal is not None:
            self.context.report("AS0207", span, name=name, signal=signal.name)
            return
        candidates = [n for n in scope.names() if "." not in n]
        meant = nearest(name, [*candidates, "first", "last"])
        if meant is not None or not scope.incomplete:
            self.context.report("AS0203", span, kind=wanted, name=name, suggestion=meant)

    def unknown_function(self, name: str, span: Span, scope: Scope, builtin: list[str]) -> None:
        """Report a call of nothing: a misspelt operator, an operator of another logic, a misspelt function."""
        if not self.context.is_first(name, scope):
            return
        if name in _INFINITE and scope.find(name) is None:
            reason, mend = _INFINITE[name]
            self.context.report("AS0220", span, name=name, reason=reason, mend=mend)
            return
        callable_ = scope.names("pattern", "prop", "region", "tool")
        meant = nearest(name, [*callable_, *builtin])
        operator = nearest(name, OPERATOR_WORDS)
        if meant is None and operator is not None:
            self.context.report("AS0209", span, name=name, suggestion=operator)
        else:
            self.context.report("AS0204", span, name=name, suggestion=meant)

    def read(self, symbol: Symbol, span: Span, scope: Scope, expected: Type | None = None) -> Typed:
        """The term that a symbol stands for: a signal, a constant, an argument.

        Propositions and formulas are expanded; where a text is expected, a phase is its text.
        """
        context = self.context
        if symbol.kind == "error":
            return context.error(span)
        if symbol.kind in ("phase", "tool"):
            if symbol.kind == "phase" and expected is not None and expected.kind == "text":
                return context.make("signal", (), TEXT, span, f"{symbol.name}.text")
            return context.make("signal", (), BOOL, span, symbol.name)
        if symbol.kind in READABLE:
            of = context.each_types.get(id(symbol), symbol.type)
            if of is None:
                return context.failed("AS0324", span, name=symbol.name)
            return context.make("signal", (), of, span, symbol.name)
        if symbol.kind in ("const", "param"):
            return context.constant_of(symbol, span)
        if symbol.kind == "parameter":
            return self._argument(symbol, span)
        if symbol.kind in FORMULAS:
            return context.expand(symbol, None, span, scope)
        if symbol.kind == "pattern":
            return context.failed(
                "AS0304", span, name=symbol.name, wanted=argument_count(symbol), found="no arguments are given",
                annotations=declared(symbol),
            )  # fmt: skip
        wanted = f"a {expected.kind}" if expected is not None else "a signal or a constant"
        return context.failed(
            "AS0208", span, name=symbol.name, found=kind_in_words(symbol), wanted=wanted, annotations=declared(symbol)
        )

    def _argument(self, symbol: Symbol, span: Span) -> Typed:
        if isinstance(symbol.value, Typed):
            return symbol.value
        of = symbol.type or ERROR
        if of.kind == "region":
            return self.context.failed(
                "AS0208", span, name=symbol.name, found="a region", wanted="a signal or a constant"
            )
        if symbol.value is not None:
            value: object = symbol.value
            if isinstance(value, bool | int | float | str | tuple):
                return self.context.make("const", (), of, span, value)
        return self.context.make("parameter", (), of, span, symbol.name)

    def previous(self, expr: ast.Attribute, scope: Scope) -> Typed | None:
        """``prev.s``, the value of a signal one step ago; None if ``expr`` is something else."""
        path = path_of(expr)
        if path is None or path[0][0] != "prev":
            return None
        inner: ast.Name | ast.Attribute = ast.Name(path[1][0], span=path[1][1])
        for name, span in path[2:]:
            inner = ast.Attribute(inner, name, name_span=span, span=inner.span.to(span))
        symbol = self.symbol(inner, scope)
        if symbol is None or symbol.kind == "error":
            return self.context.error(expr.span)
        if symbol.kind == "parameter" and isinstance(symbol.value, Typed):
            term = symbol.value.args[0] if symbol.value.op == "atom" else symbol.value
            if term.op == "signal":
                return self.context.make("prev", (), term.type, expr.span, term.value)
        elif symbol.kind == "parameter" and symbol.value is None:
            return self.context.make("parameter", (), symbol.type or ERROR, expr.span, symbol.name)
        elif symbol.kind in READABLE or symbol.kind in ("phase", "tool"):
            term = self.read(symbol, expr.span, scope)
            return self.context.make("prev", (), term.type, expr.span, term.value)
        self.context.report(
            "AS0319", expr.span, name=symbol.name, found=kind_in_words(symbol), annotations=declared(symbol)
        )
        return self.context.error(expr.span)

    def built_in(self, name: str, span: Span, scope: Scope) -> Typed | None:
        """``time``, unless something else is called that: the time since the first step."""
        if name != "time" or scope.find(name) is not None or scope.step_duration is None:
            return None
        make, seconds = self.context.make, real(SECOND)
        true = make("true", (), BOOL, span)
        passed = make("count", (true,), Type("int"), span, interval=(0, None))
        before = make("sub", (passed, make("const", (), Type("int"), span, 1)), Type("int"), span)
        return make("mul", (before, make("const", (), seconds, span, scope.step_duration)), seconds, span)


def enum_with(member: str, scope: Scope) -> Symbol | None:
    """A signal whose type is an enum with this member."""
    for name in scope.names(*READABLE):
        symbol = scope.find(name)
        if symbol is not None and symbol.type is not None and member in symbol.type.members:
            return symbol
    return None


def declared(symbol: Symbol) -> tuple[Annotation, ...]:
    """An annotation that shows where a symbol is declared."""
    return (Annotation(symbol.span, "declared here"),) if symbol.span is not None else ()


def argument_count(symbol: Symbol) -> str:
    """How many arguments a definition takes, in words."""
    parameters = getattr(symbol.node, "parameters", ())
    least = sum(p.default is None for p in parameters)
    return counted(least, len(parameters))


def counted(least: int, most: int | None, word: str = "argument") -> str:
    """``2 arguments``, ``1 to 3 arguments``, ``at least 1 argument``."""
    if most is None:
        return f"at least {least} {word}{'' if least == 1 else 's'}"
    plural = "" if most == 1 else "s"
    return f"{most} {word}{plural}" if least == most else f"{least} to {most} {word}{plural}"
