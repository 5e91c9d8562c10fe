"""`agentc monitor`: formats, times, verdicts and exit codes."""

import io
import json

import pytest

from agentc.runtime.cli.application import invoke

SPEC = """environment yard() {
  engine gymnasium("Yard-v0")
  step 0.1s
  signal x : real in [0, 1000] [cm]
  signal door : enum { open, shut }
  signal busy : bool
  signal pos : vec[2]
}

agent Courier {
  env yard()
  task near = F[0s, 0.3s] x > 3m
  safe shut = G (busy -> door == shut)
  behavior far = F norm(pos) > 2
}
"""
CSV = """t,x,door,busy,pos[0],pos[1]
0.0,100,shut,0,0,0
0.1,200,shut,1,0,1
0.2,350,open,0,3,4
0.3,200,open,1,0,1
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "courier.agentspec").write_text(SPEC)
    (tmp_path / "run.csv").write_text(CSV)


def found(capsys, *arguments):
    code = invoke(["monitor", *arguments, "--format", "json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out), captured.err


def test_verdict_robustness_and_witness(capsys):
    code, rows, _ = found(capsys, "courier.agentspec", "--trace", "run.csv", "--time", "t")
    near, shut, far = rows
    assert code == 1
    assert (near["outcome"], near["decided"], near["robustness"]) == ("holds", 2, pytest.approx(0.5))  # metres
    assert (shut["outcome"], shut["decided"], shut["robustness"]) == ("fails", 3, "-inf")
    assert [(link["step"], link["time"]) for link in shut["witness"]] == [(0, 0.0), (3, 0.3), (3, 0.3)]
    assert shut["witness"][-1]["formula"] == "(door == shut)" and shut["values"] == {"door": "open"}
    assert (far["outcome"], far["robustness"]) == ("holds", 3.0)


def test_text_names_the_subformula_the_step_and_the_value(capsys):
    assert invoke(["monitor", "--formula", "G (x > 50 & x < 300)", "--trace", "run.csv", "--time", "t"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "task formula: does not hold from step 2 (0.2 s) on; robustness -50",
        "  G (x > 50 & x < 300)  at step 0 (0 s): -50",
        "    (x > 50) & (x < 300)  at step 2 (0.2 s): -50",
        "      (x < 300)  at step 2 (0.2 s): -50",
        "        x = 350",
    ]


def test_json_lines_and_parquet_say_the_same(tmp_path, capsys):
    rows = [
        {"x": 100.0, "door": "shut", "busy": False, "pos": [0.0, 0.0]},
        {"x": 350.0, "door": "open", "busy": True, "pos": [3.0, 4.0]},
    ]
    (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, expected, _ = found(capsys, "courier.agentspec", "--trace", "run.jsonl")
    assert code == 1 and [r["outcome"] for r in expected] == ["holds", "fails", "holds"]
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "run.parquet")
    assert found(capsys, "courier.agentspec", "--trace", "run.parquet")[1] == expected


def test_standard_input_is_read_as_it_comes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(CSV))
    assert invoke(["monitor", "courier.agentspec", "--trace", "-", "--time", "t", "--only", "shut"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "step 0 (0 s): shut is true if it ended here", "step 3 (0.3 s): shut is false, whatever follows",
    ]  # fmt: skip


def test_types_of_a_formula_without_a_spec_are_those_of_the_columns(capsys):
    code, rows, _ = found(capsys, "--formula", "F (door == open & busy & x < 300)", "--trace", "run.csv")
    assert code == 0 and rows[0]["decided"] == 3 and rows[0]["robustness"] == 100.0


def test_durations_need_a_step_which_timestamps_or_an_option_give(capsys):
    assert found(capsys, "--formula", "F[0s, 0.2s] x > 300", "--trace", "run.csv", "--time", "t")[0] == 0
    assert found(capsys, "--formula", "F[0s, 0.2s] x > 300", "--trace", "run.csv", "--step", "0.2s")[0] == 1
    assert invoke(["monitor", "--formula", "F[0s, 1s] x > 300", "--trace", "run.csv"]) == 1
    assert "AS0407" in capsys.readouterr().err
    assert invoke(["monitor", "--formula", "F[0s, 0.15s] x > 300", "--trace", "run.csv", "--time", "t"]) == 1
    assert "AS0406" in capsys.readouterr().err


def test_an_open_trace_leaves_what_is_not_final_open(capsys):
    arguments = ("--formula", "F[0, 9] x > 900", "--trace", "run.csv")
    code, rows, err = found(capsys, *arguments, "--open")
    assert code == 3 and rows[0]["outcome"] == "open" and "AS1010" in err
    assert found(capsys, *arguments)[0] == 1
    assert found(capsys, "--formula", "F x > 300", "--trace", "run.csv", "--open")[0] == 0


def test_resampling_holds_the_last_value(tmp_path, capsys):
    (tmp_path / "jitter.csv").write_text("t,x\n0.0,1\n0.11,2\n0.19,3\n0.42,4\n")
    assert invoke(["monitor", "--formula", "F x > 3", "--trace", "jitter.csv", "--time", "t"]) == 1
    assert "AS1009" in capsys.readouterr().err
    code, rows, err = found(
        capsys, "--formula", "F[3, 3] x == 3", "--trace", "jitter.csv", "--time", "t", "--resample", "0.1s"
    )
    assert code == 0 and rows[0]["steps"] == 5 and "AS1017" in err


def test_missing_values(tmp_path, capsys):
    (tmp_path / "gaps.csv").write_text("x\n1\nNaN\n5\n")
    assert invoke(["monitor", "--formula", "G x > 0", "--trace", "gaps.csv"]) == 1
    assert "AS1012" in capsys.readouterr().err
    assert found(capsys, "--formula", "G x > 0", "--trace", "gaps.csv", "--missing", "hold")[0] == 0
    code, rows, _ = found(capsys, "--formula", "G x > 0", "--trace", "gaps.csv", "--missing", "none")
    assert code == 1 and rows[0]["robustness"] == "-inf" and rows[0]["decided"] == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("t,x\n0,1\n0,2\n", "AS1008"), ("t,x\n0,1\nnan,2\n", "AS1007"), ("t,x\n", "AS1013"), ("", "AS1014"),
        ("t,t\n1,2\n", "AS1014"), ("t,x\n0\n", "AS1014"), ("t,y\n0,1\n", "AS1001"), ("t,x\n0,inf\n", "AS1011"),
        ("t,x\n0,1e999\n", "AS1011"), ("\x00", "AS1013"), ("t,x\n0,many\n1,2\n", "AS03"),
    ],
)  # fmt: skip
def test_bad_recordings_are_named(tmp_path, capsys, text, code):
    (tmp_path / "bad.csv").write_text(text)
    assert invoke(["monitor", "--formula", "F x > 3", "--trace", "bad.csv", "--time", "t"]) == 1
    err = capsys.readouterr().err
    assert f"error[{code}" in err and "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--trace", "run.csv"], ["courier.agentspec"], ["--formula", "F x > 1", "--trace", "run.csv", "--map", "x"],
        ["--formula", "F x > 1", "--trace", "run.csv", "--resample", "0.1"],
        ["--formula", "F x > 1", "--trace", "run.csv", "--time", "t", "--resample", "-1"],
    ],
)  # fmt: skip
def test_wrong_use(arguments, capsys):
    assert invoke(["monitor", *arguments]) == 2
    assert "Usage" in capsys.readouterr().err


def test_unknown_names_get_the_nearest(capsys):
    base = ["monitor", "courier.agentspec", "--trace", "run.csv"]
    assert invoke([*base, "--agent", "Courir"]) == 1
    assert "did you mean `Courier`" in capsys.readouterr().err
    assert invoke([*base, "--only", "nera"]) == 1
    assert "did you mean `near`" in capsys.readouterr().err
    assert invoke(["monitor", "--formula", "F speed > 1", "--trace", "run.csv", "--map", "speed=x"]) == 0


def test_a_formula_over_budget_is_judged_on_the_whole_trace(tmp_path, capsys, monkeypatch):
    """Its automaton has a state for each set of open obligations; robustness does not care."""
    rows = "\n".join(f"{k % 7 + 0.5},{k % 5 + 0.5}" for k in range(60))
    (tmp_path / "long.csv").write_text(f"x,y\n{rows}\n")
    formula = "F[0,40] (x > 5 & G[3,30] (y > 0 | F[0,20] (x > 4 & F[2,9] y > 3)))"
    monkeypatch.setattr("agentc.runtime.trace_monitor.SECONDS", 0.05)
    code, rows, err = found(capsys, "--formula", formula, "--trace", "long.csv")
    assert code in (0, 1) and rows[0]["outcome"] == ("fails" if code else "holds")
    assert (rows[0]["robustness"] > 0) == (code == 0) and "AS0702" not in err


def test_formulas_of_other_tools_are_read_and_the_reading_is_said(capsys):
    formula = "out = eventually[0:2] (x > 300 until door == open)"
    code, rows, err = found(capsys, "--formula", formula, "--trace", "run.csv", "--dialect", "rtamt")
    assert "AS1032" in err and "U" in err and code in (0, 1) and len(rows) == 1
    assert invoke(["monitor", "courier.agentspec", "--trace", "run.csv", "--dialect", "rtamt"]) == 2
