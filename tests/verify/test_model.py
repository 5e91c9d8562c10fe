"""The method `model`: against exhaustive evaluation of runs, exact probabilities, and Storm where it is installed."""

import base64
import itertools
import json
import zlib

import numpy as np
import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.systems.transitions import explore
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.model.product import product
from agentc.runtime.verify.model.shield import shield_of
from agentc.runtime.verify.problem import problem_of

from .finite import GRID, agent, answer, random_system


def runs(model, steps):
    """Every run of at most so many steps that ends there or at a deadlock, as lists of states; all branches."""
    stack = [[int(s)] for s in model.initial]
    while stack:
        run = stack.pop()
        s = run[-1]
        choices = range(model.choices[s], model.choices[s + 1])
        if len(run) == steps + 1 or not len(choices):
            yield run
            continue
        after = {int(model.successor[b]) for c in choices for b in range(model.offsets[c], model.offsets[c + 1])
                 if model.probability[b] > 0}  # fmt: skip
        stack += [[*run, t] for t in after]


FORMULAS = ["F s == 3", "G (s == 1 -> F s == 2)", "(s != 4) U (s == 2)", "G (s == 2 -> X s != 2)", "F G s == 1",
            "G[0, 2] s != 3", "F (s == 1 & O s == 2)", "G s != 4"]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_tasks_against_every_run(formula):
    for seed in range(8):
        a = agent(random_system(seed), f"  task f = {formula}\n  verify f by model", 4)
        model = explore(a.system)
        traces = [Trace([model.state(s) for s in run]) for run in runs(model, 4)]
        truths = [evaluate(a.formulas[0].formula, t) for t in traces]
        found = decide(problem_of(a, 0))
        assert found.verdict is (Verdict.PROVED if all(truths) else Verdict.FALSIFIED), (seed, found)
        if found.verdict is Verdict.FALSIFIED:
            trace = Trace(found.evidence["trace"])
            assert not evaluate(a.formulas[0].formula, trace) and len(trace) <= 5


def test_safety_against_every_run():
    decided = set()
    for seed in range(30):
        a = agent(random_system(seed), "  safe f = G (s == 1 -> WX s != 3)\n  verify f by model", 5)
        model = explore(a.system)
        truths = [evaluate(a.formulas[0].formula, Trace([model.state(s) for s in run])) for run in runs(model, 5)]
        found = decide(problem_of(a, 0))
        assert found.verdict is (Verdict.PROVED if all(truths) else Verdict.FALSIFIED), seed
        decided.add(found.word)
    assert {"proved", "falsified"} <= decided


def exact(model, target, steps, least):
    """The optimal probability to be in ``target`` within ``steps`` or ever, by value iteration in fractions."""
    from fractions import Fraction

    value = [Fraction(int(t)) for t in target]
    for _ in range(steps):
        after = []
        for s in range(len(model)):
            options = [
                sum((Fraction(float(model.probability[b])) * value[model.successor[b]]
                     for b in range(model.offsets[c], model.offsets[c + 1])), Fraction())
                for c in range(model.choices[s], model.choices[s + 1])
            ]  # fmt: skip
            best = (min if least else max)(options, default=Fraction(0))
            after.append(Fraction(1) if target[s] else best)
        value = after
    return sum((Fraction(float(w)) * value[s] for s, w in zip(model.initial, model.initial_probability)), Fraction())


@pytest.mark.parametrize("least", [True, False])
def test_bounded_probabilities_enclose_the_exact_ones(least):
    op = ">=" if least else "<="
    for seed in range(20):
        a = agent(random_system(seed), f"  task f = F s == 3\n  verify P {op} 0.5 [f] by model", 6)
        found = decide(problem_of(a, 0))
        model = explore(a.system)
        truth = exact(model, [model.state(i)["s"] == 3 for i in range(len(model))], 6, least)
        assert found.evidence["low"] <= truth <= found.evidence["high"]
        assert found.evidence["high"] - found.evidence["low"] < 1e-12
        if abs(truth - 0.5) > 1e-9:
            holds = truth > 0.5 if least else truth < 0.5
            assert found.verdict is (Verdict.PROVED if holds else Verdict.FALSIFIED)


def converged(model, target, least):
    """The same in floats for so many steps that nothing changes any more."""
    value = np.array(target, float)
    pick = np.minimum if least else np.maximum
    moving = np.flatnonzero(np.diff(model.choices) > 0)
    for _ in range(100_000):
        sums = np.add.reduceat(model.probability * value[model.successor], model.offsets[:-1])
        after = np.array(target, float)
        after[moving] = np.maximum(after[moving], pick.reduceat(sums, model.choices[:-1][moving]))
        if np.abs(after - value).max() < 1e-15:
            break
        value = after
    return float((value[model.initial] * model.initial_probability).sum())


