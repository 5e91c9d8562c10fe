"""What can be written in a phase: the languages of its values, of its calls, and of a step as a whole.

A step is its label, its content and its end. A call is written as the tool's name and its arguments as compact JSON
with the keys in the declared order: ``Action: search {"query": "tea"}``. Texts are written in one way only (no escape
where none is needed), so that intersection and complement of values carry over to what is written.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from agentc.compiler.decoder import json_schema, lark_grammar
from agentc.compiler.decoder.bytes_automaton import byte_automaton
from agentc.compiler.decoder.context_free import Content, ContextFree
from agentc.compiler.decoder.json_text import json_text
from agentc.compiler.decoder.numerals import between, bounded, integers, reals
from agentc.compiler.decoder.regex_syntax import parse_regex
from agentc.compiler.decoder.regular import (
    EMPTY,
    Language,
    alt,
    any_char,
    any_text,
    both,
    cat,
    complement,
    containing,
    literal,
    repeat,
    substrings,
    up_to,
)
from agentc.compiler.logic.ir import Formula, Node, Term, Value, postorder
from agentc.compiler.logic.semantics import _holds as holds
from agentc.compiler.logic.semantics import apply
from agentc.compiler.writer import ArgumentIR, GeneratorIR, PhaseIR, ToolIR


def label(phase: str) -> str:
    """What a phase begins with: ``Thought: ``."""
    return f"{phase.replace('_', ' ').capitalize()}: "


# ---------------------------------------------------------------- values


def values(argument: ArgumentIR) -> Content:
    """The values of an argument's type as text (of a text its characters, before they are written as JSON)."""
    if argument.content is not None:
        made = content(argument.content, quoted=True)
        assert made is not None
        return made
    match argument.kind:
        case "bool":
            return alt(literal("true"), literal("false"))
        case "enum":
            return alt(*(literal(m) for m in argument.members))
        case "int":
            lo = None if argument.lo is None else math.ceil(argument.lo)
            return integers(lo, None if argument.hi is None else math.floor(argument.hi))
        case "real":
            return reals(_decimal(argument.lo), _decimal(argument.hi))
        case "text":
            lo, hi = argument.size or (0, None)
            return repeat(any_char(), lo, hi)
    raise ValueError(f"no value of type {argument.kind} can be written")


def _decimal(value: float | int | None) -> Decimal | None:
    """A bound as it is written: ``0.1`` is one tenth, as the double that a written ``0.1`` is read as."""
    return None if value is None else Decimal(repr(value))


# ---------------------------------------------------------------- values that make an atom true


def satisfying(atom: Formula, name: str, argument: ArgumentIR) -> Language | None:
    """The values of an argument, which the formulas call ``name``, for which an atom holds; None if it is not known.

    Only atoms that read nothing but the argument and compare it with constants are known.
    """
    predicate = atom.predicate
    if argument.kind == "bool":
        found = [v for v in (False, True) if _holds_for(predicate, name, v)]
        return alt(*(literal("true" if v else "false") for v in found))
    if argument.kind == "enum":
        return alt(*(literal(m) for m in argument.members if _holds_for(predicate, name, m)))
    fixed = _fixed(predicate, name)
    if fixed is None:
        return None
    subject, constants = fixed
    negated = predicate.value is True
    if subject == "length":
        if argument.kind != "text" or predicate.op != "compare":
            return None
        return _lengths(str(predicate.value), constants, predicate.args[0].op == "const")
    if argument.kind == "text":
        return _texts(predicate.op, str(predicate.value), constants, negated)
    return _numbers(predicate.op, str(predicate.value), constants, negated, predicate, argument)


