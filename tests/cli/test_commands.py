"""The command line: exit codes, formats, no traceback, nothing heavy imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentc.runtime.cli.application import COMMANDS, invoke, worst

ROOT = Path(__file__).resolve().parents[2]
DOORKEY = ROOT / "specs" / "doorkey.agentspec"
BROKEN = "agent A {\n  signal p : bool\n  task t = F q\n}\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")


def test_exit_codes_over_several_items_take_the_first_of_2_1_3_0():
    assert worst([0, 3, 1, 2]) == 2
    assert worst([0, 3, 1]) == 1
    assert worst([0, 3]) == 3
    assert worst([0, 0]) == 0
    assert worst([]) == 0


def test_check_accepts_the_flagship(capsys):
    assert invoke(["check", str(DOORKEY)]) == 0
    assert "error" not in capsys.readouterr().err.replace("no errors", "")


def test_check_takes_the_specs_of_the_current_folder(tmp_path, capsys):
    (tmp_path / "a.agentspec").write_text(BROKEN)
    assert invoke(["check"]) == 1
    assert "a.agentspec:3:14" in capsys.readouterr().err


def test_check_without_any_spec_says_so(capsys):
    assert invoke(["check"]) == 1
    assert "AS0960" in capsys.readouterr().err


def test_json_and_sarif_go_to_standard_output(tmp_path, capsys):
    (tmp_path / "a.agentspec").write_text(BROKEN)
    assert invoke(["check", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [d["code"] for d in found["diagnostics"]] == ["AS0203"]
    assert invoke(["check", "--format", "sarif"]) == 1
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"


def test_a_missing_file_and_a_binary_file_are_diagnostics(tmp_path, capsys):
    (tmp_path / "b.agentspec").write_bytes(b"\xff\xfe\x00")
    assert invoke(["check", "nowhere.agentspec", "b.agentspec"]) == 1
    err = capsys.readouterr().err
    assert err.count("error[") == 2 and "Traceback" not in err


def test_unknown_commands_and_options_are_wrong_use(capsys):
    assert invoke(["chek"]) == 2
    assert "Did you mean `check`" in capsys.readouterr().err
    assert invoke(["check", "--frmat", "json"]) == 2
    assert "--format" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name, (module, _) in COMMANDS.items() if module == "pending"])
def test_commands_that_are_not_built_yet_exit_with_3(name, capsys):
    assert invoke([name, "--anything", "x"]) == 3
    assert "AS0790" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    assert invoke([name, "--help"]) == 0
    assert "Usage: agentc" in capsys.readouterr().out


def test_test_runs_the_examples(tmp_path, capsys):
    assert invoke(["test", str(DOORKEY), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) >= 2 and all(row["passed"] for row in rows)
    wrong = DOORKEY.read_text().replace('"no key"    violates ', '"no key" satisfies')
    assert wrong != DOORKEY.read_text()
    (tmp_path / "wrong.agentspec").write_text(wrong)
    assert invoke(["test"]) == 1
    captured = capsys.readouterr()
    assert "FAIL" in captured.out and "AS0517" in captured.err


def test_parameters_that_are_no_assignment(capsys):
    assert invoke(["check", str(DOORKEY), "-p", "radius"]) == 1
    assert "AS0961" in capsys.readouterr().err


def test_fmt_is_idempotent_and_check_mode_writes_nothing(tmp_path, capsys):
    path = tmp_path / "a.agentspec"
    path.write_text("agent A{signal p:bool;task t=F p}\n")
    assert invoke(["fmt", "--check"]) == 1
    assert path.read_text() == "agent A{signal p:bool;task t=F p}\n"
    assert invoke(["fmt"]) == 0
    once = path.read_text()
    assert once != "agent A{signal p:bool;task t=F p}\n"
    assert invoke(["fmt", "--check"]) == 0
    assert path.read_text() == once


def test_fmt_leaves_a_broken_file_alone(tmp_path):
    path = tmp_path / "a.agentspec"
    path.write_text("agent A { task = }\n")
    assert invoke(["fmt"]) == 1
    assert path.read_text() == "agent A { task = }\n"


def test_new_writes_specs_that_check_and_never_overwrites(capsys):
    for family in ("minigrid", "cartpole", "office"):
        name = f"My{family.capitalize()}"
        assert invoke(["new", name, "--env", family]) == 0
        assert invoke(["check", f"{name.lower()}.agentspec"]) == 0, capsys.readouterr().err
        assert invoke(["test", f"{name.lower()}.agentspec"]) == 0
        assert invoke(["new", name, "--env", family]) == 1
    assert invoke(["new", "not a name"]) == 1


def test_automaton_in_every_format(tmp_path, capsys):
    for form, mark in (("hoa", "HOA: v1"), ("dot", "digraph"), ("svg", "<svg"), ("json", '"states": 3')):
        assert invoke(["automaton", "a U b", "--format", form]) == 0
        assert mark in capsys.readouterr().out
    (tmp_path / "formulas").write_text("F a\n# no formula\nG (\n")
    assert invoke(["automaton", "--file", "formulas", "--format", "json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["states"] == 2 and "error" in rows[1]
    assert invoke(["automaton"]) == 2
    assert invoke(["automaton", "a U"]) == 1


def test_automaton_over_budget_names_what_grows(capsys):
    assert invoke(["automaton", "F(a & X[10] last)", "--max-states", "100"]) == 1
    assert "AS0702" in capsys.readouterr().err


def test_explain_knows_codes_names_and_settings(capsys):
    assert invoke(["explain", "AS0203"]) == 0
    assert "unknown-name" in capsys.readouterr().out
    assert invoke(["explain", "train.ppo"]) == 0
    assert "learning_rate" in capsys.readouterr().out
    assert invoke(["explain", "AS9999"]) == 1


def test_envs_lists_the_signals(capsys):
    assert invoke(["envs", "office"]) == 0
    assert "tile : enum" in capsys.readouterr().out
    assert invoke(["envs", "offce"]) == 1
    assert "office" in capsys.readouterr().err


def test_an_unexpected_error_leaves_a_file_and_no_traceback(monkeypatch, capsys):
    import agentc.compiler.pipeline as pipeline

    def fail(*_args, **_kwargs):
        raise RuntimeError("a planted failure")

    monkeypatch.setattr(pipeline, "check", fail)
    assert invoke(["check", str(DOORKEY)]) == 1
    err = capsys.readouterr().err
    assert "AS0999" in err and "Traceback" not in err
    crash = Path(err.split("traceback is in `")[1].split("`")[0])
    assert "a planted failure" in crash.read_text()
    crash.unlink()


def test_check_imports_nothing_heavy():
    heavy = ("torch", "transformers", "numpy", "pydantic", "networkx", "gymnasium", "rich", "scipy", "z3")
    code = (
        "import sys; from agentc.runtime.cli.application import invoke; "
        f"code = invoke(['check', {str(DOORKEY)!r}]); "
        f"print([m for m in {heavy!r} if m in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_reader_that_leaves_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m agentc explain | head -1", shell=True, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
