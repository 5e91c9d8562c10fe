"""Deployment: the gate is open for exactly what was proved, and whoever stands in is logged."""

import json

import numpy as np
import pytest

from agentc.compiler.pipeline import check as check_spec
from agentc.lang.source import Source
from agentc.runtime.cli.application import invoke as command_line
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.deploy.running import Deployment

ICE = """
system ice {{
  state x, y : int in [0, 4]
  input move : enum {{ up, down, left, right }}
  command north when move == up {{ 0.8 : y' = min(y + 1, 4); 0.2 : y' = y }}
  command south when move == down {{ 0.8 : y' = max(y - 1, 0); 0.2 : y' = y }}
  command west when move == left {{ 0.8 : x' = max(x - 1, 0); 0.2 : x' = x }}
  command east when move == right {{ 0.8 : x' = min(x + 1, {most}); 0.2 : x' = x }}
  init {{ x = 0; y = 0 }}
}}

agent Skater {{
  env ice(horizon = 30)
  safe dry = G !(x == 2 & y >= 1)
  safe slow = G (x <= 3 | O x == 3)
  task far = F (x == 4 & y == 4)
  reward {{ far : +1.0 }}
  train ppo {{ steps = 64; rollout = 16; envs = 2; shield = true }}
  expect violations(dry) <= 0
  verify slow by model
  verify dry by model {{ controller = "runs/Skater/seed0" }}
  deploy {{ {deploy} }}
}}
"""
ALL = "require proved(slow) & proved(dry, unchecked) & met(dry); shield dry; monitor dry"


