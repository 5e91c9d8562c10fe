"""Several tasks trained together: one episode each in turn, each as if it were the only one."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import agentc
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.machine_table import tabulate, task_agents
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.task_vector import TaskVectorEnv
from agentc.runtime.task_worlds import ListedWorld

SPECS = Path(__file__).parents[2] / "specs"

SPEC = """
import std.env.office: office

agent Office {
  env office(max_steps = 60, slip = 0.2)
  prop coffee = tile == coffee
  prop mail   = tile == mail
  prop plant  = tile == plant
  task brew   = F coffee
  task post   = F mail
  safe tidy   = G !plant
  reward { brew : +1.0; post : +2.0; tidy : -0.5; step : -0.01; shape brew; shape post; discount = 0.9 }
}
"""


def compiled(tmp_path: Path, text: str = SPEC) -> CompiledAgent:
    path = tmp_path / "a.agentspec"
    path.write_text(text)
    return agentc.compile(path)[0]


def test_one_task_is_what_the_spec_s_own_environment_is(tmp_path: Path) -> None:
    # the same agent with one task, stepped by the monitors and by the table, in lockstep
    for name, one in task_agents(compiled(tmp_path).agent):
        alone = CompiledAgent.from_ir(one)
        n = 4
        reference = SpecVectorEnv(alone, n)
        env = TaskVectorEnv(alone, tabulate(alone), n)
        source = np.random.default_rng(1)
        seen, mine = reference.reset(7), env.reset(7)
        ended = 0
        for _ in range(400):
            assert isinstance(seen, dict) and isinstance(mine, dict)
            np.testing.assert_array_equal(seen["observation"], mine["observation"])
            actions = source.integers(4, size=n)
            left, right = reference.step(actions), env.step(actions)
            np.testing.assert_allclose(left.reward, right.reward, atol=1e-6)
            np.testing.assert_array_equal(left.terminated, right.terminated)
            np.testing.assert_array_equal(left.truncated, right.truncated)
            over = left.terminated | left.truncated
            ended += int(over.sum())
            if over.any():
                for key in ("return", "length", f"satisfied/{name}", "violated/tidy"):
                    np.testing.assert_allclose(left.info[key][over], right.info[key][over], atol=1e-9)
            seen, mine = left.observation, right.observation
        assert ended > 20


def test_a_listed_world_is_the_batch_world(tmp_path: Path) -> None:
    from agentc.runtime.envs.registry import make_environment

    agent = compiled(tmp_path)
    table, n = tabulate(agent, each=True), 3
    assert agent.agent.environment is not None
    fast = TaskVectorEnv(agent, table, n)
    listed = ListedWorld([make_environment(agent.agent.environment) for _ in range(n)], agent, ("tile",))
    slow = TaskVectorEnv(agent, table, n, world=listed)
    source = np.random.default_rng(2)
    for a, b in zip(fast.reset(3).values(), slow.reset(3).values(), strict=True):  # type: ignore[union-attr]
        np.testing.assert_array_equal(a, b)
    for _ in range(200):
        actions = source.integers(4, size=n)
        left, right = fast.step(actions), slow.step(actions)
        for key in ("observation", "automaton"):
            np.testing.assert_array_equal(left.observation[key], right.observation[key])
            np.testing.assert_array_equal(left.final_observation[key], right.final_observation[key])
        np.testing.assert_array_equal(left.reward, right.reward)
        assert fast.letter is not None and slow.letter is not None
        np.testing.assert_array_equal(fast.letter.classes, slow.letter.classes)


def test_tasks_come_in_turn(tmp_path: Path) -> None:
    agent = compiled(tmp_path)
    env = TaskVectorEnv(agent, tabulate(agent, each=True), 3)
    env.reset(0)
    assert env.task.tolist() == [0, 1, 0]
    source = np.random.default_rng(0)
    turns: list[list[int]] = [[0], [1], [0]]
    for _ in range(500):
        before = env.task.copy()
        batch = env.step(source.integers(4, size=3))
        for i in np.flatnonzero(batch.terminated | batch.truncated):
            assert batch.info["task"][i] == before[i]
            turns[i].append(int(env.task[i]))
    assert all(a != b for row in turns for a, b in itertools.pairwise(row)) and min(map(len, turns)) > 5
    # what is observed says which task it is
    assert (env.table.task_of[env.state] == env.task).all()


def test_the_last_observation_is_the_true_one(tmp_path: Path) -> None:
    agent = compiled(tmp_path)
    env = TaskVectorEnv(agent, tabulate(agent, each=True), 2)
    env.reset(0)
    for _ in range(200):
        batch = env.step(np.array([0, 1]))
        over = batch.terminated | batch.truncated
        if over.any():
            assert (batch.observation["observation"][over] == 14).all()  # (2, 1), where episodes begin
            same = ~over
            for key in ("observation", "automaton"):
                np.testing.assert_array_equal(
                    batch.observation[key][same], batch.final_observation[key][same]
                )


def test_tasks_in_turn_need_not_hold_together(tmp_path: Path) -> None:
    both = SPEC.replace("task post   = F mail", "task post   = G !coffee").replace("shape post; ", "")
    with pytest.raises(AgentcError) as error:
        compiled(tmp_path, both)
    assert [d.code for d in error.value.diagnostics] == ["AS0524"]
    in_turn = both.replace("discount = 0.9 }", "discount = 0.9 }\n  train q { tasks = each }")
    assert tabulate(compiled(tmp_path, in_turn), each=True).tasks == ("brew", "post")
    never = in_turn.replace("F coffee", "F (coffee & plant)")
    with pytest.raises(AgentcError):
        compiled(tmp_path, never)


@pytest.mark.parametrize(("name", "tasks"), [("office", 4), ("craft", 10), ("water", 10)])
def test_the_shipped_tasks(name: str, tasks: int) -> None:
    (agent,) = agentc.compile(SPECS / f"{name}.agentspec")
    table = tabulate(agent, each=True)
    assert len(table.tasks) == tasks and not table.needs_time_left
    assert table.reward.max() == 1.0 and set(np.unique(table.reward)) == {0.0, 1.0}


@pytest.mark.parametrize("spec", ["office", "water"])
def test_environments_go_on_inside_their_episodes(spec: str) -> None:
    (agent,) = agentc.compile(SPECS / f"{spec}.agentspec")
    table = tabulate(agent, each=True)
    one, other = TaskVectorEnv(agent, table, 3), TaskVectorEnv(agent, table, 3)
    source = np.random.default_rng(0)
    one.reset(1)
    actions = source.integers(4, size=(80, 3))
    for row in actions[:40]:
        seen = one.step(row).observation
    state = one.snapshot()
    assert state is not None
    other.reset(5)
    back = other.restore(state)
    for key, array in seen.items():
        np.testing.assert_array_equal(array, back[key])
    for row in actions[40:]:
        left, right = one.step(row), other.step(row)
        np.testing.assert_array_equal(left.reward, right.reward)
        for key in left.monitors:
            np.testing.assert_array_equal(left.monitors[key], right.monitors[key])
    with pytest.raises((KeyError, ValueError)):
        TaskVectorEnv(agent, table, 2).restore(state)
