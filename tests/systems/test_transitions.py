"""Transition systems: explicit models against a naive search, simulation against the model."""

from collections import defaultdict

import numpy as np
import pytest
from systems.declared import DIE, GRID, system

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula, postorder
from agentc.compiler.logic.semantics import _term_table as term_table
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.systems import transitions
from agentc.compiler.systems.commands import CommandSimulator, valuations
from agentc.compiler.systems.graph import decode
from agentc.compiler.systems.transitions import explore
from agentc.lang.diagnostics import AgentcError

COUNTERS = """system counters {
  state a : int in [-2, 2], b : int in [0, 3], up : bool
  input k : int in [1, 2]
  a' = max(-2, min(2, k - 2 * a))
  b' = max(0, min(3, b + a))
  up' = a > 0 & !up
  step 1s by difference
  init { a in [-1, 1]; b = 1; up = false; a != 0 }
}"""


def value_of(node, values):
    """The reference value of a term or formula at a valuation."""
    if isinstance(node, Formula):
        return evaluate(node, Trace([values]))
    table = {}
    for n in postorder(node):
        table[n] = term_table(n, Trace([values]), table, table)
    return table[node][0]


def naive(spec):
    """Successors by action of every reachable state, as Python data, by the reference semantics."""
    names = [v.name for v in spec.states]
    if spec.commands:
        commands = [(c.name, c.guard, [(b.probability, b.updates) for b in c.branches]) for c in spec.commands]
    else:
        commands = [("step", None, [(1.0, spec.equations)])]
    inputs = valuations(spec.inputs) if spec.inputs else None

    def successors(state, held, branches):
        found = defaultdict(float)
        for probability, updates in branches:
            after = dict(state)
            for e in updates:
                after[e.target] = value_of(e.value, held)
            found[tuple(after[n] for n in names)] += probability
        return dict(found)

    starts = set()
    for component in spec.initial.components:
        stack = [{}]
        for start in component.starts:
            domain = list(start.values)
            if start.kind == "range":
                domain = list(range(int(start.values[0]), int(start.values[1]) + 1))
            stack = [{**s, start.variable: v} for s in stack for v in domain]
        limit = component.constraint
        starts |= {tuple(s[n] for n in names) for s in stack if limit is None or value_of(limit, s)}
    seen, todo, made = set(starts), list(starts), {}
    while todo:
        at = todo.pop()
        state = dict(zip(names, at, strict=True))
        made[at] = {}
        if inputs is None:
            options = [(name, {}, [(name, guard, branches)]) for name, guard, branches in commands]
        else:
            options = [(i, {v.name: decode(x, v) for v, x in zip(spec.inputs, row, strict=True)}, commands)
                       for i, row in enumerate(inputs)]  # fmt: skip
        for action, (label, given, choices) in enumerate(options):
            held = {**state, **given}
            for _, guard, branches in choices:
                if guard is None or value_of(guard, held):
                    made[at][action] = successors(state, held, branches)
                    break
        for found in made[at].values():
            for other in found:
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
    return starts, made


def as_data(model):
    states = [tuple(model.state(i).values()) for i in range(len(model))]
    made = {}
    for s, state in enumerate(states):
        made[state] = {}
        for c in range(model.choices[s], model.choices[s + 1]):
            found = defaultdict(float)
            for i in range(model.offsets[c], model.offsets[c + 1]):
                found[states[model.successor[i]]] += model.probability[i]
            made[state][int(model.action[c])] = dict(found)
    return {states[i] for i in model.initial}, made


@pytest.mark.parametrize("text", [GRID, DIE, COUNTERS])
@pytest.mark.parametrize(("table", "patience"), [(transitions.TABLE, 256), (0, 256), (transitions.TABLE, 1)])
def test_the_model_is_that_of_a_naive_search(text, table, patience, monkeypatch):
    monkeypatch.setattr(transitions, "TABLE", table)
    monkeypatch.setattr(transitions, "PATIENCE", patience)
    starts, expected = naive(system(text))
    initial, found = as_data(explore(system(text)))
    assert initial == starts
    assert found.keys() == expected.keys()
    for state, actions in expected.items():
        assert found[state].keys() == actions.keys()
        for action, outcome in actions.items():
            assert found[state][action] == pytest.approx(outcome)