@pytest.fixture
def invoke(capsys):
    def called(*arguments):
        code = command_line(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return called


def test_the_gate(tmp_path, monkeypatch, invoke):
    """Closed until everything is there, open then, closed again when any artifact is another."""
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "ice.agentspec"

    def write(deploy=ALL, most=4):
        spec.write_text(ICE.format(deploy=deploy, most=most))

    def closed(*words):
        code, said = invoke("run", "ice.agentspec")
        assert code == 1 and all(word in said for word in words), said
        assert not (tmp_path / "runs/Skater/deployed").exists()

    write()
    closed("AS0965")
    assert invoke("train", "ice.agentspec")[0] == 0
    closed("proved(slow)", "no record of proofs", "met(dry)", "no evaluation")
    code, said = invoke("verify", "ice.agentspec", "--jobs", "1")
    assert code == 0, said
    closed("met(dry)")
    assert invoke("eval", "ice.agentspec", "--episodes", "5")[0] == 0
    # a proof without a certificate is enough only where the spec says so
    record = tmp_path / "build/Skater.agent/proofs.json"
    saved = record.read_text()
    data = json.loads(saved)
    for row in data["items"]:
        row["certificate"] = "" if row["formula"] == "dry" else row["certificate"]
    record.write_text(json.dumps(data))
    write(ALL.replace("proved(dry, unchecked)", "proved(dry)"))
    closed("proved(dry)", "unchecked")
    record.write_text(saved)
    write()
    code, said = invoke("run", "ice.agentspec", "--out", "first")
    assert code == 0 and "interventions" in said and "dry kept" in said, said
    events = [json.loads(line) for line in (tmp_path / "first/run-0.jsonl").read_text().splitlines()]
    assert events[0]["meaning"].startswith("sha256:") or len(events[0]["meaning"]) == 64
    assert events[-1]["event"] == "end" and not events[-1]["violated"]["dry"]
    stood = [e for e in events if e["event"] == "intervention"]
    assert len(stood) == sum(events[-1]["interventions"].values())
    # a certificate that is another
    certificate = next((tmp_path / "build/Skater.agent/certificates").glob("*.json"))
    kept = certificate.read_text()
    certificate.write_text(kept.replace('"count":', '"count" :'))
    closed("certificate")
    certificate.write_text(kept)
    # a record that calls another certificate its own: the checker and the agent's meaning say no
    data = json.loads(saved)
    for row in data["items"]:
        if row["formula"] == "slow":
            row["formula"] = "dry"
        elif row["formula"] == "dry":
            row["formula"] = "slow"
    record.write_text(json.dumps(data))
    write("require proved(dry); shield dry")
    closed("another formula")
    record.write_text(saved)
    # another system: policy, proofs and evaluation are all of the one before
    write(most=3)
    closed("AS1381")
    # a policy that was trained on
    write()
    assert invoke("train", "ice.agentspec", "--steps", "96")[0] == 0
    closed("proved(dry)", "not about", "met(dry)", "another policy")


class Stub:
    """A policy that always wants the same."""

    def __init__(self, action):
        self.action = action

    def act(self, observation, mask, randomness):
        if mask is not None and not mask[0, self.action]:
            return np.array([np.flatnonzero(mask[0])[0]])
        return np.array([self.action])


def agent(text):
    result = check_spec([Source("a.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return CompiledAgent.from_ir(result.agents[0])


def deployed(compiled, policy, seed=0):
    events = []
    done = Deployment(compiled, policy).episode(seed, lambda event, data: events.append({"event": event, **data}))
    return done, events


def test_the_shield_stands_in():
    compiled = agent(ICE.format(deploy="shield dry; monitor dry", most=4))
    for seed in range(3):
        done, events = deployed(compiled, Stub(3), seed)  # who always goes right meets no water at y = 0
        assert done.kept and not done.interventions
    up = agent(ICE.format(deploy="shield dry", most=4).replace("init { x = 0; y = 0 }", "init { x = 1; y = 2 }"))
    done, events = deployed(up, Stub(3))
    first = next(e for e in events if e["event"] == "intervention")
    assert done.kept and (first["kind"], first["wanted"], first["step"]) == ("shield", 3, 0) and first["done"] != 3


def test_a_monitor_says_when_it_turns():
    compiled = agent(ICE.format(deploy="monitor dry", most=4).replace("init { x = 0; y = 0 }", "init { x = 1; y = 2 }"))
    done, events = deployed(compiled, Stub(3))
    assert not done.kept and not done.interventions
    turned = [e for e in events if e["event"] == "monitor"]
    assert [(e["formula"], e["verdict"], e["step"]) for e in turned] == [("dry", "false", done.steps)]


TANK = """
system tank {{
  state level : real [m]
  input inflow : real in [0, 0.2] [m/s]
  level' = inflow - 0.05m/s
  step 1s
  init {{ level in [0.4, 0.6] }}
  controller shut {{ inflow = 0m/s }}
  controller open {{ inflow = 0.2m/s }}
}}

agent Keeper {{
  env tank(horizon = 30)
  safe low = G level < 1m
  deploy {{ {deploy} }}
}}
"""


def test_the_fallback_takes_over_while_it_suffices():
    """Simplex: who always fills the tank is stopped right before the fallback could no longer mend it."""
    compiled = agent(TANK.format(deploy="shield low; monitor low; fallback shut"))
    full = np.array([0.2], np.float32)
    for seed in range(3):
        done, events = deployed(compiled, Stub(full), seed)
        assert done.kept and done.interventions["simplex"] > 0 and done.steps == 30
        stood = [e["step"] for e in events if e["event"] == "intervention"]
        assert stood[0] >= 2 and len(stood) < 30  # not before it has to, and the policy acts again
    without, _ = deployed(agent(TANK.format(deploy="monitor low")), Stub(full))
    assert not without.kept and without.violated["low"]


def test_a_policy_that_fails_is_replaced():
    compiled = agent(TANK.format(deploy="monitor low; fallback shut"))
    done, events = deployed(compiled, Stub(np.array([np.nan], np.float32)))
    assert done.interventions == {"policy": done.steps} and done.kept
    alone, events = deployed(agent(TANK.format(deploy="monitor low")), Stub(np.array([np.nan], np.float32)))
    assert alone.stopped and events[-2]["event"] == "stopped" and alone.steps == 0
