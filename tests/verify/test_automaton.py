"""The method `automaton`: inclusion against brute force over short words, on the library's loops; its certificates."""

import copy
import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest

import agentc.specs.agents
import agentc.stdlib.agents
from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR, VerifyIR
from agentc.compiler.logic.finality import verdict
from agentc.compiler.logic.ir import and_, formula, not_, or_, prop
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict as Judged
from agentc.compiler.pipeline import check as checked
from agentc.compiler.pipeline import read
from agentc.compiler.writer import GeneratorIR, PhaseIR, ToolIR, WriterIR
from agentc.lang.source import Source
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.certificate import seal
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.problem import problem_of

TEXT = (GeneratorIR("text", until="\n"),)
WRITER = WriterIR(
    "m",
    (PhaseIR("think", TEXT), PhaseIR("act", (GeneratorIR("call", ("look", "stop")),)), PhaseIR("say", TEXT)),
    (ToolIR("look", ()), ToolIR("stop", ())),
)
NAMES = [*(p.name for p in WRITER.phases), *(t.name for t in WRITER.tools)]
EVENTS = (("think",), ("act", "look"), ("act", "stop"), ("say",))
LETTERS = [{n: n in event for n in NAMES} for event in EVENTS]
LONGEST = 4


def agent_of(behaviour, wanted, role):
    signals = tuple(SignalIR(n, "bool", phase=True) for n in NAMES)
    formulas = (FormulaIR("b", "behavior", behaviour, ""), FormulaIR("f", role, wanted, ""))
    items = (VerifyIR(wanted, "f", "f", None, "automaton", {"time": 60.0, "of": "auto"}),)
    return AgentIR("A", None, None, signals, (), formulas, None, None, writer=WRITER, verifies=items)


def random_formula(rng, depth):
    if depth == 0:
        return prop(rng.choice(NAMES))
    a, b = random_formula(rng, depth - 1), random_formula(rng, rng.randrange(depth))
    interval = rng.choice((None, (0, 2), (1, 3)))
    return rng.choice((
        not_(a), and_(a, b), or_(a, b), formula("implies", (a, b)), formula("X", (a,)), formula("WX", (a,)),
        formula("F", (a,), interval), formula("G", (a,), interval), formula("U", (a, b), interval),
        formula("W", (a, b)), formula("O", (a,), interval), formula("S", (a, b)), formula("first"), formula("last"),
    ))  # fmt: skip


def violated(wanted, role, word):
    if role == "safe":
        return any(verdict(wanted, Trace(word[: k + 1]), LETTERS) is Judged.FALSE for k in range(len(word)))
    return not evaluate(wanted, Trace(word))


def shortest(behaviour, wanted, role):
    """The length of a shortest word that satisfies the behaviour and violates the formula, by the reference."""
    for n in range(1, LONGEST + 1):
        for word in itertools.product(LETTERS, repeat=n):
            if evaluate(behaviour, Trace(word)) and violated(wanted, role, word):
                return n
    return None


@pytest.mark.parametrize(("role", "cases"), [("task", 40), ("safe", 8)])
def test_verdicts_are_those_of_brute_force_over_short_words(role, cases):
    rng = random.Random(7)
    seen = dict.fromkeys(Verdict, 0)
    for _ in range(cases):
        behaviour, wanted = (random_formula(rng, rng.randrange(1, 4)) for _ in range(2))
        answer = decide(problem_of(agent_of(behaviour, wanted, role), 0))
        truth = shortest(behaviour, wanted, role)
        seen[answer.verdict] += 1
        if answer.verdict is Verdict.FALSIFIED:
            length = len(answer.evidence["dialogue"])
            assert length == truth if truth is not None else length > LONGEST, (behaviour, wanted)
            assert evaluate(behaviour, Trace(answer.evidence["trace"]))
            assert violated(wanted, role, answer.evidence["trace"])
        else:
            assert truth is None, (behaviour, wanted)
            assert answer.word in ("proved", "vacuous"), answer
    assert seen[Verdict.FALSIFIED] >= 2 and seen[Verdict.PROVED] + seen[Verdict.VACUOUS] >= 2


@pytest.mark.slow
def test_more_verdicts():
    test_verdicts_are_those_of_brute_force_over_short_words("task", 400)
    test_verdicts_are_those_of_brute_force_over_short_words("safe", 100)


FOLDER = Path(agentc.specs.agents.__file__).parent
LIBRARY = Path(agentc.stdlib.agents.__file__).parent


