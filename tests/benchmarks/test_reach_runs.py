"""Recorded runs of closed loops: what is there is not run again, what is of another text is; hulls hold the runs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from agentc.benchmarks import reach_runs
from agentc.benchmarks.reach_instances import INSTANCES, read_polar, write_onnx


def polar(folder, name):
    """A controller with 2 inputs, 1 output and one layer of 3 neurons, damping the pendulum."""
    numbers = [[1, 0, 0], [0, 1, 0], [-1, -1, 0], [-0.5, -0.2, 0.1, 0]]
    words = ["2", "1", "1", "3", "ReLU", "Affine", *(str(v) for row in numbers for v in row), "0", "1"]
    (folder / f"{name}.polar").write_text("\n".join(words))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(reach_runs, "INSTANCES", INSTANCES[:1])
    monkeypatch.setattr(reach_runs, "RECORDED", tmp_path / "runs.jsonl")
    monkeypatch.setattr(reach_runs, "LINE", 40)
    monkeypatch.setattr(reach_runs.run, "__defaults__", (40,))
    monkeypatch.setattr(reach_runs.read, "__defaults__", (tmp_path / "runs.jsonl",))
    polar(tmp_path, INSTANCES[0].controller)
    return tmp_path


def test_what_is_recorded_is_not_run_again(folder):
    rows = folder / "runs.jsonl"
    code = reach_runs.main([str(folder), "40"])
    first = rows.read_text()
    assert first.count("\n") == 1 and code == int("violations\": 0" not in first)
    reach_runs.main([str(folder), "80"])
    both = rows.read_text()
    assert both.startswith(first) and both.count("\n") == 2
    reach_runs.main([str(folder), "80"])
    assert rows.read_text() == both
    whole = reach_runs.recorded(INSTANCES[0], folder)
    parts = [json.loads(row) for row in both.splitlines()]
    assert whole.count == 80 and whole.violations == sum(p["violations"] for p in parts)
    assert whole.low[-1] == np.minimum(parts[0]["low"][-1], parts[1]["low"][-1]).tolist()
    # of another formula they are none
    assert reach_runs.recorded(replace(INSTANCES[0], formula="G th <= 2"), folder) is None


def test_hulls_hold_runs_and_ends_are_drawn(folder):
    instance = INSTANCES[0]
    network = instance.lift(read_polar(folder / f"{instance.controller}.polar"))
    write_onnx(network, folder / f"{instance.controller}.onnx")
    simulation = reach_runs.simulation_of(instance, folder)
    start, noise = reach_runs.draw(simulation, np.random.default_rng(0), 40)
    assert (start[:20, 0] == 1.175).any() and (start[:20, 0] == 1.0).any() and noise.shape == (40, 20, 0)
    found = reach_runs.run(instance, "", simulation, 0)
    signals = simulation.rollouts(start, noise)
    assert found.low[0][0] == 1.0 and found.high[0][0] == 1.175 and len(found.low) == 21
    assert found.high[-1][0] == pytest.approx(float(signals["th"][:, -1].max()))
    off = reach_runs.uncertain(simulation, 20)
    assert off.shape == (21, 2) and (off[0] == 0).all() and 0 < off.max() < 1e-4
