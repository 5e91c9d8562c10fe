"""Expressions, types and values as text: minimal parentheses, long formulas broken at their operators.

Every level of recursion here is a level of the tree, whose depth the parser bounds.
"""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.literals import write_name, write_string

WIDTH = 100
"""Lines are broken where they would be longer."""

# How tight an expression binds: what stands inside must bind at least as tight as its place asks.
HEAD, IFF, IMPLIES, XOR, OR, AND, UNTIL, UNARY, COMPARISON, SUM, PRODUCT, SIGNED, POWER, POSTFIX, ATOM = range(15)

_NARY = {"|": OR, "&": AND, "+": SUM, "*": PRODUCT}
_BINARY = {
    "<->": (IFF, IFF, IMPLIES),
    "->": (IMPLIES, XOR, IMPLIES),
    "xor": (XOR, XOR, OR),
    "-": (SUM, SUM, PRODUCT),
    "/": (PRODUCT, PRODUCT, SIGNED),
    "**": (POWER, POSTFIX, SIGNED),
}
"""Level of the whole, of its left and of its right side."""


def level(expr: ast.Expr) -> int:
    """How tight an expression binds."""
    match expr:
        case ast.Nary(op=op):
            return _NARY[op]
        case ast.Binary(op=op):
            return _BINARY[op][0]
        case ast.Unary(op="!") | ast.Temporal():
            return UNARY
        case ast.Unary():
            return SIGNED
        case ast.TemporalBinary():
            return UNTIL
        case ast.Compare() | ast.Member() | ast.From():
            return COMPARISON
        case ast.Each():
            return HEAD
        case ast.Attribute() | ast.Call() | ast.Index():
            return POSTFIX
    return ATOM


def text(expr: ast.Expr, least: int = HEAD) -> str:
    """The expression on one line, in parentheses if it binds less tight than ``least``."""
    if level(expr) < least:
        return f"({text(expr)})"
    match expr:
        case ast.Name(id=name):
            return write_name(name)
        case ast.Number(text=written) | ast.Quantity(text=written):
            return written
        case ast.String(value=value):
            return write_string(value)
        case ast.Bool(value=value):
            return "true" if value else "false"
        case ast.Infinity():
            return "inf"
        case ast.ErrorExpr():
            return expr.span.text
        case ast.Nary(op=op, operands=operands):
            return f" {op} ".join(text(operand, place) for operand, place in zip(operands, places(expr), strict=True))
        case ast.Binary(op=op, left=left, right=right):
            _, least_left, least_right = _BINARY[op]
            return f"{text(left, least_left)} {op} {text(right, least_right)}"
        case ast.Unary(op=op, operand=operand):
            return op + text(operand, _under_not(operand) if op == "!" else SIGNED)
        case ast.Temporal():
            return prefix(expr) + text(expr.operand, UNARY)
        case ast.TemporalBinary(left=left, right=right):
            return f"{text(left, UNARY)} {operator(expr)} {text(right, UNTIL)}"
        case ast.Compare(ops=ops, operands=operands):
            sides = [text(operand, SUM) for operand in operands]
            return sides[0] + "".join(f" {op} {side}" for op, side in zip(ops, sides[1:], strict=True))
        case ast.Member(item=item, domain=domain, negated=negated):
            return f"{text(item, SUM)} {'not in' if negated else 'in'} {text(domain, SUM)}"
        case ast.From(item=item, source=source):
            return f"{text(item, SUM)} from {text(source, SUM)}"
        case ast.Each(names=names, body=body):
            return f"each {', '.join(map(write_name, names))} : {text(body, IFF)}"
        case ast.Attribute(base=base, name=name):
            shown = name if name == "from" else write_name(name)
            return f"{_base(base)}.{shown}"
        case ast.Index(base=base, index=index):
            return f"{text(base, POSTFIX)}[{text(index, IFF)}]"
        case ast.Call(function=function, arguments=arguments, interval=interval):
            window = "" if interval is None else interval_text(interval)
            return f"{text(function, POSTFIX)}{window}({', '.join(map(argument, arguments))})"
        case ast.TupleExpr(items=items):
            return f"({', '.join(text(item, IFF) for item in items)})"
        case ast.ListExpr(items=items):
            return f"[{', '.join(text(item, IFF) for item in items)}]"
        case ast.SetExpr(items=items):
            return f"{{{', '.join(text(item, SUM) for item in items)}}}"
        case ast.Range(lo=lo, hi=hi):
            low = "(-inf" if isinstance(lo, ast.Unary) and isinstance(lo.operand, ast.Infinity) else f"[{text(lo, SUM)}"
            return f"{low}, inf)" if isinstance(hi, ast.Infinity) else f"{low}, {text(hi, SUM)}]"
        case ast.Record(entries=entries):
            return f"{{ {'; '.join(map(entry, entries))} }}" if entries else "{}"
    raise TypeError(f"no expression: {type(expr).__name__}")


