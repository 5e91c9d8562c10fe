"""Guards, HOA out and in, DOT, SVG."""

import itertools
import random
from xml.etree import ElementTree

import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.dfa import equivalent
from agentc.compiler.automata.dot import write_dot
from agentc.compiler.automata.guards import covers, guards
from agentc.compiler.automata.hoa import CONVENTION, read_hoa, write_hoa
from agentc.compiler.automata.ltlf import translate, translate_typed
from agentc.compiler.automata.svg import MAX_STATES, write_svg
from agentc.compiler.logic.ir import LAST, and_, compare, const, formula, prop, signal
from agentc.compiler.logic.sample import propositions, random_formula
from agentc.lang.diagnostics import AgentcError

P = propositions(3)
COLORS = (SignalIR("c", "enum", members=("red", "green", "blue")),)
RED, GREEN = (compare("==", signal("c"), const(v)) for v in ("red", "green"))


def F(f):
    return formula("F", (f,))


def holds(cover, letter):
    return any(all(letter[i] == sign for i, sign in product) for product in cover)


def test_covers_say_where_each_letter_goes():
    rng = random.Random(1)
    for _ in range(60):
        dfa = translate(random_formula(rng, P, rng.randint(1, 7)))
        for s in range(dfa.size):
            found = covers(dfa, s)
            for letter in itertools.product((False, True), repeat=len(dfa.atoms)):
                assert [t for t, c in found.items() if holds(c, letter)] == [dfa.step(s, letter)]


def test_covers_are_prime_and_irredundant():
    rng = random.Random(2)
    for _ in range(40):
        dfa = translate(random_formula(rng, P, rng.randint(2, 7)))
        letters = list(itertools.product((False, True), repeat=len(dfa.atoms)))
        for s in range(dfa.size):
            for t, cover in covers(dfa, s).items():
                inside = {x for x in letters if dfa.step(s, x) == t}
                for product in cover:
                    for literal in product:  # dropping a literal lets other letters in
                        wider = tuple(x for x in product if x != literal)
                        assert any(holds((wider,), x) and x not in inside for x in letters)
                    rest = tuple(p for p in cover if p != product)
                    assert any(x in inside and not holds(rest, x) for x in letters)


def test_mutually_exclusive_atoms_need_no_saying():
    dfa = translate_typed(F(and_(RED, F(GREEN))), COLORS)
    said = {g for s in range(dfa.size) for g in guards(dfa, s).values()}
    assert said == {"c == red", "!(c == red)", "c == green", "!(c == green)", "true"}


def test_hoa_is_read_back():
    rng = random.Random(3)
    for _ in range(60):
        dfa = translate(random_formula(rng, P, rng.randint(1, 7)))
        text = write_hoa(dfa, 'a "quoted" name')
        again = read_hoa(text, {str(a): a for a in dfa.atoms})
        assert again.size == dfa.size and equivalent(dfa, again) is None
        assert write_hoa(again) == write_hoa(dfa)


def test_hoa_of_a_known_formula():
    assert write_hoa(translate(F(P[0]))).splitlines() == [
        "HOA: v1", 'tool: "agentc"', "States: 2", "Start: 0", 'AP: 1 "p0"', "acc-name: Buchi",
        "Acceptance: 1 Inf(0)", "properties: trans-labels explicit-labels state-acc deterministic complete",
        f"/* {CONVENTION} */", "--BODY--", "State: 0", "  [!0] 0", "  [0] 1", "State: 1 {0}", "  [t] 1", "--END--",
    ]  # fmt: skip


def test_hoa_is_complete_where_letters_cannot_occur():
    dfa = translate_typed(F(and_(RED, F(GREEN))), COLORS)
    again = read_hoa(write_hoa(dfa), {"c == red": RED, "c == green": GREEN})
    for word in itertools.product([(True, False), (False, True), (False, False)], repeat=3):
        assert again.accepting[again.run(word)] == dfa.accepting[dfa.run(word)]


OTHER_TOOL = """HOA: v1 /* spot-like */
name: "F a" States: 3 Start: 2
AP: 2 "a" "b c"
acc-name: Buchi Acceptance: 1 Inf(0)
properties: deterministic
Alias: @x 0 & !1
--BODY--
State: 2 "start" [@x | (0&1)] 1 [!0] 2
State: 1 {0} [t] 1
State: 0 {0}
--END--
"""