def _holds_for(predicate: Node, name: str, value: Value) -> bool:
    """The reference semantics of a predicate for one value of the argument."""
    found: dict[Node, object] = {}
    for node in postorder(predicate):
        assert isinstance(node, Term)
        if node.op == "const":
            found[node] = node.value
        elif node.op == "signal":
            found[node] = value if node.value == name else None
        elif node.op == "prev":
            found[node] = None
        else:
            found[node] = apply(node, [found[a] for a in node.args])
    assert isinstance(predicate, Term)
    return holds(predicate, found[predicate])


def _constant(node: Node) -> Value:
    if node.op == "const":
        return node.value
    if node.op == "neg" and node.args[0].op == "const" and isinstance(node.args[0].value, int | float):
        return -node.args[0].value
    return None


def _fixed(predicate: Node, name: str) -> tuple[str, list[Value]] | None:
    """What is compared (``value`` or ``length``) and with which constants; None for another shape."""
    if predicate.op not in ("compare", "in_range", "in_set", "contains", "starts_with", "ends_with", "matches"):
        return None
    subjects = [a for a in predicate.args if _constant(a) is None]
    if len(subjects) != 1:
        return None
    at = subjects[0]
    if predicate.op != "compare" and at is not predicate.args[0]:
        return None
    constants = [_constant(a) for a in predicate.args if a is not at]
    if at.op == "signal" and at.value == name:
        return "value", constants
    if at.op == "length" and at.args[0].op == "signal" and at.args[0].value == name:
        return "length", constants
    return None


_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def _lengths(op: str, constants: Sequence[Value], mirrored: bool) -> Language | None:
    (c,) = constants
    if isinstance(c, bool) or not isinstance(c, int | float):
        return None
    op = _MIRROR[op] if mirrored else op
    one = any_char()
    whole = float(c).is_integer()
    match op:
        case "==":
            return repeat(one, int(c), int(c)) if whole and c >= 0 else EMPTY
        case "!=":
            return complement(repeat(one, int(c), int(c))) if whole and c >= 0 else any_text()
        case "<" | "<=":
            most = math.ceil(c) - 1 if op == "<" else math.floor(c)
            return EMPTY if most < 0 else repeat(one, 0, most)
    least = math.floor(c) + 1 if op == ">" else math.ceil(c)
    return repeat(one, max(least, 0), None)


def _texts(op: str, sign: str, constants: Sequence[Value], negated: bool) -> Language | None:
    if not all(isinstance(c, str) for c in constants):
        return None
    texts = [str(c) for c in constants]
    if op == "compare":
        if sign not in ("==", "!="):
            return None
        made = literal(texts[0])
        negated = sign == "!="
    elif op == "in_set":
        made = alt(*map(literal, texts))
    elif op == "contains":
        made = containing(literal(texts[0]))
    elif op == "starts_with":
        made = cat(literal(texts[0]), any_text())
    elif op == "ends_with":
        made = cat(any_text(), literal(texts[0]))
    elif op == "matches":
        made = parse_regex(texts[0])
    else:
        return None
    return complement(made) if negated else made


def _numbers(
    op: str, sign: str, constants: Sequence[Value], negated: bool, predicate: Node, argument: ArgumentIR
) -> Language | None:
    if any(isinstance(c, bool) or not isinstance(c, int | float) for c in constants):
        return None
    numbers = [Decimal(repr(c)) for c in constants if isinstance(c, int | float)]
    whole = argument.kind == "int"
    if op == "in_range":
        made = between(numbers[0], numbers[1], whole)
    elif op == "in_set":
        made = alt(*(between(n, n, whole) for n in numbers))
    elif op == "compare":
        (c,) = numbers
        sign = _MIRROR[sign] if _constant(predicate.args[0]) is not None else sign
        negated = sign == "!="
        if sign in ("==", "!="):
            made = between(c, c, whole)
        else:
            made = bounded(c, sign in ("<", "<="), sign in ("<", ">"), whole)
    else:
        return None
    return complement(made) if negated else made


# ---------------------------------------------------------------- how values are written


