"""Sure truth over runs against the reference semantics: exact on points, and never sure of what is false."""

import numpy as np
import pytest

from agentc.compiler.agent import VariableIR
from agentc.compiler.logic.ir import and_, compare, const, formula, not_, or_, signal
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.truth import Run, propositions, surely

VARIABLES = (VariableIR("x", "state", "real"), VariableIR("y", "state", "real"))
LENGTHS = (1, 2, 3, 6)


def random_formula(rng, depth):
    if depth == 0 or rng.random() < 0.15:
        name, op = rng.choice(["x", "y"]), rng.choice(["<", "<=", ">", ">=", "!="])
        return compare(str(op), signal(str(name)), const(float(rng.choice([-0.5, 0.0, 0.5]))))
    kind = rng.choice(["not", "and", "or", "implies", "xor", "iff", "F", "G", "U", "R", "W", "M", "X", "WX"])
    a = random_formula(rng, depth - 1)
    if kind == "not":
        return not_(a)
    if kind in ("X", "WX"):
        k = int(rng.integers(0, 3))
        return formula(kind, (a,), (k, k))
    low = int(rng.integers(0, 3))
    interval = (low, None) if rng.random() < 0.4 else (low, low + int(rng.integers(0, 4)))
    if kind in ("F", "G"):
        return formula(kind, (a,), interval)
    b = random_formula(rng, depth - 1)
    if kind in ("and", "or"):
        return and_(a, b) if kind == "and" else or_(a, b)
    if kind in ("implies", "xor", "iff"):
        return formula(kind, (a, b))
    return formula(str(kind), (a, b), interval)


def point(values):
    return Form(np.asarray(values, float), np.zeros((len(values), 1)), np.zeros(len(values)))


def followed(f, data, between=None):
    """A run of points: ``data`` is ``(batch, time, 2)``; ``between`` gives the sure truth of the spans, or nothing."""
    atoms = propositions(f, VARIABLES)
    run = Run(atoms, ("x", "y"), discrete=between is None)
    for t in range(data.shape[1]):
        if t:
            run.span([])
            for atom in atoms if between is not None else ():
                run.between[atom][-1] = between(atom, t)
        run.sample([point(data[:, t, 0]), point(data[:, t, 1])])
    return run


@pytest.mark.parametrize("seed", range(8))
def test_on_points_it_is_the_reference(seed):
    rng = np.random.default_rng([seed, 1])
    pairs = 0
    for _ in range(25):
        f = random_formula(rng, 3)
        data = rng.normal(0, 0.7, (10, int(rng.choice(LENGTHS)), 2))
        run = followed(f, data)
        found, negated = surely(f, run), surely(not_(f), run)
        for k, rows in enumerate(data):
            truth = evaluate(f, Trace([{"x": float(x), "y": float(y)} for x, y in rows]))
            assert bool(found[k]) == truth and bool(negated[k]) != truth, (f, rows)
            pairs += 1
    assert pairs == 250


@pytest.mark.parametrize("seed", range(4))
def test_spans_only_make_it_less_sure(seed):
    """Whatever is known of what lies between the samples, what is sure holds of the samples."""
    rng = np.random.default_rng([seed, 2])
    sure = 0
    for _ in range(25):
        f = random_formula(rng, 3)
        data = rng.normal(0, 0.7, (10, 6, 2))

        def between(atom, t):
            yes = rng.random(10) < 0.7
            return yes, ~yes & (rng.random(10) < 0.7)

        run = followed(f, data, between)
        for g in (f, not_(f)):
            for k in np.flatnonzero(surely(g, run)):
                trace = Trace([{"x": float(x), "y": float(y)} for x, y in data[k]])
                assert evaluate(g, trace), (g, data[k])
                sure += 1
    assert sure > 50


@pytest.mark.parametrize("seed", range(4))
def test_sets_are_sure_only_of_what_all_their_points_satisfy(seed):
    rng = np.random.default_rng([seed, 3])
    sure = 0
    for _ in range(20):
        f = random_formula(rng, 2)
        middle, radius = rng.normal(0, 0.9, (8, 5, 2)), rng.exponential(0.15, (8, 5, 2))
        atoms = propositions(f, VARIABLES)
        run = Run(atoms, ("x", "y"), discrete=True)
        for t in range(5):
            if t:
                run.span([])
            run.sample([Form(middle[:, t, i], np.zeros((8, 1)), radius[:, t, i]) for i in range(2)])
        known = surely(f, run)
        for _ in range(20):
            data = middle + radius * rng.uniform(-1, 1, middle.shape)
            for k in np.flatnonzero(known):
                assert evaluate(f, Trace([{"x": float(x), "y": float(y)} for x, y in data[k]]))
                sure += 1
    assert sure > 50


def refined(f):
    """The formula over a trace with one moment more between any two samples: intervals twice as long."""
    made = {}
    from agentc.compiler.logic.ir import Formula, postorder

    for node in postorder(f):
        if not isinstance(node, Formula):
            continue
        if node.op == "atom":
            made[node] = node
        elif node.interval is None:
            made[node] = formula(node.op, [made[a] for a in node.args])
        else:
            a, b = node.interval
            made[node] = formula(node.op, [made[x] for x in node.args], (2 * a, None if b is None else 2 * b))
    return made[f]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_sure_holds_between_the_samples(seed):
    """With the spans' truth that of a moment inside each, the formula holds of the run with these moments."""
    from agentc.compiler.logic.ir import postorder

    rng = np.random.default_rng([seed, 4])
    sure = 0
    for _ in range(60):
        f = random_formula(rng, 3)
        if any(n.op in ("X", "WX") for n in postorder(f)):
            continue  # the next sample is no notion of continuous time
        smooth = rng.normal(0, 0.7, (10, 1, 2)) + 0.35 * rng.normal(0, 0.7, (10, 11, 2)).cumsum(axis=1)

        def between(atom, t, smooth=smooth):
            middle = [{"x": float(x), "y": float(y)} for x, y in smooth[:, 2 * t - 1]]
            yes = np.array([evaluate(atom, Trace([m])) for m in middle])
            return yes, ~yes

        found = surely(f, followed(f, smooth[:, ::2], between))
        for k in np.flatnonzero(found):
            dense = Trace([{"x": float(x), "y": float(y)} for x, y in smooth[k]])
            assert evaluate(refined(f), dense), (f, smooth[k])
            sure += 1
    assert sure > 50
