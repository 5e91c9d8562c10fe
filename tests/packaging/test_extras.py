"""What works without the extras, and that what does not names the extra to install."""

import subprocess
import sys
from pathlib import Path

import pytest

SPECS = Path(__file__).resolve().parents[2] / "specs"

BLOCKED = (
    "torch", "gymnasium", "rich", "safetensors", "scipy", "tensorboard", "minigrid", "pygame", "stable_baselines3",
    "hypothesis", "jsonschema", "networkx", "matplotlib", "interegular", "sympy", "z3", "transformers",
)  # fmt: skip

PROGRAM = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

BLOCKED = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Missing())
from agentc.runtime.cli.application import invoke
sys.exit(invoke(sys.argv[1:]))
"""


def without(blocked, folder, *arguments):
    command = [sys.executable, "-c", PROGRAM, ",".join(blocked), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "AS0999" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("command", ["check", "fmt", "test", "compile", "envs", "explain"])
def test_what_needs_no_learner_works_with_the_core_alone(tmp_path, command):
    for spec in sorted(SPECS.glob("*.agentspec")):
        (tmp_path / spec.name).write_text(spec.read_text())
    done = without(BLOCKED, tmp_path, command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_automata_and_new_specs_work_with_the_core_alone(tmp_path):
    for form in ("hoa", "dot", "svg", "json"):
        assert without(BLOCKED, tmp_path, "automaton", "G(a -> F b)", "--format", form).returncode == 0
    assert without(BLOCKED, tmp_path, "new", "Mine").returncode == 0
    assert without(BLOCKED, tmp_path, "check").returncode == 0


def test_check_needs_neither_numpy_nor_pydantic(tmp_path):
    (tmp_path / "doorkey.agentspec").write_text((SPECS / "doorkey.agentspec").read_text())
    for command in ("check", "fmt", "test"):
        done = without((*BLOCKED, "numpy", "pydantic"), tmp_path, command)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "package"),
    [("train", "torch"), ("train", "gymnasium"), ("train", "rich"), ("train", "safetensors"), ("eval", "gymnasium")],
)
def test_a_missing_package_names_its_extra(tmp_path, command, package):
    done = without((package,), tmp_path, command, SPECS / "doorkey.agentspec", "--runs", tmp_path / "runs")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "AS0967" in done.stderr and "agentspec-compiler[train]" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_missing_environment_names_its_extra(tmp_path):
    done = without(("minigrid",), tmp_path, "train", SPECS / "doorkey.agentspec", "--runs", tmp_path / "runs")
    assert done.returncode == 1
    assert "agentspec-compiler[minigrid]" in done.stderr
    assert not (tmp_path / "runs").exists()
