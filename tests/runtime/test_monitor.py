"""Vectorised monitors against the automata and the reference semantics."""

import json
import random

import numpy as np
import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.classes import letter_classes
from agentc.compiler.automata.ltlf import translate, translate_typed
from agentc.compiler.backends import monitor as module
from agentc.compiler.backends.monitor import MonitorProgram, compile_monitor, split, tabulate
from agentc.compiler.logic.ir import and_, compare, const, formula, not_, prop, signal, term
from agentc.compiler.logic.sample import propositions, random_formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.labelling import encode
from agentc.runtime.monitor import Monitor
from agentc.runtime.scalar import ScalarMonitor

SIGNALS = (
    SignalIR("p0", "bool"), SignalIR("p1", "bool"), SignalIR("c", "enum", members=("red", "green", "blue")),
    SignalIR("x", "real", lo=0.0, hi=10.0), SignalIR("action", "enum", members=("go", "stop")),
)  # fmt: skip
LEAVES = (
    prop("p0"), prop("p1"), compare("==", signal("c"), const("red")), compare(">", signal("x"), const(5.0)),
    compare("<", signal("x"), const(3.0)), compare("==", signal("action"), const("go")),
    compare("==", term("prev", value="c"), const("red")), compare(">", signal("x"), term("prev", value="x")),
)  # fmt: skip


def draw(rng, t):
    v = {"p0": rng.random() < 0.5, "p1": rng.random() < 0.5, "c": rng.choice(SIGNALS[2].members),
         "x": rng.choice([0.0, 2.0, 3.0, 4.0, 5.0, 7.5])}  # fmt: skip
    return v | ({"action": rng.choice(["go", "stop"])} if t else {})


def batch(valuations):
    return {s.name: encode(s.name, s, [v.get(s.name) for v in valuations]) for s in SIGNALS}


def programs(rng, count, size=4):
    formulas = [random_formula(rng, LEAVES, rng.randint(1, size)) for _ in range(count)]
    return formulas, [compile_monitor(f"f{i}", f, SIGNALS)[0] for i, f in enumerate(formulas)]


def test_verdicts_hold_as_the_reference_says():
    rng = random.Random(1)
    formulas, compiled = programs(rng, 40)
    n = 7
    monitor = Monitor(compiled, n, SIGNALS)
    scalars = [ScalarMonitor(compiled) for _ in range(n)]
    traces = [[] for _ in range(n)]
    age = np.zeros(n, int)
    for _ in range(40):
        restart = np.array([rng.random() < 0.15 for _ in range(n)])
        monitor.reset(restart)
        age[restart] = 0
        for i in np.flatnonzero(restart):
            traces[i].clear()
            scalars[i].reset()
        active = np.array([rng.random() < 0.8 for _ in range(n)]) | (age == 0)
        valuations = [draw(rng, age[i]) for i in range(n)]
        codes = monitor.step(batch(valuations), active)
        for i in np.flatnonzero(active):
            traces[i].append(valuations[i])
            age[i] += 1
            assert scalars[i].step(valuations[i]) == tuple(codes[:, i])
        for row, f in enumerate(formulas):
            for i in range(n):
                assert monitor.holds[row, i] == evaluate(f, Trace(traces[i])), (f, traces[i])
    assert {int(c) for c in np.unique(monitor.codes)} >= {0, 3}


def test_final_verdicts_stay():
    rng = random.Random(2)
    _, compiled = programs(rng, 30)
    monitor = Monitor(compiled, 5, SIGNALS)
    before = None
    for t in range(12):
        codes = monitor.step(batch([draw(rng, t) for _ in range(5)])).copy()
        if before is not None:
            final = (before == Verdict.TRUE) | (before == Verdict.FALSE)
            assert (codes[final] == before[final]).all()
        before = codes


def test_data_round_trip():
    rng = random.Random(3)
    for program in programs(rng, 20)[1]:
        data = json.loads(json.dumps(program.to_data()))
        assert MonitorProgram.from_data(data) == program


def mangled(data):
    """Data with one thing wrong."""
    part = data["parts"][0]
    yield {**data, "parts": [{**part, "table": [[99] * len(row) for row in part["table"]]}]}
    yield {**data, "parts": [{**part, "verdicts": part["verdicts"][:-1]}]}
    yield {**data, "parts": [{**part, "root": 50}]}
    yield {**data, "parts": [{**part, "nodes": [[9, 9, 9]]}]}
    yield {**data, "parts": [{**part, "verdicts": [7] * len(part["verdicts"])}]}
    yield {**data, "parts": 3}
    yield {}


def test_damaged_data_is_refused():
    data = compile_monitor("f", formula("F", (and_(prop("p0"), prop("p1")),)), SIGNALS)[0].to_data()
    for wrong in mangled(data):
        with pytest.raises(ValueError):
            MonitorProgram.from_data(wrong)


