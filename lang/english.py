"""A formula read out in English: ``G (a -> F[<= 5] b)`` is "always: whenever a, then within 5 steps b".

The reading is of the syntax tree, and says what ``docs/language/`` defines, no less: that ``b`` must come in
``a U b``, that ``X`` needs a next step. Where grouping could be mistaken it keeps brackets. What is nested
deeper than :data:`DEPTH` is shown as ``...``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from agentc.lang.ast import (
    Argument,
    Attribute,
    Binary,
    Bool,
    Bound,
    Call,
    Compare,
    Each,
    Expr,
    From,
    Index,
    Infinity,
    Interval,
    ListExpr,
    Member,
    Name,
    Nary,
    Number,
    Quantity,
    Range,
    SetExpr,
    String,
    Temporal,
    TemporalBinary,
    TupleExpr,
    Unary,
)

DEPTH = 40
"""How deep a formula is read; below stands ``...``."""

MANY = 60
"""How many members of one chain of ``&`` or ``|`` are read."""


class _Form(IntEnum):
    """How far a reading reaches, which decides where it needs brackets."""

    ATOM = 0  # "x is 3"
    CHAIN = 1  # "a and b"
    PREFIX = 2  # "eventually a": reaches to its end
    OPEN = 3  # "a and eventually b": a chain that ends in a prefix
    CLAUSE = 4  # "if a, then b"


class _Reading(NamedTuple):
    text: str
    form: _Form


_CUT = _Reading("...", _Form.ATOM)
_RELATION = {
    "==": "is", "!=": "is not", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least",
}  # fmt: skip
_NEGATED = {"==": "!=", "!=": "=="}
_MIRRORED = {"<": ">", "<=": ">="}


def english(expr: Expr) -> str:
    """The formula in English; it reads whatever the parser yields, and never fails."""
    return _read(expr, DEPTH).text


def _read(expr: Expr, depth: int) -> _Reading:
    if depth <= 0:
        return _CUT
    depth -= 1
    match expr:
        case Name(id="first" | "last" as which):
            return _Reading(f"this is the {which} step", _Form.ATOM)
        case Unary(op="!", operand=operand):
            return _negation(operand, depth)
        case Nary(op="&" | "|"):
            return _chain(expr, depth)
        case Binary(op="->"):
            return _implication("if", expr, depth)
        case Binary(op="<->", left=left, right=right):
            return _Reading(f"{_closed(left, depth)} exactly when {_closed(right, depth)}", _Form.CLAUSE)
        case Binary(op="xor", left=left, right=right):
            return _Reading(f"either {_closed(left, depth)} or {_closed(right, depth)}, but not both", _Form.CLAUSE)
        case Compare(ops=ops, operands=operands):
            return _comparison(ops, operands, depth)
        case Member(item=item, domain=domain, negated=negated):
            return _Reading(_membership(item, domain, negated, depth), _Form.ATOM)
        case From(item=item, source=source):
            return _Reading(f"{_value(item, depth)} comes from {_value(source, depth)}", _Form.ATOM)
        case Temporal():
            return _temporal(expr, depth)
        case TemporalBinary():
            return _Reading(_temporal_binary(expr, depth), _Form.CLAUSE)
        case Each(names=names, body=body):
            return _Reading(f"for each {_list(list(names), 'and')}: {_read(body, depth).text}", _Form.PREFIX)
        case _:
            return _Reading(_value(expr, depth), _Form.ATOM)


def _closed(expr: Expr, depth: int) -> str:
    """The reading with brackets round all but an atom."""
    reading = _read(expr, depth)
    return reading.text if reading.form is _Form.ATOM else f"({reading.text})"


def _list(words: list[str], junction: str) -> str:
    if len(words) < 3:
        return f" {junction} ".join(words)
    return f"{', '.join(words[:-1])} {junction} {words[-1]}"


# ---------------------------------------------------------------- Boolean operators


def _negation(operand: Expr, depth: int) -> _Reading:
    match operand:
        case Member(item=item, domain=domain, negated=negated):
            return _Reading(_membership(item, domain, not negated, depth), _Form.ATOM)
        case Compare(ops=(op,), operands=operands) if op in _NEGATED:
            return _comparison((_NEGATED[op],), operands, depth)
        case Name(id="first" | "last" as which):
            return _Reading(f"this is not the {which} step", _Form.ATOM)
        case Temporal(op="F" | "O" as op, interval=None, operand=inner):
            return _Reading(f"{'never' if op == 'F' else 'so far never'}: {_read(inner, depth).text}", _Form.PREFIX)
        case Name() | Attribute() | Call() | Bool():
            return _Reading(f"not {_closed(operand, depth)}", _Form.ATOM)
        case _:
            return _Reading(f"not ({_read(operand, depth).text})", _Form.ATOM)


def _chain(expr: Nary, depth: int) -> _Reading:
    """``a, b and c``. A prefix may close the chain without brackets if all before it are atoms."""
    shown = expr.operands if len(expr.operands) <= MANY else expr.operands[: MANY - 1]
    *before, end = [_read(operand, depth) for operand in shown]
    atoms = all(reading.form is _Form.ATOM for reading in before) and len(shown) == len(expr.operands)
    words = [r.text if r.form is _Form.ATOM else f"({r.text})" for r in before]
    is_open = atoms and end.form is _Form.PREFIX
    words.append(end.text if end.form is _Form.ATOM or is_open else f"({end.text})")
    if len(shown) < len(expr.operands):
        words.append(f"{len(expr.operands) - len(shown)} more")
    return _Reading(_list(words, "and" if expr.op == "&" else "or"), _Form.OPEN if is_open else _Form.CHAIN)


def _implication(word: str, expr: Binary, depth: int) -> _Reading:
    condition, consequence = _read(expr.left, depth), _read(expr.right, depth)
    left = condition.text if condition.form <= _Form.CHAIN else f"({condition.text})"
    right = consequence.text if consequence.form < _Form.CLAUSE else f"({consequence.text})"
    return _Reading(f"{word} {left}, then {right}", _Form.CLAUSE)


# ---------------------------------------------------------------- atoms and values


def _comparison(ops: tuple[str, ...], operands: tuple[Expr, ...], depth: int) -> _Reading:
    values = [_value(operand, depth) for operand in operands]
    if len(ops) == 2 and all(op in _MIRRORED for op in ops):  # 0 <= x < 5
        low, middle, high = values
        relation = f"{_RELATION[_MIRRORED[ops[0]]]} {low} and {_RELATION[ops[1]].removeprefix('is ')} {high}"
        return _Reading(f"{middle} {relation}", _Form.CHAIN)
    parts = [f"{values[i]} {_RELATION.get(op, op)} {values[i + 1]}" for i, op in enumerate(ops)]
    return _Reading(_list(parts, "and"), _Form.ATOM if len(parts) == 1 else _Form.CHAIN)


def _membership(item: Expr, domain: Expr, negated: bool, depth: int) -> str:
    subject, be = _value(item, depth), "is not" if negated else "is"
    match domain:
        case Call(function=Name(id="seen"), arguments=(argument,)):
            where = _value(argument.value, depth)
            return f"{subject} occurs in {'no' if negated else 'some'} {where} seen so far"
        case SetExpr(items=items) if items:
            members = _list([_value(member, depth) for member in items], "or")
            return f"{subject} {'is none of' if negated and len(items) > 1 else be} {members}"
        case Range(lo=Infinity() | Unary(operand=Infinity()), hi=hi):
            return f"{subject} {be} at most {_value(hi, depth)}"
        case Range(lo=lo, hi=Infinity()):
            return f"{subject} {be} at least {_value(lo, depth)}"
        case Range(lo=lo, hi=hi):
            return f"{subject} {be} between {_value(lo, depth)} and {_value(hi, depth)}"
        case _:
            return f"{subject} {be} in {_value(domain, depth)}"


def _value(expr: Expr, depth: int) -> str:
    """Something that is no formula: a number, a signal, arithmetic; a formula there stands in brackets."""
    if depth <= 0:
        return _CUT.text
    depth -= 1
    match expr:
        case Name(id=name):
            return name
        case Number(text=text) | Quantity(text=text):
            return text
        case String(value=text):
            return f"“{text}”"
        case Bool(value=truth):
            return "true" if truth else "false"
        case Infinity():
            return "infinity"
        case Attribute(base=Name(id="prev"), name=name):
            return f"the previous {name}"
        case Attribute(base=base, name=name):
            return f"{_value(base, depth)}.{name}"
        case Index(base=base, index=index):
            return f"{_value(base, depth)}[{_value(index, depth)}]"
        case TupleExpr(items=items):
            return f"({', '.join(_value(item, depth) for item in items)})"
        case ListExpr(items=items):
            return f"[{', '.join(_value(item, depth) for item in items)}]"
        case Unary(op="-" | "+" as sign, operand=operand):
            return f"{sign}{_factor(operand, depth)}"
        case Binary(op="-" | "/" | "**" as op, left=left, right=right):
            return f"{_factor(left, depth)} {op} {_factor(right, depth)}"
        case Nary(op="+" | "*" as op, operands=operands):
            return f" {op} ".join(_factor(operand, depth) for operand in operands)
        case Call():
            return _call(expr, depth)
        case Unary() | Binary() | Nary() | Compare() | Member() | From() | Temporal() | TemporalBinary() | Each():
            return f"({_read(expr, depth).text})"
        case _:
            return _CUT.text


def _factor(expr: Expr, depth: int) -> str:
    text = _value(expr, depth)
    return f"({text})" if isinstance(expr, Binary | Nary) and not text.startswith("(") else text


def _call(expr: Call, depth: int) -> str:
    arguments = [_argument(argument, depth) for argument in expr.arguments]
    window = f" {_some_past(expr.interval, depth)}" if expr.interval is not None else ""
    match expr.function, expr.arguments:
        case Name(id="count"), (_,):
            return (
                f"the number of steps so far with {arguments[0]}"
                if not window
                else (f"the number of steps with {arguments[0]}{window}")
            )
        case Name(id="sum"), (argument,):
            when = f" over the steps with {_value(argument.when, depth)}" if argument.when is not None else ""
            return f"the sum of {_value(argument.value, depth)}{when}{window}"
        case Name(id="rate"), (_, _):
            return f"the rate of {arguments[0]} per {arguments[1]}"
        case Name(id="hoa"), (_, *_):
            bound = f" for {', '.join(arguments[1:])}" if arguments[1:] else ""
            return f"the automaton of {arguments[0]} accepts what follows{bound}"
        case Name(id="abs"), (_,):
            return f"the size of {arguments[0]}"
        case Name(id="dist"), (_, _):
            return f"the distance from {arguments[0]} to {arguments[1]}"
        case function, _:
            return f"{_value(function, depth)}{window}({', '.join(arguments)})"


def _argument(argument: Argument, depth: int) -> str:
    name = f"{argument.name} = " if argument.name is not None else ""
    when = f" when {_value(argument.when, depth)}" if argument.when is not None else ""
    return f"{name}{_value(argument.value, depth)}{when}"


# ---------------------------------------------------------------- temporal operators


class _Window(NamedTuple):
    """The bounds of an interval in words; ``lo`` is None where it is now, ``hi`` where there is no end."""

    lo: str | None
    hi: str | None
    span: str  # "2 to 5 steps", where there are both

    @property
    def is_now(self) -> bool:
        """Whether the interval is ``[0, 0]``."""
        return self.lo is None and self.hi == _NOW


_NOW = "now"


def _window(interval: Interval, depth: int) -> _Window:
    lo, hi = interval.lo, interval.hi
    if interval.form == "count":
        lo = hi = lo or hi
    if lo is not None and _is_zero(lo):
        lo = None
    if hi is None or isinstance(hi.value, Infinity):
        return _Window(_bound(lo, depth) if lo else None, None, "")
    if lo is None:
        return _Window(None, _NOW if _is_zero(hi) else _bound(hi, depth), "")
    low, high = _bound(lo, depth), _bound(hi, depth)
    if low == high:
        return _Window(low, high, f"exactly {low}")
    short = lo.value.text if isinstance(lo.value, Number) and lo.count == hi.count else low
    return _Window(low, high, f"{short} to {high}")


def _is_zero(bound: Bound) -> bool:
    return isinstance(bound.value, Number | Quantity) and bound.value.value == 0


def _bound(bound: Bound | None, depth: int) -> str:
    if bound is None:
        return "1 step"
    text = _value(bound.value, depth)
    if isinstance(bound.value, Quantity):
        return text
    unit = bound.count or "steps"
    return f"{text} {unit.removesuffix('s') if text == '1' else unit}"


def _some(interval: Interval | None, depth: int) -> str:
    """When ``F`` has it."""
    window = _window(interval, depth) if interval is not None else _Window(None, None, "")
    if window.is_now:
        return "now"
    if window.hi is None:
        return f"{window.lo} from now or later" if window.lo else "eventually"
    return f"{window.span} from now" if window.lo else f"within {window.hi}"


def _all(interval: Interval | None, depth: int) -> str:
    """When ``G`` has it."""
    window = _window(interval, depth) if interval is not None else _Window(None, None, "")
    if window.is_now:
        return "now"
    if window.hi is None:
        return f"always from {window.lo} on" if window.lo else "always"
    if window.lo is None:
        return f"throughout the next {window.hi}"
    if window.lo == window.hi:
        return f"{window.span} from now, if the trace lasts"
    return f"throughout {window.span} from now"


def _some_past(interval: Interval | None, depth: int) -> str:
    """When ``O`` has it."""
    window = _window(interval, depth) if interval is not None else _Window(None, None, "")
    if window.is_now:
        return "now"
    if window.hi is None:
        return f"{window.lo} ago or earlier" if window.lo else "at some step so far"
    return f"{window.span} ago" if window.lo else f"within the last {window.hi}"


def _all_past(interval: Interval | None, depth: int) -> str:
    """When ``H`` has it."""
    window = _window(interval, depth) if interval is not None else _Window(None, None, "")
    if window.is_now:
        return "now"
    if window.hi is None:
        return f"always until {window.lo} ago" if window.lo else "so far always"
    if window.lo is None:
        return f"throughout the last {window.hi}"
    if window.lo == window.hi:
        return f"{window.span} ago, if the trace reaches back"
    return f"throughout {window.span} ago"


def _temporal(expr: Temporal, depth: int) -> _Reading:
    match expr.op:
        case "G" | "H":
            return _always(expr, depth)
        case "F":
            when = _some(expr.interval, depth)
        case "O":
            when = _some_past(expr.interval, depth)
        case "X" | "WX":
            far = _steps(expr.interval, depth)
            when = f"exactly {far} from now" if far else "at the next step"
            if expr.op == "WX":
                when += ", if the trace lasts," if far else ", if there is one,"
        case _:
            far = _steps(expr.interval, depth)
            when = f"exactly {far} ago" if far else "at the previous step"
            if expr.op == "WY":
                when += ", if the trace reaches back," if far else ", if there was one,"
    reading = _read(expr.operand, depth)
    if reading.form is _Form.PREFIX:
        return _Reading(f"{when.removesuffix(',')}, {reading.text}", _Form.PREFIX)
    return _Reading(f"{when} {reading.text if reading.form is _Form.ATOM else f'({reading.text})'}", _Form.PREFIX)


def _steps(interval: Interval | None, depth: int) -> str | None:
    """The count of ``X[3]``; None for one step."""
    if interval is None:
        return None
    far = _bound(interval.lo or interval.hi, depth)
    return None if far == "1 step" else far


def _always(expr: Temporal, depth: int) -> _Reading:
    when = _all(expr.interval, depth) if expr.op == "G" else _all_past(expr.interval, depth)
    match expr.operand:
        case Unary(op="!", operand=operand) if expr.interval is None:
            never = "never" if expr.op == "G" else "so far never"
            return _Reading(f"{never}: {_read(operand, depth).text}", _Form.PREFIX)
        case Binary(op="->") as implication:
            return _Reading(f"{when}: {_implication('whenever', implication, depth).text}", _Form.PREFIX)
        case operand:
            return _Reading(f"{when}: {_read(operand, depth).text}", _Form.PREFIX)


def _temporal_binary(expr: TemporalBinary, depth: int) -> str:
    left, right = _closed(expr.left, depth), _closed(expr.right, depth)
    timed = expr.interval is not None
    some = f" {_some(expr.interval, depth)}" if timed else ""
    match expr.op:
        case "U":
            return f"{left} until {right}, which must come{some}"
        case "M":
            return f"{right} up to and including a step with {left}, which must come{some}"
        case "W" if not timed:
            return f"{left} until {right}, which may never come"
        case "W":
            return f"{_all(expr.interval, depth)}: {left}, unless {right} has come by then"
        case "R" if not timed:
            return f"{right} up to and including a step with {left}, which may never come"
        case "R":
            return f"{_all(expr.interval, depth)}: {right}, unless {left} came before"
        case "S":
            when = f" {_some_past(expr.interval, depth)}" if timed else ""
            return f"{left} ever since a step with {right}, which must have come{when}"
        case _:
            return f"{_all_past(expr.interval, depth)}: {right}, unless {left} came after it"
