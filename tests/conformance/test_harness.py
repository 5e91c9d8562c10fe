"""The harness itself: what its strategies reach, that it notices, and that it makes small what it finds."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from conformance import backends, naive  # noqa: F401
from conformance.harness import cases, check, first, run
from conformance.registry import BACKENDS, Backend, Case, Implementation, everything, load
from conformance.regressions import regressions
from conformance.shrink import shrink
from conformance.strategies import SIGNALS, pairs, sample


def broken(op: str, instead: str) -> Backend:
    """A backend that takes one operator for another."""

    def rewrite(f: Formula) -> Formula:
        made: dict[ir.Node, Formula] = {}
        for node in ir.postorder(f):
            if isinstance(node, Formula):
                args = node.args if node.op == "atom" else [made[a] for a in node.args]
                new = instead if node.op == op else node.op
                made[node] = ir.formula(new, args, None if new in ("first", "last") else node.interval)
        return made[f]

    def answers(case: Case) -> list[bool]:
        return [evaluate(rewrite(case.formula), trace) for trace in case.traces]

    return Backend("broken", "boolean", (), lambda load: Implementation(everything, answers), 1.0)


@pytest.mark.parametrize(
    ("op", "instead"),
    [("U", "W"), ("F", "O"), ("X", "WX"), ("Y", "WY"), ("S", "T"), ("M", "U"), ("W", "R"), ("first", "last"),
     ("xor", "or"), ("H", "O"), ("R", "W"), ("T", "S"), ("G", "F"), ("and", "or"), ("implies", "iff")],
)  # fmt: skip
def test_it_notices_and_makes_small(op, instead):
    report = run([broken(op, instead)], first("notices", 20_000, traces_each=24), stop_at=1)
    (found,) = report.disagreements
    operators = [n.op for n in ir.postorder(found.formula) if isinstance(n, Formula) and n.op not in ("atom", "true")]
    assert op in operators
    assert len(operators) <= 4
    assert len(found.trace) <= 3
    assert set().union(*found.trace) <= set(ir.signals(found.formula))
    assert ir.show(found.formula) in str(found)


def test_it_notices_what_raises():
    def fails(case: Case) -> list[bool]:
        if any(n.op == "S" for n in ir.postorder(case.formula)):
            raise RuntimeError("no since here")
        return case.expected("boolean")

    b = Backend("fails", "boolean", (), lambda load: Implementation(everything, fails), 1.0)
    (found,) = run([b], first(1, 20_000), stop_at=1).disagreements
    assert "no since here" in found.found
    assert len(list(ir.postorder(found.formula))) <= 6


def test_it_notices_a_missing_answer_and_a_wrong_length():
    few = Backend("few", "boolean", (), lambda load: Implementation(everything, lambda case: []), 1.0)
    assert run([few], first(1, 100), stop_at=1).disagreements
    shorter = Implementation(everything, lambda case: [e[:-1] for e in case.expected("prefixes")])
    short = Backend("short", "prefixes", (), lambda load: shorter, 1.0)
    assert run([short], first(1, 100), stop_at=1).disagreements


def test_it_notices_a_robustness_that_is_a_little_off():
    def off(case: Case) -> list[float]:
        return [r + 1e-6 for r in case.expected("robust")]

    for tolerance, expected in ((0.0, True), (1e-9, True), (1e-3, False)):
        b = Backend("off", "robust", (), lambda load: Implementation(everything, off), 1.0, tolerance=tolerance)
        assert bool(run([b], first(1, 2_000), stop_at=1).disagreements) == expected


def test_shrinking_ends_at_a_smallest_pair():
    f = ir.formula("G", (ir.formula("U", (ir.prop("p"), ir.and_(ir.prop("q"), ir.prop("r"))), (1, 40)),))
    trace = Trace([{"p": True, "q": False, "r": True}] * 5)
    small, word = shrink(f, trace, lambda g, t: any(n.op == "U" for n in ir.postorder(g)))
    assert small.op == "U"
    assert small.interval in (ir.ALWAYS, (0, None))
    assert len(word) == 1


def test_samples_reach_the_corners():
    seen: Counter[str] = Counter()
    lengths: Counter[int] = Counter()
    outcomes: Counter[bool] = Counter()
    for f, traces in islice(sample(0, 8), 2_500):
        nodes = list(ir.postorder(f))
        for n in nodes:
            seen[n.op] += 1
            if n.op in ("compare", "in_range", "in_set") and n.value:
                seen[f"{n.op} {n.value}"] += 1
            if isinstance(n, Formula) and n.interval is not None:
                a, b = n.interval
                seen["a > 0"] += a > 0
                seen["b = a"] += b == a
                seen["a > 0, b = a"] += a == b > 0
                seen["infinite"] += b is None
                seen["beyond the trace"] += b is not None and b > 12
                inner = {m.op for m in ir.postorder(*n.args)}
                seen["past in future"] += n.op in ir.FUTURE and any(op in ir.PAST for op in inner)
                seen["future in past"] += n.op in ir.PAST and any(op in ir.FUTURE for op in inner)
        for trace in traces:
            lengths[len(trace)] += 1
            outcomes[evaluate(f, trace)] += 1
            value = robustness(f, trace)
            seen["zero robustness"] += value == 0
            seen["finite robustness"] += abs(value) != float("inf")
    operators = {*ir.CONNECTIVES, *ir.FUTURE, *ir.PAST, "true", "false", "first", "last", "atom"}
    terms = {*ir.FUNCTIONS, *ir.PREDICATES, *ir.REGIONS, "prev", "index", "tuple", "count", "sum"}
    terms -= {"cos", "tan", "from"}
    assert all(b.every % 2 for b in BACKENDS.values())  # the profiles come in turn, and there are eight
    assert {name for name in operators | terms if seen[name] < 10} == set()
    for name in ("a > 0", "b = a", "a > 0, b = a", "infinite", "beyond the trace", "past in future", "future in past",
                 "zero robustness", "finite robustness"):  # fmt: skip
        assert seen[name] > 150, name
    assert lengths[1] > 1_000
    assert all(0.3 < outcomes[v] / outcomes.total() < 0.7 for v in (True, False))
    assert {s.kind for s in SIGNALS} == {"bool", "int", "real", "enum", "text", "vector"}


def test_samples_are_the_same_for_the_same_seed():
    def some(seed):
        return [(ir.show(c.formula), [t.valuations for t in c.traces]) for c in islice(cases(seed), 50)]

    assert some(3) == some(3)
    assert some(3) != some(4)


@settings(max_examples=200, deadline=None)
@given(pairs())
def test_the_second_evaluator_agrees_on_what_hypothesis_finds(pair):
    f, trace = pair
    assert naive.holds(f, trace) == evaluate(f, trace)
    assert naive.margin(f, trace) == robustness(f, trace)


def test_kept_pairs_are_well_formed():
    for kept in regressions():
        assert kept.note
        assert naive.holds(kept.formula, kept.trace) == evaluate(kept.formula, kept.trace)


def test_a_check_of_one_pair():
    b = broken("X", "WX")
    f = ir.formula("X", (ir.prop("p"),))
    assert check(b, b.build(load), f, Trace([{"p": True}])) is not None
    assert check(b, b.build(load), f, Trace([{"p": True}, {"p": True}])) is None