def test_many_atoms():
    props = propositions(20)
    f = props[-1]
    for g in reversed(props[:-1]):
        f = formula("U", (g, f))
    table = tabulate(translate(f))
    assert table.table is None  # each of the 2^20 letters is told apart by some state: the diagrams are walked
    program = MonitorProgram("chain", (table,))
    monitor = Monitor([program], 50)
    rng = np.random.default_rng(0)
    letters = np.cumsum(rng.random((8, 50, 20)) < 0.3, axis=2) > 2
    dfa = translate(f)
    for t in range(8):
        codes = monitor.step_letters(letters[t])
        for i in range(50):
            word = [tuple(bool(v) for v in letters[s, i]) for s in range(t + 1)]
            assert codes[0, i] == dfa.verdicts[dfa.run(word)]


def test_too_many_classes_walk_the_diagram(monkeypatch):
    dfa = translate(and_(*(formula("F", (x,)) for x in propositions(8))))
    assert letter_classes(dfa, max_classes=10) is None
    monkeypatch.setattr(module, "letter_classes", lambda d: None)
    table = tabulate(dfa)
    assert table.table is None
    program = MonitorProgram("all", (table,))
    assert MonitorProgram.from_data(json.loads(json.dumps(program.to_data()))) == program
    monitor = Monitor([program], 9)
    rng = np.random.default_rng(1)
    words = rng.random((6, 9, 8)) < 0.3
    for t in range(6):
        codes = monitor.step_letters(words[t])
        for i in range(9):
            assert codes[0, i] == dfa.verdicts[dfa.run([tuple(map(bool, words[s, i])) for s in range(t + 1)])]


def test_a_thousand_conjuncts(monkeypatch):
    props = propositions(1001)
    f = formula("G", (and_(*(formula("implies", (props[i], formula("WX", (props[i + 1],)))) for i in range(1000))),))
    join, parts = split(f)
    assert join == "and" and len(parts) == 1000
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.2)
    program, notes = compile_monitor("many", f, ())
    assert len(program.parts) == 1000 and not program.exact
    assert [d.code for d in notes] == ["AS0703"]
    monitor = Monitor([program], 2)
    letters = np.zeros((2, len(monitor.atoms)), bool)
    assert (monitor.step_letters(letters) == Verdict.PRESUMABLY_TRUE).all()
    letters[1, monitor.atoms.index(props[500])] = True
    monitor.step_letters(letters)
    codes = monitor.step_letters(np.zeros((2, len(monitor.atoms)), bool))
    assert list(codes[0]) == [Verdict.PRESUMABLY_TRUE, Verdict.FALSE]


def test_parts_are_right_and_at_most_late(monkeypatch):
    rng = random.Random(5)
    monkeypatch.setattr(module, "WHOLE_STATES", 1)
    for op in ("and", "or"):
        for _ in range(15):
            f = formula(op, [random_formula(rng, LEAVES[:4], 3) for _ in range(3)])
            program, _ = compile_monitor("f", f, SIGNALS)
            whole = ScalarMonitor([MonitorProgram("f", (tabulate(translate_typed(f, SIGNALS)),))])
            parts = ScalarMonitor([program])
            for t in range(6):
                v = draw(rng, t)
                exact, found = whole.step(v)[0], parts.step(v)[0]
                assert (exact >= 2) == (found >= 2)
                assert found in (1, 2) or found == exact


def test_values_outside_of_their_types_are_reported():
    f = formula("F", (and_(compare(">", signal("x"), const(10.0)), prop("p0")),))
    g = formula("G", (not_(and_(LEAVES[3], LEAVES[4])),))
    monitor = Monitor([compile_monitor("g", g, SIGNALS)[0], compile_monitor("f", f, SIGNALS)[0]], 3, SIGNALS)
    valuations = [draw(random.Random(0), 1) for _ in range(3)]
    monitor.step(batch(valuations))
    valuations[1] = {**valuations[1], "x": 11.0}
    with pytest.raises(AgentcError) as error:
        monitor.step(batch(valuations))
    (d,) = error.value.diagnostics
    assert d.code == "AS0708" and d.values["env"] == 1 and "11.0" in d.message


def test_a_missing_signal_is_named():
    monitor = Monitor([compile_monitor("f", formula("F", (LEAVES[3],)), SIGNALS)[0]], 2, SIGNALS)
    with pytest.raises(AgentcError) as error:
        monitor.step({"p0": np.zeros(2, bool)})
    assert error.value.diagnostics[0].code == "AS0830"
    with pytest.raises(AgentcError):
        ScalarMonitor(monitor.programs).step({"p0": True})