def places(expr: ast.Nary) -> list[int]:
    """How tight each operand of a chain must bind; ``a - b + c`` needs no parentheses."""
    place = _NARY[expr.op]
    first = place + 1
    if expr.op in "+*" and isinstance(expr.operands[0], ast.Binary) and level(expr.operands[0]) == place:
        first = place
    return [first] + [place + 1] * (len(expr.operands) - 1)


def _under_not(operand: ast.Expr) -> int:
    """``!(a == b)`` keeps the parentheses that it does not need: ``!a == b`` is read wrongly too easily."""
    return SUM if level(operand) == COMPARISON else UNARY


def _base(base: ast.Expr) -> str:
    """What stands before a dot: not a bare number, which would take the dot for its own."""
    return f"({text(base)})" if isinstance(base, ast.Number | ast.Quantity) else text(base, POSTFIX)


def operator(expr: ast.Temporal | ast.TemporalBinary) -> str:
    """A temporal operator with its interval, letter or word as it was written."""
    return (expr.word or expr.op) + ("" if expr.interval is None else interval_text(expr.interval))


def prefix(expr: ast.Temporal) -> str:
    """A unary temporal operator with the blank behind it."""
    return operator(expr) + " "


def interval_text(interval: ast.Interval) -> str:
    """``[a, b]``, ``[a, inf)``, ``[<= b]``, ``[>= a]``, ``[k]``."""
    lo = "" if interval.lo is None else bound(interval.lo)
    hi = "" if interval.hi is None else bound(interval.hi)
    match interval.form:
        case "closed":
            return f"[{lo}, {hi}]"
        case "up":
            return f"[{lo}, inf)"
        case "at_most":
            return f"[<= {hi}]"
        case "at_least":
            return f"[>= {lo}]"
    return f"[{lo}]"


def bound(value: ast.Bound) -> str:
    """A bound with what it counts."""
    shown = text(value.value, SUM)
    if value.count is None:
        return shown
    return f"{shown} {value.count[:-1] if shown == '1' else value.count}"


def argument(value: ast.Argument) -> str:
    """An argument of a call."""
    if value.name is not None:
        return f"{write_name(value.name)} = {text(value.value, IFF)}"
    if value.when is not None:
        return f"{text(value.value, IFF)} when {text(value.when, IFF)}"
    return text(value.value, IFF)


def entry(value: ast.Entry) -> str:
    """An entry of a record."""
    shown = text(value.value, IFF)
    return shown if value.key is None else f"{write_name(value.key)} = {shown}"


def type_text(kind: ast.TypeExpr) -> str:
    """A type with its size, domain and unit."""
    parts = []
    if kind.members:
        parts.append(f"enum {{{', '.join(map(write_name, kind.members))}}}")
    elif kind.content is not None:
        parts.append(f"{text(kind.content.function)}({', '.join(map(argument, kind.content.arguments))})")
    elif kind.name is not None:
        size = ""
        if kind.size is not None:
            lo, hi = kind.size
            size = f"[{lo}]" if lo == hi else f"[{lo}..{hi}]"
        parts.append(write_name(kind.name) + size)
    if kind.domain is not None:
        parts.append("in " + text(kind.domain, SUM))
    if kind.unit is not None:
        parts.append(f"[{_unit(kind.unit)}]")
    return " ".join(parts)


