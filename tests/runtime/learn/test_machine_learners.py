"""The learners that read the table of a machine: in the loop, in checkpoints, and as policies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import agentc
from agentc.runtime.acceptance import accept
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import Decision
from agentc.runtime.learn import checkpoint as checkpoints
from agentc.runtime.learn.counterfactual import CounterfactualConfig, CounterfactualQ
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.tabular import Step
from agentc.runtime.machine_table import MachineTable, tabulate
from agentc.runtime.runs import run_of
from agentc.runtime.training import configuration, environment, train_agent

OFFICE = """
import std.env.office: office

agent Office {
  env office(max_steps = 100)
  prop coffee = tile == coffee
  prop plant  = tile == plant
  task brew = !plant U coffee
  task home = !plant U tile == a
  reward { brew : +1.0; home : +1.0; discount = 0.9 }
  train q { tasks = each; steps = 6_000; rollout = 500; HIERARCHY }
  expect satisfaction(brew) >= 0.9 with confidence 0.9
  expect satisfaction(home) >= 0.9 with confidence 0.9
}
"""

WATER = """
import std.env.water: water

agent Water {
  env water(map = 1, max_steps = 60)
  task one = F red
  task two = F (blue & X F green)
  reward { one : +1.0; two : +1.0; shape two; discount = 0.95 }
  train crm { tasks = each; steps = 640; envs = 8; warmup = 160; hidden = 16; layers = 1; batch = 8; rollout = 20 }
}
"""


def compiled(folder: Path, text: str) -> CompiledAgent:
    path = folder / "spec.agentspec"
    path.write_text(text)
    return agentc.compile(path)[0]


@pytest.mark.parametrize("hierarchy", ["none", "hrm"])
def test_tables_are_trained_saved_and_judged(tmp_path: Path, hierarchy: str) -> None:
    agent = compiled(tmp_path, OFFICE.replace("HIERARCHY", f"hierarchy = {hierarchy}"))
    run = run_of("Office", 0, tmp_path)
    result = train_agent(agent, configuration(agent.agent), run)
    assert result.steps == 6_000
    assert set(result.episodes.satisfied) == {"brew", "home"} and not result.episodes.violated
    acceptance = accept(agent, Policy.load(run.folder), episodes=22)
    assert [o.decision for _, o in acceptance.outcomes] == [Decision.HOLDS, Decision.HOLDS]
    assert {r.formula: r.episodes for r in acceptance.rates} == {"brew": 22, "home": 22}


def test_the_policy_is_the_table(tmp_path: Path) -> None:
    agent = compiled(tmp_path, OFFICE.replace("HIERARCHY", "").replace("6_000", "1_000"))
    run = run_of("Office", 0, tmp_path)
    train_agent(agent, configuration(agent.agent), run)
    values = checkpoints.load(run.folder).tensors["table/values"][0]
    policy = Policy.load(run.folder)
    everywhere = np.arange(values.shape[0] * values.shape[1])
    chosen = policy.act(everywhere, None, None)
    flat = values.reshape(-1, 4).astype(np.float32)
    np.testing.assert_array_equal(flat[everywhere, chosen], flat.max(axis=1))


def test_a_run_goes_on_from_its_tables(tmp_path: Path) -> None:
    agent = compiled(tmp_path, OFFICE.replace("HIERARCHY", "").replace("6_000", "1_000"))
    config = configuration(agent.agent)
    run = run_of("Office", 0, tmp_path)
    stopped = train_agent(agent, config, run, callbacks=[lambda update: update.steps >= 500])
    before = checkpoints.load(run.folder)
    assert stopped.steps == 500
    done = train_agent(agent, config, run, resume=True)
    after = checkpoints.load(run.folder)
    assert done.steps == 1_000 and after.counters["steps"] == 1_000
    known = before.tensors["table/values"] != config.initial  # type: ignore[attr-defined]
    assert known.any() and (after.tensors["table/values"][~known] != 1.0).any()
    whole = run_of("Office", 0, tmp_path / "whole")
    train_agent(agent, config, whole)
    same = checkpoints.load(whole.folder)
    np.testing.assert_array_equal(same.tensors["table/values"], after.tensors["table/values"])


def test_deep_values_are_trained_saved_and_loaded(tmp_path: Path) -> None:
    agent = compiled(tmp_path, WATER)
    config = configuration(agent.agent)
    run = run_of("Water", 0, tmp_path)
    first = train_agent(agent, config, run, callbacks=[lambda update: update.steps >= 320])
    assert first.steps == 320
    done = train_agent(agent, config, run, resume=True)
    assert done.steps == 640 and np.isfinite(checkpoints.load(run.folder).tensors["learner/replay/before"]).all()
    acceptance = accept(agent, Policy.load(run.folder), episodes=2)
    assert len(acceptance.episodes) == 4
    env = environment(agent, config)
    Policy.load(run.folder).check_spaces(env.observation_space, env.action_space)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> MachineTable:
    return tabulate(compiled(tmp_path_factory.mktemp("water"), WATER), each=True)


@pytest.mark.parametrize("counterfactual", [True, False])
@pytest.mark.parametrize("shaping", [True, False])
def test_the_loss_is_that_of_every_relabelled_experience(
    machine: MachineTable, counterfactual: bool, shaping: bool
) -> None:
    source = np.random.default_rng(0)
    config = CounterfactualConfig(
        batch=6, hidden=8, layers=1, discount=0.9, replay_size=10, counterfactual=counterfactual, shaping=shaping
    )
    learner = CounterfactualQ(machine, 5, 3, config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in learner.target.parameters():
            weight.add_(0.1)
    n = 10
    classes = machine.next.shape[1]
    step = Step(
        np.zeros(0, np.int64), source.integers(machine.size, size=n), source.integers(3, size=n),
        np.zeros(0, np.int64), source.integers(classes, size=n), source.integers(-1, classes, size=n),
        source.random(n) < 0.3,
    )  # fmt: skip
    before, after = source.random((2, n, 5)).astype(np.float32)
    learner.replay.add(step, before, after)
    rows = learner.replay.draw(6, np.random.default_rng(3))
    with torch.no_grad():
        q = learner.network(torch.from_numpy(before)).numpy()
        ahead = learner.network(torch.from_numpy(after)).numpy()
        slow = learner.target(torch.from_numpy(after)).numpy()
    total = 0.0
    for i in rows:
        c, over = step.classes[i], step.over[i]
        for u in range(machine.size) if counterfactual else [step.states[i]]:
            could = step.earlier[i] < 0 or machine.image[step.earlier[i], u]
            if counterfactual and not (could and machine.possible[u, c]):
                continue
            goal = (machine.final_reward if over else machine.reward)[u, c]
            if shaping:
                goal += (machine.final_shaping if over else machine.shaping)[u, c]
            if not over and not machine.ends[u, c]:
                v = machine.next[u, c]
                goal += 0.9 * slow[i, v, ahead[i, v].argmax()]
            error = abs(goal - q[i, u, step.actions[i]])
            total += 0.5 * error**2 if error < 1 else error - 0.5
    assert learner.improve(np.random.default_rng(3))["loss"] == pytest.approx(total / 6, rel=1e-4)


REPLAYED = """
import std.env.zones: zones

