"""Letters by arithmetic: against samples, against the plain decision, and what becomes of them."""

import random
import sys
from pathlib import Path

import pytest
from language.page import read
from language.run import run_page

from agentc.compiler.agent import SignalIR
from agentc.compiler.arithmetic import ROUNDING, Arithmetic, arithmetic_sanity
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.logic.alphabet import alphabet, deciding
from agentc.compiler.logic.ir import atoms, compare, const, prop, signal, term
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.pipeline import check, compile_formula
from agentc.lang.source import Source

pytest.importorskip("z3")

SIGNALS = (
    SignalIR("x", "real"), SignalIR("y", "real", lo=-2.0, hi=2.0), SignalIR("n", "int", lo=0, hi=5),
    SignalIR("b", "bool"), SignalIR("c", "enum", members=("red", "green", "blue")),
    SignalIR("action", "enum", members=("go", "stay")), SignalIR("v", "vector", size=(2, 2)),
)  # fmt: skip


def letters(*texts, slack=0.0):
    decider = Arithmetic(slack)
    fs = [compile_formula(t, SIGNALS) for t in texts]
    found = [a for f in fs for a in atoms(f)]
    with deciding(decider):
        (group,) = alphabet(found, SIGNALS).groups
    return group, decider


def sample(rng):
    near = (-3.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0)
    return {
        "x": rng.choice(near) if rng.random() < 0.5 else rng.uniform(-4, 4), "y": rng.uniform(-2, 2),
        "n": rng.randrange(6), "b": rng.random() < 0.5, "c": rng.choice(("red", "green", "blue")),
        "action": rng.choice(("go", "stay")), "v": (rng.uniform(-3, 3), rng.choice(near)),
    }  # fmt: skip


CASES = [
    ("x + y > 3", "x < 1", "y < 1"),
    ("x + y > 3", "x <= 1", "y <= 2"),
    ("x * y > 1", "x > 0", "y > 0"),
    ("x * x < 0", "x > 1"),
    ("abs(x - y) <= 0.5", "max(x, y) > 2", "min(x, y) < -1"),
    ("sqrt(x) > 2", "x + n > 3"),
    ("x / n > 1", "n == 0", "x > 2"),
    ("norm((x, y)) < 1", "x > 1"),
    ("dist(v, (0, 0)) <= 1", "v[0] > 1"),
    ("(x, y) in box(lo = (0, 0), hi = (1, 1))", "x + y > 2", "x < 0"),
    ("(x, y) in circle(center = (0, 0), radius = 1)", "x > 1", "x + y > 1.5"),
    ("(x, y) in complement(union(box(lo = (0, -2), hi = (1, 2)), halfspace(normal = (1, 0), offset = 0)))", "x <= 1"),
    ("(x, y) in ellipsoid(center = (0, 0), semi_axes = (2, 1))", "abs(y) > 1"),
    ("x + y in [0, 1]", "x - y not in [0, 1]", "x > 3"),
    ("x + n == 3", "x > 3", "n in {1, 2}"),
    ("x - prev.x > 1", "x > 0"),
    ("x ** 3 > 8", "x + y < 1"),
]


@pytest.mark.parametrize("texts", CASES, ids=lambda t: t[0])
def test_what_occurs_is_possible_and_what_is_possible_has_an_example(texts):
    rng = random.Random(61)
    exact, decider = letters(*texts)
    assert not decider.undecided and exact.later is not None
    wide, undecided = letters(*texts, slack=ROUNDING)
    if wide.later is None:
        assert undecided.undecided
    for _ in range(1500):
        trace = Trace([sample(rng), sample(rng)])
        letter = tuple(evaluate(a, trace, 1) for a in exact.atoms)
        if all(n.op != "compare" or n.value not in ("==", "!=") for a in exact.atoms for n in a.args):
            assert letter in exact.later  # in real arithmetic; equality is lost by rounding
        assert wide.later is None or letter in wide.later
        assert tuple(evaluate(a, trace, 0) for a in exact.atoms) in exact.first
    assert wide.later is None or exact.later <= wide.later
    for letter, valuation in exact.examples.items():
        if not any(n.startswith("prev.") for n in exact.signals):
            full = {**sample(rng), **valuation}
            assert tuple(evaluate(a, Trace([full, full]), 1) for a in exact.atoms) == letter


