"""Rewards by look-ups are those of the general monitor, step for step, and letters are those of the labeller."""

from __future__ import annotations

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
from agentc.compiler.logic.ir import and_, compare, const, not_, prop, signal, term
from agentc.compiler.logic.sample import random_formula
from agentc.runtime import reward_table
from agentc.runtime.labelling import Labeller
from agentc.runtime.letters import LetterReader
from agentc.runtime.reward import RewardMonitor
from agentc.runtime.reward_table import RewardTable
from agentc.runtime.spec_observation import AutomatonCode

A, B = prop("a"), prop("b")
SIGNALS = (
    SignalIR("a", "bool"),
    SignalIR("b", "bool"),
    SignalIR("x", "real"),
    SignalIR("y", "real"),
    SignalIR("mode", "enum", members=("slow", "fast", "off")),
    SignalIR("word", "text"),
)
x, y, mode = signal("x"), signal("y"), signal("mode")
ATOMS = (
    A,
    B,
    compare("<=", term("abs", (x,)), const(1.0)),
    compare(">", term("min", (x, term("neg", (y,)))), const(-1)),
    compare("<", term("div", (x, y)), const(2.0)),
    compare("!=", x, const(0.5)),
    compare("==", mode, const("fast")),
    compare("!=", mode, const("off")),
    compare("==", term("prev", value="mode"), mode),
    compare(">=", x, term("prev", value="x")),
    compare("==", signal("word"), const("go")),
    compare(">=", term("add", (x, y)), const(0)),
)
MACHINE = MachineIR(
    (
        MachineStateIR("u0", False, (MachineEdgeIR(A, "u1", 0.1), MachineEdgeIR(B, "u2", 0.2))),
        MachineStateIR("u1", False, (MachineEdgeIR(and_(B, not_(A)), "u2", 1.0),)),
        MachineStateIR("u2", True, ()),
    ),
    "m",
)  # fmt: skip


def drawn(rng, n, *, absent=False):
    """Valuations; ``absent``: some have no value, which the types of these signals rule out."""
    nothing = lambda value: float("nan") if absent and rng.random() < 0.1 else value
    return {
        "a": np.array([rng.random() < 0.4 for _ in range(n)]),
        "b": np.array([rng.random() < 0.4 for _ in range(n)]),
        "x": np.array([nothing(rng.choice([-1.5, 0.0, 0.5, 1.0, 2.0])) for _ in range(n)]),
        "y": np.array([nothing(rng.choice([-1.0, 0.0, 1.0, 1.5])) for _ in range(n)]),
        "mode": np.array([rng.randrange(-1 if absent else 0, 3) for _ in range(n)]),
        "word": np.array([rng.choice(["go", "stop", None][: 3 if absent else 2]) for _ in range(n)], object),
    }


def test_letters_are_the_labeller_s():
    rng = random.Random(1)
    n = 5
    for count in (1, 3, 8, len(ATOMS)):
        for _ in range(20):
            atoms = tuple(rng.sample(ATOMS, count))
            reader, labeller = LetterReader(atoms, SIGNALS, n), Labeller(atoms, SIGNALS)
            started = np.array([rng.random() < 0.5 for _ in range(n)])
            before, now = drawn(rng, n, absent=True), drawn(rng, n, absent=True)
            truth = labeller(now, before, started)
            expected = [int("".join("01"[bit] for bit in row.astype(int)), 2) for row in truth]
            assert reader(now, before, started).tolist() == expected


def random_machine(rng):
    formulas, terms = [], []
    for i in range(rng.randint(1, 3)):
        role = rng.choice(["task", "task", "safe", "behavior"])
        f = random_formula(rng, ATOMS, rng.randint(1, 4))
        formulas.append(FormulaIR(f"f{i}", role, f, str(f)))
        ends = rng.choice([None, True, False])
        terms.append(RewardTermIR("formula", rng.choice([1.0, -1.0, 0.25]), f"f{i}", ends=ends))
    terms.append(RewardTermIR("step", -0.1))
    if rng.random() < 0.5:
        terms.append(RewardTermIR("prop", 0.5, formula=rng.choice([A, and_(A, B), not_(ATOMS[9])])))
    if rng.random() < 0.5:
        terms.append(RewardTermIR("progress", 2.0, "p", random_formula(rng, ATOMS, 2)))
    if rng.random() < 0.2:
        terms.append(RewardTermIR("robustness", 1.0, "r", random_formula(rng, ATOMS, 2), clip=(-1.0, 1.0)))
    shape = tuple(f.name for f in formulas if f.role == "task")
    machine = MACHINE if rng.random() < 0.4 else None
    ir = AgentIR("Test", None, None, SIGNALS, (), tuple(formulas), RewardIR(tuple(terms), shape, 0.9, machine), None)
    return compile_reward(ir)[0]


