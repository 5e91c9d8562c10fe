"""What the parser makes of expressions, types and values."""

from __future__ import annotations

import re
from typing import Any

from agentc.lang import ast
from agentc.lang.diagnostics import Diagnostic, Edit, Fix, report
from agentc.lang.lexer import Token
from agentc.lang.literals import read_number, read_string, split_quantity
from agentc.lang.source import Source, Span
from agentc.lang.words import COUNTED, TEMPORAL_LETTERS

Children = list[Any]

_NUMBER = re.compile(r"[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][+-]?[0-9]+)?")


class ExpressionBuilder:
    """Actions of the grammar for all that can stand in a value."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.error_names: tuple[str, ...] = ()

    # ------------------------------------------------------------ tokens

    def span(self, start: int, stop: int) -> Span:
        return Span(self.source, start, stop)

    def at(self, token: Token) -> Span:
        return Span(self.source, token.start, token.stop)

    def text(self, token: Token) -> str:
        """The name that a token writes."""
        return token.text[1:-1] if token.kind == "QNAME" else token.text

    def name_of(self, token: Token) -> ast.Expr:
        if not token.text:
            return ast.ErrorExpr(span=self.at(token))  # put there by the recovery
        return ast.Name(self.text(token), span=self.at(token))

    def string_value(self, token: Token, quotes: int = 1) -> str:
        """The text of a string; unknown escapes are reported and stay as they are."""
        value, wrong = read_string(token.text[quotes : len(token.text) - quotes])
        if token.text == self.source.text[token.start : token.stop]:  # else it was repaired, and reported
            for start, stop in wrong:
                at = token.start + quotes + start
                span = Span(self.source, at, at + stop - start)
                fix = Fix("write a backslash as `\\\\`", (Edit(Span(self.source, at, at + 1), "\\\\"),))
                self.diagnostics.append(report("AS0114", span, fix=fix, escape=span.text))
        return value

    def whole(self, token: Token | None) -> int | None:
        """The whole number that a token writes."""
        if token is None or not token.text:
            return None
        value = read_number(token.text)
        if isinstance(value, int):
            return value
        self.diagnostics.append(report("AS0116", self.at(token), found=token.text))
        return 1

    # ------------------------------------------------------------ atoms

    def do_reference(self, c: Children, start: int, stop: int) -> ast.Expr:
        return self.name_of(c[0])

    def do_number(self, c: Children, start: int, stop: int) -> ast.Expr:
        text = c[0].text
        value = read_number(text)
        if value is None:
            self.check_number(text, start, stop)
            return ast.ErrorExpr(span=self.span(start, stop))
        return ast.Number(value, text, span=self.span(start, stop))

    def do_quantity(self, c: Children, start: int, stop: int) -> ast.Expr:
        text = c[0].text
        number, unit = split_quantity(text)
        value = read_number(number)
        if value is None:
            self.check_number(number, start, stop)
            return ast.ErrorExpr(span=self.span(start, stop))
        return ast.Quantity(value, unit, text, span=self.span(start, stop))

    def check_number(self, text: str, start: int, stop: int) -> None:
        """Report a number that is well-formed and too large; others were reported by the lexer."""
        if _NUMBER.fullmatch(text):
            shown = text if len(text) < 40 else text[:30] + "..."
            self.diagnostics.append(report("AS0124", self.span(start, stop), number=shown))

    def do_string(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.String(self.string_value(c[0]), span=self.span(start, stop))

    def do_true(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Bool(True, span=self.span(start, stop))

    def do_false(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Bool(False, span=self.span(start, stop))

    def do_group(self, c: Children, start: int, stop: int) -> ast.Expr:
        expression: ast.Expr = c[0]
        return expression

    def do_tuple(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.TupleExpr(tuple(c), span=self.span(start, stop))

    # ------------------------------------------------------------ calls and fields

    def do_attribute(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Attribute(c[0], self.text(c[1]), span=self.span(start, stop), name_span=self.at(c[1]))

    def do_index(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Index(c[0], c[1], span=self.span(start, stop))

    def do_call(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Call(c[0], tuple(c[1] or ()), span=self.span(start, stop))

    def do_windowed_call(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Call(c[0], tuple(c[2] or ()), c[1], span=self.span(start, stop))

    def do_arguments(self, c: Children, start: int, stop: int) -> Children:
        return c

    def do_positional(self, c: Children, start: int, stop: int) -> ast.Argument:
        return ast.Argument(None, c[0], span=self.span(start, stop))

    def do_keyword(self, c: Children, start: int, stop: int) -> ast.Argument:
        return ast.Argument(self.text(c[0]), c[1], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_conditional(self, c: Children, start: int, stop: int) -> ast.Argument:
        return ast.Argument(None, c[0], c[1], span=self.span(start, stop))

    # ------------------------------------------------------------ arithmetic

    def do_plus(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Nary("+", tuple(c), span=self.span(start, stop))

    def do_times(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Nary("*", tuple(c), span=self.span(start, stop))

    def do_minus(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Binary("-", c[0], c[1], span=self.span(start, stop))

    def do_divide(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Binary("/", c[0], c[1], span=self.span(start, stop))

    def do_power(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Binary("**", c[0], c[1], span=self.span(start, stop))

    def do_negative(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Unary("-", c[0], span=self.span(start, stop))

    def do_positive(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Unary("+", c[0], span=self.span(start, stop))

    # ------------------------------------------------------------ comparisons

    def do_compare(self, c: Children, start: int, stop: int) -> ast.Expr:
        ops = tuple(token.text for token in c[1::2])
        return ast.Compare(ops, tuple(c[0::2]), span=self.span(start, stop))

    def do_member(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Member(c[0], c[1], span=self.span(start, stop))

    def do_not_member(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Member(c[0], c[1], True, span=self.span(start, stop))

    def do_from_(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.From(c[0], c[1], span=self.span(start, stop))

    def do_set(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.SetExpr(tuple(c), span=self.span(start, stop))

    def do_range(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Range(c[0], c[1], span=self.span(start, stop))

    def do_range_up(self, c: Children, start: int, stop: int) -> ast.Expr:
        infinity = ast.Infinity(span=self.span(max(start, stop - 4), stop - 1))
        return ast.Range(c[0], infinity, span=self.span(start, stop))

    def do_range_down(self, c: Children, start: int, stop: int) -> ast.Expr:
        infinity = ast.Infinity(span=self.span(start, start + 1))
        return ast.Range(ast.Unary("-", infinity, span=infinity.span), c[0], span=self.span(start, stop))

    # ------------------------------------------------------------ formulas

    def do_iff(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Binary("<->", c[0], c[1], span=self.span(start, stop))

    def do_implies(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Binary("->", c[0], c[1], span=self.span(start, stop))

    def do_xor(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Binary("xor", c[0], c[1], span=self.span(start, stop))

    def do_disjunction(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Nary("|", tuple(c), span=self.span(start, stop))

    def do_conjunction(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Nary("&", tuple(c), span=self.span(start, stop))

    def do_negation(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Unary("!", c[0], span=self.span(start, stop))

    def do_temporal(self, c: Children, start: int, stop: int) -> ast.Expr:
        token, interval, operand = c
        op = TEMPORAL_LETTERS.get(token.text, token.text)
        self.check_interval(op, interval)
        return ast.Temporal(op, interval, operand, token.text, span=self.span(start, stop))

    def do_temporal_binary(self, c: Children, start: int, stop: int) -> ast.Expr:
        left, token, interval, right = c
        op = TEMPORAL_LETTERS.get(token.text, token.text)
        self.check_interval(op, interval)
        return ast.TemporalBinary(op, interval, left, right, token.text, span=self.span(start, stop))

    def check_interval(self, op: str, interval: ast.Interval | None) -> None:
        """``X WX Y WY`` take a count, the others an interval."""
        if interval is None or (interval.form == "count") == (op in COUNTED):
            return
        if op in COUNTED:
            other = "F" if op in ("X", "WX") else "O"
            self.diagnostics.append(report("AS0118", interval.span, operator=op, other=other))
            return
        count = interval.lo.span.text if interval.lo else ""
        fix = Fix("write it as an upper bound", (Edit(interval.span, f"[<= {count}]"),))
        self.diagnostics.append(report("AS0117", interval.span, fix=fix, operator=op, count=count))

    def do_each(self, c: Children, start: int, stop: int) -> ast.Expr:
        *names, body = c
        return ast.Each(
            tuple(self.text(token) for token in names),
            body,
            span=self.span(start, stop),
            name_spans=tuple(self.at(token) for token in names),
        )

    def do_bound(self, c: Children, start: int, stop: int) -> ast.Bound:
        count: Any = None
        if c[1] is not None:
            count = "turns" if c[1].text in ("turn", "turns") else "steps"
        return ast.Bound(c[0], count, span=self.span(start, stop))

    def do_closed_interval(self, c: Children, start: int, stop: int) -> ast.Interval:
        return ast.Interval("closed", c[0], c[1], span=self.span(start, stop))

    def do_open_interval(self, c: Children, start: int, stop: int) -> ast.Interval:
        return ast.Interval("up", c[0], None, span=self.span(start, stop))

    def do_at_most(self, c: Children, start: int, stop: int) -> ast.Interval:
        return ast.Interval("at_most", None, c[0], span=self.span(start, stop))

    def do_at_least(self, c: Children, start: int, stop: int) -> ast.Interval:
        return ast.Interval("at_least", c[0], None, span=self.span(start, stop))

    def do_count(self, c: Children, start: int, stop: int) -> ast.Interval:
        return ast.Interval("count", c[0], c[0], span=self.span(start, stop))

    # ------------------------------------------------------------ values

    def do_list(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.ListExpr(tuple(c), span=self.span(start, stop))

    def do_record(self, c: Children, start: int, stop: int) -> ast.Expr:
        return ast.Record(tuple(c), span=self.span(start, stop))

    def do_entry(self, c: Children, start: int, stop: int) -> ast.Entry:
        return ast.Entry(self.text(c[0]), c[1], span=self.span(start, stop), key_span=self.at(c[0]))

    def do_bare_entry(self, c: Children, start: int, stop: int) -> ast.Entry:
        return ast.Entry(None, c[0], span=self.span(start, stop))

    def do_error_entry(self, c: Children, start: int, stop: int) -> ast.Entry:
        span = self.span(start, stop)
        return ast.Entry(None, ast.ErrorExpr(span=span), span=span)

    # ------------------------------------------------------------ names and types

    def do_dotted(self, c: Children, start: int, stop: int) -> tuple[tuple[str, ...], Span]:
        return tuple(self.text(token) for token in c), self.span(start, stop)

    def do_parameters(self, c: Children, start: int, stop: int) -> tuple[ast.Parameter, ...]:
        return tuple(c)

    def do_parameter(self, c: Children, start: int, stop: int) -> ast.Parameter:
        return ast.Parameter(self.text(c[0]), c[1], c[2], span=self.span(start, stop), name_span=self.at(c[0]))

    def do_declaration(self, c: Children, start: int, stop: int) -> ast.Declaration:
        names, kind = c
        return ast.Declaration(
            tuple(self.text(token) for token in names),
            kind,
            span=self.span(start, stop),
            name_spans=tuple(self.at(token) for token in names),
        )

    def do_untyped_declaration(self, c: Children, start: int, stop: int) -> ast.Declaration:
        names, domain, bracket = c
        unit, unit_span = self.unit_of(bracket)
        at = domain.span if bracket is None else domain.span.to(bracket[2])
        kind = ast.TypeExpr(None, domain=domain, unit=unit, unit_span=unit_span, span=at)
        return self.do_declaration([names, kind], start, stop)

    def do_type(self, c: Children, start: int, stop: int) -> ast.TypeExpr:
        (name, name_span, members, member_spans, brackets, *content), domain, last = c
        size: tuple[int, int] | None = None
        unit, unit_span = None, None
        for at, bracket in enumerate(brackets):
            if bracket[0] == "size" and at == 0:
                size = bracket[1]
            elif bracket[0] == "unit" and at == len(brackets) - 1:
                unit, unit_span = bracket[1], bracket[2]
            else:
                self.diagnostics.append(report("AS0119", bracket[2], found=bracket[2].text))
        if last is not None:
            if unit is not None:
                self.diagnostics.append(report("AS0119", last[2], found=last[2].text))
            else:
                unit, unit_span = self.unit_of(last)
        return ast.TypeExpr(
            name, members, size, domain, unit, content[0] if content else None,
            span=self.span(start, stop), name_span=name_span, member_spans=member_spans, unit_span=unit_span,
        )  # fmt: skip

    def unit_of(self, bracket: tuple[str, Any, Span] | None) -> tuple[str | None, Span | None]:
        """The unit behind a domain, where a size has no place."""
        if bracket is None:
            return None, None
        if bracket[0] == "unit":
            return bracket[1], bracket[2]
        self.diagnostics.append(report("AS0119", bracket[2], found=bracket[2].text))
        return None, None

    def do_base(self, c: Children, start: int, stop: int) -> tuple[Any, ...]:
        token, *brackets = c
        return self.text(token), self.at(token), (), (), brackets

    def do_content_base(self, c: Children, start: int, stop: int) -> tuple[Any, ...]:
        token, arguments = c
        call = ast.Call(self.name_of(token), tuple(arguments), span=self.span(start, stop))
        return self.text(token), self.at(token), (), (), [], call

    def do_enum(self, c: Children, start: int, stop: int) -> tuple[Any, ...]:
        spans = tuple(self.at(token) for token in c)
        return "enum", self.span(start, start + 4), tuple(self.text(token) for token in c), spans, []

    def do_size(self, c: Children, start: int, stop: int) -> tuple[str, tuple[int, int], Span]:
        numbers = [self.whole(token) or 0 for token in c]
        return "size", (numbers[0], numbers[-1]), self.span(start, stop)

    def do_unit(self, c: Children, start: int, stop: int) -> tuple[str, str, Span]:
        inner = self.source.text[start + 1 : stop - 1].split("#")[0]
        return "unit", "".join(inner.replace("`", "").split()), self.span(start, stop)
