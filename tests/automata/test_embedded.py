"""Automata as formulas: against a direct interpreter of the file, and against the reference semantics."""

import random

import pytest

from agentc.compiler.agent import MachineEdgeIR, MachineIR, MachineStateIR, SignalIR
from agentc.compiler.automata.dfa import equivalent
from agentc.compiler.automata.embedded import automaton_atom, below_operator, machine_atom
from agentc.compiler.automata.hoa import read_hoa, write_hoa
from agentc.compiler.automata.ltlf import translate, translate_typed
from agentc.compiler.logic.ir import and_, compare, const, formula, from_data, not_, show, signal, term, to_data
from agentc.compiler.logic.rewrite import horizon
from agentc.compiler.logic.sample import propositions, random_formula
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.lang.hoa import parse_hoa

P = propositions(3)
DOOR = ("shut", "ajar", "wide")
SIGNALS = (
    *(SignalIR(f"p{i}", "bool") for i in range(3)),
    SignalIR("door", "enum", members=DOOR),
    SignalIR("x", "real", lo=0.0, hi=10.0),
)
WIDE = compare("==", signal("door"), const("wide"))
WAS_WIDE = formula("atom", (term("compare", (term("prev", value="door"), const("wide")), "=="),))
HIGH = compare(">", signal("x"), const(5.0))


def interpret(text, rows):
    """Run a deterministic file on a word, straight from its edges."""
    said = parse_hoa(text)

    def holds(label, row):
        stack = []
        for part in label:
            if isinstance(part, int):
                stack.append(row[part])
            elif part in "tf":
                stack.append(part == "t")
            elif part == "!":
                stack.append(not stack.pop())
            else:
                b, a = stack.pop(), stack.pop()
                stack.append((a and b) if part == "&" else (a or b))
        return stack[0]

    state, accepted = said.start, False
    for row in rows:
        edge = next((e for e in said.edges[state] if holds(e.label, row)), None)
        if edge is None:
            return False
        state, accepted = edge.target, edge.marked or said.marked[edge.target]
    return accepted


def random_file(rng, width, size, on_edges):
    """A deterministic file: each state splits the letters by a few propositions, and some of them lead nowhere."""
    lines = [f"HOA: v1\nStart: {rng.randrange(size)}\nAP: {width} " + " ".join(f'"a{i}"' for i in range(width))]
    lines += ["Acceptance: 1 Inf(0)", "/* finite words */", "--BODY--"]
    for s in range(size):
        marked = " {0}" if not on_edges and rng.random() < 0.4 else ""
        lines.append(f"State: {s}{marked}")
        labels = ["t"]
        for _ in range(rng.randrange(3)):
            at, test = rng.randrange(len(labels)), rng.randrange(width)
            whole = labels.pop(at)
            labels += [f"({whole})&{test}", f"({whole})&!{test}"]
        for label in labels:
            if rng.random() < 0.85:
                mark = " {0}" if on_edges and rng.random() < 0.4 else ""
                lines.append(f"[{label}] {rng.randrange(size)}{mark}")
    return "\n".join([*lines, "--END--"])


def random_valuations(rng):
    return [
        {**{f"p{i}": rng.random() < 0.5 for i in range(3)}, "door": rng.choice(DOOR), "x": rng.choice((1.0, 5.0, 9.0))}
        for _ in range(rng.randint(1, 7))
    ]


PROPOSITIONS = [P[0], P[1], and_(P[0], not_(P[2])), WIDE, WAS_WIDE, HIGH, formula("xor", (P[1], HIGH)),
                formula("iff", (P[2], WAS_WIDE)), formula("implies", (WIDE, P[0])), formula("true")]  # fmt: skip


