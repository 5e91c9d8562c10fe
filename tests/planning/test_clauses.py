"""The graph that is encoded means what the formula means, on trajectories, against the reference semantics."""

from dataclasses import replace

import numpy as np
import pytest
from planning.problems import point, wandering
from planning.test_milp import formulas

from agentc.compiler.logic.semantics import evaluate
from agentc.runtime.planning.clauses import GraphTooLargeError, expand
from agentc.runtime.planning.milp import Grid
from agentc.runtime.planning.planner import program_of

INFINITE = (-np.inf, np.inf)


def value(graph, columns):
    """The truth of the root, for values of the columns."""
    truth = [True, False]
    for ref in range(2, len(graph.kind)):
        if graph.kind[ref] == "row":
            entries, constant, _ = graph.rows[ref]
            truth.append(bool(constant + sum(w * columns[c] for c, w in entries) > 0))
        else:
            truth.append((all if graph.kind[ref] == "all" else any)(truth[p] for p in graph.parts[ref]))
    return truth[graph.root]


def test_graphs_mean_what_the_reference_means():
    rng, true = np.random.default_rng(2), 0
    for text in formulas(84, "graphs"):
        # a start in motion: at rest, `prev.x < x` would be decided by an equality
        problem = replace(point(text), start=np.array([0.1, 0.05, 0.3, -0.2]))
        grid = Grid(program_of(problem), 0.0)
        free = expand(problem.core, problem.last, grid.column, lambda row: INFINITE, slack=0.0)
        folded = expand(problem.core, problem.last, grid.column, grid.bounds, slack=0.0)
        assert len(folded.kind) <= len(free.kind)
        for inputs in wandering(problem, rng, 6):
            judged = problem.judge(inputs)
            if judged.refused:
                continue
            trace = problem.trace(judged.states, judged.inputs)
            columns = np.concatenate([judged.states.ravel(), judged.inputs.ravel()])
            expected = evaluate(problem.formula, trace)
            true += expected
            assert value(free, columns) == expected, text
            assert value(folded, columns) == expected, text
    assert true > 30


def test_inputs_are_those_that_led_to_a_step():
    problem = point("F x > 1")
    grid = Grid(program_of(problem), 0.0)
    assert grid.column("action.ax", 0) is None
    assert grid.column("action.ax", 1) == grid.inputs(0)[0]
    assert grid.column("vy", 2) == grid.states(2)[3]


def test_too_large_a_graph_is_refused():
    problem = point("G((x > 1) U (y > 1 U vx > 0))", horizon=40)
    grid = Grid(program_of(problem), 0.0)
    with pytest.raises(GraphTooLargeError):
        expand(problem.core, problem.last, grid.column, lambda row: INFINITE, slack=0.0, budget=1_000)
