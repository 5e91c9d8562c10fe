"""Certificates of probabilities: what is proved is checked, and no damaged certificate is accepted."""

import copy
import json
from fractions import Fraction

import numpy as np
import pytest

from agentc.compiler.systems.transitions import explore
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.checker.transitions import numbers, unpacked
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.model.certificates import _packed, pack
from agentc.runtime.verify.problem import problem_of

from .certificates import resealed
from .finite import GRID, agent, random_system

KINDS = [
    # role, formula, operator, horizon
    ("task", "F s == 3", ">=", None), ("task", "F s == 3", "<=", None),
    ("safe", "G s != 3", ">=", None), ("safe", "G s != 3", "<=", None),
    ("task", "(s != 4) U (s == 2)", ">=", None), ("task", "F (s == 1 & O s == 2)", "<=", None),
    ("sum", "s + 1 until s == 3", "<=", None), ("sum", "s until s == 3", ">=", None), ("sum", "s", "<=", 5),
    ("task", "F s == 3", ">=", 6), ("task", "G (s == 1 -> F s == 2)", "<=", 5), ("safe", "G s != 3", ">=", 6),
]  # fmt: skip


def proved(system, role, formula, op, horizon, share=0.5):
    """An answer to a bound that is that much weaker than what holds."""
    question = f"  {role} f = {formula}\n  verify P {op} {{}} [f] by model"
    if role == "sum":
        question = f"  verify E {op} {{}} [{formula}] by model {{{{ time = 1s }}}}"
    found = decide(problem_of(agent(system, question.format(0.5), horizon), 0)).evidence
    if "low" not in found:
        return None
    low, high = found["low"], found["high"]
    room = high if role == "sum" else 1 - high
    bound = low * (1 - share) if op == ">=" else high + room * share
    return decide(problem_of(agent(system, question.format(repr(float(bound))), horizon), 0))


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k[0]} {k[1]} {k[2]} {k[3]}")
def test_proofs_are_checked(kind):
    words = []
    for seed in range(12):
        found = proved(random_system(seed), *kind, share=0.001)
        if found is not None:
            assert found.verdict is Verdict.PROVED
            words.append(found.word)
    assert len(words) >= (2 if kind[0] == "sum" else 8) and words.count("proved") == len(words)


