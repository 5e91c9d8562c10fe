"""The command: formats, exit codes, certificates on disk, parallel items, bad input."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from agentc.runtime.cli.application import invoke

from .networks import at_most, random_mlp, write_mlp
from .test_model import GRID

SPEC = GRID + """
agent A {
  env grid()
  safe never = G !(x == 2 & y == 1)
  safe order = G (x >= 1 -> O x == 0)
  task there = F x == 4
  verify order by model
  verify never by bmc
  verify there by model
}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.agentspec").write_text(SPEC)
    return tmp_path


def run(capsys, *arguments):
    code = invoke(["verify", *arguments])
    return code, capsys.readouterr()


def test_json_has_every_item_in_order(folder, capsys):
    code, said = run(capsys, "a.agentspec", "--format", "json", "--jobs", "2")
    rows = json.loads(said.out)
    assert [(r["item"], r["word"]) for r in rows] == [
        ("A: order", "proved"), ("A: never", "falsified"), ("A: there", "unknown")
    ]  # fmt: skip
    assert code == 1  # the first of 2, 1, 3, 0 that occurs
    assert len(rows[1]["evidence"]["trace"]) == 4
    certificate = rows[0]["certificate"]
    assert certificate and (folder / certificate).is_file()
    assert invoke(["verify", "--check", certificate]) == 0
    text = (folder / certificate).read_text()
    (folder / "damaged.json").write_text(text.replace('"count":', '"count": 1'))
    assert invoke(["verify", "--check", "damaged.json"]) == 1


def test_sarif_and_junit(folder, capsys):
    _, said = run(capsys, "a.agentspec", "--format", "sarif")
    results = json.loads(said.out)["runs"][0]["results"]
    assert [r["ruleId"] for r in results] == ["AS1304", "AS1301", "AS1303"]
    assert [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in results] == [23, 24, 25]
    _, said = run(capsys, "a.agentspec", "--format", "junit")
    suite = ElementTree.fromstring(said.out)
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    said = [{p.get("name") for p in case.iter("property")} for case in suite.iter("testcase")]
    assert said[0] == {"method", "word", "assumption", "certificate"} and said[1] == {"method", "word"}


def test_a_network_and_a_property(folder, capsys):
    write_mlp(folder / "n.onnx", *random_mlp(np.random.default_rng(0), (2, 4, 1)))
    (folder / "p.vnnlib").write_text(at_most(100.0))
    code, said = run(capsys, "--network", "n.onnx", "--property", "p.vnnlib", "-o", "proofs", "--format", "json")
    (row,) = json.loads(said.out)
    assert code == 0 and row["word"] == "proved"
    assert invoke(["verify", "--check", row["certificate"]]) == 0
    (folder / "n.onnx").write_bytes((folder / "n.onnx").read_bytes()[:-1] + b"\x00")  # another network now
    assert invoke(["verify", "--check", row["certificate"]]) == 1


def test_wrong_use(folder, capsys):
    assert run(capsys, "--network", "n.onnx")[0] == 2
    assert run(capsys, "--check", "missing.json")[0] == 1
    (folder / "bad.json").write_text("[" * 100_000)
    assert run(capsys, "--check", "bad.json")[0] == 1
    code, said = run(capsys, "a.agentspec", "--agent", "B")
    assert code == 1 and "AS0203" in said.err


def test_help_is_light():
    import subprocess
    import sys

    program = (
        "import sys\nfrom agentc.runtime.cli.application import agentc\n"
        "agentc.main(['verify', '--help'], standalone_mode=False)\n"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'z3', 'scipy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
