"""Nesting without bound is refused in words, chains without bound are not, and neither meets Python's own bound."""

import sys

import pytest

from agentc.lang import ast
from agentc.lang.lalr import MAX_DEPTH
from agentc.lang.parser import parse, parse_formula
from agentc.lang.printer import format_module
from agentc.lang.source import Source

MANY = 100_000
SOME = 3_000


def nested(many):
    return {
        "parentheses": "(" * many + "a" + ")" * many,
        "open parentheses": "(" * many + "a",
        "negations": "!" * many + "a",
        "words": "not " * many + "a",
        "temporal": "G " * many + "a",
        "implications": "a -> " * many + "a",
        "untils": "a U " * many + "a",
        "equivalences": "a" + " <-> a" * many,
        "calls": "f(" * many + "a" + ")" * many,
        "indices": "a[" * many + "a" + "]" * many,
        "fields": "a" + ".b" * many,
        "differences": "a" + " - a" * many + " == 3",
        "signs": "- " * many + "a == 3",
        "powers": "a ** " * many + "a == 3",
        "tuples": "(a, " * many + "a" + ")" * many,
        "mixed": "(a & !" * many + "a" + ")" * many,
        "brackets": "[" * many,
        "intervals": "F[" * many,
        "sets": "x in {" * many,
    }


REFUSED_AS_TEXT = {"brackets", "intervals", "sets"}


@pytest.mark.parametrize("name", nested(1))
def test_nesting_is_refused(name):
    refused(name, nested(MANY if name in ("parentheses", "negations") else SOME)[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", nested(1))
def test_deep_nesting_is_refused(name):
    refused(name, nested(MANY)[name])


def refused(name, text):
    codes = {d.code for d in parse_formula(Source("<formula>", text))[1]}
    assert codes and (name in REFUSED_AS_TEXT or codes == {"AS0104"})
    result = parse(Source("f", f"agent A {{\n task t = {text}\n prop b = c == = 3\n}}"))
    codes = [d.code for d in result.diagnostics]
    assert codes and len(codes) <= 3
    if name not in REFUSED_AS_TEXT:
        assert codes == ["AS0104", "AS0108"]  # and the next item is still looked at


def blocks(many):
    return {
        "braces": "{" * many,
        "agents": "agent A {" * many,
        "roles": "agent A {" + "role a {" * many + "}" * (many + 1),
        "records": "const x = " + "{ a = " * many + "1" + "}" * many,
        "lists": "const x = " + "[" * many + "]" * many,
        "closing": "}" * many,
        "quotes": '"' * many,
        "docstrings": '"""' * many,
        "unknown characters": "$ " * many,
        "words": "a " * many,
        "lines": "a\n" * many,
        "rewards": "agent A {\n" + "reward {\n" * many,
        "modes": "system s {\n" + "mode m {\n" * many,
    }


@pytest.mark.parametrize("name", blocks(1))
def test_nested_blocks_are_refused(name):
    refused_block(blocks(SOME)[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", blocks(1))
def test_deeply_nested_blocks_are_refused(name):
    refused_block(blocks(MANY)[name])


def refused_block(text):
    source = Source("f", text)
    result = parse(source)
    assert result.diagnostics
    format_module(result.module, source)


def test_chains_are_no_nesting():
    for sign in ("&", "|", "+", "*"):
        expression, diagnostics = parse_formula(Source("<formula>", f" {sign} ".join(["a"] * 10_000)))
        assert diagnostics == () and isinstance(expression, ast.Nary) and len(expression.operands) == 10_000
    result = parse(Source("f", "prop a = b\n" * 10_000))
    assert result.diagnostics == () and len(result.module.items) == 10_000


def depth(node):
    """Levels of a tree, counted without recursion."""
    deepest = 0
    pending = [(node, 1)]
    while pending:
        node, level = pending.pop()
        if isinstance(node, tuple):
            pending += [(child, level) for child in node]
        elif isinstance(node, ast.Node):
            deepest = max(deepest, level)
            pending += [(getattr(node, name), level + 1) for name in node.__dataclass_fields__]
    return deepest


def test_the_bound_is_the_bound():
    for levels in range(MAX_DEPTH - 5, MAX_DEPTH + 3):
        expression, diagnostics = parse_formula(Source("<formula>", "!" * levels + "a"))
        assert (diagnostics == ()) == (levels < MAX_DEPTH)
        assert depth(expression) <= MAX_DEPTH
    for text in ("a" + " - a" * 1000, "a" + ".b" * 1000, "a" + " <-> a" * 1000):
        expression, diagnostics = parse_formula(Source("<formula>", text))
        assert depth(expression) <= MAX_DEPTH
        assert [d.code for d in diagnostics] == ["AS0104"]  # once, however often the bound is met


def test_trees_at_the_bound_can_be_walked():
    """Comparison, hashing and printing recurse; at the bound they stay far from Python's limit."""
    levels = MAX_DEPTH - 8
    text = "agent A {\n  task t = " + "!(a & " * (levels // 3) + "a" + ")" * (levels // 3) + "\n}\n"
    source = Source("f", text)
    module = parse(source).module
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(limit // 2 + 300)
        assert module == parse(source).module
        hash(module)
        assert parse(Source("f", format_module(module, source))).module == module
    finally:
        sys.setrecursionlimit(limit)