def test_letters_that_are_impossible():
    assert (True, True, True) not in letters(*CASES[0])[0].later
    assert (True, True, True) not in letters(*CASES[1])[0].later
    assert (True, True, True) in letters(*CASES[1], slack=ROUNDING)[0].later  # within rounding of the bound
    assert (True, True, True) not in letters(*CASES[0], slack=ROUNDING)[0].later
    assert len(letters("x * x < 0", "x > 1")[0].later) == 2


def test_the_solver_agrees_with_trying_values():
    rng = random.Random(62)
    fs = [compare(op, signal("n"), const(k)) for op in ("<", "==", ">=") for k in (1, 3)]
    fs += [prop("b"), compare("==", signal("c"), const("red")), compare("!=", signal("c"), const("blue")),
           compare("==", signal("action"), const("go")), compare("!=", signal("action"), const("go"))]  # fmt: skip
    fs += [compare(">", term("add", (signal("n"), const(1))), const(3))]
    for _ in range(25):
        chosen = tuple(dict.fromkeys(rng.sample(fs, rng.randint(1, 4))))
        for group in alphabet(chosen, SIGNALS).groups:
            if group.later is not None:
                decided = Arithmetic()(group.atoms, {s.name: s for s in SIGNALS})
                assert decided.later == group.later and decided.first == group.first


def test_what_is_beyond_the_solver_stays_free_and_is_said():
    for text, reason in (("sin(x) > y", "`sin`"), ("x ** 0.5 > y", "power")):
        group, decider = letters(text)
        assert group.free and reason in next(iter(decider.undecided.values()))
    group, decider = letters("sqrt(x + y) > 1", "x + y > 2", slack=ROUNDING)
    assert group.free and "root" in next(iter(decider.undecided.values()))


def test_verdicts_become_final_with_the_solver():
    f = compile_formula("F (x + y > 3 & x < 1 & y < 1)", SIGNALS)
    assert translate_typed(f, SIGNALS).size == 2
    with deciding(Arithmetic(ROUNDING)):
        dfa = translate_typed(f, SIGNALS)
    assert dfa.size == 1 and dfa.verdicts == (Verdict.FALSE,)
    assert translate_typed(f, SIGNALS).size == 2  # and what was made without it is kept apart


SPEC = """agent A {{
  signal x, y : real
  prop far = x + y > 3
  {}
}}
"""


@pytest.mark.parametrize("items,codes", [
    ("task a = F (far & x < 1 & y < 1)", ["AS0520"]),
    ("task a = F (far & x < 1)\n  safe b = G (x < 1 -> y < 2)", ["AS0524"]),
    ("task a = F far\n  safe b = G x < 1\n  assume G y < 2", ["AS0524"]),
    ("task a = F far\n  safe b = G x < 1\n  assume G y < 2.5", []),
    ("safe a = G (x * x >= 0 | far)", ["AS0526", "AS0521"]),
    ("task a = F (sin(x) > y)", ["AS1640"]),
])  # fmt: skip
def test_sanity_with_arithmetic(items, codes):
    result = check(Source("s", SPEC.format(items)))
    assert result.ok
    found = arithmetic_sanity(result.agents[0], result.diagnostics)
    assert [d.code for d in found] == codes
    if codes == ["AS0524"] and "assume" in items:
        assert "`a`, `b`, `assumption_1`" in found[0].message and len(found[0].annotations) == 2


def test_without_the_solver_there_is_a_note(monkeypatch):
    from agentc.compiler import arithmetic

    monkeypatch.setitem(sys.modules, "z3", None)
    monkeypatch.setattr(arithmetic, "_decided", {})
    result = check(Source("s", SPEC.format("task a = F (far & x < 1.25 & y < 1.25)")))
    (note,) = arithmetic_sanity(result.agents[0], ())
    assert note.code == "AS1640" and "pip install" in note.message


def test_a_check_needs_no_solver():
    import subprocess

    program = "import sys; from agentc.compiler.pipeline import check; from agentc.lang.source import Source\n"
    program += f"assert check(Source('s', {SPEC.format('task a = F far')!r})).ok; assert 'z3' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0



def test_the_guide_is_true(tmp_path):
    problems = run_page(read(Path(__file__).resolve().parents[2] / "docs" / "guide" / "sanity.md"), tmp_path)
    assert not problems, "\n".join(problems)
