"""`agentc run --planner`: outcomes, exit codes, files, refusals."""

import csv
import itertools
import json
from pathlib import Path

import pytest

import agentc.specs.planning
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check, read
from agentc.runtime.cli.application import invoke

SCENARIOS = Path(agentc.specs.planning.__file__).parent
REACH = str(SCENARIOS / "reach_avoid.agentspec")


def test_a_plan_is_written_drawn_and_judged(tmp_path, capfd):
    assert invoke(["run", REACH, "--planner", "milp", "-o", str(tmp_path), "--format", "json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["status"] == "satisfied"
    assert row["method"] == "milp"
    assert row["robustness"] > 0
    assert [f["name"] for f in row["formulas"]] == ["reach", "clear"]
    assert any(line.startswith("reach ((x, y) in box(") for line in row["plan"])
    drawing = (tmp_path / "ReachAvoid.svg").read_text()
    assert drawing.startswith("<svg")
    assert drawing.count("<circle") > 15
    with (tmp_path / "ReachAvoid.csv").open() as file:
        steps = list(csv.DictReader(file))
    assert [int(r["step"]) for r in steps] == list(range(16))
    trace = Trace({k: float(r[k]) for k in ("x", "y", "vx", "vy")} for r in steps)
    (agent,) = check(read(REACH)).agents
    assert all(evaluate(f.formula, trace) for f in agent.formulas)
    # the written inputs lead from each step to the next
    for now, then in itertools.pairwise(steps):
        assert float(then["vx"]) == pytest.approx(float(now["vx"]) + float(now["ax"]), abs=1e-12)


def test_infeasible_is_reported_as_such(tmp_path, capsys):
    assert invoke(["run", REACH, "--planner", "auto", "--horizon", "7", "-o", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "ReachAvoid: infeasible (milp" in out
    assert "no trajectory of this length satisfies the formulas" in out
    assert not list(tmp_path.iterdir())


def test_not_found_is_unknown(tmp_path, capsys):
    pytest.importorskip("torch")
    arguments = ["run", REACH, "--planner", "gradient", "--horizon", "7", "--seconds", "1", "-o", str(tmp_path)]
    assert invoke(arguments) == 3
    assert "not found (gradient" in capsys.readouterr().out


def test_text_and_a_formula_by_name(tmp_path, capsys):
    arguments = ["run", REACH, "--planner", "milp", "--formula", "clear", "--start", "x=6", "-o", str(tmp_path)]
    assert invoke(arguments) == 0
    out = capsys.readouterr().out
    assert "true   clear" in out
    assert "reach" not in out.replace("reached", "")
    assert f"wrote {tmp_path / 'ReachAvoid.svg'}" in out


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["--formula", "reech"], "AS0203", 1),
        (["--agent", "Nobody"], "AS0203", 1),
        (["--start", "x=far"], "AS1208", 1),
        (["--start", "speed=1"], "AS1208", 1),
        (["--start", "x=12"], "AS1208", 1),
        (["--start", "x=nan"], "AS1208", 1),
        (["--planner", "best"], "", 2),
        (["--horizon", "0"], "", 2),
    ],
)
def test_bad_arguments(arguments, code, exit_code, tmp_path, capsys):
    given = ["run", REACH, *([] if "--planner" in arguments else ["--planner", "milp"]), *arguments]
    assert invoke([*given, "-o", str(tmp_path)]) == exit_code
    assert code in capsys.readouterr().err


def test_a_place_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert invoke(["run", REACH, "--planner", "milp", "-o", str(tmp_path / "file")]) == 1
    assert "AS0808" in capsys.readouterr().err


def test_what_has_no_gate_and_writes_nothing_is_not_run(capsys):
    assert invoke(["run", REACH]) == 1
    assert "AS1384" in capsys.readouterr().err