def _unit(unit: str) -> str:
    """A unit, its reserved letters in back-ticks."""
    out, word = [], ""
    for character in unit + " ":
        if character.isalnum() or character == "_":
            word += character
            continue
        out.append(write_name(word) + character)
        word = ""
    return "".join(out).rstrip()


def declaration(value: ast.Declaration) -> str:
    """``x, y : real [m]``, or ``w in [-1, 1]`` where the type is left to the domain."""
    names = ", ".join(map(write_name, value.names))
    return f"{names} {type_text(value.type)}" if value.type.name is None else f"{names} : {type_text(value.type)}"


def parameters(values: tuple[ast.Parameter, ...]) -> str:
    """A list of parameters in parentheses."""
    parts = []
    for value in values:
        default = "" if value.default is None else f" = {text(value.default, IFF)}"
        parts.append(f"{write_name(value.name)} : {type_text(value.type)}{default}")
    return f"({', '.join(parts)})"


def wrapped(expr: ast.Expr, column: int, indent: int, least: int = HEAD) -> str:
    """The expression from ``column`` on, over several lines if it is long.

    Lines behind the first are indented by ``indent``. A line is broken only where the newline cannot separate:
    before a logical operator, behind an arithmetic one, or inside parentheses.
    """
    flat = text(expr, least)
    if column + len(flat) <= WIDTH:
        return flat
    pad = " " * indent
    if level(expr) < least:
        return f"(\n{pad}  {wrapped(expr, indent + 2, indent + 2)}\n{pad})"
    match expr:
        case ast.Nary(op=("&" | "|") as op, operands=operands):
            least_inside = _NARY[op] + 1
            parts = [wrapped(operands[0], column, indent, least_inside)]
            parts += [wrapped(operand, indent + 2, indent + 2, least_inside) for operand in operands[1:]]
            return f"\n{pad}{op} ".join(parts)
        case ast.Nary(op=op, operands=operands):
            return _filled([text(o, p) for o, p in zip(operands, places(expr), strict=True)], op, column, indent)
        case ast.Binary(op=("->" | "<->" | "xor") as op, left=left, right=right):
            _, least_left, least_right = _BINARY[op]
            shown = wrapped(right, indent + len(op) + 1, indent + 2, least_right)
            return f"{wrapped(left, column, indent, least_left)}\n{pad}{op} {shown}"
        case ast.TemporalBinary(left=left, right=right):
            sign = operator(expr)
            shown = wrapped(right, indent + len(sign) + 1, indent + 2, UNTIL)
            return f"{wrapped(left, column, indent, UNARY)}\n{pad}{sign} {shown}"
        case ast.Temporal(operand=operand):
            before = prefix(expr)
            return before + wrapped(operand, column + len(before), indent, UNARY)
        case ast.Unary(op="!", operand=operand):
            return "!" + wrapped(operand, column + 1, indent, _under_not(operand))
        case ast.Each(names=names, body=body):
            before = f"each {', '.join(map(write_name, names))} : "
            return before + wrapped(body, column + len(before), indent, IFF)
        case ast.Call(function=function, arguments=arguments) if arguments:
            window = "" if expr.interval is None else interval_text(expr.interval)
            inside = f",\n{pad}  ".join(map(argument, arguments))
            return f"{text(function, POSTFIX)}{window}(\n{pad}  {inside}\n{pad})"
        case ast.ListExpr(items=items) if items:
            shown = _filled([text(item, IFF) for item in items], ",", indent + 2, indent + 2)
            return f"[\n{pad}  {shown}\n{pad}]"
    return flat


def _filled(parts: list[str], sign: str, column: int, indent: int) -> str:
    """Parts with a sign between them, as many on each line as fit; a broken line ends with the sign."""
    blank = "" if sign == "," else " "
    out, at = parts[0], column + len(parts[0])
    for part in parts[1:]:
        if at + len(part) + 4 > WIDTH:
            out += f"{blank}{sign}\n{' ' * indent}{part}"
            at = indent + len(part)
        else:
            out += f"{blank}{sign} {part}"
            at += len(part) + 3
    return out
