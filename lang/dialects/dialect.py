"""A dialect: the operators of another tool by how tightly they bind, and each with its counterpart here.

Source: operator-precedence parsing (Pratt, POPL 1973), over an explicit stack, so that depth costs no recursion. The
result is written with parentheses around everything, since what binds tighter is what the tools differ in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Source, Span

Shape = Literal["prefix", "infix", "atom"]
Write = Callable[..., str]
"""From the texts of the arguments, and ``interval`` as it is written here (empty if there is none), to a text."""


@dataclass(frozen=True, slots=True)
class Operator:
    """``binding``: the higher, the tighter; ``right``: associates to the right. ``note`` says how meanings differ."""

    shape: Shape
    binding: int
    write: Write | None
    right: bool = False
    timed: bool = False
    note: str = ""


@dataclass(frozen=True)
class Dialect:
    """The syntax of a tool. ``tokens`` are its operators by how they are written, the longer ones first."""

    name: str
    tool: str
    operators: Mapping[str, tuple[Operator, ...]]
    separators: tuple[str, ...] = (",",)
    notes: tuple[str, ...] = ()
    comparisons: Mapping[str, str] = field(default_factory=dict)
    assignment: bool = False
    """Whether ``name = formula`` is a formula."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``text``: the formula as it is written here; ``notes``: where the tool means something else."""

    text: str
    notes: tuple[str, ...]


def plain(word: str) -> Write:
    """The same operator here, by its word."""

    def write(*args: str, interval: str = "") -> str:
        if not args:
            return word
        if len(args) == 1:
            return f"{word}{interval} ({args[0]})" if word[-1].isalpha() or interval else f"{word}({args[0]})"
        return f"({args[0]}) {word}{interval} ({args[1]})"

    return write


_NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
_NAME = r"[A-Za-z_$][A-Za-z0-9_.$]*"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["operator", "number", "name", "quoted", "open", "close", "interval", "arithmetic", "comparison"]
    text: str
    start: int
    stop: int


def translate(text: str, dialect: Dialect) -> Reading:
    """Read a formula of a dialect. Raises as :func:`agentc.lang.dialects.read_dialect`."""
    source = Source("<formula>", text)
    start = 0
    if dialect.assignment:
        head = re.match(rf"\s*{_NAME}\s*=(?!=)", text)
        start = head.end() if head else 0
    tokens = _tokens(source, start, dialect)
    notes: dict[str, None] = dict.fromkeys(dialect.notes)
    written = _Parser(source, tokens, dialect, notes).formula()
    return Reading(written, tuple(notes))


def _wrong(source: Source, start: int, stop: int, dialect: Dialect, why: str) -> AgentcError:
    span = Span(source, min(start, len(source.text)), min(stop, len(source.text)))
    return AgentcError([report("AS1030", span, tool=dialect.tool, reason=why)])


def _tokens(source: Source, at: int, dialect: Dialect) -> list[_Token]:
    comparisons = {"==", "!=", "<=", ">=", "<", ">", *dialect.comparisons}
    words = sorted({*dialect.operators, *comparisons}, key=len, reverse=True)  # the longest that fits
    symbols = [re.escape(w) + (r"(?![A-Za-z0-9_])" if w[-1].isalnum() else "") for w in words]
    pattern = re.compile(
        r"(?P<space>\s+)"
        r"|(?P<interval>\[\s*[0-9.][^\]]*\])"
        rf"|(?P<operator>{'|'.join(symbols)})"
        rf"|(?P<number>{_NUMBER})|(?P<name>{_NAME})|(?P<quoted>\"[^\"\n]*\")"
        r"|(?P<open>\()|(?P<close>\))|(?P<arithmetic>[-+*/])"
    )
    text, found = source.text, list[_Token]()
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise _wrong(source, at, at + 1, dialect, f"`{text[at]}` is no operator of it")
        kind = match.lastgroup
        if kind == "operator" and match.group() not in dialect.operators:
            kind = "comparison"
        if kind != "space":
            found.append(_Token(kind, match.group(), at, match.end()))  # type: ignore[arg-type]
        at = match.end()
    return found


