"""The wheel, installed alone in a clean environment and run from another folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    # built from a copy of what git tracks, so that no build folder is left behind and no stray file gets in
    tree = tmp_path_factory.mktemp("tree")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, tree / name
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A clean environment with the wheel and its core dependencies only; returns its `agentc`."""
    home = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "bin"


def run(command, folder):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, env=environment)


def test_the_wheel_holds_the_library_the_specs_and_the_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "agentc/lang/parse_table.json",
        "agentc/lang/pages/AS0203.md",
        "agentc/stdlib/patterns.agentspec",
        "agentc/stdlib/env/minigrid.agentspec",
        "agentc/specs/doorkey.agentspec",
        "agentc/runtime/report/report.css",
        "agentc/lang/py.typed",
    ):
        assert needed in names
    assert not any(name.startswith(("tests/", "lang/")) for name in names)


def test_it_compiles_the_packaged_spec_from_another_folder(installed, tmp_path):
    where = run([installed / "python", "-c", "import agentc.specs as s; print(s.__path__[0])"], tmp_path)
    spec = Path(where.stdout.strip()) / "doorkey.agentspec"
    assert ROOT not in spec.parents
    (tmp_path / "mine.agentspec").write_text(spec.read_text())
    checked = run([installed / "agentc", "check"], tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    compiled = run([installed / "agentc", "compile"], tmp_path)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    assert (tmp_path / "build" / "DoorKey.agent" / "manifest.json").exists()


def test_training_without_the_extra_names_it(installed, tmp_path):
    where = run([installed / "python", "-c", "import agentc.specs as s; print(s.__path__[0])"], tmp_path)
    done = run([installed / "agentc", "train", Path(where.stdout.strip()) / "doorkey.agentspec"], tmp_path)
    assert done.returncode == 1
    assert "agentspec-compiler[train" in done.stderr and "Traceback" not in done.stderr
