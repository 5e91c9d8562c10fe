"""Tabular Q-learning: the update by hand, counterfactual experience by brute force, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import agentc
from agentc.runtime.learn.tabular import QConfig, QTables, Step, epsilon_greedy
from agentc.runtime.machine_table import MachineTable, tabulate

SPECS = Path(__file__).parents[3] / "specs"


@pytest.fixture(scope="module")
def office() -> MachineTable:
    return tabulate(agentc.compile(SPECS / "office.agentspec")[0], each=True)


def random_step(table: MachineTable, rows: int, source: np.random.Generator) -> Step:
    classes = source.integers(table.next.shape[1], size=rows)
    return Step(
        cells=source.integers(12, size=rows),
        states=source.integers(table.size, size=rows),
        actions=source.integers(4, size=rows),
        next_cells=source.integers(12, size=rows),
        classes=classes,
        earlier=source.integers(-1, table.next.shape[1], size=rows),
        over=source.random(rows) < 0.2,
    )


@pytest.mark.parametrize("counterfactual", [True, False])
@pytest.mark.parametrize("shaping", [True, False])
def test_an_update_is_the_published_one(office: MachineTable, counterfactual: bool, shaping: bool) -> None:
    source = np.random.default_rng(0)
    config = QConfig(counterfactual=counterfactual, shaping=shaping, learning_rate=0.5, discount=0.9)
    for _ in range(20):
        rows = 3
        q = QTables(office, 12, 4, config, np.arange(rows))
        q.values[:] = source.random(q.values.shape)
        step = random_step(office, rows, source)
        before = q.values.copy()
        q.update(step)
        expected = before.copy()
        for i in range(rows):
            c = step.classes[i]
            for u in range(office.size) if counterfactual else [step.states[i]]:
                could = step.earlier[i] < 0 or office.image[step.earlier[i], u]
                if counterfactual and not (could and office.possible[u, c]):
                    continue
                over = step.over[i]
                paid = (office.final_reward if over else office.reward)[u, c]
                if shaping:
                    paid += (office.final_shaping if over else office.shaping)[u, c]
                future = 0.0
                if not over and not office.ends[u, c]:
                    future = before[i, step.next_cells[i], office.next[u, c]].max()
                at = (i, step.cells[i], u, step.actions[i])
                expected[at] = before[at] + 0.5 * (paid + 0.9 * future - before[at])
        np.testing.assert_allclose(q.values, expected, atol=1e-12)


def test_epsilon_greedy_draws_among_the_best() -> None:
    source = np.random.default_rng(0)
    q = np.tile([0.0, 1.0, 1.0, 0.5], (20_000, 1))
    greedy = np.bincount(epsilon_greedy(q, 0.0, source.random((len(q), 5))), minlength=4) / len(q)
    np.testing.assert_allclose(greedy, [0, 0.5, 0.5, 0], atol=0.02)
    some = np.bincount(epsilon_greedy(q, 0.2, source.random((len(q), 5))), minlength=4) / len(q)
    np.testing.assert_allclose(some, [0.05, 0.45, 0.45, 0.05], atol=0.02)


def test_rows_of_their_own_tables_do_not_touch(office: MachineTable) -> None:
    source = np.random.default_rng(4)
    step = random_step(office, 4, source)
    together = QTables(office, 12, 4, QConfig(), np.arange(4))
    together.update(step)
    for i in range(4):
        alone = QTables(office, 12, 4, QConfig(), np.zeros(1, np.int64))
        row = Step(*(np.asarray(getattr(step, f))[i : i + 1] for f in Step.__slots__))
        alone.update(row)
        np.testing.assert_array_equal(alone.values[0], together.values[i])
