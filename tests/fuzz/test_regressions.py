"""What mutants have found: each once brought the compiler down, or did not end."""

import pytest

from agentc.compiler.pipeline import check
from agentc.lang.source import Source

NANOSECONDS = """
environment e() { engine e(); step 0.000000001s; signal p : bool }
agent A { env e(); task a = F[0s, 1e308s] p }
"""

TURNS = """
import std.agents.react: react
agent A {
  model "m"
  phase say = text until "\\n" max 8 tokens
  behavior brief = F[<= 99999999999999999999 turns] say
}
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (NANOSECONDS, "AS0316"),
        (TURNS, "AS0315"),
        ("vironment s(m i={{},", "AS0109"),
        ("environment e(a : int = { 999) {\n  signal x : bool\n}\nenvironment f() { signal y : bool }\n", "AS0108"),
    ],
    ids=("too many steps", "too many turns", "braces in a head", "a brace in a default"),
)
def test_it_is_reported(text, code):
    found = [d.code for d in check(Source("mutant.agentspec", text)).diagnostics]
    assert found and (not code or code in found)
