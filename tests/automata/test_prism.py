"""Automata in PRISM's language: read by a small reader of our own, and by Storm's parser if it is there."""

import itertools
import random
import re

import pytest

from agentc.compiler.agent import MachineEdgeIR, MachineIR, MachineStateIR, SignalIR
from agentc.compiler.automata.ltlf import translate, translate_typed
from agentc.compiler.automata.prism import KEYWORDS, proposition_names, write_prism, write_prism_machine
from agentc.compiler.logic.ir import and_, compare, const, formula, not_, prop, signal
from agentc.compiler.logic.sample import propositions, random_formula
from agentc.compiler.logic.verdict import Verdict
from agentc.runtime.cli.application import invoke

P = propositions(3)


TOKEN = re.compile(r"\s*(<=>|=>|[!&|()]|[A-Za-z_]\w*=\d+|[A-Za-z_]\w*)")
BINARY = (("<=>", lambda a, b: a == b), ("=>", lambda a, b: not a or b), ("|", lambda a, b: a or b),
          ("&", lambda a, b: a and b))  # fmt: skip
"""PRISM's operators, from loose to tight."""


def guard(text, values):
    """The value of a guard, read by PRISM's own precedences."""
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text.replace(" ", "")
    at = 0

    def level(depth):
        nonlocal at
        if depth == len(BINARY):
            return single()
        sign, meaning = BINARY[depth]
        value = level(depth + 1)
        while at < len(tokens) and tokens[at] == sign:
            at += 1
            value = meaning(value, level(depth + 1))
        return value

    def single():
        nonlocal at
        token = tokens[at]
        at += 1
        if token == "!":
            return not single()
        if token == "(":
            value = level(0)
            assert tokens[at] == ")"
            at += 1
            return value
        if "=" in token:
            name, number = token.split("=")
            return values[name] == int(number)
        return token == "true" if token in ("true", "false") else bool(values[token])

    value = level(0)
    assert at == len(tokens)
    return value


def read(text):
    body = re.search(r"module automaton\n(.*?)endmodule", text, re.S)[1]
    commands = re.findall(r"\[step\] (.*) -> \(q'=(\d+)\);", body)
    labels = {
        name: {int(s) for s in re.findall(r"q=(\d+)", states)}
        for name, states in re.findall(r'label "(\w+)" = (.*);', text)
    }
    payments = re.findall(r"\[step\] (.*) : (\S+);", text)
    assert len(re.findall(r"^\s*\[step\]", body, re.M)) == len(commands)
    return [(g, int(t)) for g, t in commands], labels, [(g, float(r)) for g, r in payments]


def test_it_runs_as_the_automaton_does():
    rng = random.Random(71)
    for _ in range(25):
        dfa = translate(random_formula(rng, P, rng.randint(1, 5)))
        text = write_prism(dfa, "a title\nof two lines", 2.5)
        commands, labels, payments = read(text)
        names = proposition_names(dfa.atoms)
        for s in range(dfa.size):
            assert (s in labels["accepting"]) == dfa.accepting[s]
            assert (s in labels["finally_false"]) == (dfa.verdicts[s] is Verdict.FALSE)
            for letter in itertools.product((False, True), repeat=len(names)):
                values = {"q": s, **dict(zip(names, letter, strict=True))}
                goal = dfa.step(s, letter)
                assert [t for g, t in commands if guard(g, values)] == [goal]
                final = dfa.verdicts[goal] is Verdict.TRUE and dfa.verdicts[s] is not Verdict.TRUE
                assert [r for g, r in payments if guard(g, values)] == [2.5] * final


MACHINE = MachineIR((
    MachineStateIR("u", False, (
        MachineEdgeIR(and_(P[0], not_(P[1])), "v", 0.5),
        MachineEdgeIR(formula("xor", (P[0], P[2])), "w", -1.0),
        MachineEdgeIR(formula("implies", (P[1], P[2])), "u"),
    )),
    MachineStateIR("v", False, (MachineEdgeIR(formula("iff", (P[0], P[1])), "w", 1.0),)),
    MachineStateIR("w", True, ()),
), "m")  # fmt: skip


def test_a_machine_tries_its_edges_in_order():
    commands, labels, payments = read(write_prism_machine(MACHINE))
    assert labels == {"accepting": {2}}
    for s, letter in itertools.product(range(3), itertools.product((False, True), repeat=3)):
        a, b, c = letter
        rules = {0: [(a and not b, 1, 0.5), (a != c, 2, -1.0), (not b or c, 0, 0.0)], 1: [(a == b, 2, 1.0)], 2: []}[s]
        goal, reward = next(((t, r) for held, t, r in rules if held), (s, 0.0))
        values = {"q": s, "p0": a, "p1": b, "p2": c}
        assert [t for g, t in commands if guard(g, values)] == [goal]
        assert sum(r for g, r in payments if guard(g, values)) == reward


def test_names_are_legal_and_apart():
    red = compare("==", signal("c"), const("red"))
    names = proposition_names([prop("p1"), red, prop("bool"), prop("q"), prop("p1_")])
    assert len(set(names)) == 5 and not set(names) & KEYWORDS and names[0] == "p1" and names[4] == "p1_"


def test_the_command_line(capsys):
    assert invoke(["automaton", "F (a & F b)", "--format", "prism"]) == 0
    commands, labels, _ = read(capsys.readouterr().out)
    assert len(labels["accepting"]) == 1 and commands


def test_storm_reads_it(tmp_path):
    stormpy = pytest.importorskip("stormpy")
    colors = (SignalIR("c", "enum", members=("red", "green", "blue")), SignalIR("p0", "bool"))
    red, green = (compare("==", signal("c"), const(v)) for v in ("red", "green"))
    dfa = translate_typed(formula("F", (and_(red, formula("F", (and_(green, P[0]),))),)), colors)
    texts = [write_prism(dfa, "typed", 1.0), write_prism_machine(MACHINE, "m"), write_prism(translate(formula("true")))]
    for i, text in enumerate(texts):
        path = tmp_path / f"{i}.prism"
        path.write_text(text)
        program = stormpy.parse_prism_program(str(path))
        assert str(program.model_type).endswith("MDP")
        model = stormpy.build_model(program)
        assert "accepting" in model.labeling.get_labels()
        (formula_,) = stormpy.parse_properties('Pmax=? [ F "accepting" ]', program)
        result = stormpy.model_checking(model, formula_)
        assert result.get_value(model.initial_states[0]) == 1.0