def test_actions_deadlocks_labels_and_initial_probabilities():
    model = explore(system(DIE))
    assert model.actions == ("roll", "swap")
    dead = [model.state(int(i)) for i in np.flatnonzero(model.deadlocks)]
    assert dead and all(s["thrown"] for s in dead)
    one = compile_formula("face == 1 & hand == left", [
        SignalIR("face", "int", lo=0, hi=6), SignalIR("hand", "enum", ("left", "right")),
    ])  # fmt: skip
    assert [model.state(int(i))["face"] for i in np.flatnonzero(model.label(one))] == [1]
    assert model.initial_probability.tolist() == [0.5, 0.5]
    grid = explore(system(GRID))
    assert grid.actions == ("up", "down", "left", "right")
    assert len(grid.sources) == len(grid.action) and grid.sources[0] == 0


@pytest.mark.parametrize("text", [GRID, DIE])
def test_simulated_runs_are_those_of_the_model(text):
    simulator, model = CommandSimulator(system(text)), explore(system(text))
    _, made = as_data(model)
    states, rng = simulator.commands.states, np.random.default_rng(0)
    state, mode = simulator.start(rng, 400)
    seen = defaultdict(lambda: defaultdict(int))
    for _ in range(12):
        mask = simulator.commands.mask(state)
        live = mask.any(axis=1)
        state, mode, mask = state[live], mode[live], mask[live]
        action = np.array([rng.choice(np.flatnonzero(m)) for m in mask])
        given = action[:, None] if text is DIE else simulator.commands.valuations[action]
        after, mode = simulator.step(state, mode, given.astype(float), simulator.noise(rng, len(state)))
        for x, a, y in zip(state, action, after, strict=True):
            before = tuple(decode(v, s) for v, s in zip(x, states, strict=True))
            later = tuple(decode(v, s) for v, s in zip(y, states, strict=True))
            assert later in made[before][int(a)]
            seen[before, int(a)][later] += 1
        state = after
    common = max(seen, key=lambda key: sum(seen[key].values()))
    total = sum(seen[common].values())
    for later, p in made[common[0]][common[1]].items():
        assert seen[common][later] / total == pytest.approx(p, abs=4 * (p * (1 - p) / total) ** 0.5 + 1e-9)


def test_a_batch_of_runs_is_each_run_alone():
    simulator, rng = CommandSimulator(system(GRID)), np.random.default_rng(1)
    state, mode = simulator.start(rng, 50)
    for _ in range(10):
        given = np.zeros((50, 1)) + rng.integers(0, 3, (50, 1))
        noise = simulator.noise(rng, 50)
        after, _ = simulator.step(state, mode, given, noise)
        for i in range(50):
            one, _ = simulator.step(state[i : i + 1], mode[:1], given[i : i + 1], noise[i : i + 1])
            assert one.tobytes() == after[i : i + 1].tobytes()
        state = after


def test_a_range_that_is_nearly_empty_and_one_that_is_too_large():
    large = "system s { state a, b : int in [0, 5000000000]; command c { a' = a }; init { a = 0; b = 0 } }"
    with pytest.raises(AgentcError) as error:
        explore(system(large))
    assert error.value.diagnostics[0].code == "AS1114"
    empty = "system s { state a : int in [0, 5]; command c { a' = a }; init { a in [0, 5]; a ** 2 == 7 } }"
    with pytest.raises(AgentcError) as error:
        explore(system(empty))
    assert error.value.diagnostics[0].code == "AS1108"


def test_a_long_chain_is_searched_by_numbers_and_errors_are_still_those_of_reached_states():
    chain = """system chain {
      state n : int in [0, 30000]
      command on when n < 20000 { n' = n + 1 }
      command off when n > 25000 { n' = n + 9999 }
      init { n = 7 }
    }"""
    model = explore(system(chain))
    assert len(model) == 20000 - 7 + 1 and model.deadlocks.sum() == 1
    assert model.values[:, 0].tolist() == list(range(7, 20001))
    wrong = chain.replace("n > 25000", "n > 15000")
    with pytest.raises(AgentcError) as error:
        explore(system(wrong.replace("9999", "19999")))
    assert error.value.diagnostics[0].code == "AS1111" and "n = 15001" in error.value.diagnostics[0].message
