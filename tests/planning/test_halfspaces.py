"""Propositions as half-spaces, against the reference semantics."""

import random

import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import atoms, not_
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.runtime.planning.halfspaces import Linear, NotLinearError, condition

SIGNALS = [SignalIR(name, "real") for name in "xyz"]
ATOMS = [
    "x >= 1", "2 * x - y < 3", "x / 2 + y * 3 > -(1 - z)", "abs(x) <= 2", "abs(x - y) > 1", "max(x, y, 1) < 2",
    "min(x, 2 * y) >= z", "abs(x) + abs(y) <= 2", "max(x, y) - min(x, y) > 1", "x in [-1, 2]", "x not in [y, 2]",
    "x != y", "-(2 - x) >= sqrt(4)", "abs(min(x, y)) > 1",
]  # fmt: skip
REGIONS = [
    "box(lo = (-1, 0), hi = (1, 2))", "complement(box(lo = (-1, 0), hi = (1, 2)))",
    "halfspace(normal = (3, 4), offset = 2)", "union(box(lo = (0, 0), hi = (1, 1)), box(lo = (-2, -2), hi = (-1, 0)))",
    "polytope(normals = [(1, 0), (0, 1), (-1, -1)], offsets = [1, 1, 0.5])",
    "intersection(box(lo = (-2, -2), hi = (1, 1)), complement(box(lo = (0, 0), hi = (1, 1))))",
]  # fmt: skip


def holds(c, point):
    """The truth of a condition, None near a boundary."""
    if isinstance(c, Linear):
        value = c.constant + sum(w * point[name] for (name, _), w in c.weights)
        return None if abs(value) < 1e-9 else value > 0
    values = [holds(p, point) for p in c.parts]
    decided = not c.every
    if decided in values:
        return decided
    return None if None in values else c.every


MEMBERSHIPS = [f"(x, y) {word} {region}" for word in ("in", "not in") for region in REGIONS]


@pytest.mark.parametrize("text", [*ATOMS, *MEMBERSHIPS])
def test_conditions_mean_what_the_reference_means(text):
    rng, decided = random.Random(text), 0
    f = compile_formula(text, SIGNALS)
    (literal,) = atoms(f)
    for _ in range(200):
        point = {name: rng.choice([rng.uniform(-3, 3), float(rng.randint(-2, 2))]) for name in "xyz"}
        trace = Trace([point])
        for g in (literal, not_(literal)):
            found = holds(condition(g), point)
            if found is not None:
                decided += 1
                assert found == evaluate(g, trace), point
    assert decided > 200


def test_equality_has_no_margin():
    (literal,) = atoms(compile_formula("2 * x == y + 1", SIGNALS))
    both = condition(literal)
    assert both.every
    assert all(part.exact for part in both.parts)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("x * y > 1", "x * y"),
        ("sin(x) > 0.5", "sin(x)"),
        ("x / y > 1", "x / y"),
        ("norm((x, y)) < 1", "norm((x, y))"),
        ("(x, y) in circle(center = (0, 0), radius = 1)", "ball((0, 0), 1)"),
        ("x ** 2 + y < 1", "x ** 2"),
    ],
)
def test_what_is_not_linear_is_named(text, term):
    (literal,) = atoms(compile_formula(text, SIGNALS))
    with pytest.raises(NotLinearError) as caught:
        condition(literal)
    assert caught.value.text == term
