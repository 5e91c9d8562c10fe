"""`robustness(f)` and `progress(f)` in a reward: the reference on random traces, both environments, what cannot be."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scripted import Scripted, agent, letters, read

from agentc.compiler.agent import AgentIR, FormulaIR, RewardIR, RewardTermIR, SignalIR
from agentc.compiler.backends.potentials import efforts
from agentc.compiler.backends.reward_compilation import compile_reward
from agentc.compiler.backends.reward_machine import RewardMachine
from agentc.compiler.logic.ir import and_, compare, const, formula, not_, prop, signal, term
from agentc.compiler.logic.sample import random_formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.train import train
from agentc.runtime.machine_table import tabulate
from agentc.runtime.reward import RewardMonitor
from agentc.runtime.spec_env import SpecEnv, compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.training import configuration

A, B = prop("a"), prop("b")
WARM = compare(">", signal("x"), const(0.5))
ROSE = compare(">=", signal("x"), term("prev", value="x"))
FAST = compare("==", signal("mode"), const("fast"))
SIGNALS = (
    SignalIR("a", "bool"),
    SignalIR("b", "bool"),
    SignalIR("x", "real", lo=-2.0, hi=2.0),
    SignalIR("mode", "enum", members=("slow", "fast")),
)
LEAVES = (A, B, WARM, ROSE, FAST)


def machine_of(terms, formulas=(), signals=SIGNALS):
    items = tuple(FormulaIR(name, "task", f, str(f)) for name, f in formulas)
    ir = AgentIR("Test", None, None, signals, (), items, RewardIR(tuple(terms)), None)
    machine, notes = compile_reward(ir)
    assert not notes
    return RewardMachine.from_data(json.loads(json.dumps(machine.to_data())))


def graded(kind, f, amount=1.0, clip=(-3.0, 3.0)):
    return RewardTermIR(kind, amount, str(f), f, clip=clip if kind == "robustness" else None)


def random_machine(rng):
    terms = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(["robustness", "robustness", "progress"])
        size = rng.choice([0, 2, 4])
        operators = ("not", "and", "or", "xor") if kind == "robustness" and rng.random() < 0.4 else None
        f = random_formula(rng, LEAVES, size, operators) if operators else random_formula(rng, LEAVES, size)
        terms.append(graded(kind, f, rng.choice([1.0, -0.5])))
    return machine_of([*terms, RewardTermIR("step", -0.1)])


def drawn(rng, n):
    return {
        "a": np.array([rng.random() < 0.4 for _ in range(n)]),
        "b": np.array([rng.random() < 0.4 for _ in range(n)]),
        "x": np.array([rng.choice([-1.5, 0.25, 0.5, 1.0, 2.0]) for _ in range(n)]),
        "mode": np.array([rng.randrange(2) for _ in range(n)]),
    }


def valuation(values, i):
    return {
        "a": bool(values["a"][i]), "b": bool(values["b"][i]), "x": float(values["x"][i]),
        "mode": ("slow", "fast")[values["mode"][i]],
    }  # fmt: skip


def test_vectorised_is_the_reference_on_random_traces():
    rng = random.Random(11)
    paid = {"whole": 0, "steps": 0, "progress": 0}
    for _ in range(40):
        machine = random_machine(rng)
        n = 3
        monitor = RewardMonitor(machine, n, SIGNALS)
        now = drawn(rng, n)
        monitor.reset(now)

        def letter(trace, machine=machine):
            return {x: evaluate(x, Trace(trace), len(trace) - 1) for x in machine.atoms}

        traces = [[valuation(now, i)] for i in range(n)]
        states = [machine.start(letter(trace)) for trace in traces]
        for _ in range(10):
            if rng.random() < 0.1:  # a monitor that was saved and read again goes on alike
                other = RewardMonitor(machine, n, SIGNALS)
                other.reset(drawn(rng, n))
                other.restore(monitor.state())
                monitor = other
            now = drawn(rng, n)
            stops = [np.array([rng.random() < 0.1 for _ in range(n)]) for _ in range(3)]
            step = monitor.step(now, *stops)
            for i in range(n):
                traces[i].append(valuation(now, i))
                how = dict(zip(("terminated", "time_limit", "truncated"), (bool(s[i]) for s in stops), strict=True))
                trace = Trace(traces[i])
                states[i], outcome = machine.step(
                    states[i], letter(traces[i]), **how, measure=lambda t, trace=trace: t.value(trace)
                )
                assert step.reward[i] == pytest.approx(outcome.reward, abs=1e-12)
                assert (step.terminated[i], step.truncated[i]) == (outcome.terminated, outcome.truncated)
                made, robust = np.split(outcome.paid[len(machine.payments) : -1], [len(machine.progress)])
                paid["progress"] += made.any()
                for t, amount in zip(machine.robustness, robust, strict=True):
                    paid["whole" if t.whole else "steps"] += amount != 0
                    assert math.isfinite(amount)
            ended = step.terminated | step.truncated
            if ended.any():
                now = drawn(rng, n)
                monitor.reset(now, ended)
                for i in np.flatnonzero(ended):
                    traces[i] = [valuation(now, i)]
                    states[i] = machine.start(letter(traces[i]))
    assert min(paid.values()) > 20, paid


BODY = """
    signal p, q : bool
    signal x : real in [-5, 5]
    task t = F (p & F q)
    safe s = G (x > -4)
    reward {
      t : +1 continues
      robustness(G (x < 3)) : 0.5
      robustness(x > 1, clip = [-1, 2]) : 0.1
      robustness(F (p & x > 2), clip = 4) : 0.25
      progress(t) : 2
    }"""


@pytest.mark.parametrize("ending", ["terminated", "truncated", "none"])
def test_both_environments_pay_what_the_reference_says(ending):
    """Episodes end by themselves, are cut off (a whole trace is then paid nothing for), or run to the time limit."""
    compiled = agent(BODY)
    machine = compiled.reward_machine
    assert machine.needs_time_left
    rng = np.random.default_rng(5)
    horizon = 5
    scripts = [
        [
            {"p": bool(rng.random() < 0.3), "q": bool(rng.random() < 0.3), "x": float(rng.integers(-4, 6))}
            for _ in range(int(rng.integers(2, 5)) if ending != "none" else horizon + 3)
        ]
        for _ in range(12)
    ]
    make = lambda: Scripted(scripts, ending)
    vector = SpecVectorEnv(compiled, 2, make=make, signals=read, horizon=horizon)
    singles = [SpecEnv(make(), compiled, signals=read, horizon=horizon) for _ in range(2)]
    vector.reset(0)
    for env in singles:
        env.reset(seed=0)
    assert vector.observation_space == singles[0].observation_space
    totals = [{}, {}]
    ends = 0
    trace = [[scripts[0][0]], [scripts[0][0]]]
    for _ in range(50):
        batch = vector.step(np.zeros(2, np.int64))
        for i, env in enumerate(singles):
            _, reward, terminated, truncated, info = env.step(0)
            said = info["agentc"]
            trace[i].append(said["signals"])
            assert batch.reward[i] == np.float32(reward)
            assert (batch.terminated[i], batch.truncated[i]) == (terminated, truncated)
            for t in machine.robustness:
                due = terminated or not t.whole
                assert said["reward"][t.name] == (pytest.approx(t.paid(t.value(Trace(trace[i])))) if due else 0.0)
            for name, amount in said["reward"].items():
                totals[i][name] = totals[i].get(name, 0.0) + amount
            if terminated or truncated:
                ends += 1
                for t in machine.graded:
                    assert batch.info[f"reward/{t.name}"][i] == pytest.approx(totals[i][t.name])
                totals[i] = {}
                env.reset()
                trace[i] = [dict(env.valuation)]
    assert ends > 10


def test_a_run_that_is_resumed_pays_alike():
    compiled = agent(BODY)
    scripts = [[{"p": k == 2, "q": k == 4, "x": float(k)} for k in range(5)]] * 3
    make = lambda: Scripted(scripts, "terminated")
    one, other = (SpecVectorEnv(compiled, 2, make=make, signals=read, horizon=9) for _ in range(2))
    one.reset(0)
    one.step(np.zeros(2, np.int64))
    saved = {k: a.copy() for k, a in one.rewards.state().items()}
    other.reset(0)
    other.step(np.zeros(2, np.int64))
    other.rewards.restore(saved)
    for _ in range(9):
        assert one.step(np.zeros(2, np.int64)).reward.tolist() == other.step(np.zeros(2, np.int64)).reward.tolist()


# ---------------------------------------------------------------- progress

SEQUENCE = formula("F", (and_(A, formula("F", (and_(B, formula("F", (prop("c"),))),))),))
BOOLEANS = tuple(SignalIR(name, "bool") for name in "abc")


def amounts(machine, *word):
    found = [{x: str(x) in step for x in machine.atoms} for step in word]
    state = machine.start(found[0])
    paid = []
    for letter in found[1:]:
        state, outcome = machine.step(state, letter)
        paid.append(sum(outcome.paid))
    return paid


def test_each_stage_is_worth_the_same():
    machine = machine_of([graded("progress", SEQUENCE, 3.0)], signals=BOOLEANS)
    assert amounts(machine, "", "a", "", "b", "c", "") == pytest.approx([1, 0, 1, 1, 0])
    # what step 0 comes with is not paid
    assert amounts(machine, "a", "b", "c") == pytest.approx([1, 1])


def test_where_no_way_is_left_all_progress_is_lost():
    careful = and_(SEQUENCE, formula("G", (not_(and_(A, B)),)))
    machine = machine_of([graded("progress", careful, 3.0)], signals=BOOLEANS)
    assert amounts(machine, "", "a", "b", "ab", "c") == pytest.approx([1, 1, -2, 0])
    held = machine_of([graded("progress", formula("G", (A,)))], signals=BOOLEANS)
    assert amounts(held, "a", "a", "", "a") == [0, -1, 0]


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_it_cannot_be_farmed(discount):
    """Whatever is done, an episode brings no more than the way that is left, and going round in circles nothing."""
    rng = random.Random(3)
    circled = 0
    for _ in range(60):
        f = random_formula(rng, (A, B, prop("c")), rng.randint(1, 5))
        machine = machine_of([graded("progress", f)], signals=BOOLEANS)
        (term,) = machine.progress
        letters_ = [{x: rng.random() < 0.5 for x in machine.atoms} for _ in range(12)]
        state = machine.start(letters_[0])
        at_start = term.made(state.states[term.program])
        total, seen, sums = 0.0, {state.states: 0.0}, 0.0
        for t, letter in enumerate(letters_[1:]):
            state, outcome = machine.step(state, letter)
            total += discount**t * outcome.reward
            sums += outcome.reward
            if state.states in seen:  # a way round in the automaton pays nothing
                assert sums == pytest.approx(seen[state.states])
                circled += 1
            seen[state.states] = sums
            assert total <= 1 - at_start + 1e-9
        assert sums == pytest.approx(term.made(state.states[term.program]) - at_start)
    assert circled > 20


def test_progress_is_the_share_of_the_way_in_the_automaton():
    compiled = agent("signal p, q, r : bool\ntask t = F (p & F (q & F r))\nreward { t : 1; progress(t) : 1 }")
    (term,) = compiled.reward_machine.progress
    assert compiled.reward_machine.programs[term.program].name == "t"
    known = efforts(compiled.automaton("t"))
    assert list(term.distances[0][: len(known)]) == known and term.farthest == max(known)


def test_of_parts():
    """A formula that is watched in parts has the sum of their efforts; of a disjunction, the least."""
    from agentc.compiler.backends.graded import Progress

    rows = ((2.0, 1.0, 0.0, math.inf), (1.0, 0.0))
    both, either = Progress("p", 1.0, 0, rows), Progress("p", 1.0, 0, rows, "or")
    assert [both.made(s) for s in ((0, 0), (1, 0), (2, 1), (3, 1))] == pytest.approx([0, 1 / 3, 1, 0])
    assert [either.made(s) for s in ((0, 0), (3, 0), (3, 1), (1, 0))] == pytest.approx([0.5, 0.5, 1, 0.5])


def test_the_table_of_a_machine_has_progress():
    compiled = agent("signal p, q, r : bool\ntask t = F (p & F q)\nreward { t : 1; progress(t) : 1 }")
    table = tabulate(compiled, merge=False)
    order = letters("", "p", "q")
    classes = table.classes(np.array([[v[str(a)] for a in table.atoms] for v in order]))
    start = table.start[0, classes[0]]
    assert table.reward[start, classes[1]] == pytest.approx(0.5)
    assert table.reward[table.next[start, classes[1]], classes[2]] == pytest.approx(1 + 0.5)


# ---------------------------------------------------------------- what cannot be


def test_robustness_is_on_no_table():
    compiled = agent("signal x : real in [0, 5]\ntask t = F (x > 4)\nreward { t : 1; robustness(t) : 1 }")
    with pytest.raises(AgentcError) as error:
        tabulate(compiled)
    assert [d.code for d in error.value.diagnostics] == ["AS0716"]


def test_a_whole_trace_needs_an_end():
    compiled = agent("signal x : real in [0, 5]\ntask t = F (x > 4)\nreward { t : 1; robustness(t) : 1 }")
    with pytest.raises(AgentcError) as error:
        SpecEnv(Scripted([[{"x": 1.0}]]), compiled, signals=read)
    (found,) = error.value.diagnostics
    assert found.code == "AS0915" and "robustness(t)" in found.message


def test_truth_values_are_no_numbers():
    machine = machine_of([graded("robustness", WARM)])
    monitor = RewardMonitor(machine, 1, SIGNALS)
    with pytest.raises(ValueError, match="reads signals"):
        monitor.reset(np.zeros((1, len(machine.atoms)), np.bool_))
    state = machine.start({})
    with pytest.raises(TypeError, match="nothing measures"):
        machine.step(state, {})


def test_what_looks_further_back_is_named():
    often = compare(">", term("count", (A,)), const(3))
    reward = RewardIR((graded("robustness", often), graded("progress", often)))
    ir = AgentIR("T", None, None, SIGNALS, (), (), reward, None)
    machine, notes = compile_reward(ir)
    assert [n.code for n in notes] == ["AS0709", "AS0709"] and len(machine.missing) == 2
    with pytest.raises(AgentcError) as error:
        RewardMonitor(machine, 1, SIGNALS)
    assert {d.code for d in error.value.diagnostics} == {"AS0714"}


# ---------------------------------------------------------------- learning


def test_an_agent_learns_from_them(tmp_path):
    """The trolley of `specs/`: it never carries the load at first, and nearly always after a short training."""
    compiled = compiled_spec(Path(__file__).parents[2] / "specs" / "trolley.agentspec")
    config = replace(configuration(compiled.agent, steps=24_576), checkpoint=1e9)
    train(SpecVectorEnv(compiled, config.envs), config, tmp_path)
    first, *_, last = (line["episodes"] for line in read_metrics(tmp_path))
    assert first["satisfied"]["carried"] <= 0.1
    assert last["satisfied"]["carried"] >= 0.8 and last["rewards"]["progress(carried)"] >= 0.8
