"""`expect a == b`: machines against formulas."""

import itertools
import random

from agentc.compiler.agent import (
    AgentIR,
    EqualityIR,
    FormulaIR,
    MachineEdgeIR,
    MachineIR,
    MachineStateIR,
    SignalIR,
)
from agentc.compiler.codec import decode_agent, encode_agent
from agentc.compiler.equality import check_equalities
from agentc.compiler.examples import run_examples
from agentc.compiler.logic.sample import propositions, random_formula
from agentc.compiler.pipeline import check
from agentc.lang.source import Source

P = propositions(2)
SIGNALS = (SignalIR("p0", "bool"), SignalIR("p1", "bool"))


def agent(*formulas, machines=(), equal=("a", "b")):
    return AgentIR("A", None, None, SIGNALS, (), formulas, None, None, machines=machines,
                   equalities=(EqualityIR(*equal, "a == b"),))  # fmt: skip


def reference(machine, trace):
    state = machine.states[0]
    by_name = {s.name: s for s in machine.states}
    for v in trace:
        for edge in () if state.accepting else state.edges:
            op, name = edge.guard.op, str(edge.guard.args[0] if edge.guard.op == "not" else edge.guard)
            if v[name] != (op == "not"):
                state = by_name[edge.target]
                break
    return state.accepting


def test_random_machines_are_told_apart_by_a_shortest_trace():
    rng = random.Random(31)
    from agentc.compiler.logic.ir import not_

    guards = [P[0], P[1], not_(P[0]), not_(P[1])]
    words = [w for n in range(1, 5) for w in itertools.product(itertools.product((False, True), repeat=2), repeat=n)]
    told = 0
    for _ in range(40):
        names = ["u", "v", "w"]

        def state(name, names=names):
            edges = tuple(MachineEdgeIR(rng.choice(guards), rng.choice(names)) for _ in range(rng.randrange(3)))
            return MachineStateIR(name, name != "u" and rng.random() < 0.5, edges)

        one, two = (MachineIR(tuple(map(state, names)), name) for name in "ab")
        found = check_equalities(agent(machines=(one, two)))
        differ = [
            w for w in words
            if reference(one, [dict(zip(("p0", "p1"), v, strict=True)) for v in w])
            != reference(two, [dict(zip(("p0", "p1"), v, strict=True)) for v in w])
        ]  # fmt: skip
        assert [d.code for d in found] == (["AS1626"] if differ else [])  # three states each: four steps tell
        if differ:
            told += 1
            length = min(map(len, differ))
            assert found[0].values["length"] == f"{length} step{'s' if length > 1 else ''}"
    assert 5 < told < 40


def test_the_trace_can_be_pasted_and_holds():
    spec = """
agent A {
  signal tile : enum {empty, coffee, office}
  signal x : real [m]
  task t = F (tile == coffee & x > 3 & F tile == office)
  safe s = G (tile == coffee -> WX tile == office)
  machine m { state u { on tile == coffee -> v }; state v { on tile == office -> w }; state w accepting }
  expect m == t
  expect s == m
  expect s == t
}
"""
    result = check(Source("s", spec))
    found = [d for d in result.diagnostics if d.code == "AS1626"]
    assert len(found) == 3
    examples = [d.values["example"] for d in found]
    assert all(e.startswith("example") for e in examples)
    pasted = check(Source("s", spec.replace("  expect m == t\n  expect s == m\n  expect s == t", "\n".join(examples))))
    assert pasted.ok and [r.passed for r in run_examples(pasted.agents[0])] == [True] * 3


def test_equal_formulas_are_equal_and_survive_the_bundle():
    rng = random.Random(32)
    from agentc.compiler.logic.ir import not_

    for _ in range(20):
        f = random_formula(rng, P, 3, reach=1)
        a = agent(FormulaIR("a", "task", f, ""), FormulaIR("b", "task", not_(not_(f)), ""))
        assert check_equalities(a) == []
        assert decode_agent(encode_agent(a)) == a


def test_the_names_must_be_machines_or_formulas():
    result = check(Source("s", "agent A {\n  signal p : bool\n  task t = F p\n  expect t == p\n  expect t == q\n}\n"))
    assert [d.code for d in result.diagnostics] == ["AS0208", "AS0203"]