@pytest.mark.parametrize("on_edges", [False, True])
def test_a_file_the_semantics_and_the_translation_agree(on_edges):
    rng = random.Random(21)
    seen = set()
    for _ in range(15):
        width = rng.randint(1, 3)
        text = random_file(rng, width, rng.randint(1, 5), on_edges)
        bound = [rng.choice(PROPOSITIONS) for _ in range(width)]
        names = [f"a{i}" for i in range(width)]
        f = automaton_atom('hoa("f.hoa")', names, read_hoa(text), bound)
        dfa = translate_typed(f, SIGNALS)
        for _ in range(10):
            trace = Trace(random_valuations(rng))
            rows = [[evaluate(b, trace, t) for b in bound] for t in range(len(trace))]
            truth = interpret(text, rows)
            seen.add(truth)
            assert evaluate(f, trace) == truth
            assert dfa.accepts(trace) == truth
            assert robustness(f, trace) == (float("inf") if truth else -float("inf"))
            for t in range(len(trace)):
                assert evaluate(f, trace, t) == interpret(text, rows[t:])
    assert seen == {True, False}


def test_boolean_combinations_are_products():
    rng = random.Random(22)
    for _ in range(12):
        leaves = [
            automaton_atom("h", ["a0", "a1"], read_hoa(random_file(rng, 2, 3, False)), rng.choices(PROPOSITIONS, k=2))
            for _ in range(2)
        ]
        leaves.append(random_formula(rng, P, 3))
        f = random_formula(rng, leaves, rng.randint(1, 4), ("not", "and", "or", "implies", "xor", "iff"), intervals=0)
        dfa = translate_typed(f, SIGNALS)
        assert dfa.minimized() == dfa
        for _ in range(20):
            trace = Trace(random_valuations(rng))
            assert dfa.accepts(trace) == evaluate(f, trace)


def test_what_a_formula_becomes_and_back_is_the_same():
    rng = random.Random(23)
    for _ in range(30):
        f = random_formula(rng, P, rng.randint(1, 6))
        dfa = translate(f)
        names = [str(a) for a in dfa.atoms]
        again = automaton_atom("h", names, read_hoa(write_hoa(dfa)), dfa.atoms)
        assert equivalent(translate(again), dfa) is None
        assert from_data(to_data(again))[0] is again


def test_a_machine_is_an_automaton():
    machine = MachineIR((
        MachineStateIR("empty", False, (MachineEdgeIR(and_(P[0], P[1]), "bad"), MachineEdgeIR(P[0], "full", 0.1))),
        MachineStateIR("full", False, (MachineEdgeIR(P[2], "done", 1.0),)),
        MachineStateIR("bad", False, ()),
        MachineStateIR("done", True, ()),
    ), "m")  # fmt: skip
    f = machine_atom(machine)
    rng = random.Random(24)
    for _ in range(60):
        trace = Trace(random_valuations(rng))
        state = "empty"
        for v in trace:
            if state == "empty" and v["p0"]:
                state = "bad" if v["p1"] else "full"
            elif state == "full" and v["p2"]:
                state = "done"
        assert evaluate(f, trace) == (state == "done")
        assert translate_typed(f, SIGNALS).accepts(trace) == (state == "done")
    assert show(f) == "(machine m(g0 = p0 & p1, g1 = p0, g2 = p2))"
    assert horizon(f) is None


def test_below_a_temporal_operator_there_is_no_translation():
    f = automaton_atom("h", ["a"], read_hoa(random_file(random.Random(1), 1, 2, False).replace("a0", "a")), [P[0]])
    assert below_operator(formula("and", (f, P[0]))) is None
    g = formula("or", (P[1], formula("G", (formula("implies", (P[0], f)),))))
    assert below_operator(g) == "G"
    with pytest.raises(AgentcError, match="AS1622"):
        translate_typed(g, SIGNALS)


@pytest.mark.parametrize("value", [
    None, ("h", ("a",), (), (-1,)), ("h", (), (), (-1,), (True,)), ("h", ("a",), (), (), ()),
    ("h", ("a",), ((0, -1, -2),), (0,), (True,)), ("h", ("a",), ((1, -1, -1),), (0,), (True,)),
    ("h", ("a",), ((0, 0, -1),), (0,), (True,)), ("h", ("a",), (), (-1,), (1,)), ("h", (1,), (), (-1,), (True,)),
])  # fmt: skip
def test_damaged_tables_are_refused(value):
    f = formula("atom", (term("automaton", (P[0],), value),))
    with pytest.raises(ValueError, match="automaton"):
        from_data(to_data(f))