def seen_values(texts: Iterable[str]) -> Language:
    """Texts that occur in one of those that were seen."""
    return alt(*(substrings(t) for t in texts if t))


def is_json(argument: ArgumentIR) -> bool:
    """Whether an argument is a JSON value of its own, and not a text in quotes."""
    return argument.content is not None and argument.content.kind == "json"


def as_text(argument: ArgumentIR, value: Any) -> Value:
    """A value of an argument as the formulas have it: a JSON value is its text, as the decoder would write it."""
    if not is_json(argument):
        return value  # type: ignore[no-any-return]
    assert argument.content is not None
    return json_schema.written(json_schema.ordered(json_schema.read_schema(argument.content.texts[1]), value))


def fits(argument: ArgumentIR, value: Any) -> bool:
    """Whether a value is what an argument may hold, as far as that is regular."""
    assert argument.content is not None
    text, of = as_text(argument, value), values(argument)
    if not isinstance(text, str):
        return False
    return isinstance(of, ContextFree) or byte_automaton(of).accepts(text)


def call(tool: ToolIR, arguments: Sequence[Content]) -> tuple[Content, ...]:
    """A call of a tool with the values of its arguments."""
    parts: list[Content] = [literal(f"{tool.name} {{")]
    for i, (argument, of) in enumerate(zip(tool.arguments, arguments, strict=True)):
        parts.append(literal(f"{', ' if i else ''}{json.dumps(argument.name)}: "))
        if argument.kind in ("text", "enum") and not is_json(argument):
            parts += [literal('"'), of if isinstance(of, ContextFree) else json_text(of), literal('"')]
        else:
            parts.append(of)
    return joined([*parts, literal("}")])


def joined(parts: Iterable[Content]) -> tuple[Content, ...]:
    """One after the other, what is regular together."""
    found: list[Content] = []
    for part in parts:
        if found and isinstance(part, Language) and isinstance(found[-1], Language):
            found[-1] = cat(found[-1], part)
        else:
            found.append(part)
    return tuple(found)


@lru_cache(maxsize=256)
def content(generator: GeneratorIR, quoted: bool = False) -> Content | None:
    """What a generator of free content allows, inside of a JSON string if it is ``quoted``; None for calls and results.

    A regular content is never written otherwise: :func:`call` puts it in quotes as a whole. Raises as the readers of
    regexes, schemas and grammars do.
    """
    match generator.kind:
        case "text":
            return any_text()
        case "regex":
            return parse_regex(generator.texts[0])
        case "choice":
            return alt(*map(literal, generator.texts))
        case "json":
            schema = json_schema.read_schema(generator.texts[1])
            try:
                return json_schema.language_of(schema)
            except json_schema.NotRegularError as error:
                text = json_schema.for_engine(schema, error.why)
                start = f"j{hashlib.sha256(text.encode()).hexdigest()[:12]}"
                return ContextFree(start, f"{start}: %json {text}\n", error.why)
        case "grammar":
            grammar = lark_grammar.read_grammar(generator.texts[1])
            made = lark_grammar.content_of(grammar)
            return lark_grammar.content_of(grammar, json_text) if quoted and isinstance(made, ContextFree) else made
    return None


def ending(phase: PhaseIR) -> str:
    """The text that ends a phase."""
    return next((g.until for g in phase.generators if g.kind == "text" and g.until), "\n")


def step(phase: PhaseIR, inside: Sequence[Content]) -> tuple[Content, ...]:
    """A whole step: label, content, end. Free text goes to the first occurrence of its end."""
    end, parts = ending(phase), list(inside)
    if any(g.kind == "text" for g in phase.generators):
        (of,) = parts
        assert isinstance(of, Language), "a free text is regular"
        whole = both(up_to(end), cat(of, literal(end))) if of is not any_text() else up_to(end)
        return (cat(literal(label(phase.name)), whole),)
    return joined([literal(label(phase.name)), *parts, literal(end)])