@pytest.mark.parametrize("file", sorted(p.name for p in LIBRARY.glob("*.agentspec")))
def test_the_decoder_of_every_loop_of_the_library_keeps_it(file):
    result = checked([read(str(FOLDER / file))])
    for agent in result.agents:
        kept = [f for f in agent.formulas if f.role == "behavior"]
        never = FormulaIR("never", "task", formula("G", (not_(prop(agent.writer.phases[0].name)),)), "")
        how = {"time": 60.0, "of": "auto"}
        items = tuple(VerifyIR(f.formula, f.name, f.name, None, "automaton", how) for f in (*kept, never))
        agent = replace(agent, formulas=(*agent.formulas, never), verifies=items)
        words = [decide(problem_of(agent, i)).word for i in range(len(items))]
        assert words[:-1] == ["proved"] * len(kept), (agent.name, words)
        assert words[-1] in ("falsified", "proved"), (agent.name, words)


PAYER = """
import std.agents.react: react
agent Payer {
  model "m"
  tool search(query : text[1..80]) -> text
  tool pay(amount : int in [0, 100]) -> text
  tool finish(answer : text[1..60])
  phase thought = text until "\\n" max 64 tokens
  phase action  = call(search | pay | finish)
  phase reply   = result(action)
  behavior loop = react(thought, action, reply, stop = finish)
  behavior few = G (pay -> pay.amount <= 50)
  behavior quoted = G (finish -> finish.answer in seen(reply))
  safe small = G (pay -> pay.amount <= 60)
  safe single = G (pay -> WX (G !pay))
  task soon = F finish
  task none = G !pay
  verify few by automaton
  verify quoted by automaton
  verify small by automaton
  verify single by automaton
  verify single by automaton { of = decoder }
  verify G (thought | action | reply) by automaton
  verify soon
  verify none by automaton
}
"""


@pytest.fixture(scope="module")
def payer():
    result = checked([Source("a.agentspec", PAYER)])
    assert result.ok
    return result.agents[0]


def test_arguments_quotations_and_rules(payer):
    answers = [decide(problem_of(payer, i)) for i in range(len(payer.verifies))]
    assert [a.word for a in answers] == [
        "proved", "proved", "proved", "falsified", "proved", "vacuous", "proved", "falsified",
    ]  # fmt: skip
    rule, none = answers[3], answers[7]
    assert rule.evidence["dialogue"] == [
        "thought", "action & pay", "reply", "thought", "action & pay", "reply", "thought", "action & finish",
    ]  # fmt: skip
    assert len(none.evidence["dialogue"]) == 5  # one payment, the shortest that ends
    for answer in (rule, none):
        trace = Trace(answer.evidence["trace"])
        assert all(evaluate(f.formula, trace) for f in payer.formulas if f.role == "behavior")


@pytest.mark.parametrize(("behaviour", "why"), [(and_(prop("think"), prop("say")), "can write nothing"),
                                                (formula("G", (prop("think"),)), "whatever")])  # fmt: skip
def test_what_cannot_fail_is_vacuous(behaviour, why):
    wanted = or_(prop("think"), not_(prop("think"))) if why == "whatever" else prop("look")
    answer = decide(problem_of(agent_of(behaviour, wanted, "task"), 0))
    assert answer.verdict is Verdict.VACUOUS and why in answer.sentence


def test_an_agent_that_writes_nothing_is_refused():
    agent = replace(agent_of(prop("think"), prop("say"), "task"), writer=None)
    assert "writes no phases" in decide(problem_of(agent, 0)).sentence


# ---------------------------------------------------------------- certificates


def resealed(document):
    return {**document, "seal": seal({k: v for k, v in document.items() if k != "seal"})}


def test_mutated_certificates_are_rejected(payer):
    count = 0
    for i in (0, 1, 2, 4, 6):
        document = decide(problem_of(payer, i)).certificate.data()
        assert check(document).accepted
        mutants = []
        pairs = document["argument"]["pairs"]
        for k, pair in enumerate(pairs):
            mutants.append(("argument", {"pairs": [*pairs[:k], *pairs[k + 1 :]]}))
            mutants.append(("argument", {"pairs": [*pairs[:k], pair[:-1], *pairs[k + 1 :]]}))
            for at in range(len(pair)):
                other = [*pair[:at], pair[at] + 50, *pair[at + 1 :]]
                mutants.append(("argument", {"pairs": [*pairs[:k], other, *pairs[k + 1 :]]}))
        mutants += [("argument", {"pairs": []}), ("argument", {}), ("claim", {"holds": "everything", "of": "decoder"})]
        mutants += [("claim", {**document["claim"], "of": "behavior" if i != 2 else "decoder"})]
        for other in (3, 7):  # items that do not hold
            mutants.append(("subject", {**document["subject"], "item": other}))
        mutants.append(("subject", {**document["subject"], "item": 99}))
        for part, value in mutants:
            finding = check(resealed({**copy.deepcopy(document), part: value}))
            assert not finding.accepted and finding.reason, (i, part, value)
            count += 1
    assert count >= 200
