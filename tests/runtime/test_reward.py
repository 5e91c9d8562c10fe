"""Payment: the language's rules case by case, the vectorised machine against the reference, shaping on a small MDP."""

import json
import random

import numpy as np
import pytest

from agentc.compiler.agent import (
    AgentIR,
    FormulaIR,
    MachineEdgeIR,
    MachineIR,
    MachineStateIR,
    RewardIR,
    RewardTermIR,
    SignalIR,
)
from agentc.compiler.backends.reward_compilation import compile_reward
from agentc.compiler.backends.reward_machine import RewardMachine
from agentc.compiler.logic.ir import and_, compare, const, formula, not_, or_, prop, signal, term
from agentc.compiler.logic.sample import random_formula
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.reward import RewardMonitor

A, B, C = prop("a"), prop("b"), prop("c")
SIGNALS = (SignalIR("a", "bool"), SignalIR("b", "bool"), SignalIR("c", "bool"))


def F(f):
    return formula("F", (f,))


def G(f):
    return formula("G", (f,))


def agent(formulas, terms, shape=(), machine=None, discount=0.9, signals=SIGNALS):
    items = tuple(FormulaIR(name, role, f, str(f)) for name, (role, f) in formulas.items())
    reward = RewardIR(tuple(terms), tuple(shape), discount, machine)
    return AgentIR("Test", None, None, signals, (), items, reward, None)


def pays(name, amount, ends=None):
    return RewardTermIR("formula", amount, name, ends=ends)


STEP = RewardTermIR("step", -0.1)


def play(machine, word, **last):
    """The rewards of a word of sets of true atoms, from step 1 on; ``last`` says how the last step stops."""
    letters = [{x: str(x) in step for x in machine.atoms} for step in word]
    state = machine.start(letters[0])
    rewards, over = [], []
    for t, letter in enumerate(letters[1:], 1):
        state, outcome = machine.step(state, letter, **(last if t == len(word) - 1 else {}))
        rewards.append(round(outcome.reward, 6))
        over.append((outcome.terminated, outcome.truncated))
    return rewards, over


GO, END, CUT = (False, False), (True, False), (False, True)
ONCE = agent({"reach": ("task", F(A))}, [pays("reach", 1.0)])
HOLD = agent({"keep": ("task", G(A))}, [pays("keep", 1.0)])
SAFE = agent({"safe": ("safe", G(not_(B)))}, [pays("safe", -1.0)])
TWO = agent({"one": ("task", F(A)), "two": ("task", F(B))}, [pays("one", 1.0), pays("two", 2.0)])
BOTH = agent({"reach": ("task", F(A)), "safe": ("safe", G(not_(B)))}, [pays("reach", 1.0), pays("safe", -1.0), STEP])
PRESENT = agent({"keep": ("task", G(A)), "safe": ("safe", G(not_(B)))}, [pays("keep", 1.0), pays("safe", -5.0)])
N = ""