class _Parser:
    """Two stacks: of what is still open, and of the texts of what has been read."""

    def __init__(self, source: Source, tokens: list[_Token], dialect: Dialect, notes: dict[str, None]) -> None:
        self._source, self._tokens, self._dialect, self._notes = source, tokens, dialect, notes
        self._at = 0

    def formula(self) -> str:
        """The whole formula."""
        operands: list[str] = []
        open_: list[tuple[Operator, str, _Token] | None] = []  # None is a parenthesis
        operand_next = True

        def reduce() -> None:
            top = open_.pop()
            assert top is not None
            operator, interval, token = top
            if operator.write is None:
                raise AgentcError(
                    [report("AS1031", self._span(token), tool=self._dialect.tool, operator=token.text,
                            reason=operator.note)]
                )  # fmt: skip
            if operator.note:
                self._notes[operator.note] = None
            count = 2 if operator.shape == "infix" else 1
            args = operands[-count:]
            del operands[-count:]
            operands.append(operator.write(*args, interval=interval))

        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if operand_next:
                operator = self._operator(token, "prefix")
                if operator is not None:
                    self._at += 1
                    open_.append((operator, self._interval(operator, token), token))
                    continue
                if token.kind == "open" and not self._is_term():
                    open_.append(None)
                    self._at += 1
                    continue
                operands.append(self._atom())
                operand_next = False
                continue
            if token.kind == "close":
                while open_ and open_[-1] is not None:
                    reduce()
                if not open_:
                    raise self._error(token, "`)` closes nothing")
                open_.pop()
                self._at += 1
                continue
            operator = self._operator(token, "infix")
            if operator is None:
                raise self._error(token, f"an operator was expected, not `{token.text}`")
            while open_ and open_[-1] is not None:
                top = open_[-1][0]
                if top.binding > operator.binding or (top.binding == operator.binding and not operator.right):
                    reduce()
                else:
                    break
            self._at += 1
            open_.append((operator, self._interval(operator, token), token))
            operand_next = True
        if operand_next:
            end = self._tokens[-1] if self._tokens else _Token("name", "", 0, 0)
            raise _wrong(self._source, end.stop, end.stop + 1, self._dialect, "it ends where an operand was expected")
        while open_:
            if open_[-1] is None:
                raise self._error(self._tokens[-1], "`)` is missing")
            reduce()
        return operands[0]

    def _operator(self, token: _Token, shape: Shape) -> Operator | None:
        if token.kind != "operator":
            return None
        return next((o for o in self._dialect.operators[token.text] if o.shape == shape), None)

    def _interval(self, operator: Operator, token: _Token) -> str:
        """The interval behind an operator, as it is written here."""
        if self._at >= len(self._tokens) or self._tokens[self._at].kind != "interval":
            return ""
        found = self._tokens[self._at]
        if not operator.timed:
            raise self._error(found, f"`{token.text}` takes no interval")
        self._at += 1
        inside = found.text[1:-1]
        bounds = [b.strip() for b in re.split("|".join(map(re.escape, self._dialect.separators)), inside)]
        if len(bounds) == 1:
            bounds *= 2
        if len(bounds) != 2:
            raise self._error(found, f"`{found.text}` is no interval")
        low, high = (_bound(b) for b in bounds)
        if low is None or high is None or low == "inf":
            raise self._error(found, f"`{found.text}` is no interval")
        return f"[{low}, inf)" if high == "inf" else f"[{low}, {high}]"

    def _is_term(self) -> bool:
        """Whether a parenthesis opens a number and no formula: its inside is arithmetic, and something compares it."""
        depth = 0
        for k in range(self._at, len(self._tokens)):
            token = self._tokens[k]
            if token.kind == "open":
                depth += 1
            elif token.kind == "close":
                depth -= 1
                if depth == 0:
                    after = self._tokens[k + 1] if k + 1 < len(self._tokens) else None
                    return after is not None and after.kind in ("arithmetic", "comparison")
            elif token.kind in ("operator", "comparison", "interval"):
                return False
        return False

    def _atom(self) -> str:
        """A constant, a proposition, or a comparison of terms."""
        first = self._tokens[self._at]
        constant = self._operator(first, "atom")
        if constant is not None:
            self._at += 1
            assert constant.write is not None
            return constant.write()
        parts, depth, compared = [], 0, False
        before: _Token | None = None
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            value = token.kind in ("number", "name", "quoted")
            if depth == 0 and (token.kind in ("operator", "interval", "close") or (value and _ends(before))):
                break
            if token.kind == "comparison":
                compared = True
            depth += (token.kind == "open") - (token.kind == "close")
            text = self._dialect.comparisons.get(token.text, token.text)
            parts.append(text.strip('"') if token.kind == "quoted" else text)
            before = token
            self._at += 1
        if not parts or before is None or not _ends(before) or depth:
            raise self._error(first, f"an operand was expected, not `{first.text}`")
        if not compared and len(parts) > 1:
            raise self._error(first, "a term is compared with nothing")
        text = " ".join(parts).replace("( ", "(").replace(" )", ")").replace(" (", "(")
        return re.sub(r"([-+*/<>=])\(", r"\1 (", text)

    def _span(self, token: _Token) -> Span:
        return Span(self._source, token.start, token.stop)

    def _error(self, token: _Token, why: str) -> AgentcError:
        return _wrong(self._source, token.start, token.stop, self._dialect, why)


def _ends(token: _Token | None) -> bool:
    return token is not None and token.kind in ("number", "name", "quoted", "close")


def _bound(text: str) -> str | None:
    if text in ("inf", "$", "∞", ""):
        return "inf"
    match = re.fullmatch(rf"({_NUMBER})\s*(s|ms|us|ns)?", text)
    if match is None:
        return None
    number = float(match[1])
    if match[2] is None:
        return str(int(number)) if number == int(number) else None
    return f"{number:g}{match[2]}"
