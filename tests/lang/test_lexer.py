"""What cannot be read is reported and replaced by what was meant."""

import pytest

from agentc.lang.lexer import tokenize
from agentc.lang.source import Source

CASES = [
    ("a && b", ["a", "&", "b"], ["AS0110"]),
    ("a || b", ["a", "|", "b"], ["AS0110"]),
    ("[] p", ["G", "p"], ["AS0110"]),
    ("x = []", ["x", "=", "[", "]"], []),
    ("f([], a)", ["f", "(", "[", "]", ",", "a", ")"], []),
    ("<> p", ["F", "p"], ["AS0110"]),
    ("a <> b", ["a", "!=", "b"], ["AS0110"]),
    ("a<-b", ["a", "<", "-", "b"], []),
    ("a<->b", ["a", "<->", "b"], []),
    ("a <=> b", ["a", "<->", "b"], ["AS0110"]),
    ("a // b\nc", ["a", "c"], ["AS0111"]),
    ("a /* b */ c", ["a", "c"], ["AS0111"]),
    ("a / b", ["a", "/", "b"], []),
    ("'abc'", ['"abc"'], ["AS0112"]),
    ("'a\"b'", ['"a\\"b"'], ["AS0112"]),
    ("x'", ["x'"], []),
    ('"abc', ['"abc"'], ["AS0102"]),
    ('"ab\\', ['"ab\\\\"'], ["AS0102"]),
    ('f("abc)', ["f", "(", '"abc"', ")"], ["AS0102"]),
    ('f("a(b)', ["f", "(", '"a(b)"'], ["AS0102"]),
    ('"""abc', ['""""""'], ["AS0103"]),
    ("1.", ["1."], ["AS0113"]),
    ("1..2", ["1", "..", "2"], []),
    ("x.y", ["x", ".", "y"], []),
    (".5", [".5"], ["AS0113"]),
    ("1_", ["1_"], ["AS0113"]),
    ("5.x", ["5.x"], ["AS0113"]),
    ("é", ["é"], ["AS0115"]),
    ("aéb c", ["aéb", "c"], ["AS0115"]),
    ("`a b`", [""], ["AS0115"]),
    ("$$$ a", ["", "a"], ["AS0101"]),
    ("a \u00a0b", ["a", "", "b"], ["AS0101"]),
    ("G a ∧ □ b", ["G", "a", "&", "G", "b"], ["AS0110", "AS0110"]),
]


@pytest.mark.parametrize(("text", "tokens", "codes"), CASES, ids=[repr(text) for text, _, _ in CASES])
def test_tokens_and_reports(text, tokens, codes):
    lexed = tokenize(Source("f", text))
    assert [token.text for token in lexed.tokens] == tokens
    assert [diagnostic.code for diagnostic in lexed.diagnostics] == codes


@pytest.mark.parametrize(
    "text",
    ['"' + "a\\n" * 200_000, '"""' + 'a"\\n' * 200_000, "`" * 200_000, "'" * 200_000, "a'" * 100_000, "1." * 100_000],
    ids=["string", "docstring", "ticks", "quotes", "primes", "numbers"],
)
def test_long_texts_take_linear_time(text):
    assert tokenize(Source("f", text)).tokens
