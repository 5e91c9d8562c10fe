"""Which newlines separate."""

import pytest

from agentc.lang.layout import SEPARATOR, separate
from agentc.lang.lexer import tokenize
from agentc.lang.source import Source
from agentc.lang.table import load_table

CASES = [
    ("a\nb", "a | b"),
    ("a ; b", "a | b"),
    ("a;\n\n;b;", "a | b"),
    ("\n\na\n\n", "a"),
    ("a &\nb", "a & b"),
    ("a\n& b", "a & b"),
    ("a\n-> b", "a -> b"),
    ("a\nU b", "a U b"),
    ("a\n+ b", "a | + b"),
    ("a\n- b", "a | - b"),
    ("a +\nb", "a + b"),
    ("a\nnot in b", "a not in b"),
    ("a\nnot b", "a | not b"),
    ("G\na", "G a"),
    ("F[0, 5]\na", "F [ 0 , 5 ] a"),
    ("x[0]\na", "x [ 0 ] | a"),
    ("f(a,\n b\n c)", "f ( a , b c )"),
    ("[1,\n2]", "[ 1 , 2 ]"),
    ("{\na\nb\n}", "{ a | b }"),
    ("{ a\n}\n{ b }", "{ a } { b }"),
    ("( {\na\nb\n} )", "( { a | b } )"),
    ("f(a\ntask t = b", "f ( a | task t = b"),
    ("f(a\ntask & b)", "f ( a task & b )"),
    ("f(a; b", "f ( a | b"),
    ("{ state u { a } state v }", "{ state u { a } | state v }"),
    ("x in { a } & b", "x in { a } & b"),
    ("{ - }", "{ EMPTY }"),
    ("{ a; -; b }", "{ a | EMPTY | b }"),
    ("{\n-\n-\n}", "{ EMPTY | EMPTY }"),
    ("{\n-\n-a\n}", "{ EMPTY | - a }"),
    ("{ 0.1 : -; 2 }", "{ 0.1 : EMPTY | 2 }"),
    ("a as\nb", "a as b"),
    ("a # comment\nb", "a | b"),
    ("task a\nby b", "task a by b"),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[repr(text) for text, _ in CASES])
def test_separators(text, expected):
    lexed = tokenize(Source("f", text))
    tokens = separate(lexed.tokens, text, lexed.broken, load_table().soft)
    shown = ["|" if t.kind == SEPARATOR else "EMPTY" if t.kind == "EMPTY" else t.text for t in tokens]
    assert " ".join(shown) == expected