def same(one, other):
    assert one.reward == pytest.approx(other.reward) and one.shaping == pytest.approx(other.shaping)
    for name in ("terminated", "truncated", "codes"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("most", [1 << 16, 512])
def test_it_pays_what_the_general_monitor_pays(most, monkeypatch):
    """With a budget that is used up soon, the general monitor takes over in the middle of episodes."""
    monkeypatch.setattr(reward_table, "MOST_CELLS", most)
    rng = random.Random(7)
    taken_over = ended_at = 0
    for _ in range(14):
        machine = random_machine(rng)
        n = 4
        code = AutomatonCode(machine)
        table, general = RewardTable(machine, n, SIGNALS, code), RewardMonitor(machine, n, SIGNALS, code=code)
        began_by_table = table.by_table
        assert began_by_table != bool(machine.robustness)
        now = drawn(rng, n)
        assert np.array_equal(table.reset(now), general.reset(now))
        saved_table, saved_general = table.state(), general.state()
        for _ in range(15):
            if rng.random() < 0.1:  # what one has saved, the other reads
                table, general = RewardTable(machine, n, SIGNALS, code), RewardMonitor(machine, n, SIGNALS, code=code)
                table.restore(saved_general)
                general.restore(saved_table)
            now = drawn(rng, n)
            stops = [np.array([rng.random() < 0.1 for _ in range(n)]) for _ in range(3)]
            given = [s if rng.random() < 0.8 else None for s in stops]
            one, other = table.step(now, *given), general.step(now, *given)
            same(one, other)
            assert table.earned == pytest.approx(general.earned)
            seen = [np.zeros((n, code.size), np.float32) for _ in range(2)]
            table.observe(seen[0])
            general.observe(seen[1])
            assert np.array_equal(*seen) and np.array_equal(table.node, general.node)
            for row in range(len(machine.programs)):
                assert all(map(np.array_equal, table.monitor.states(row), general.monitor.states(row)))
            ended = one.terminated | one.truncated
            if ended.any():
                ended_at += 1
                now = drawn(rng, n)
                assert np.array_equal(table.reset(now, ended), general.reset(now, ended))
            saved_table, saved_general = table.state(), general.state()
            assert saved_table.keys() == saved_general.keys()
            looks_back = any(name.startswith("monitor/previous/") for name in saved_table)
            for name, array in saved_table.items():
                if array.dtype == bool and (name != "monitor/started" or looks_back):
                    assert np.array_equal(array, saved_general[name]), name
                if array.dtype == bool:
                    continue
                assert array.shape == saved_general[name].shape and array == pytest.approx(
                    saved_general[name], nan_ok=True
                ), name
        taken_over += began_by_table and not table.by_table
    assert ended_at > 20
    assert (taken_over > 2) == (most == 512)


def test_values_outside_of_their_types_are_left_to_the_general_monitor():
    exact = SignalIR("n", "int", lo=0, hi=3)
    low, high = compare("<", signal("n"), const(1)), compare(">", signal("n"), const(2))
    item = FormulaIR("t", "task", random_formula(random.Random(0), (low, high), 3, ("and", "or")), "")
    reward = RewardIR((RewardTermIR("formula", 1.0, "t"), RewardTermIR("prop", 1.0, formula=and_(low, not_(high)))))
    machine, _ = compile_reward(AgentIR("T", None, None, (exact,), (), (item,), reward, None))
    table, general = RewardTable(machine, 2, (exact,)), RewardMonitor(machine, 2, (exact,))
    letters = np.array([[True] * len(table.atoms)] * 2)  # below 1 and above 2 at once
    inside = np.array([[False] * len(table.atoms)] * 2)
    assert np.array_equal(table.reset(inside), general.reset(inside))
    same(table.step(letters), general.step(letters))
    assert not table.by_table and (general.monitor.codes == 4).any()