agent Zones {
  env zones(max_steps = 30)
  task blue  = F zone == blue
  task green = F (zone == green & F zone == yellow)
  reward { blue : +1.0; green : +1.0; shape green; discount = 0.95 }
  train sac { tasks = each; counterfactual = true; steps = 120; envs = 2; warmup = 40; hidden = 8; batch = 8 }
}
"""


def test_learners_that_replay_store_every_relabelled_step(tmp_path: Path) -> None:
    from agentc.runtime.learn.collect.rollout import Rollout
    from agentc.runtime.learn.registry import prepare
    from agentc.runtime.learn.replay.counterfactual import Counterfactual
    from agentc.runtime.learn.statistics import EpisodeWindow
    from agentc.runtime.learn.transitions import transitions_of

    agent = compiled(tmp_path, REPLAYED)
    config = configuration(agent.agent)
    env, learner = prepare(environment(agent, config), config, torch.Generator().manual_seed(0))
    table: MachineTable = env.table  # type: ignore[attr-defined]
    trajectory = Rollout(env, learner.actor, 50, EpisodeWindow(), 0).collect(50, 0, np.random.default_rng(0))
    plain = transitions_of(trajectory, 0.95)
    made = Counterfactual(table, 0.95)(trajectory, plain)
    row = 0
    for i in range(len(plain)):
        read = {name: array.reshape(-1)[i] for name, array in trajectory.monitors.items()}
        for u in range(table.size):
            if not (read["earlier"] < 0 or table.image[read["earlier"], u]) or not table.possible[u, read["letter"]]:
                continue
            c = read["letter"]
            assert made.observations["automaton"][row].argmax() == u
            np.testing.assert_array_equal(made.observations["observation"][row], plain.observations["observation"][i])
            np.testing.assert_array_equal(made.actions[row], plain.actions[i])
            assert made.rewards[row] == pytest.approx(table.reward[u, c] + table.shaping[u, c], abs=1e-6)
            assert made.discounts[row] == (0.0 if table.ends[u, c] else np.float32(0.95))
            if u == read["state"]:  # what happened is among what could have happened
                assert made.rewards[row] == pytest.approx(plain.rewards[i], abs=1e-6)
                assert made.discounts[row] == plain.discounts[i]
                if made.discounts[row] > 0:
                    np.testing.assert_array_equal(
                        made.next_observations["automaton"][row], plain.next_observations["automaton"][i]
                    )
            row += 1
    assert row == len(made) > 2 * len(plain)


def test_sac_learns_from_them(tmp_path: Path) -> None:
    agent = compiled(tmp_path, REPLAYED)
    run = run_of("Zones", 0, tmp_path)
    assert train_agent(agent, configuration(agent.agent), run).steps == 120
    assert len(accept(agent, Policy.load(run.folder), episodes=2).episodes) == 4


def test_tasks_in_turn_for_other_learners(tmp_path: Path) -> None:
    train = "train ppo { tasks = each; steps = 128; envs = 2; rollout = 32 }"
    before = REPLAYED[: REPLAYED.index("train sac")]
    agent = compiled(tmp_path, before + train + "\n}\n")
    run = run_of("Zones", 0, tmp_path)
    assert train_agent(agent, configuration(agent.agent), run).steps == 128
    assert len(accept(agent, Policy.load(run.folder), episodes=2).episodes) == 4
