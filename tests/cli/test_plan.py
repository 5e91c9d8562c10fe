"""`agentc plan`: relations against brute force, witnesses that replay, exit codes."""

import itertools
import json
import random
from pathlib import Path

import pytest
from language.page import read
from language.run import run_page

from agentc.compiler.agent import AgentIR, FormulaIR, RewardIR, RewardTermIR, SignalIR
from agentc.compiler.arithmetic import Arithmetic
from agentc.compiler.comparison import Limits, Relation, plan
from agentc.compiler.examples import run_examples
from agentc.compiler.judgement import judge
from agentc.compiler.logic.alphabet import deciding
from agentc.compiler.logic.ir import formula, prop
from agentc.compiler.logic.sample import propositions, random_formula
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.cli.application import invoke
from agentc.runtime.cli.plan import examples

ROOT = Path(__file__).resolve().parents[2]
P = propositions(2)
SIGNALS = tuple(SignalIR(p.predicate.value, "bool") for p in P)
LENGTH = 5


def agent(*items, **more):
    return AgentIR("A", None, None, SIGNALS, (), tuple(items), more.pop("reward", None), None, **more)


def traces():
    values = list(itertools.product((False, True), repeat=len(P)))
    for n in range(1, LENGTH + 1):
        for word in itertools.product(values, repeat=n):
            yield Trace(dict(zip(("p0", "p1"), v, strict=True)) for v in word)


TRACES = list(traces())


@pytest.mark.parametrize("role", ["task", "safe"])
def test_relations_and_witnesses_agree_with_all_short_traces(role):
    rng = random.Random(11)
    seen = set()
    for _ in range(25):
        one, two = (random_formula(rng, P, rng.randint(1, 3), reach=1) for _ in range(2))
        found = plan([agent(FormulaIR("f", role, one, ""))], [agent(FormulaIR("f", role, two, ""))])
        (change,) = found.formulas
        seen.add(change.relation)
        lost = gained = None
        for trace in rng.sample(TRACES, 300):
            then, now = (judge(f, trace, role, SIGNALS).holds for f in (one, two))
            lost = lost or (then and not now)
            gained = gained or (now and not then)
        assert not lost or change.lost is not None
        assert not gained or change.gained is not None
        assert (change.relation is Relation.EQUAL) == (change.lost is None and change.gained is None)
        for witness, holds in ((change.lost, False), (change.gained, True)):
            if witness is not None:
                trace = Trace(witness.trace)
                assert judge(two, trace, role, SIGNALS).holds == holds
                assert judge(one, trace, role, SIGNALS).holds != holds
    assert len(seen) >= 3


OLD = """
agent A {
  signal x : real in [0, 10] [km]
  signal v : real [deg]
  signal n : int in [0, 9]
  signal word : text[0..9]
  signal color : enum {red, green}
  signal `F`, ok : bool
  task t = F (x > 3km & v > 30deg & X (n == 3 & word == "a b" & !ok))
  safe s = G (color == red -> WX !`F`)
}
"""


def test_witnesses_of_all_kinds_of_signals_can_be_pasted_and_hold():
    new = OLD.replace("v > 30deg", "v > 31deg").replace("n == 3", "n >= 3").replace('"a b"', '"c\\n"')
    new = new.replace("WX !", "WX[2] !")
    before, after = (check(Source("s.agentspec", t)).agents for t in (OLD, new))
    found = plan(before, after)
    pasted = [e for c in found.formulas for e in examples(c, found.declared["A"])]
    assert len(pasted) == 4 and not any(e.startswith("#") for e in pasted)
    text = new.rstrip().removesuffix("}") + "\n".join(pasted) + "\n}\n"
    result = check(Source("s.agentspec", text))
    assert result.ok, (result.diagnostics, text)
    assert [r.passed for r in run_examples(result.agents[0])] == [True] * 4


def test_what_no_automaton_decides_is_unknown_unless_it_is_the_same():
    spec = "agent A {\n  signal x, y : real\n  task t = F x + y > 1\n  safe s = G count(x > 1) < 3\n}\n"
    before, after = (check(Source("s", t)).agents for t in (spec, spec.replace("< 3", "< 4")))
    relations = {c.name: c.relation for c in plan(before, after).formulas}
    assert relations == {"t": Relation.EQUAL, "s": Relation.UNKNOWN}
    assert plan(before, before).unknown is False