CASES = [
    # a task is paid once, on the step on which it becomes finally true, and ends the episode
    (ONCE, [N, N, "a"], {}, [0, 1], [GO, END]),
    (ONCE, [N, N, N], {}, [0, 0], [GO, GO]),
    # final at step 0: paid on the first step, which ends the episode
    (ONCE, ["a", N], {}, [1], [END]),
    # termination is an end: what is not true there is not paid
    (ONCE, [N, N], {"terminated": True}, [0], [END]),
    # a time limit is none where a task can only be true by being finally true: nothing paid, bootstrapped
    (ONCE, [N, N], {"time_limit": True}, [0], [CUT]),
    (ONCE, [N, N], {"truncated": True}, [0], [CUT]),
    # paid and stopped at once: termination counts
    (ONCE, [N, "a"], {"time_limit": True}, [1], [END]),
    # true at the end without being final
    (HOLD, ["a", "a", "a"], {}, [0, 0], [GO, GO]),
    (HOLD, ["a", "a"], {"terminated": True}, [1], [END]),
    (HOLD, ["a", "a"], {"time_limit": True}, [1], [END]),
    # any other truncation pays nothing and bootstraps
    (HOLD, ["a", "a"], {"truncated": True}, [0], [CUT]),
    # finally false ends the episode too, and pays nothing
    (HOLD, ["a", N], {}, [0], [END]),
    (HOLD, [N, "a"], {}, [0], [END]),
    # a safe pays on its violation, which ends the episode
    (SAFE, [N, N, "b"], {}, [0, -1], [GO, END]),
    (SAFE, [N, N], {"terminated": True}, [0], [END]),
    (SAFE, ["b", N], {}, [-1], [END]),
    # tasks end the episode when all of them are final
    (TWO, [N, "a", N, "b"], {}, [1, 0, 2], [GO, GO, END]),
    (TWO, [N, "ab"], {}, [3], [END]),
    (TWO, ["a", N, N], {}, [1, 0], [GO, GO]),
    # each is paid once
    (TWO, [N, "a", "a", "a"], {}, [1, 0, 0], [GO, GO, GO]),
    # step costs on every step but step 0
    (BOTH, [N, N, "a"], {}, [-0.1, 0.9], [GO, END]),
    (BOTH, [N, N, "b"], {}, [-0.1, -1.1], [GO, END]),
    (BOTH, [N, "ab"], {}, [-0.1], [END]),
    # a violation is an end: a task that is true there is paid
    (PRESENT, ["a", "ab"], {}, [-4], [END]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{[f.name for f in c[0].formulas]} {c[1]} {c[2]}")
def test_payment(case):
    ir, word, last, rewards, over = case
    machine, notes = compile_reward(ir)
    assert not notes
    assert play(machine, word, **last) == (rewards, over)


def test_continues_and_ends_override():
    on = agent({"safe": ("safe", G(not_(B)))}, [pays("safe", -1.0, ends=False)])
    machine, _ = compile_reward(on)
    assert play(machine, [N, "b", "b", N]) == ([-1, 0, 0], [GO, GO, GO])
    first = agent({"one": ("task", F(A)), "two": ("task", F(B))}, [pays("one", 1.0, ends=True), pays("two", 2.0)])
    machine, _ = compile_reward(first)
    assert play(machine, [N, "a"]) == ([1], [END])
    lasting = agent({"one": ("task", F(A)), "two": ("task", F(B))}, [pays("one", 1.0, ends=False), pays("two", 2.0)])
    machine, _ = compile_reward(lasting)
    assert play(machine, [N, "a", N]) == ([1, 0], [GO, GO])
    assert play(machine, [N, "b"]) == ([2], [END])
    none = agent({"one": ("task", F(A))}, [pays("one", 1.0, ends=False)])
    machine, _ = compile_reward(none)
    assert play(machine, [N, "a", "a"]) == ([1, 0], [GO, GO])


def test_propositions_pay_on_each_step():
    since = term("prev", value="s")
    signals = (*SIGNALS, SignalIR("s", "enum", members=("x", "y")))
    terms = [RewardTermIR("prop", 0.5, formula=and_(A, not_(B))), RewardTermIR("prop", 2.0, formula=C)]
    machine, _ = compile_reward(agent({}, terms))
    assert play(machine, ["a", "a", "ab", "c", "ac"]) == ([0.5, 0, 2, 2.5], [GO] * 4)
    changed = RewardTermIR("prop", 1.0, formula=compare("!=", signal("s"), since))
    machine, notes = compile_reward(agent({}, [changed], signals=signals))
    assert not notes
    monitor = RewardMonitor(machine, 1, signals)
    monitor.reset({"s": np.array([0])})
    assert [monitor.step({"s": np.array([v])}).reward[0] for v in (0, 1, 1, 0)] == [0, 1, 0, 1]


def test_time_left_is_needed_where_a_task_can_be_true_without_being_final():
    for f, needed in ((F(A), False), (G(A), True), (and_(F(A), G(not_(B))), True), (formula("X", (A,)), False)):
        assert compile_reward(agent({"t": ("task", f)}, [pays("t", 1.0)]))[0].needs_time_left == needed
        assert not compile_reward(agent({"t": ("task", f)}, [STEP]))[0].needs_time_left
    assert not compile_reward(SAFE)[0].needs_time_left


def test_a_safe_with_an_open_obligation_is_not_violated():
    response = agent({"safe": ("safe", G(or_(not_(A), formula("F", (B,), (0, 2)))))}, [pays("safe", -1.0)])
    machine, _ = compile_reward(response)
    assert play(machine, ["a", N], terminated=True) == ([0], [END])
    assert play(machine, ["a", N, N]) == ([0, -1], [GO, END])


MACHINE = MachineIR(
    (
        MachineStateIR("u0", False, (MachineEdgeIR(A, "u1", 0.1), MachineEdgeIR(or_(A, B), "u2", 0.2))),
        MachineStateIR("u1", False, (MachineEdgeIR(and_(B, not_(C)), "u2", 1.0), MachineEdgeIR(C, "u0", -1.0))),
        MachineStateIR("u2", True, ()),
    ),
    "m",
)  # fmt: skip


def test_an_explicit_machine():
    machine, notes = compile_reward(agent({}, [STEP], machine=MACHINE))
    assert not notes
    assert play(machine, [N, N, "a", N, "b"]) == ([-0.1, 0, -0.1, 0.9], [GO, GO, GO, END])
    # edges are tried in order
    assert play(machine, [N, "ab"]) == ([0.0], [GO])
    assert play(machine, [N, "b"]) == ([0.1], [END])
    assert play(machine, [N, "a", "bc", "b"]) == ([0, -1.1, 0.1], [GO, GO, END])
    # the edge of step 0 is paid on the first step
    assert play(machine, ["a", N]) == ([0.0], [GO])


def test_terms_that_are_not_built_are_named_and_not_paid_in_silence():
    total = term("count", (A,))
    counted = agent({"t": ("task", F(compare(">", total, const(3))))}, [pays("t", 1.0)])
    machine, notes = compile_reward(counted)
    assert [n.code for n in notes] == ["AS0709"] and machine.missing == ("t",)
    with pytest.raises(AgentcError) as error:
        RewardMonitor(machine, 1, SIGNALS)
    assert error.value.diagnostics[0].code == "AS0714"
    RewardMonitor(machine, 1, SIGNALS, partial=True)


def random_agent(rng):
    formulas, terms = {}, []
    for i in range(rng.randint(1, 3)):
        role = rng.choice(["task", "task", "safe"])
        formulas[f"f{i}"] = (role, random_formula(rng, (A, B, C), rng.randint(1, 4)))
        terms.append(pays(f"f{i}", rng.choice([1.0, -1.0, 0.25]), rng.choice([None, None, True, False])))
    if rng.random() < 0.5:
        terms.append(STEP)
    if rng.random() < 0.5:
        terms.append(RewardTermIR("prop", 0.5, formula=rng.choice([A, and_(A, B), not_(C)])))
    shape = [n for n in formulas if rng.random() < 0.5]
    machine = MACHINE if rng.random() < 0.4 else None
    return agent(formulas, terms, [*shape, *(["m"] if machine and rng.random() < 0.5 else [])], machine)


def test_vectorised_is_the_reference():
    rng = random.Random(4)
    seen = set()
    for _ in range(60):
        machine = RewardMachine.from_data(json.loads(json.dumps(compile_reward(random_agent(rng))[0].to_data())))
        n = 4
        monitor = RewardMonitor(machine, n, SIGNALS)

        def draw(n=n):
            return {name: np.array([rng.random() < 0.4 for _ in range(n)]) for name in "abc"}

        def letter(values, i, machine=machine):
            return {x: bool(values[str(x)][i]) for x in machine.atoms}

        now = draw()
        monitor.reset(now)
        states = [machine.start(letter(now, i)) for i in range(n)]
        for _ in range(12):
            now = draw()
            stops = [np.array([rng.random() < 0.1 for _ in range(n)]) for _ in range(3)]
            step = monitor.step(now, *stops)
            for i in range(n):
                how = dict(zip(("terminated", "time_limit", "truncated"), (bool(s[i]) for s in stops), strict=True))
                states[i], outcome = machine.step(states[i], letter(now, i), **how)
                assert step.reward[i] == pytest.approx(outcome.reward)
                assert step.shaping[i] == pytest.approx(outcome.shaping)
                assert (step.terminated[i], step.truncated[i]) == (outcome.terminated, outcome.truncated)
                assert tuple(step.codes[:, i]) == outcome.codes
                seen.add((outcome.terminated, outcome.truncated, *how.values()))
            ended = step.terminated | step.truncated
            if ended.any():
                now = draw()
                monitor.reset(now, ended)
                for i in np.flatnonzero(ended):
                    states[i] = machine.start(letter(now, i))
    assert len(seen) > 8


# ---------------------------------------------------------------- shaping

SEQUENCE = F(and_(A, F(and_(B, F(C)))))


def test_potentials_grow_with_each_stage():
    machine, _ = compile_reward(agent({"t": ("task", SEQUENCE)}, [pays("t", 2.0)], ["t"], discount=1.0))
    letters = [{x: str(x) in step for x in machine.atoms} for step in (N, "a", "b", N, "c")]
    state = machine.start(letters[0])
    shaping = []
    for letter in letters[1:]:
        state, outcome = machine.step(state, letter)
        shaping.append(round(outcome.shaping, 6))
    # four equal stages: 1/4 of the amount is there from the start; the end takes all potential back
    assert shaping == [0.5, 0.5, 0.0, -1.5]


def test_a_state_that_cannot_succeed_has_the_lowest_potential():
    f = and_(SEQUENCE, G(or_(not_(A), not_(B))))
    machine, _ = compile_reward(agent({"t": ("task", f)}, [pays("t", 1.0)], ["t"]))
    (shaping,) = machine.shapings
    verdicts = machine.programs[shaping.program].parts[0].verdicts
    (phi,) = shaping.potentials
    dead = [p for p, v in zip(phi, verdicts, strict=True) if v == 0]
    alive = [p for p, v in zip(phi, verdicts, strict=True) if v in (1, 2)]
    assert dead == [0.0] and min(alive) > 0


def corridor(machine, discount, shaped):
    """Optimal policy values on a corridor 0..5 by value iteration: `a` holds at 1, `b` at 3, `c` at 4, time is endless.

    Returns the set of optimal actions in each reachable product state.
    """

    def letter(x):
        here = {1: "a", 3: "b", 4: "c"}.get(x, "")
        return {p: str(p) in here for p in machine.atoms}

    start = (2, machine.start(letter(2)))
    order, moves = [start], {}
    for node in order:
        x, u = node
        moves[node] = []
        for way in (-1, 0, 1):
            y = min(max(x + way, 0), 5)
            after, outcome = machine.step(u, letter(y), terminated=y == 5)
            gain = outcome.reward + (outcome.shaping if shaped else 0.0)
            target = None if outcome.terminated else (y, after)
            moves[node].append((gain, target))
            if target is not None and target not in moves and target not in order:
                order.append(target)
    value = dict.fromkeys(order, 0.0)
    for _ in range(400):
        value = {n: max(g + discount * (value[t] if t else 0.0) for g, t in moves[n]) for n in order}
    best = {}
    for n in order:
        q = [g + discount * (value[t] if t else 0.0) for g, t in moves[n]]
        best[n] = {i for i, v in enumerate(q) if v > max(q) - 1e-9}
    return best


@pytest.mark.parametrize(
    "formulas",
    [
        {"t": ("task", SEQUENCE)},
        {"t": ("task", SEQUENCE), "u": ("task", F(C))},
        {"t": ("task", and_(F(C), G(not_(B))))},
        {"t": ("task", G(not_(B))), "s": ("safe", G(not_(A)))},
    ],
)
def test_shaping_leaves_the_optimal_policy_as_it_is(formulas):
    terms = [pays(n, -1.0 if role == "safe" else 1.0) for n, (role, _) in formulas.items()] + [STEP]
    machine, _ = compile_reward(agent(formulas, terms, list(formulas), discount=0.9))
    assert corridor(machine, 0.9, False) == corridor(machine, 0.9, True)
