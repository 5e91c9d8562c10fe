"""What a formula that calls patterns is read out as: what the patterns ask for."""

import pytest

from agentc.compiler.pipeline import check
from agentc.lang.source import Source

PATTERNS = """
import std.patterns
import std.patterns: ordered, absence as none, response_within
const n = 3
pattern twice(p : prop) = p & p
pattern later(p : prop, k : int = 2) = X[2 * k] p
pattern inner(q : prop, p : prop) = G (p -> X q)
pattern outer(p : prop, q : prop) = inner(p, q) & q
agent A {{
  signal a, b, p, q : bool
  task t = {text}
}}
"""


def reading(text: str) -> str:
    result = check(Source("spec.agentspec", PATTERNS.format(text=text)), examples=False)
    (made,) = result.specs[0].agents
    return made.formulas[0].reading


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("F a", "eventually a"),
        ("(a & true) & b", "(a and true) and b"),
        ("ordered(a, b)", "eventually (a and eventually b)"),
        ("none(a)", "never: a"),
        ("patterns.absence(a)", "never: a"),
        ("F b & none(p = a)", "(eventually b) and (never: a)"),
        ("response_within(a, b, 5)", "always: whenever a, then within 5 steps b"),
        ("later(a)", "exactly 4 steps from now a"),
        ("later(a | b, k = n)", "exactly 2 * n steps from now (a or b)"),
        ("outer(p, q)", "(always: whenever q, then at the next step p) and q"),
        ("outer(q, p)", "(always: whenever p, then at the next step q) and p"),
        ("none(a | b)", "never: a or b"),
    ],
)
def test_readings(text: str, wanted: str) -> None:
    assert reading(text) == wanted


def test_what_would_be_too_long_keeps_its_calls() -> None:
    text = "a"
    for _ in range(12):
        text = f"twice({text})"
    assert reading(text) == text
