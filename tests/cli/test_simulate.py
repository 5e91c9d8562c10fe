"""``agentc simulate``: verdicts of declared systems under controllers, drawings, recordings."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agentc.runtime.cli.application import invoke

SPECS = Path(__file__).parents[2] / "specs"

SPEC = """
import std.systems.pendulums: cart_pole

agent Balancer {
  env cart_pole(horizon = 60)
  safe upright = G abs(theta) < 12deg
  task still = F G abs(theta_dot) < 0.05
  reward { upright : -1 }
}
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pole.agentspec").write_text(SPEC)
    return "pole.agentspec"


def test_a_controller_against_random_actions(spec, capsys):
    rows = {}
    for controller in ("balance", "random"):
        assert invoke(["simulate", spec, "--controller", controller, "--episodes", "5", "--format", "json"]) == 0
        (rows[controller],) = json.loads(capsys.readouterr().out)
    assert rows["balance"]["formulas"]["upright"] == {"role": "safe", "satisfied": 5, "of": 5}
    assert rows["balance"]["formulas"]["still"]["satisfied"] == 5
    assert rows["random"]["formulas"]["upright"]["satisfied"] < 5 and rows["random"]["return"] < 0
    assert rows["balance"]["steps"] == 60


def test_the_same_seed_gives_the_same_trace_and_what_it_holds(spec, capsys):
    recorded = []
    for name in ("a.csv", "b.csv"):
        assert invoke(["simulate", spec, "--episodes", "2", "--seed", "4", "--trace", name]) == 0
        recorded.append(Path(name).read_text())
    assert recorded[0] == recorded[1]
    rows = list(csv.DictReader(recorded[0].splitlines()))
    assert rows[0].keys() == {"x", "x_dot", "theta", "theta_dot", "action.force"}
    assert rows[0]["action.force"] == "" and -10 <= float(rows[1]["action.force"]) <= 10
    moved = float(rows[0]["x"]) + 0.02 * float(rows[0]["x_dot"])
    assert float(rows[1]["x"]) == pytest.approx(moved, abs=1e-15)  # by Euler's method


def test_the_shipped_courier_is_drawn(tmp_path, capsys):
    drawing = tmp_path / "trails.svg"
    arguments = ["simulate", str(SPECS / "courier.agentspec"), "--episodes", "3", "--svg", str(drawing)]
    assert invoke(arguments) == 0
    assert "task deliver: satisfied in 0 of 3" in capsys.readouterr().out
    root = ElementTree.parse(drawing).getroot()
    assert len([e for e in root.iter() if e.tag.endswith("polyline")]) == 3
    assert {"ellipse", "rect"} <= {e.tag.split("}")[1] for e in root.iter()}


def test_wrong_use(spec, capsys):
    assert invoke(["simulate", spec, "--controller", "balanse"]) == 1
    said = capsys.readouterr().err
    assert "AS0203" in said and "balance" in said
    assert invoke(["simulate", spec, "--svg", "no/such/folder.svg", "--episodes", "1"]) == 1
    assert "AS0808" in capsys.readouterr().err


def test_systems_are_listed(capsys):
    assert invoke(["envs", "quadrotor"]) == 0
    said = capsys.readouterr().out
    assert "import std.systems.quadrotors" in said and "action.thrust : real in [-10, 10] [N]" in said
