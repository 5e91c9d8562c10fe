"""Formulas of other tools: what they are read as, and that it means what the tool means."""

import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.lang.diagnostics import AgentcError
from agentc.lang.dialects import DIALECTS, read_dialect

READINGS = [
    ("rtamt", "out = always[0:10](x > 0 implies eventually[0:5](y > 0))", "G[0,10](x > 0 -> F[0,5] y > 0)"),
    ("rtamt", "always a and b or c", "G (a & (b | c))"),
    ("rtamt", "not a and b", "!a & b"),
    ("rtamt", "a -> b -> c", "(a -> b) -> c"),
    ("rtamt", "a until[1:3] b", "a U[1,3] (a & b)"),
    ("rtamt", "next a and prev b", "WX (a & WY b)"),
    ("rtamt", "s_next a", "X a"),
    ("rtamt", "once[0,4] (x - 2) * 3 !== 1", "O[0,4] (x - 2) * 3 != 1"),
    ("rtamt", "a unless b since c", "(a W b) S c"),
    ("stlcg", "◻ [0, 3]( (x > 0.0) ⇒ (♢ [0, inf]( y > 0.0 )) )", "G[0,3](x > 0.0 -> F y > 0.0)"),
    ("stlcg", "(¬(a)) U [0, 3]((b) ∧ (c))", "!a U[0,3] (!a & (b & c))"),
    ("spot", "G(a -> X[!] (!b U c)) && F[2:5] a", "G(a -> X (!b U c)) & F[2,5] a"),
    ("spot", "a U b U c & d | X e", "((a U (b U c)) & d) | WX e"),
    ("spot", "[]<>a \\/ !b R c", "(G F a) | (!b R c)"),
    ("spot", "a ^ b -> c -> 1", "(a xor b) -> (c -> true)"),
    ("lydia", "G(a -> X[!] b) & !last", "G(a -> X b) & !last"),
    ("lydia", "X tt | X[!] ff", "WX true | X false"),
    ("ltlf2dfa", "G(a -> X b) | WX last & O c", "G(a -> X b) | (WX last & O c)"),
]


@pytest.mark.parametrize(("dialect", "text", "ours"), READINGS)
def test_readings(dialect, text, ours):
    reading = read_dialect(text, dialect)
    assert compile_formula(reading.text) is compile_formula(ours)


def test_meanings_that_differ_are_said():
    assert any("until" in n for n in read_dialect("a until b", "rtamt").notes)
    assert not any("`until` asks" in n for n in read_dialect("a and b", "rtamt").notes)
    assert any("weak" in n for n in read_dialect("X a", "spot").notes)
    assert not any("weak" in n for n in read_dialect("X[!] a", "spot").notes)
    assert any("does not fit" in n for n in read_dialect("a", "stlcg").notes)


def test_until_is_what_stlcgpp_computes():
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("stlcgpp.formula")
    from agentc.compiler.agent import SignalIR
    from agentc.compiler.logic.semantics import robustness

    x, y = peer.Predicate("x", lambda s: s[..., 0]), peer.Predicate("y", lambda s: s[..., 1])
    signals = [SignalIR("x", "real"), SignalIR("y", "real")]
    generator = torch.Generator().manual_seed(0)
    for made in (
        peer.Until(x > 0.0, y > 0.0, [0, 3]),
        peer.Always(peer.Implies(x > 0.5, peer.Eventually(y > 0.0, [1, 2])), [0, 3]),
        peer.Eventually(peer.And(x > 0.0, peer.Negation(y < 1.0)), [2, 4]),
    ):  # fmt: skip
        ours = compile_formula(read_dialect(str(made), "stlcg").text, signals)
        for _ in range(10):
            data = torch.randn(9, 2, generator=generator)
            trace = Trace({"x": float(a), "y": float(b)} for a, b in data)
            assert robustness(ours, trace) == pytest.approx(float(made.robustness(data)))


@pytest.mark.parametrize(
    ("dialect", "text", "code"),
    [
        ("rtamt", "always[0:", "AS1030"), ("rtamt", "rise(x > 1)", "AS1031"), ("spot", "a &", "AS1030"),
        ("spot", "(a & b", "AS1030"), ("spot", "a)", "AS1030"), ("lydia", "a b", "AS1030"), ("spot", "", "AS1030"),
        ("spot", "{a;b}|->c", "AS1030"), ("rtamt", "x + 1", "AS1030"), ("spot", "a U[1,2] b", "AS1030"),
        ("rtamt", "always[x:2] a", "AS1030"), ("rtamt", "always[1:2:3] a", "AS1030"), ("spot", "()", "AS1030"),
        ("rtamt", "x > ", "AS1030"), ("spot", "a # b", "AS1030"), ("ltlf2dfa", "X[!] a", "AS1030"),
    ],
)  # fmt: skip
def test_what_is_no_formula_of_the_tool_is_named(dialect, text, code):
    with pytest.raises(AgentcError) as error:
        read_dialect(text, dialect)
    assert [d.code for d in error.value.diagnostics] == [code]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_deep_formula_is_read(dialect):
    text = read_dialect("!" * 5000 + "a", dialect).text
    assert text.count("!") == 5000


def test_the_last_step_is_judged_as_the_tool_does():
    weak, strong = (compile_formula(read_dialect(t, "spot").text) for t in ("X a", "X[!] a"))
    one = Trace([{"a": False}])
    assert evaluate(weak, one) and not evaluate(strong, one)
