"""Options for the edges of machines, and the optimum that learning curves are measured against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import agentc
from agentc.benchmarks.reward_machines import WORLDS, best_rates, learn
from agentc.runtime.envs.craft import craft_map
from agentc.runtime.learn.curves import EpisodeRates, bootstrap_interval, interquartile_mean
from agentc.runtime.learn.options import END, OptionTables, edges_of
from agentc.runtime.learn.tabular import QConfig, Step
from agentc.runtime.machine_table import MachineTable, tabulate

SPECS = Path(__file__).parents[3] / "specs"


@pytest.fixture(scope="module")
def office() -> MachineTable:
    return tabulate(agentc.compile(SPECS / "office.agentspec")[0], each=True)


def test_there_is_an_option_for_every_edge_that_leads_on(office: MachineTable) -> None:
    edges = edges_of(office)
    pairs = set(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    assert len(pairs) == len(edges.source)
    for task in range(len(office.tasks)):
        mine = np.flatnonzero(office.task_of == task)
        assert any((int(u), END) in pairs for u in mine)
    for k, (u, v) in enumerate(zip(edges.source, edges.target, strict=True)):
        for c in range(office.next.shape[1]):
            if v == END:
                expected = office.ends[u, c] and office.reward[u, c] > 0
            else:
                expected = not office.ends[u, c] and office.next[u, c] == v
            assert edges.taken[k, c] == (expected and office.possible[u, c])
            leaves = office.ends[u, c] or office.next[u, c] != u
            assert edges.leaves[k, c] == (leaves and office.possible[u, c])


def test_options_learn_from_every_step(office: MachineTable) -> None:
    source = np.random.default_rng(0)
    tables = OptionTables(office, 9, 4, QConfig(learning_rate=0.5, initial=0.0), np.arange(2))
    tables.options[:] = source.random(tables.options.shape)
    before, edges = tables.options.copy(), tables.edges
    classes = office.next.shape[1]
    step = Step(
        source.integers(9, size=2), source.integers(office.size, size=2), source.integers(4, size=2),
        source.integers(9, size=2), source.integers(classes, size=2), np.array([-1, 3]), np.array([False, True]),
    )  # fmt: skip
    tables.acting[:] = 0
    tables.update(step, office.next[step.states, step.classes], np.zeros(2, np.bool_))
    for i in range(2):
        c, over = step.classes[i], step.over[i]
        for k, u in enumerate(edges.source):
            could = step.earlier[i] < 0 or office.image[step.earlier[i], u]
            at = (i, step.cells[i], k, step.actions[i])
            if not could or not office.possible[u, c]:
                assert tables.options[at] == before[at]
                continue
            paid = (office.final_reward if over else office.reward)[u, c] + edges.taken[k, c]
            future = 0.0 if over or edges.leaves[k, c] else before[i, step.next_cells[i], k].max()
            assert tables.options[at] == pytest.approx(0.5 * before[at] + 0.5 * (paid + 0.9 * future))


def test_the_published_optima_of_the_craft_world() -> None:
    # rewards per step of the optimal policies under epsilon-greedy exploration, as published with the experiments
    # (export_results.py of the article's repository; sampled there, exact here)
    published = [
        0.029351862, 0.081454081, 0.036869546, 0.040168888, 0.023777346,
        0.016688914, 0.019328534, 0.026399432, 0.014480703, 0.016084489,
    ]  # fmt: skip
    agent = agentc.compile(SPECS / "craft.agentspec")[0]
    np.testing.assert_allclose(best_rates(agent, tabulate(agent, each=True), craft_map(1)), published, rtol=2e-3)


@pytest.mark.parametrize("arm", ["crm", "plain", "hrm"])
def test_arms_learn_something(arm: str) -> None:
    steps = {"crm": 6_000, "plain": 9_000, "hrm": 6_000}[arm]
    curve = learn(WORLDS["office"], arm, seeds=4, steps=steps)
    assert curve.values.shape == (len(curve.steps), 4) and curve.steps[-1] == steps
    assert (curve.values[-1] > 0).all()


@pytest.mark.slow
def test_the_office_is_learned_in_49_000_steps() -> None:
    last = learn(WORLDS["office"], "crm", seeds=5).values[-1]
    assert round(interquartile_mean(last), 1) >= 1.0


def test_rates_are_means_over_the_last_episodes() -> None:
    rates = EpisodeRates(2, 3)
    one = np.ones(2)
    for paid in (1.0, 2.0, 3.0, 4.0):
        rates.add(np.array([True, False]), np.full(2, paid), np.full(2, 2), one)
    np.testing.assert_allclose(rates.read(), [(2 + 3 + 4) / 3 / 2, 0.0])


def test_the_interquartile_mean() -> None:
    assert interquartile_mean(np.array([0.0, 1.0, 2.0, 100.0])) == 1.5
    assert interquartile_mean(np.arange(5.0)) == pytest.approx(2.0)
    assert interquartile_mean(np.array([7.0])) == 7.0
    low, high = bootstrap_interval(np.array([1.0, 1.1, 0.9, 1.05, 0.95]))
    assert 0.9 <= low < 1.0 < high <= 1.1
