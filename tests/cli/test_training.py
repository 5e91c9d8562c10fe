"""The path from a spec to a trained, evaluated and reported agent, on a small budget."""

import base64
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from agentc.runtime.cli.application import invoke

SPEC = """
import std.env.office

agent Small {
  \"\"\"Fetch coffee.\"\"\"
  env office(max_steps = 30)
  prop at_coffee = tile == coffee
  task fetch = F at_coffee
  reward { fetch : +1.0; step : -0.01; shape fetch }
  train ppo { steps = 256; envs = 4; rollout = 32; seed = 3 }
  expect satisfaction(fetch) >= 0.99 with confidence 0.95
}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.agentspec").write_text(SPEC)
    return tmp_path


def test_from_a_spec_to_a_report(folder, capsys):
    assert invoke(["compile"]) == 0
    assert invoke(["train"]) == 0
    assert invoke(["eval", "--episodes", "5", "--format", "json"]) in (1, 3)
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["agent"] == "Small" and rows[0]["training_seed"] == 3
    assert len(rows[0]["episodes"]) == rows[0]["rates"][0]["episodes"] == 5
    assert invoke(["eval", "--episodes", "5", "--gif", "--gif-episodes", "1"]) in (1, 3)
    film = Path("runs/Small/seed3/rollouts.gif").read_bytes()
    assert film.startswith(b"GIF89a")
    assert "satisfaction(fetch) >= 0.99" in capsys.readouterr().out
    assert invoke(["report"]) == 0
    page = Path("runs/Small/report.html").read_text()
    assert page.startswith("<!doctype html>") and "<svg" in page and "data:image/png;base64" in page
    assert base64.b64encode(film).decode() in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page


def test_several_seeds_and_resume(folder, capsys):
    assert invoke(["train", "--seeds", "2", "--steps", "128"]) == 0
    assert sorted(p.name for p in Path("runs/Small").iterdir()) == ["seed3", "seed4"]
    capsys.readouterr()
    assert invoke(["train", "--resume", "--steps", "128"]) == 0
    last = [json.loads(line) for line in Path("runs/Small/seed3/metrics.jsonl").read_text().splitlines()][-1]
    assert last["steps"] == 128
    assert invoke(["train", "--resume", "--steps", "256"]) == 1  # the schedule of the run would be another
    assert "AS0842" in capsys.readouterr().err


def test_two_runs_with_one_seed_are_the_same_bytes(folder):
    assert invoke(["train", "--runs", "one"]) == 0
    assert invoke(["train", "--runs", "two"]) == 0
    one, two = (sorted(Path(f"{name}/Small/seed3").glob("*.safetensors")) for name in ("one", "two"))
    assert one and [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_evaluating_what_is_not_trained_or_damaged(folder, capsys):
    assert invoke(["eval"]) == 1
    assert "AS0965" in capsys.readouterr().err
    assert invoke(["train"]) == 0
    for path in Path("runs/Small/seed3").glob("checkpoint*"):
        path.write_bytes(path.read_bytes()[:40])
    assert invoke(["eval"]) == 1
    err = capsys.readouterr().err
    assert "AS0841" in err and "Traceback" not in err


def test_a_run_of_another_spec_is_said(folder, capsys):
    assert invoke(["train"]) == 0
    spec = folder / "small.agentspec"
    spec.write_text(spec.read_text().replace("fetch : +1.0", "fetch : +2.0"))
    invoke(["eval", "--episodes", "1"])
    assert "AS0966" in capsys.readouterr().err


def test_a_spec_that_cannot_be_trained_says_why(folder, capsys):
    spec = folder / "small.agentspec"
    spec.write_text(spec.read_text().replace("  train ppo { steps = 256; envs = 4; rollout = 32; seed = 3 }\n", ""))
    assert invoke(["train"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_what_one_agent_does_another_learns(folder, capsys):
    assert invoke(["train"]) == 0
    assert invoke(["eval", "--episodes", "4", "--record", "data/coffee"]) in (1, 3)
    assert "steps of 4 episodes in data/coffee" in capsys.readouterr().err
    text = SPEC.replace("agent Small", "agent Clone").replace(
        "train ppo { steps = 256; envs = 4; rollout = 32; seed = 3 }", 'train bc { steps = 20; data = "data/coffee" }'
    )
    (folder / "clone.agentspec").write_text(text)
    assert invoke(["train", "clone.agentspec"]) == 0
    assert "20 steps" in capsys.readouterr().err
    assert invoke(["eval", "clone.agentspec", "--episodes", "2"]) in (0, 1, 3)
