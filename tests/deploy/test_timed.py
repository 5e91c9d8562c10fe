"""Agents that are judged on whole traces, from training to a deployed run and a report."""

import json

import pytest

from agentc.runtime.cli.application import invoke as command_line

SPEC = """
system boat {{
  state x, y : real [m]
  input u, v : real in [-1, 1] [m/s]
  x' = u
  y' = v
  step 0.5s by rk4
}}

agent Ferry {{
  env boat(horizon = 8, init = {{ x in [0, 1]; y in [-1, 1] }})
  region bank = box(lo = (2, -2), hi = (6, 2))
  region rock = circle(center = (1.6, 0), radius = 0.3)
  task cross = F[0s, 3s] G[0s, 1s] (x, y) in bank
  safe dry = G !((x, y) in rock)
  {train}
  expect violations(dry) <= 200
  deploy {{ require met(dry); monitor dry; shield dry; fallback stop }}
}}
"""


@pytest.mark.parametrize(
    "train",
    [
        "train tgpo { steps = 512; envs = 16; rollout = 16; hidden = 16 }",
        "train npc { steps = 3; batch = 8; refine = 2 }",
    ],
)
def test_from_training_to_deployment(tmp_path, monkeypatch, capsys, train):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ferry.agentspec").write_text(SPEC.format(train=train))

    def done(*arguments):
        code = command_line(list(arguments))
        said = capsys.readouterr()
        assert code == 0, said.out + said.err
        return said.out

    done("train", "ferry.agentspec")
    done("eval", "ferry.agentspec", "--episodes", "3")
    done("run", "ferry.agentspec", "--episodes", "4", "--seed", "1")
    for seed in range(1, 5):
        text = (tmp_path / f"runs/Ferry/deployed/run-{seed}.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert set(lines[1]["signals"]) == {"x", "y"} and lines[-1]["event"] == "end"
        assert lines[-1]["violated"] == {"dry": False}  # the shield, whatever was learnt
    assert "cross: " in done("report", "ferry.agentspec") + (tmp_path / "runs/Ferry/report.html").read_text()
