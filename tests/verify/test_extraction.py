"""Models extracted from environments: against random episodes, exact values, and policies that were let act."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from agentc.compiler.pipeline import check as check_spec
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.envs.registry import environment_of
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.checker.transitions import unpacked
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.model.certificates import pack
from agentc.runtime.verify.model.extraction import extract
from agentc.runtime.verify.model.relation import unlike
from agentc.runtime.verify.model.worlds import world_around, world_of
from agentc.runtime.verify.problem import problem_of

from .certificates import mutants_of, resealed


def agent(env, body):
    module = env.partition("(")[0]
    text = f"import std.env.{module}\nagent A {{\n  env {env}\n  {body}\n}}\n"
    result = check_spec([Source("a.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def answers(env, body):
    a = agent(env, body)
    return [decide(problem_of(a, i)) for i in range(len(a.verifies))]


EMPTY, KEY = 'minigrid("MiniGrid-Empty-5x5-v0")', 'minigrid("MiniGrid-DoorKey-5x5-v0")'


@pytest.mark.parametrize(
    ("env", "formula"),
    [
        (EMPTY, "G !(x == 3 & y == 3)"), (KEY, "G (door == open -> carrying == key)"),
        ("office(slip = 0.2, max_steps = 40)", "G tile != plant"), ("craft(map = 0)", "G tile != gem"),
        ("letters()", "G letter != a"),
    ],
)  # fmt: skip
def test_random_episodes_stay_in_the_model(env, formula):
    """What a step of the environment leads to is among the successors that the model has, and reads the same there."""
    a = agent(env, f"safe f = {formula}")
    seeds = 20 if "letters" in env else 300
    found = extract(a, world_of(a), [a.formulas[0].formula], most=100_000, seeds=seeds)
    index = {int(code): i for i, code in enumerate(found.codes)}
    assert len(index) == len(found) and not found.reads_steps
    live = environment_of(a)
    world = world_around(live)
    rng = np.random.default_rng(0)
    starts = [s for s in found.start_seeds if s is not None][:6] or [0, 1]
    for seed in starts:
        live.reset(seed=seed)
        at = index[world.code()]
        assert at in found.initial
        for _ in range(60):
            action = int(rng.integers(len(found.actions)))
            _, _, terminated, truncated, _ = live.step(action)
            options = [c for c in range(found.choices[at], found.choices[at + 1]) if found.action[c] == action]
            after = {int(found.successor[b]) for c in options for b in range(found.offsets[c], found.offsets[c + 1])}
            if terminated or truncated:
                break
            at = index[world.code()]
            assert at in after
    sums = np.add.reduceat(found.probability, found.offsets[:-1])
    assert np.allclose(sums, 1.0)


def test_verdicts_on_the_grids():
    inside, reach = answers(EMPTY, "safe inside = G (x >= 1 & x <= 3); verify inside by model\n"
                                   "  task t = F tile == goal; verify t by model")  # fmt: skip
    assert inside.word == "proved" and inside.evidence["states"] == 34
    assert "1 starts that 1000 seeds" in inside.assumptions[0]
    assert reach.verdict is Verdict.FALSIFIED and len(reach.evidence["actions"]) == 250
    without, hold = answers(KEY, "safe never = G (door == open -> O carrying == key); verify never by model\n"
                                 "  safe hold = G (door == open -> carrying == key); verify hold by model")  # fmt: skip
    assert without.word == "proved"
    # the key can be put down behind the open door: a shortest run, replayed from its seed
    assert hold.verdict is Verdict.FALSIFIED and hold.evidence["actions"][-1] == "drop"


def digest_of(relation):
    text = json.dumps(relation, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_what_is_recorded_is_checked_without_the_environment(tmp_path):
    """The checker has only the relation: another one is another claim, and a worse one does not close."""
    body = "safe far = G (first | !(prev.tile == coffee & tile == office)); verify far by model\n" \
           "  task walk = G (first | !(prev.tile == coffee & tile == office)); verify walk by model"  # fmt: skip
    for found in answers("office(max_steps = 30)", body):
        document = json.loads(json.dumps(found.certificate.data()))
        assert document["kind"] == "relation" and check(document).facts["transitions"] > 300
        assert not any(check(m).accepted for m in mutants_of(document))
        relation, claim = document["subject"]["relation"], document["claim"]
        edges = unpacked(relation["edges"], relation["edge count"], 2)
        fewer = {**relation, "edges": pack(edges[1:]), "edge count": len(edges) - 1}
        told = {**document, "subject": {**document["subject"], "relation": fewer}}
        assert "another relation" in check(resealed(told)).reason
        states = unpacked(relation["states"], relation["count"], 3)
        there = {row["tile"]: i for i, row in enumerate(relation["read"])}
        states[:, 1] = np.where(states[:, 1] < 0, states[:, 1], there["coffee"])
        states[:, 0] = there["office"]  # at the office from the first step on
        bad = {**relation, "states": pack(states)}
        told = {**document, "subject": {**document["subject"], "relation": bad},
                "claim": {**claim, "relation": digest_of(bad)}}  # fmt: skip
        assert not check(resealed(told)).accepted


def test_a_relation_of_another_environment_is_noticed():
    """Random runs of a fresh environment: of the explored one they are all recorded, of one with a changed map not."""
    a = agent("office(slip = 0.3, max_steps = 40)", "safe f = G tile != plant")
    model = extract(a, world_of(a), [a.formulas[0].formula], most=1000, seeds=1)
    assert unlike(a, model) is None
    away = np.where(model.successor == model.initial[0], (model.successor + 40) % len(model), model.successor)
    moved = replace(model, successor=np.roll(away, 7).astype(np.int32))
    assert "was recorded" not in str(unlike(a, moved)) and unlike(a, moved) is not None


def test_signals_of_the_step_and_before_it():
    (stays,) = answers(KEY, "safe stays = G (first | (prev.door == open -> door == open)); verify stays by model")
    assert stays.verdict is Verdict.FALSIFIED and stays.evidence["actions"][-1] == "toggle"
    left, solved = answers(EMPTY, "safe turn = G !(action == left & O action == right); verify turn by model\n"
                                  "  safe paid = G (solved -> tile == goal); verify paid by model")  # fmt: skip
    assert left.verdict is Verdict.FALSIFIED and set(left.evidence["actions"]) == {"left", "right"}
    assert solved.word == "proved"


def test_probabilities_of_a_slipping_grid():
    """Against value iteration on the world's published table of moves."""
    from agentc.runtime.envs.office_world import PLACES, START, WIDTH, transitions

    steps, slip = 12, 0.25
    body = "task coffee = F tile == coffee; verify P <= 0.5 [coffee] by model"
    (found,) = answers(f"office(slip = {slip}, max_steps = {steps})", body)
    table = transitions()
    goal = np.array([PLACES.get((c % WIDTH, c // WIDTH)) == "coffee" for c in range(len(table))])
    value = goal.astype(float)
    for _ in range(steps):
        q = value[table]
        value = np.where(goal, 1.0, (1 - slip) * q.max(axis=1) + slip * q.mean(axis=1))
    exact = value[START[0] + WIDTH * START[1]]
    assert found.evidence["low"] - 1e-12 <= exact <= found.evidence["high"] + 1e-12
    assert found.evidence["high"] - found.evidence["low"] < 1e-9


def test_a_budget_says_what_grew():
    (found,) = answers("letters()", "safe f = G letter != a; verify f by model { states = 300; starts = 40 }")
    assert found.verdict is Verdict.UNKNOWN and "letters took 40 values" in found.sentence


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ('minigrid("MiniGrid-Dynamic-Obstacles-5x5-v0")', "draws random numbers"),
        ('minigrid("BabyAI-GoToRedBall-v0")', "remember"),
    ],
)
def test_what_cannot_be_explored_is_refused(env, why):
    with pytest.raises(AgentcError) as found:
        answers(env, "safe f = G x >= 1; verify f by model { starts = 5 }")
    assert found.value.diagnostics[0].code == "AS1347" and why in found.value.diagnostics[0].message
    (unnamed,) = answers(env, "safe f = G x >= 1; verify f { time = 1s }")
    assert unnamed.verdict is Verdict.UNKNOWN


def test_a_shield_of_an_environment():
    from agentc.runtime.spec_env import SpecEnv
    from agentc.runtime.spec_vector import SpecVectorEnv
    from agentc.runtime.verify.model.shield import agent_shield

    body = "safe dry = G !(tile == plant | tile == mail)\n  deploy { shield dry }"
    compiled = CompiledAgent.from_ir(agent("office(max_steps = 60)", body))
    table = agent_shield(compiled.agent)
    rng = np.random.default_rng(0)
    for shield, expected in ((table, 0), (None, 1)):
        env = SpecEnv.make(compiled, shield=shield)
        violated = 0
        for seed in range(12):
            _, info = env.reset(seed=seed)
            ended = False
            while not ended:
                mask = info.get("action_mask", np.ones(4, bool))
                _, _, terminated, truncated, info = env.step(int(rng.choice(np.flatnonzero(mask))))
                ended = terminated or truncated
            violated += info["agentc"]["violated"]["dry"]
        assert min(violated, 1) == expected
    rows = SpecVectorEnv(compiled, 2, shield=table)
    rows.reset(0)
    for _ in range(130):
        batch = rows.step(np.array([rng.choice(np.flatnonzero(m)) for m in rows.action_mask]))
        assert not batch.info or not batch.info["violated/dry"][batch.terminated | batch.truncated].any()


TRAINED = """task fetch = F tile == coffee
  reward {{ fetch : +1.0 }}
  train {}
  verify fetch by model {{ controller = "{}" }}"""
LEARNERS = ["q { steps = 4000 }", "q { steps = 30 }", "ppo { steps = 64; rollout = 16; envs = 2 }"]


@pytest.mark.parametrize("train", LEARNERS)
def test_the_closed_loop_of_a_policy(tmp_path, train):
    """Proved exactly where the greedy policy, let act, does it: the world is deterministic."""
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.machine_table import tabulate
    from agentc.runtime.runs import run_of
    from agentc.runtime.spec_env import SpecEnv
    from agentc.runtime.task_env import TaskEnv
    from agentc.runtime.training import configuration, train_agent

    run = run_of("A", 0, tmp_path)
    a = agent("office(max_steps = 30)", TRAINED.format(train, run.folder))
    compiled = CompiledAgent.from_ir(a)
    train_agent(compiled, configuration(a), run)
    found = decide(problem_of(a, 0))
    policy = Policy.load(run.folder)
    env = TaskEnv(compiled, tabulate(compiled), 0, product=True) if a.reads_machines else SpecEnv.make(compiled)
    observation, _ = env.reset(seed=0)
    ended = False
    while not ended:
        observation, _, terminated, truncated, info = env.step(policy.predict(observation))
        ended = terminated or truncated
    done = info["agentc"]["satisfied"]["fetch"]
    assert found.verdict is (Verdict.PROVED if done else Verdict.FALSIFIED)
    assert found.evidence["states"] <= 108 and done == (train == "q { steps = 4000 }")


def test_the_closed_loop_of_a_shielded_policy(tmp_path):
    """In a declared system that slips: whatever the policy is, its shield keeps it safe, and the proof says so."""
    from agentc.runtime.runs import run_of
    from agentc.runtime.training import configuration, train_agent

    system = """system ice {
  state x : int in [0, 4]
  input move : enum { left, right }
  command west when move == left { 0.8 : x' = max(x - 1, 0); 0.2 : x' = x }
  command east when move == right { 0.8 : x' = min(x + 1, 4); 0.2 : x' = min(x + 2, 4) }
  init { x = 1 }
}
"""
    found = []
    for on in ("true", "false"):
        run = run_of("A", 0, tmp_path / on)
        text = f"""{system}agent A {{
  env ice(horizon = 40)
  safe dry = G x != 4
  task far = F x == 3
  reward {{ far : +1.0 }}
  train ppo {{ steps = 64; rollout = 16; envs = 2; shield = {on} }}
  verify dry by model {{ controller = "{run.folder}" }}
  deploy {{ shield dry }}
}}
"""
        result = check_spec([Source("a.agentspec", text)])
        assert result.ok, [d.message for d in result.diagnostics]
        a = result.agents[0]
        train_agent(CompiledAgent.from_ir(a), configuration(a), run)
        found.append(decide(problem_of(a, 0)))
    assert found[0].word == "proved"
    assert found[1].evidence["states"] >= 1