ENDING = [
    ("task", "F[0, 9] (s == 1 | O s == 0)"), ("task", "G (s == 4 -> O s == 0)"), ("safe", "G[0, 3] s <= 4"),
    ("safe", "G (s == 1 -> WX s != 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("role", "formula"), ENDING)
def test_proofs_to_a_horizon_are_checked_and_nothing_more(role, formula):
    """The certificate of one formula and horizon is none of another that some run violates."""
    from agentc.compiler.codec import encode_agent

    words = set()
    for seed in range(6):
        a = agent(random_system(seed), f"  {role} f = {formula}\n  verify f by model", 5)
        found = decide(problem_of(a, 0))
        words.add(found.word)
        if found.word != "proved":
            assert found.verdict is not Verdict.PROVED
            continue
        document = json.loads(json.dumps(found.certificate.data()))
        assert check(document).accepted
        for other, horizon in (("F s == 3", 5), ("G s != 1", 5), ("F[0, 1] s == 2", 7), ("G s == 0", None)):
            body = f"  {role if other[0] == 'G' else 'task'} f = {other}\n  verify f by model"
            b = agent(random_system(seed), body, horizon)
            truth = decide(problem_of(b, 0))
            forged = {**document, "subject": {"agent": encode_agent(b), "item": 0}}
            for claim in (document["claim"], {"holds": f"every run of {horizon} steps satisfies it"}):
                finding = check(resealed({**forged, "claim": claim}))
                assert not finding.accepted or truth.verdict is Verdict.PROVED
    assert words & {"proved", "vacuous"}


def documents(seeds):
    for seed in seeds:
        for kind in KINDS:
            found = proved(random_system(seed), *kind, share=0.0005)
            if found is not None and found.certificate is not None and (kind[0] == "sum" or found.evidence["high"] < 1):
                document = json.loads(json.dumps(found.certificate.data()))
                assert check(document).accepted
                yield document, kind, found.evidence


def with_argument(document, **parts):
    return resealed({**document, "argument": {**document["argument"], **parts}})


def mutants(document, kind, evidence):
    """Documents that claim more, or show less."""
    argument, (_, _, op, horizon) = document["argument"], kind
    measure = "E" if kind[0] == "sum" else "P"
    count, columns, sums = argument["count"], 2, kind[0] == "sum"
    table = unpacked(argument["pairs"], count, columns)
    for i in range(count):
        yield with_argument(document, pairs=pack(np.delete(table, i, axis=0)), count=count - 1)
        moved = table.copy()
        moved[i, 0] += 9
        yield with_argument(document, pairs=pack(moved))
    for size in (0, count + 1, -1, "9", None):
        yield with_argument(document, count=size)
    stronger = copy.deepcopy(document)
    verify = stronger["subject"]["agent"]["agent"]["verifies"][0]
    low, high = evidence["low"], evidence["high"]  # of what is bounded: no bound beyond them holds
    beyond = high + (high if sums else 1 - high) * 0.01 if op == ">=" else low * 0.99
    verify["bound"][1] = beyond
    if beyond > high or 0 < beyond < low:
        yield resealed(stronger)  # its claim is another
        yield resealed({**stronger, "claim": {"holds": f"{measure} {op} {verify['bound'][1]!r}"}})
    yield resealed({**document, "claim": {"holds": "P >= 2.0"}})
    yield resealed({**document, "kind": "model"})
    if horizon is not None:
        longer = copy.deepcopy(document)
        longer["subject"]["agent"]["agent"]["environment"]["horizon"] = "6"
        yield resealed(longer)
        yield with_argument(document, values=_packed(np.zeros(count).tobytes()))
        return
    values, below = numbers(argument["values"], count), "ranks" in argument
    for i in range(count):
        if 0 < values[i] < (np.inf if sums else 1):
            changed = values.copy()
            changed[i] *= 1.01 if below else 0.99
            yield with_argument(document, values=_packed(changed.tobytes()))
            for odd in (np.nan, -values[i], np.inf if below else 0.0):
                changed = values.copy()
                changed[i] = odd
                yield with_argument(document, values=_packed(changed.tobytes()))
    yield with_argument(document, values=_packed(values[:-1].tobytes()))
    yield resealed({**document, "argument": {k: v for k, v in argument.items() if k != "values"}})
    if below:
        ranks = unpacked(argument["ranks"], count, 1)
        for i in range(count):
            if ranks[i, 0] > 0:
                changed = ranks.copy()
                changed[i, 0] -= 1
                yield with_argument(document, ranks=pack(changed))
        yield resealed({**document, "argument": {k: v for k, v in argument.items() if k != "ranks"}})


def rejected(seeds):
    count = 0
    for document, kind, evidence in documents(seeds):
        for mutant in mutants(document, kind, evidence):
            assert not check(mutant).accepted, (kind, mutant["argument"], mutant["claim"])
            count += 1
    return count


def test_damaged_certificates_are_rejected():
    assert rejected((1, 4)) >= 100


@pytest.mark.slow
def test_many_damaged_certificates_are_rejected():
    assert rejected(range(40)) >= 2000


def exact_sum(model, cost, goal, steps, least):
    """The optimal expected sum over so many steps, in fractions."""
    value = [Fraction(0)] * len(model)
    for _ in range(steps):
        after = []
        for s in range(len(model)):
            options = [
                cost[s] + sum((Fraction(float(model.probability[b])) * value[model.successor[b]]
                               for b in range(model.offsets[c], model.offsets[c + 1])), Fraction())
                for c in range(model.choices[s], model.choices[s + 1])
            ]  # fmt: skip
            after.append(Fraction(0) if goal[s] else (min if least else max)(options, default=Fraction(0)))
        value = after
    return sum((Fraction(float(w)) * value[s] for s, w in zip(model.initial, model.initial_probability)), Fraction())


@pytest.mark.parametrize("horizon", [5, None])
def test_expected_sums_enclose_the_exact_ones(horizon):
    decided = 0
    for seed in range(16):
        for op, least in ((">=", True), ("<=", False)):
            body = f"  verify E {op} 3 [s + 1 until s == 3] by model {{ time = 1s }}"
            a = agent(random_system(seed), body, horizon)
            found = decide(problem_of(a, 0))
            if "low" not in found.evidence:
                continue
            model = explore(a.system)
            states = [model.state(i)["s"] for i in range(len(model))]
            truth = exact_sum(model, [Fraction(s + 1) for s in states], [s == 3 for s in states], horizon or 300, least)
            assert truth <= found.evidence["high"] * (1 + 1e-12)
            if horizon is not None:
                assert found.evidence["low"] <= truth and found.evidence["high"] - found.evidence["low"] < 1e-9
            decided += 1
    assert decided >= 12


def test_what_cannot_be_summed():
    found = decide(problem_of(agent(GRID, "  verify E <= 10 [x - 1] by model", 9), 0))
    assert found.verdict is Verdict.UNKNOWN and "x = 0" in found.sentence
    endless = decide(problem_of(agent(GRID, "  verify E <= 10 [steps until x == 4] by model { time = 2s }"), 0))
    assert endless.verdict is Verdict.UNKNOWN and "infinite" in endless.sentence
    other = decide(problem_of(agent(GRID, "  verify E <= 10 [steps] by bmc", 9), 0))
    assert other.verdict is Verdict.UNKNOWN and "expected value" in other.sentence


def test_a_loop_that_gains_nothing_has_no_rank():
    """From below a vector alone proves nothing: round a loop it may promise what is never reached."""
    system = """
system ring {
  state s : int in [0, 3]
  command on when s == 0 { s' = 1 }
  command back when s == 1 { s' = 0 }
  command out when s == 1 { 0.5 : s' = 2; 0.5 : s' = 3 }
  command rest when s >= 2 { s' = s }
  init { s = 0 }
}
"""
    found = decide(problem_of(agent(system, "  task f = F s == 2\n  verify P <= 0.6 [f] by model"), 0))
    assert found.word == "proved"
    a = agent(system, "  task f = F s == 2\n  verify P >= 0.5 [f] by model")
    least = decide(problem_of(a, 0))
    assert least.verdict is Verdict.FALSIFIED  # whoever goes back and forth never gets there
    argument = dict(found.certificate.data()["argument"])
    values = numbers(argument["values"], argument["count"])
    promised = np.where(values > 0, np.minimum(values, 1.0), 0.0)
    from agentc.compiler.codec import encode_agent

    forged = {**found.certificate.data(), "subject": {"agent": encode_agent(a), "item": 0}}
    forged["claim"] = {"holds": "P >= 0.5"}
    for ranks in (np.zeros(len(values), int), np.arange(len(values)), np.arange(len(values))[::-1]):
        parts = {**argument, "values": _packed(promised.tobytes()), "ranks": pack(np.array(ranks)[:, None])}
        finding = check(resealed({**forged, "argument": parts}))
        assert not finding.accepted


def test_probabilities_on_the_grid_are_checked():
    for body, horizon in (("task f = F (x == 4 & y == 4)\n  verify P <= 0.99 [f] by model", 12),
                          ("safe f = G !(x == 2 & y == 0)\n  verify P >= 0.3 [f] by model", 2)):  # fmt: skip
        found = decide(problem_of(agent(GRID, f"  {body}", horizon), 0))
        assert found.word == "proved"