def test_a_signal_of_another_kind_is_said_and_not_compared():
    spec = "agent A {\n  signal x : real\n  signal b : bool\n  task t = F x > 1\n  task u = F b\n}\n"
    before, after = (check(Source("s", t)).agents for t in (spec, spec.replace("x : real", "x : int")))
    found = plan(before, after)
    assert {c.name: c.relation for c in found.formulas} == {"t": Relation.UNKNOWN, "u": Relation.EQUAL}
    assert found.others == (("A", "signal x: was real, is int"),)


def test_atoms_over_several_numbers_are_unknown_without_the_solver():
    spec = "agent A {\n  signal x, y : real\n  task t = F x + y > 1\n}\n"
    before, after = (check(Source("s", t)).agents for t in (spec, spec.replace("> 1", "> 2")))
    found = plan(before, after)
    (change,) = found.formulas
    assert change.relation is Relation.UNKNOWN and "no values" in change.reason
    assert all(e.startswith("# example") for e in examples(change, found.declared["A"]))
    pytest.importorskip("z3")
    with deciding(Arithmetic()):
        (change,) = plan(before, after).formulas
        same = plan(before, check(Source("s", spec.replace("x + y > 1", "!(y + x <= 1)"))).agents)
    assert change.relation is Relation.STRONGER and change.lost.trace is not None
    assert same.formulas[0].relation is Relation.EQUAL


def test_rewards_and_roles_are_lines():
    f = formula("F", (prop("p0"),))
    old = agent(FormulaIR("f", "task", f, ""), reward=RewardIR((RewardTermIR("formula", 1.0, "f"),)))
    new = agent(FormulaIR("f", "behavior", f, ""), reward=RewardIR((RewardTermIR("formula", 2.0, "f"),), discount=0.9))
    found = plan([old], [new])
    assert found.others == (("A", "reward f: was +1, is +2"), ("A", "reward discount: was 0.99, is 0.9"))
    assert found.changed


def test_a_budget_that_runs_out_is_unknown():
    one, two = (formula("F", (prop("p0"),), (0, n)) for n in (20, 21))
    found = plan([agent(FormulaIR("f", "task", one, ""))], [agent(FormulaIR("f", "task", two, ""))], Limits(4, 10.0))
    assert found.unknown and not found.changed and "states" in found.formulas[0].reason


def test_exit_codes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = "agent A {\n  signal p : bool\n  task t = F[<= 20] p\n}\n"
    Path("a.agentspec").write_text(spec)
    Path("b.agentspec").write_text(spec.replace("20", "21"))
    Path("c.agentspec").write_text(spec.replace("p\n", "q\n"))
    assert invoke(["plan", "a.agentspec", "a.agentspec"]) == 0
    assert invoke(["plan", "a.agentspec", "b.agentspec"]) == 1
    assert invoke(["plan", "a.agentspec", "b.agentspec", "--max-states", "3"]) == 3
    assert invoke(["plan", "a.agentspec"]) == 2
    capsys.readouterr()
    assert invoke(["plan", "a.agentspec", "c.agentspec"]) == 1
    assert "AS0203" in capsys.readouterr().err
    assert invoke(["plan", "--format", "json", "a.agentspec", "b.agentspec"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["formulas"]
    assert row["relation"] == "weaker" and row["gained"]["steps"][-1] == "p"


def test_the_guide_is_true(tmp_path):
    problems = run_page(read(ROOT / "docs" / "guide" / "plan.md"), tmp_path)
    assert not problems, "\n".join(problems)


def test_another_system_is_a_difference():
    spec = "system s {{\n  state x : real\n  input u : real in [0, 1] [1/s]\n  x' = {}\n  step 0.1s\n}}\n"
    spec += "agent A {{\n  env s(init = {{ x in [0, 1] }})\n  task t = F x > 3\n}}\n"
    before, after = (check(Source("s", spec.format(e))).agents for e in ("u", "2 * u"))
    assert before and after
    assert plan(before, after).others == (("A", "system: changed"),)
    assert not plan(before, before).changed
