"""Shields as masks: a shielded policy never violates, an unshielded one does, and learners act under them."""

from dataclasses import replace

import numpy as np
import pytest

from agentc.compiler.pipeline import check as check_spec
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.shield import FILE, ShieldTable
from agentc.runtime.spec_env import SpecEnv
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.verify.model.shield import agent_shield

ICE = """
system ice {
  state x, y : int in [0, 4]
  input move : enum { up, down, left, right }
  command north when move == up { 0.8 : y' = min(y + 1, 4); 0.1 : x' = max(x - 1, 0); 0.1 : x' = min(x + 1, 4) }
  command south when move == down { 0.8 : y' = max(y - 1, 0); 0.1 : x' = max(x - 1, 0); 0.1 : x' = min(x + 1, 4) }
  command west when move == left { 0.9 : x' = max(x - 1, 0); 0.1 : y' = max(y - 1, 0) }
  command east when move == right { 0.9 : x' = min(x + 1, 4); 0.1 : y' = max(y - 1, 0) }
  init { x = 0; y in [0, 4] }
}
"""
"""A grid on which every move may slip."""



def compiled(body, deploy="shield dry", train=""):
    text = f"{ICE}\nagent Skater {{\n  env ice(horizon = 40)\n  {body}\n  task far = F (x == 4 & y == 0)\n"
    text += f"  reward {{ far : +1.0 }}\n  {train}\n  deploy {{ {deploy} }}\n}}\n"
    result = check_spec([Source("a.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return CompiledAgent.from_ir(result.agents[0])


def violations(env, episodes, rng):
    """How many episodes of random actions, within the mask, violate the safe formulas."""
    count = 0
    for seed in range(episodes):
        _, info = env.reset(seed=seed)
        ended = False
        while not ended:
            mask = info.get("action_mask")
            allowed = np.arange(4) if mask is None else np.flatnonzero(mask)
            _, _, terminated, truncated, info = env.step(int(rng.choice(allowed)))
            ended = terminated or truncated
        count += any(info["agentc"]["violated"].values())
    return count


def test_a_shielded_random_policy_never_violates():
    agent = compiled("safe dry = G !(x == 2 & y >= 1 & y <= 2)")
    shield = agent_shield(agent.agent)
    rng = np.random.default_rng(0)
    assert violations(SpecEnv.make(agent, shield=shield), 100, rng) == 0
    assert violations(SpecEnv.make(agent), 20, rng) > 0


def test_two_formulas_are_kept_together():
    """Each alone leaves an action that the other one forbids: a shield of both is not the two masks at once."""
    body = "safe dry = G !(x == 2 & y >= 1 & y <= 2)\n  safe low = G (x >= 3 -> H y <= 3)"
    agent = compiled(body, "shield dry; shield low")
    shield = agent_shield(agent.agent)
    assert shield.about["formulas"] == ("dry", "low")
    rng = np.random.default_rng(0)
    assert violations(SpecEnv.make(agent, shield=shield), 60, rng) == 0
    alone = compiled(body, "shield dry")
    env = SpecEnv.make(alone, shield=agent_shield(alone.agent))
    assert violations(env, 60, rng) > 0


def test_the_vector_twin_has_the_same_masks():
    agent = compiled("safe dry = G !(x == 2 & y >= 1 & y <= 2)")
    shield = agent_shield(agent.agent)
    copies = SpecVectorEnv(agent, 3, make=lambda: SpecEnv.make(agent, observation="none").env, shield=shield)
    rows = SpecVectorEnv(agent, 3, shield=shield)
    assert rows.batched and not copies.batched
    rows.reset(5), copies.reset(5)
    rng = np.random.default_rng(1)
    for step in range(150):
        assert (rows.action_mask == copies.action_mask).all()
        actions = np.array([rng.choice(np.flatnonzero(m)) for m in rows.action_mask])
        one, two = rows.step(actions), copies.step(actions)
        assert (one.action_mask == two.action_mask).all()
        assert not one.info or not (one.info["violated/dry"] & (one.terminated | one.truncated)).any()
        if step == 70:
            other = SpecVectorEnv(agent, 3, shield=shield)
            other.restore(rows.snapshot())
            assert (other.action_mask == rows.action_mask).all()
    forbidden = ~rows.action_mask
    if forbidden.any():
        row, action = np.argwhere(forbidden)[0]
        actions = rows.action_mask.argmax(axis=1)
        actions[row] = action
        with pytest.raises(AgentcError) as found:
            rows.step(actions)
        assert found.value.diagnostics[0].code == "AS1341"


def test_a_threshold_allows_more_and_keeps_the_probability_of_each_action():
    body = "safe dry = G !(x == 2 & y >= 1 & y <= 2)"
    strict = agent_shield(compiled(body).agent)
    loose = agent_shield(compiled(body, "shield dry by model { threshold = 0.8 }").agent)
    masks = [np.unpackbits(t.packed, axis=1, count=4).astype(bool) for t in (strict, loose)]
    shared = np.isin(loose.pairs, strict.pairs)
    assert (masks[1][shared] >= masks[0]).all() and masks[1].sum() > masks[0].sum()
    # beside the water, with one step to go: a step towards it fails with 0.9 and is not allowed at 0.8
    agent = compiled(body, "shield dry { threshold = 0.8 }")
    env = SpecEnv.make(agent, shield=agent_shield(agent.agent))
    _, info = env.reset(options={"state": {"x": 1, "y": 1}})
    assert not info["action_mask"][3] and info["action_mask"][2]


def test_the_file_keeps_everything(tmp_path):
    table = agent_shield(compiled("safe dry = G !(x == 2 & y >= 1 & y <= 2)").agent)
    table.write(tmp_path / FILE)
    again = ShieldTable.read(tmp_path / FILE)
    for name in ("codes", "letters", "next", "final", "pairs", "packed"):
        assert (getattr(again, name) == getattr(table, name)).all()
    assert again.actions == table.actions and again.about["meaning"] == table.about["meaning"]
    data = bytearray((tmp_path / FILE).read_bytes())
    for broken in (data[:-9], b"", replace(again, next=again.next * 0 - 1), replace(again, pairs=again.pairs[::-1])):
        if isinstance(broken, ShieldTable):
            broken.write(tmp_path / FILE)
        else:
            (tmp_path / FILE).write_bytes(broken)
        with pytest.raises(AgentcError) as found:
            ShieldTable.read(tmp_path / FILE)
        assert found.value.diagnostics[0].code == "AS1343"


@pytest.mark.parametrize("algorithm", ["ppo { steps = 1024; rollout = 64", "dqn { steps = 400; warmup = 50"])
def test_learners_act_under_the_shield(tmp_path, algorithm):
    """No episode of training violates, and none of the evaluation, which finds the shield beside the policy."""
    from agentc.runtime.acceptance import accept
    from agentc.runtime.learn.logs import read_metrics
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.runs import run_of
    from agentc.runtime.shielded import shield_of_run
    from agentc.runtime.training import configuration, train_agent

    body, rates = "safe dry = G !(x == 2 & y >= 1 & y <= 2)", {}
    for on in ("true", "false"):
        agent = compiled(body, train=f"train {algorithm}; envs = 4; shield = {on} }}")
        run = run_of("Skater", 0, tmp_path / on)
        train_agent(agent, configuration(agent.agent), run)
        lines = [line.get("episodes", {}).get("violated", {}) for line in read_metrics(run.folder)]
        said = [line["dry"] for line in lines if "dry" in line]
        rates[on] = max(said)
        shield = shield_of_run(run, agent.agent)
        assert (shield is not None) == (on == "true")
        if shield is not None:
            done = accept(agent, Policy.load(run.folder), episodes=20, shield=shield)
            assert not any(e.violated["dry"] for e in done.episodes)
    assert rates["true"] == 0.0 and rates["false"] > 0.0
