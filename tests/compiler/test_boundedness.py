"""What is said to have finite robustness has it, on random formulas and traces."""

import itertools
import math

import pytest

from agentc.compiler.boundedness import can_be_infinite
from agentc.compiler.logic.semantics import robustness
from agentc.compiler.pipeline import compile_formula
from tests.conformance.strategies import SIGNALS, sample

KINDS = {s.name: s.kind for s in SIGNALS}


def test_finite_means_finite() -> None:
    finite = 0
    for f, traces in itertools.islice(sample("bounded", traces_each=6), 1200):
        if not can_be_infinite(f, KINDS):
            finite += 1
            for trace in traces:
                assert math.isfinite(robustness(f, trace)), (f, trace)
    assert finite > 50


@pytest.mark.parametrize(
    ("text", "infinite"),
    [
        ("x > 3", False), ("F x > 3", False), ("G[0, 5] x > 3", False), ("F[2, 5] x > 3", True), ("X x > 3", True),
        ("G (x > 3 & y < 2)", False), ("p", True), ("F (p & x > 3)", True), ("x > 3 | (p & y > 1)", False),
        ("p U y > 3", False), ("x > 3 U p", True), ("(x > 1) U (y > 3)", False), ("true", True),
        ("first | x > 3", True),
        ("x / y > 3", True), ("G (prev.x > 3)", True), ("x in [0, 1]", False), ("(x, y) in box((0, 0), (1, 1))", False),
        ("F[0, 3] G[0, 2] x > 1", False), ("!(x > 3)", False), ("x > 3 -> y > 1", False), ("O x > 1", False),
        ("Y x > 1", True), ("x > 3 xor y > 1", False),
    ],
)  # fmt: skip
def test_known_cases(text: str, infinite: bool) -> None:
    assert can_be_infinite(compile_formula(text), {"p": "bool"}) is infinite