@pytest.mark.parametrize("least", [True, False])
def test_unbounded_probabilities_enclose_long_runs(least):
    op = ">=" if least else "<="
    decided = 0
    for seed in range(20):
        a = agent(random_system(seed), f"  task f = F s == 3\n  verify P {op} 0.5 [f] by model")
        found = decide(problem_of(a, 0))
        model = explore(a.system)
        target = [model.state(i)["s"] == 3 for i in range(len(model))]
        below = float(exact(model, target, 150, least))
        if "low" not in found.evidence:
            continue
        decided += 1
        assert below <= found.evidence["high"] + 1e-12
        assert found.evidence["low"] <= converged(model, target, least) + 1e-9
        assert found.evidence["high"] - found.evidence["low"] <= 1e-5
    assert decided >= 15


def test_the_probability_of_never_violating():
    found = answer(GRID, "  safe f = G !(x == 2 & y == 0)\n  verify P <= 0.5 [f] by model", 4)
    # the greatest chance that no prefix violates it is that of the one who stays away
    assert found.verdict is Verdict.FALSIFIED and found.evidence["high"] == 1.0
    found = answer(GRID, "  safe f = G !(x == 2 & y == 0)\n  verify P >= 0.3 [f] by model", 2)
    assert found.verdict is Verdict.PROVED and found.evidence["low"] == pytest.approx(1 - 0.8 * 0.8)


def test_a_shortest_counterexample():
    found = answer(GRID, "  safe f = G !(x == 2 & y == 1)\n  verify f by model")
    assert found.verdict is Verdict.FALSIFIED and len(found.evidence["trace"]) == 4
    assert found.evidence["actions"] and not evaluate(
        agent(GRID, "  safe f = G !(x == 2 & y == 1)").formulas[0].formula, Trace(found.evidence["trace"])
    )


def test_what_cannot_fail_is_vacuous_and_what_never_ends_is_unknown():
    assert answer(GRID, "  task f = F x <= 4\n  verify f by model", 5).verdict in (Verdict.VACUOUS, Verdict.PROVED)
    assert "horizon" in answer(GRID, "  task f = F x == 4\n  verify f by model").sentence


def test_a_model_that_is_too_large_is_unknown():
    found = answer(GRID, "  safe f = G !(x + y == 8)\n  verify f by model { states = 7 }")
    assert found.verdict is Verdict.UNKNOWN and "7 states" in found.sentence


# ---------------------------------------------------------------- certificates

WIDE = GRID.replace("int in [0, 4]", "int in [0, 6]")
WALL = "  safe f = G (x == 3 -> !(y == 6 & O (x == 4 & y == 4)))\n  verify f by model"


@pytest.fixture(scope="module")
def certificates():
    found = []
    for body in (WALL, "  safe f = G x + y <= 8\n  verify f by model",
                 "  safe f = G (x >= 1 -> O x == 0)\n  verify f by model"):  # fmt: skip
        came = answer(WIDE, body)
        assert came.word == "proved", came
        found.append(json.loads(json.dumps(came.certificate.data())))
    return found


def sealed(document):
    from agentc.runtime.verify.certificate import seal

    return {**document, "seal": seal({k: v for k, v in document.items() if k != "seal"})}


def unpacked(document):

    count = document["argument"]["count"]
    raw = np.frombuffer(zlib.decompress(base64.b64decode(document["argument"]["pairs"])), "<i4")
    return np.cumsum(raw.reshape(-1, count).T.astype(np.int64), axis=0)


def packed(document, table):
    from agentc.runtime.verify.model.certificates import pack

    return sealed({**document, "argument": {"pairs": pack(table), "count": len(table)}})


def test_the_certificates_are_accepted(certificates):
    for document in certificates:
        finding = check(document)
        assert finding.accepted and finding.facts["pairs"] == document["argument"]["count"], finding.reason


