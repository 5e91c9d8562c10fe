"""Expressions of the PRISM language: tokens, a tree by precedence, constants folded, their text in this language."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence

from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.literals import write_name
from agentc.lang.records import dataclass
from agentc.lang.source import Source, Span

Value = float | int | bool

_TOKEN = re.compile(
    r"\s+|//[^\n]*|(\d+\.\d+(?:[eE][+-]?\d+)?|\d+(?:[eE][+-]?\d+)?(?!\.\d)|[A-Za-z_][A-Za-z0-9_]*'?|\"[^\"\n]*\""
    r"|\.\.|->|<=>|=>|<=|>=|!=|[-+*/=<>()\[\]{}:;,&|!?'])"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token with its place."""

    text: str
    span: Span


def tokens(source: Source) -> list[Token]:
    """The tokens of a file without blanks and comments. Raises :class:`AgentcError` (AS1349)."""
    found, at = [], 0
    while at < len(source.text):
        match = _TOKEN.match(source.text, at)
        if match is None:
            raise refused(f"the character {source.text[at]!r}", Span(source, at, at + 1))
        if match[1] is not None:
            found.append(Token(match[1], Span(source, at, match.end())))
        at = match.end()
    return found


def refused(what: str, span: Span | None) -> AgentcError:
    """The error for what is not read, at its place."""
    return AgentcError([report("AS1349", span, what=what)])


@dataclass(frozen=True, slots=True)
class Expression:
    """A tree: an operator over arguments, ``name`` with its name, or ``value`` with a constant."""

    op: str
    args: tuple[Expression, ...] = ()
    value: Value | str = 0

    @property
    def names(self) -> frozenset[str]:
        """The variables that are read."""
        own = {str(self.value)} if self.op == "name" else set()
        return frozenset(own.union(*(a.names for a in self.args)))

    def both(self, other: Expression) -> Expression:
        """The conjunction."""
        return Expression("&", (self, other))


_LEVELS: tuple[tuple[str, ...], ...] = (("<=>",), ("=>",), ("|",), ("&",))
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_FOLDS: dict[str, Callable[..., Value]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne, "min": min, "max": max,
    "&": lambda a, b: a and b, "|": lambda a, b: a or b, "=>": lambda a, b: (not a) or b, "<=>": operator.eq,
    "!": operator.not_, "neg": operator.neg, "pow": operator.pow,
}  # fmt: skip


def parse(
    given: Sequence[Token], constants: Mapping[str, Value], formulas: Mapping[str, Expression], source: Source
) -> Expression:
    """The tree of an expression, with formulas in place and constants folded. Raises :class:`AgentcError` (AS1349)."""
    return _Parser(given, constants, formulas, source).whole()


def evaluate(expression: Expression) -> Value | None:
    """The value of a constant expression; None if it reads variables."""
    return expression.value if expression.op == "value" and not isinstance(expression.value, str) else None


class _Parser:
    def __init__(
        self, given: Sequence[Token], constants: Mapping[str, Value], formulas: Mapping[str, Expression], source: Source
    ) -> None:
        self._tokens, self._constants, self._formulas, self._at = given, constants, formulas, 0
        self._end = given[-1].span if given else Span(source, len(source.text), len(source.text))

    def whole(self) -> Expression:
        found = self._level(0)
        if self._at < len(self._tokens):
            raise self._wrong()
        return found

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _wrong(self) -> AgentcError:
        text = self._peek()
        span = self._tokens[self._at].span if text else self._end
        return refused(f"`{text}` in an expression" if text else "an expression that ends too early", span)

    def _level(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._negation()
        left = self._level(level + 1)
        while self._peek() in _LEVELS[level]:
            op = self._peek()
            self._at += 1
            left = self._made(op, left, self._level(level + 1))
        return left

    def _negation(self) -> Expression:
        if self._peek() == "!":
            self._at += 1
            return self._made("!", self._negation())
        left = self._sum()
        while self._peek() in _COMPARISONS:
            op = self._peek()
            self._at += 1
            left = self._made(op, left, self._sum())
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while self._peek() in ("+", "-"):
            op = self._peek()
            self._at += 1
            left = self._made(op, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while self._peek() in ("*", "/"):
            op = self._peek()
            self._at += 1
            left = self._made(op, left, self._unary())
        return left

    def _unary(self) -> Expression:
        if self._peek() == "-":
            self._at += 1
            return self._made("neg", self._unary())
        if self._peek() == "!":
            self._at += 1
            return self._made("!", self._unary())
        return self._atom()

    def _atom(self) -> Expression:
        text = self._peek()
        if text == "(":
            self._at += 1
            found = self._level(0)
            if self._peek() != ")":
                raise self._wrong()
            self._at += 1
            return found
        if text in ("min", "max", "pow"):
            return self._call(text)
        if text in ("floor", "ceil", "mod", "log", "func"):
            raise refused(f"the function `{text}`", self._tokens[self._at].span)
        self._at += 1
        if text in ("true", "false"):
            return Expression("value", value=text == "true")
        if re.fullmatch(r"\d+", text):
            return Expression("value", value=int(text))
        if re.match(r"\d", text):
            return Expression("value", value=float(text))
        if text in self._constants:
            return Expression("value", value=self._constants[text])
        if text in self._formulas:
            return self._formulas[text]
        if re.fullmatch(r"[A-Za-z_]\w*", text):
            return Expression("name", value=text)
        self._at -= 1
        raise self._wrong()

    def _call(self, name: str) -> Expression:
        self._at += 1
        args = []
        if self._peek() != "(":
            raise self._wrong()
        while self._peek() in ("(", ","):
            self._at += 1
            args.append(self._level(0))
        if self._peek() != ")" or len(args) < 2:
            raise self._wrong()
        self._at += 1
        found = args[0]
        for arg in args[1:]:
            found = self._made(name, found, arg)
        return found

    def _made(self, op: str, *args: Expression) -> Expression:
        values = [evaluate(a) for a in args]
        if None not in values:
            try:
                return Expression("value", value=_FOLDS[op](*values))
            except (ZeroDivisionError, OverflowError, TypeError) as error:
                raise refused(f"a constant without a value ({error})", self._end) from None
        return Expression(op, args)


_WORDS = {"=": "==", "=>": "->", "<=>": "<->", "pow": "**"}


def written(expression: Expression, bools: frozenset[str] = frozenset()) -> str:
    """The expression in this language, every operator in parentheses; ``bools`` are the Boolean variables."""
    op, args = expression.op, expression.args
    if op == "value":
        value = expression.value
        return str(value).lower() if isinstance(value, bool) else repr(value)
    if op == "name":
        return write_name(str(expression.value))
    parts = [written(a, bools) for a in args]
    if op in ("min", "max"):
        return f"{op}({', '.join(parts)})"
    if op == "!":
        return f"!({parts[0]})"
    if op == "neg":
        return f"(-{parts[0]})"
    if op in ("=", "!=") and any(_truth(a, bools) for a in args):
        op = "<=>" if op == "=" else "xor"
    return f"({parts[0]} {_WORDS.get(op, op)} {parts[1]})"


def _truth(expression: Expression, bools: frozenset[str]) -> bool:
    """Whether an expression is a truth value."""
    if expression.op in ("name", "value"):
        return expression.value in bools if expression.op == "name" else isinstance(expression.value, bool)
    return expression.op in ("&", "|", "!", "=>", "<=>", *_COMPARISONS)