def test_hoa_of_another_tool():
    dfa = read_hoa(OTHER_TOOL)
    assert dfa.atoms == (prop("a"), prop("b c"))
    assert equivalent(dfa, translate(F(prop("a")))) is None


HEAD = 'HOA: v1\nStart: 0\nAcceptance: 1 Inf(0)\nAP: 1 "a"\n--BODY--\n'
BROKEN = [
    ("", 1),
    ("HOA: v2", 1),
    ("HOA: v1\n\x00", 2),
    ("HOA: v1\nAcceptance: 1 Inf(0)\n--BODY--\n--END--", 4),
    ("HOA: v1\nStart: 0\n--BODY--\n--END--", 4),
    ("HOA: v1\nStart: 0\nAcceptance: 1 Fin(0)\n--BODY--\n--END--", 3),
    ("HOA: v1\nStart: 0 Start: 1\n--BODY--\n--END--", 2),
    ("HOA: v1\nStart: 0\nStates: 99999999999999999\n--BODY--\n--END--", 3),
    (HEAD + "State: 0 [1] 0\n--END--", 6),
    (HEAD + "State: 0 [t & ] 0\n--END--", 6),
    (HEAD + "State: 0 [t] 0 {1}\n--END--", 6),
    (HEAD + "State: 0 [t] 0&1\n--END--", 6),
    (HEAD + "State: 0 0 1\n--END--", 6),
    (HEAD + "State: 0 [(t] 0\n--END--", 6),
    (HEAD + "State: 0 [t)] 0\n--END--", 6),
    (HEAD + "State: [0] 0 [t] 0\n--END--", 6),
    (HEAD + "State: 0\nState: 0\n--END--", 7),
    (HEAD.replace("AP:", "States: 1 AP:") + "State: 0\n[t] 5\n--END--", 8),
    (HEAD + "State: 0\n[0] 0\n[t] 0\n--END--", 8),
    (HEAD.replace('1 "a"', '2 "a" "a"') + "State: 0 [0] 0\n--END--", 4),
]


@pytest.mark.parametrize("text,line", BROKEN)
def test_broken_hoa_is_refused_with_its_line(text, line):
    with pytest.raises(AgentcError) as error:
        read_hoa(text)
    (d,) = error.value.diagnostics
    assert d.code == "AS0705" and d.values["line"] == line


def test_mangled_hoa_never_ends_in_a_traceback():
    rng = random.Random(4)
    text = write_hoa(translate(F(and_(P[0], F(P[1])))), "x")
    refused = 0
    for _ in range(1500):
        at = rng.randrange(len(text))
        cut = text[:at] + rng.choice(["", "0", "[", "&", "State: 1", "!", '"', "99"]) + text[at + rng.randint(0, 3) :]
        try:
            read_hoa(cut)
        except AgentcError as error:
            refused += 1
            assert {d.code for d in error.diagnostics} == {"AS0705"}
    assert refused > 500


def test_deep_labels():
    text = "HOA: v1\nStart: 0\nAP: 1 \"a\"\nAcceptance: 1 Inf(0)\n--BODY--\nState: 0 {0}\n"
    deep = text + f"[{'(' * 20000}0{')' * 20000}] 0\n--END--"
    assert equivalent(read_hoa(deep), translate(formula("G", (prop("a"),)))) is None


def test_drawings_are_well_formed_and_the_same_each_time():
    rng = random.Random(5)
    drawn = 0
    for _ in range(60):
        dfa = translate(random_formula(rng, P, rng.randint(1, 8)))
        picture = write_svg(dfa, "a < b & c")
        if dfa.size > MAX_STATES:
            assert picture is None
            continue
        drawn += 1
        tree = ElementTree.fromstring(picture)
        assert tree.tag.endswith("svg") and "script" not in picture
        numbers = [t.text for t in tree.iter("{http://www.w3.org/2000/svg}text") if (t.text or "").isdigit()]
        assert set(map(str, range(dfa.size))) <= set(numbers)
        assert write_svg(dfa, "a < b & c") == picture
    assert drawn > 40


def test_large_automata_are_not_drawn():
    assert write_svg(translate(F(and_(P[0], formula("X", (LAST,), (6, 6))))), "x") is None


def test_dot():
    text = write_dot(translate(F(P[0])), 'say "F"')
    assert text.startswith("digraph") and '0 -> 1 [label="p0"];' in text and 'label="say \\"F\\""' in text
