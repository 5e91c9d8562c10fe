"""What a formula that calls patterns is read out as: what the patterns ask for."""

import random
import re
from pathlib import Path

import pytest

import agentc.stdlib
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check, compile_formula
from agentc.lang.ast import FormulaItem
from agentc.lang.printer_expressions import text as text_of
from agentc.lang.source import Source
from agentc.lang.unfold import unfolded

LIBRARY = Path(next(iter(agentc.stdlib.__path__)))

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

CALLS = re.findall(r"    (?:task|safe) \w+ = (\w+\([^)]*\))\s+#", (LIBRARY / "patterns.agentspec").read_text())


@pytest.mark.parametrize("call", CALLS)
def test_what_is_read_out_means_what_the_call_means(call: str) -> None:
    names = sorted(set(re.findall(r"[a-z]\w*", call.split("(", 1)[1])))
    head = f"import std.patterns: {call.partition('(')[0]}\nagent A {{ signal {', '.join(names)} : bool\n"
    result = check(Source("spec.agentspec", f"{head}task t = {call}\n}}"))
    (item,) = [i for i in result.modules[0].items[-1].items if isinstance(i, FormulaItem)]
    body = unfolded(item.body, result.specs[0].scopes["A"])
    one, two = result.agents[0].formulas[0].formula, compile_formula(text_of(body))
    rng = random.Random(call)
    for _ in range(40):
        trace = Trace({n: rng.random() < 0.5 for n in names} for _ in range(rng.randint(1, 6)))
        assert evaluate(one, trace) == evaluate(two, trace), text_of(body)
