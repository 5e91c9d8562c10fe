"""Machines as tables: every entry is what stepping the machine by itself gives."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.reward_machine import RewardState
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.machine_table import MachineTable, tabulate, task_agents

SPEC = """
import std.env.office: office

agent Both {
  env office(max_steps = 40)
  prop coffee = tile == coffee
  prop desk   = tile == office
  prop plant  = tile == plant
  task brew   = F (coffee & F desk)
  task round  = F (tile == mail & O coffee)
  safe tidy   = G (first | !plant)
  reward {
    brew  : +2.0
    round : +1.0
    tidy  : -0.5
    coffee : 0.25
    step  : -0.125
    shape brew
    discount = 0.9
  }
}
agent Machine {
  env office(max_steps = 40)
  prop coffee = tile == coffee
  task brew = F coffee
  reward {
    machine {
      state u0 { on coffee -> u1 : 0.5 }
      state u1 { on tile == office -> u2 : 1; on tile == plant -> u0 : -1 }
      state u2 accepting
    }
  }
}
agent Late {
  env office(max_steps = 20)
  task stay = G tile != plant
  reward { stay : 1 }
}
"""


def agents() -> dict[str, AgentIR]:
    result = check(Source("<test>", SPEC))
    assert result.ok, [d.message for d in result.diagnostics]
    return {agent.name: agent for agent in result.agents}


AGENTS = agents()
CASES = [("Both", False), ("Both", True), ("Machine", False), ("Late", False)]


def machines(name: str, each: bool) -> list[CompiledAgent]:
    named = [one for _, one in task_agents(AGENTS[name])] if each else [AGENTS[name]]
    return [CompiledAgent.from_ir(one) for one in named]


def letter_of(table: MachineTable, bits: tuple[bool, ...]) -> int:
    return int(table.classes(np.array([bits]))[0])


@pytest.mark.parametrize(("name", "each"), CASES)
def test_relabelling_is_stepping_from_every_state(name: str, each: bool) -> None:
    table = tabulate(AGENTS[name], each=each, merge=False)
    of_task = machines(name, each)
    assert len(table.tasks) == len(of_task)
    for bits in product((False, True), repeat=len(table.atoms)):
        letter = dict(zip(table.atoms, bits, strict=True))
        c = letter_of(table, bits)
        if c < 0:  # the declared types rule the letter out, and so does every machine that looks at it
            with pytest.raises(ValueError):
                for compiled in of_task:
                    machine = compiled.reward_machine
                    machine.step(machine.start(dict.fromkeys(table.atoms, False)), letter)
            continue
        for over in (False, True):
            reward, shaping, following, ends = table.relabel(np.array([c]), np.array([over]))
            for u, state in enumerate(table.states):
                machine = of_task[table.task_of[u]].reward_machine
                if not table.possible[u, c]:
                    with pytest.raises(ValueError):
                        machine.step(state, letter)
                    continue
                after, outcome = machine.step(state, letter, terminated=over)
                assert (reward[0, u], shaping[0, u], ends[0, u]) == (
                    outcome.reward, outcome.shaping, outcome.terminated,
                )  # fmt: skip
                if not outcome.terminated:
                    assert table.states[following[0, u]] == after
                    assert table.task_of[following[0, u]] == table.task_of[u]


@pytest.mark.parametrize(("name", "each"), CASES)
@given(data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_walks_through_the_table_are_walks_of_the_machine(name: str, each: bool, data: st.DataObject) -> None:
    merge = data.draw(st.booleans())
    table = tabulate(AGENTS[name], each=each, merge=merge)
    task = data.draw(st.integers(0, len(table.tasks) - 1))
    machine = machines(name, each)[task].reward_machine
    possible = [i for i in range(1 << len(table.atoms)) if table.class_of[i] >= 0]
    word = data.draw(st.lists(st.sampled_from(possible), min_size=2, max_size=8))
    bits = [tuple(bool(n >> i & 1) for i in range(len(table.atoms))) for n in word]
    state: RewardState = machine.start(dict(zip(table.atoms, bits[0], strict=True)))
    u = int(table.start[task, letter_of(table, bits[0])])
    assert merge or table.states[u] == state
    could_be = np.ones(table.size, np.bool_)
    for here in bits[1:]:
        c = letter_of(table, here)
        assert could_be[u], "the state that is was held impossible"
        state, outcome = machine.step(state, dict(zip(table.atoms, here, strict=True)))
        assert table.reward[u, c] == outcome.reward and table.ends[u, c] == outcome.terminated
        if outcome.terminated:
            return
        u, could_be = int(table.next[u, c]), table.image[c]
        assert merge or table.states[u] == state


def test_states_that_nothing_tells_apart_are_one() -> None:
    # the monitor of `coffee` remembers whether there was coffee on the last step, which matters to nothing
    whole, small = tabulate(AGENTS["Machine"], merge=False), tabulate(AGENTS["Machine"])
    assert small.size == 2 < whole.size
    assert tabulate(AGENTS["Both"], each=True).size < tabulate(AGENTS["Both"], each=True, merge=False).size


def test_tasks_by_themselves() -> None:
    (first, brew), (second, around) = task_agents(AGENTS["Both"])
    assert (first, second) == ("brew", "round")
    assert [f.name for f in brew.formulas] == ["brew", "tidy"]
    assert [f.name for f in around.formulas] == ["round", "tidy"]
    assert brew.reward is not None and around.reward is not None
    assert brew.reward.shape == ("brew",) and around.reward.shape == ()
    table = tabulate(AGENTS["Both"], each=True)
    assert table.tasks == ("brew", "round") and set(table.task_of.tolist()) == {0, 1}
    assert table.names == ("brew", "round", "tidy")


def test_judgements_are_those_of_the_verdicts() -> None:
    table = tabulate(AGENTS["Both"], each=True)
    ends = table.ends & table.possible
    tidy = table.names.index("tidy")
    assert table.violates[tidy].any() and (table.violates[tidy] <= ends).all()
    for k, name in enumerate(("brew", "round")):
        mine = table.task_of == table.tasks.index(name)
        assert table.holds[k][mine].any() and not table.holds[k][~mine].any()


def test_a_time_limit_that_is_an_end() -> None:
    table = tabulate(AGENTS["Late"])
    assert table.needs_time_left
    assert table.final_reward.max() == 1.0 and table.reward.max() == 0.0