def test_mutated_invariants_are_rejected(certificates):
    count = 0
    for document in certificates:
        table = unpacked(document)
        assert packed(document, table) == document
        for i in range(len(table)):  # the set is the reachable one: without any of its pairs it is not closed
            mutant = packed(document, np.delete(table, i, axis=0))
            assert not check(mutant).accepted, i
            count += 1
            for column, by in itertools.product(range(table.shape[1]), (9, -9)):
                moved = table.copy()
                moved[i, column] += by
                assert not check(packed(document, moved)).accepted
                count += 1
        text = document["argument"]["pairs"]
        for at in range(0, len(text), 7):
            damaged = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
            try:  # some bits of the compression mean nothing
                if (unpacked({"argument": {**document["argument"], "pairs": damaged}}) == table).all():
                    continue
            except (ValueError, zlib.error):  # damaged
                pass
            assert not check(sealed({**document, "argument": {**document["argument"], "pairs": damaged}})).accepted
            count += 1
        for size in (0, len(table) - 1, len(table) + 1, -1, "9", None, 10**12):
            assert not check(sealed({**document, "argument": {**document["argument"], "count": size}})).accepted
            count += 1
        for item in (1, -1, "0", None):
            assert not check(sealed({**document, "subject": {**document["subject"], "item": item}})).accepted
            count += 1
    assert count >= 500


def test_another_formula_or_another_system_is_rejected(certificates):
    """The invariant of one claim is none of a claim that is false, nor of a system with one more transition."""
    from agentc.compiler.codec import encode_agent

    document = certificates[1]
    for other in (
        agent(WIDE, "  safe f = G x + y <= 7\n  verify f by model"),
        agent(WIDE.replace("y < 4", "y < 5"), "  safe f = G x + y <= 8\n  verify f by model"),
        agent(WIDE.replace("x = 0; y = 0", "x = 0; y in [0, 5]"), "  safe f = G x + y <= 8\n  verify f by model"),
    ):  # fmt: skip
        mutant = sealed({**document, "subject": {"agent": encode_agent(other), "item": 0}})
        assert not check(mutant).accepted


# ---------------------------------------------------------------- shields


def test_a_shield_is_safe_and_as_permissive_as_can_be():
    from agentc.compiler.automata.ltlf import translate_typed

    a = agent(GRID, "  safe f = G !(x == 2 & y == 2)\n  verify f by model")
    model = explore(a.system)
    automaton = translate_typed(a.formulas[0].formula, a.declared)
    pairs = product(model, automaton, 10_000)
    shield = shield_of(pairs)
    assert shield.safe
    masks = shield.masks()
    for i in range(len(pairs)):
        if pairs.verdict[i] == 0:
            continue
        allowed = masks[i]
        for c in range(pairs.choices[i], pairs.choices[i + 1]):
            after = [pairs.successor[b] for b in range(pairs.offsets[c], pairs.offsets[c + 1])]
            safe = all(shield.winning[t] for t in after)
            assert allowed[model.action[pairs.choice[c]]] == safe  # every action that keeps safety, and no other
    enabled = [c for c in range(pairs.choices[0], pairs.choices[1])]
    assert len(enabled) == masks[0].sum()


def test_storm_agrees():
    """An independent solver on random models, where it is installed."""
    storm = pytest.importorskip("stormpy")
    for seed in range(12):
        a = agent(random_system(seed), "  task f = F s == 3\n  verify P >= 0.5 [f] by model")
        model = explore(a.system)
        lines = ["mdp", "module m", "s : [0..4] init 0;"]
        for s in range(len(model)):
            at = model.state(s)["s"]
            for c in range(model.choices[s], model.choices[s + 1]):
                branches = " + ".join(
                    f"{model.probability[b]} : (s'={model.state(int(model.successor[b]))['s']})"
                    for b in range(model.offsets[c], model.offsets[c + 1])
                )
                lines.append(f"[a{model.action[c]}] s={at} -> {branches};")
            if model.choices[s] == model.choices[s + 1]:
                lines.append(f"[stay] s={at} -> 1.0 : (s'={at});")
        lines.append("endmodule")
        import tempfile

        with tempfile.NamedTemporaryFile("w", suffix=".nm", delete=False) as file:
            file.write("\n".join(lines))
        program = storm.parse_prism_program(file.name)
        for op, least in ((">=", True), ("<=", False)):
            b = agent(random_system(seed), f"  task f = F s == 3\n  verify P {op} 0.5 [f] by model")
            found = decide(problem_of(b, 0)).evidence
            if "low" not in found:
                continue
            formula = f"P{'min' if least else 'max'}=? [F s=3]"
            properties = storm.parse_properties(formula, program)
            built = storm.build_model(program, properties)
            value = storm.model_checking(built, properties[0]).get_value(built.initial_states[0])
            assert found["low"] - 1e-5 <= value <= found["high"] + 1e-5, (seed, op)
