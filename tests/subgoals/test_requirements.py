"""Plans as tables of requirements: what they mean is what the plans mean."""

import itertools
import random

import numpy as np
from conformance.strategies import BY_PROFILE, sample

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.fragments import TIMED_SUBGOALS, fragment
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.signals.alternatives import random_plans
from agentc.compiler.signals.decompose import decompose
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.planning.requirements import propositions_of, required
from agentc.runtime.subgoals.propositions import FAR, Propositions
from agentc.runtime.subgoals.requirements import NEVER, schedule

TEXTS = (
    "x > 1", "x + y <= 2.5", "(x, y) in circle((0, 0), 1)", "!((x, y) in box((0, 0), (1, 2)))", "x == 1",
    "x / y > 1", "x - prev.x > 0.5", "min(x, y) >= 0 | !(abs(x) < 1) & y > 0", "x in [0, 1]",
)  # fmt: skip
SIGNALS = (SignalIR("x", "real"), SignalIR("y", "real"))


def test_propositions_mean_what_the_reference_semantics_says():
    from agentc.compiler.logic.rewrite import nnf

    formulas = [nnf(compile_formula(text, SIGNALS)) for text in TEXTS]
    read = Propositions(formulas, SIGNALS, ("x", "y"))
    rng = np.random.default_rng(3)
    values = rng.choice([-1.0, 0.0, 0.5, 1.0, 2.0], (60, 2, 2))  # ties and divisions by zero among them
    for step in (0, 1):
        margins, truths = read.read(values[:, step], values[:, 0] if step else None)
        for row, pair in enumerate(values.tolist()):
            trace = Trace([{"x": x, "y": y} for x, y in pair])
            for k, f in enumerate(formulas):
                assert truths[row, k] == evaluate(f, trace, step), (TEXTS[k], pair, step)
                exact = max(-FAR, min(FAR, robustness(f, trace, step)))
                assert abs(margins[row, k] - exact) <= 1e-9 * max(1.0, abs(exact)), (TEXTS[k], pair, step)


def test_a_trace_meets_a_plan_exactly_if_everything_required_holds():
    rng, seen = random.Random("required"), 0
    for f, (trace,) in itertools.islice(sample("required", 1, [BY_PROFILE["propositional future"]]), 300):
        if not fragment(f) <= TIMED_SUBGOALS:
            continue
        try:
            decomposition = decompose(f, trace.last, max_nodes=2_000)
        except AgentcError:
            continue
        props = propositions_of(decomposition)
        for plan in random_plans(decomposition, 3, rng):
            table = required(plan, props)
            holds = [[evaluate(p, trace, t) for t in range(len(trace))] for p in props]
            assert bool((np.array(holds, bool).reshape(table.shape) | ~table).all()) == plan.met(trace)
            seen += 1
    assert seen > 200


def test_a_schedule_says_when_a_proposition_is_required_next_and_until_when():
    rng = np.random.default_rng(0)
    for _ in range(50):
        table = rng.random((2, 3, 12)) < rng.choice([0.1, 0.5, 0.9])
        found = schedule(table)
        for row, prop, t in itertools.product(range(2), range(3), range(13)):
            steps = [s for s in range(t, 12) if table[row, prop, s]]
            start = steps[0] if steps else NEVER
            assert found.start[row, prop, t] == start
            if steps:
                end = start
                while end + 1 < 12 and table[row, prop, end + 1]:
                    end += 1
                assert found.end[row, prop, t] == end
